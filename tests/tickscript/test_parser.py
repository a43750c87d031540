"""Tree and errors beyond the recorded cases: limits, order of faults, what the grammar leaves open."""

from __future__ import annotations

import logging
import re

import lark
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tickscript.scripts import ScriptMaker
from tickscript import ast, parser
from tickscript.errors import DepthError, ParseError, ScanError
from tickscript.parser import MAX_HEIGHT, MAX_NESTING, parse, parse_lambda

OPERANDS = '"number","string","duration","identifier","TRUE","FALSE","==","(","-","!"'


def fault(text: str) -> str:
    with pytest.raises(ParseError) as caught:
        parse(text)
    return str(caught.value)


def test_the_grammar_leaves_only_the_three_choices_open_that_it_names(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger=lark.logger.name):
        lark.Lark.open(
            "grammar.lark",
            rel_to=parser.__file__,
            parser="lalr",
            lexer=parser._Tokens,
            start=["program", "lambda_body"],
            debug=True,
        )
    terminals = re.findall(r"Shift/Reduce conflict for terminal (\w+)", caplog.text)
    rules = re.findall(r"\* <(\w+) :", caplog.text)
    assert set(zip(terminals, rules, strict=True)) == {
        ("MINUS", "operation"),
        ("MINUS", "script_operation"),
        ("LPAR", "identifier"),
        ("LPAR", "link"),
    }
    assert "Reduce/Reduce" not in caplog.text


def test_an_operand_takes_the_minus_that_follows() -> None:
    assert parse("a -1") == parse("a - 1")
    assert len(parse("a|b() -1").statements) == 2
    assert len(parse("['a'] -1").statements) == 2


def test_a_name_takes_the_parenthesis_that_follows() -> None:
    assert parse("f\n\n(1)") == parse("f(1)")
    assert parse("a.b\n(1)") == parse("a.b(1)")
    assert len(parse("var x int (1)").statements) == 2


def test_calls_inside_operations_take_no_chains_or_lambdas() -> None:
    assert fault("1 + f(a|b())").endswith('expected: ")"')
    assert fault("1 + f(lambda: 1)").endswith(f"expected: {OPERANDS}")
    assert isinstance(parse("f(lambda: 1) + 1").statements[0], ast.Binary)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("08 =", 'parser: illegal number syntax: "08"'),
        ("f(08", 'parser: illegal number syntax: "08"'),
        ("f(1 08", 'parser: unexpected number line 1 char 5 in "f(1 08". expected: ")"'),
        ("/[/ #", "parser: error parsing regexp: missing closing ]: `[`"),
        ("99999999999999999999s #", "parser: invalid duration"),
        ("1" * 10_000, 'parser: illegal number syntax: "' + "1" * 10_000 + '"'),
        ("1" * 10_000 + "s", "parser: invalid duration"),
        ("9" * 400 + ".0", 'parser: illegal number syntax: "' + "9" * 400 + '.0"'),
    ],
)
def test_the_first_fault_in_the_text_is_the_one_reported(text: str, expected: str) -> None:
    assert fault(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[", '"identifier","string","*"'),
        ("[a", '"]"'),
        ("[a,", '"identifier","string","*"'),
        ("dbrp", '"reference"'),
        ('dbrp "a"', '"."'),
        ("var", '"identifier"'),
        ("var x", '"identifier"'),
        ("var x =", OPERANDS),
        ("a|", '"identifier"'),
        ("a|b", '"("'),
        ("a@", '"identifier"'),
        ("(1", '")"'),
        ("f(", OPERANDS),
        ("f(1,", OPERANDS),
        ("lambda:", OPERANDS),
        ("-", OPERANDS),
    ],
)
def test_what_was_expected_at_the_end_follows_from_what_was_begun(text: str, expected: str) -> None:
    end = len(text) + 1
    assert fault(text) == f'parser: unexpected EOF line 1 char {end} in "{text[-10:]}". expected: {expected}'


def test_a_trailing_comment_does_not_hide_the_end() -> None:
    assert fault("f(1 // c").startswith('parser: unexpected EOF line 1 char 9 in "f(1 // c"')


def test_the_snippet_is_ten_bytes_to_either_side_within_the_line() -> None:
    # Ten bytes before the "#" begin with the last byte of a letter, ten bytes behind its start end in the middle of one.
    assert fault("a\n日本 日本 #日本日本\nb") == (
        "parser: unexpected unknown state, last char: '#' line 2 char 15 "
        f'in "\ufffd\ufffd 日本 #日本日". expected: {OPERANDS}'
    )


def test_an_error_knows_its_place_and_length() -> None:
    with pytest.raises(ParseError) as caught:
        parse("var x = 1\n  f(1 abc)")
    assert (caught.value.line, caught.value.char, caught.value.length) == (2, 7, 3)
    with pytest.raises(ScanError):
        parse("#")


def test_a_lambda_text_is_one_operation_to_its_end() -> None:
    assert parse_lambda('"a" > 1').expression == parse('"a" > 1').statements[0]
    with pytest.raises(ParseError, match=r'unexpected identifier line 1 char 3 in "1 a"\. expected: "EOF"'):
        parse_lambda("1 a")
    with pytest.raises(ParseError, match=r'unexpected EOF line 1 char 1 in ""'):
        parse_lambda("")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000 + "1" + ")" * 50_000,
        "f(" * 50_000 + ")" * 50_000,
        "-" * 50_000 + "1",
        "!(" * 50_000 + "a" + ")" * 50_000,
        "1" + " OR (1" * 50_000 + ")" * 50_000,
        "1" + " OR 1" * 50_000,
        "a|b(" * 5_000 + ")" * 5_000,
    ],
)
def test_deep_nesting_is_an_error_of_ours(text: str) -> None:
    with pytest.raises(DepthError, match=r"^parser: (nesting deeper than|more than)"):
        parse(text)


def test_what_is_within_the_limits_parses() -> None:
    parse("(" * MAX_NESTING + "1" + ")" * MAX_NESTING)
    parse("f(" * (MAX_NESTING - 1) + ")" * (MAX_NESTING - 1))
    parse("1" + " OR 1" * (MAX_HEIGHT - 2))
    assert len(ast.left_spine(parse("a" + ".b()" * 20_000).statements[0])[1]) == 20_000


def test_equality_and_hash_take_no_recursion_down_the_left_side() -> None:
    text = "a" + ".b(1 + 2)" * 20_000
    left, right = parse(text).statements[0], parse(text + ".c()").statements[0]
    assert isinstance(right, ast.Chain)
    assert left == right.left
    assert hash(left) == hash(right.left)
    assert left != right


def test_a_comment_before_an_opening_parenthesis_goes_to_the_name_of_the_call() -> None:
    assert parse("// a\nf // b\n (1)").statements[0].comment == ("a", "\n", "b")


@pytest.mark.parametrize("text", ["f( // c\n)", 'dbrp "a". // c\n"b"', "[ // c\n]"])
def test_the_comment_before_a_last_token_that_owns_none_becomes_a_statement(text: str) -> None:
    last = parse(text + " // d").statements[-1]
    assert isinstance(last, ast.Comment)
    assert last.comment == ("c", "\n", "d")


@given(st.integers(0, 2**32))
def test_a_tree_does_not_depend_on_white_space(seed: int) -> None:
    text = ScriptMaker(seed, newlines=0.0).script()
    try:
        program = parse(text)
    except ParseError:
        with pytest.raises(ParseError):
            parse(text.replace(" ", "\n\t"))
    else:
        assert parse(text.replace(" ", "\n\t")) == program


def test_digits_of_other_scripts_are_scanned_and_then_refused() -> None:
    assert fault("٣") == 'parser: illegal number syntax: "٣"'
    assert fault("1.٣") == 'parser: illegal number syntax: "1.٣"'
    assert fault("٣s") == "parser: invalid duration"


@pytest.mark.parametrize(
    ("text", "error", "place"),
    [
        ("(" * 100_000, DepthError, "nesting deeper than 100 levels line 1 char 101"),
        ("f(" * 100_000, DepthError, "nesting deeper than 100 levels line 1 char 202"),
        ("a " + "(" * 100_000, DepthError, "nesting deeper than 100 levels line 1 char 103"),
        ("x = " + "(" * 100_000, ParseError, "unexpected = line 1 char 3"),
        ("08 " + "(" * 100_000, ParseError, 'illegal number syntax: "08"'),
        ("(" * 100 + "1" + ")" * 100, None, ""),
    ],
)
def test_brackets_beyond_the_bound_end_the_parse_where_they_open(
    text: str, error: type[ParseError] | None, place: str
) -> None:
    if error is None:
        parse(text)
        return
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert (type(caught.value), place in str(caught.value)) == (error, True)

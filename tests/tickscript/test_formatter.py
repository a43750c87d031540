"""The formatter beyond the recorded cases: it never changes what a script means, and a second run changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tickscript.scripts import ScriptMaker
from tickscript import ast
from tickscript.errors import ParseError
from tickscript.formatter import format_expr, format_float, format_program, format_script, lost_comments
from tickscript.parser import parse, parse_lambda
from tickscript.scanner import scan

SEEDS = st.integers(0, 2**32)


def comment_lines(text: str) -> list[str]:
    scanned = scan(text)
    comments = [token.comment or () for token in (*scanned.tokens, scanned.trailing or scanned.end)]
    return sorted(line for comment in comments for line in comment if line != "\n")


def has_chain_before_the_last_argument(node: ast.Node) -> bool:
    """The recorded cases want such a call on one line, and its second pass on several."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Function) and any(isinstance(arg, ast.Chain) for arg in node.args[:-1]):
            return True
        waiting.extend(ast.children(node))
    return False


@given(SEEDS)
def test_a_formatted_script_means_the_same_and_stays_as_it_is(seed: int) -> None:
    text = ScriptMaker(seed).script()
    try:
        program = parse(text)
    except ParseError:
        return
    once = format_script(text)
    assert parse(once) == program
    again = format_script(once)
    if not has_chain_before_the_last_argument(program):
        assert again == once
    assert format_script(again) == again


@given(SEEDS, st.sampled_from([0.05, 0.2]))
def test_comments_neither_change_the_meaning_nor_get_lost_later(seed: int, share: float) -> None:
    text = ScriptMaker(seed, comments=share).script()
    try:
        program = parse(text)
    except ParseError:
        return
    once = format_script(text)
    again = format_script(once)
    assert parse(once) == parse(again) == program
    assert comment_lines(once) == comment_lines(again)
    assert not lost_comments(once)
    assert format_script(again) == again


@pytest.mark.parametrize(
    "text",
    [
        "1 (-2)",
        "1 (-2 + 3) * 4",
        "f() (*)",
        "1 (/x/)",
        "[a] /x/ (*) (/y/)",
        "var x int (z) (a) (b + c)",
        "!!(a) (b + c) == d",
        "lambda: (/a/)",
        "lambda: (/a/) (/b/)",
        "lambda: (*) AND TRUE",
        "(/a/) == 1",
        "-(/a/) == (*) + 1",
        "a AND (/re/) == b",
        "lambda: TRUE AND (/a/) OR (*)",
        "'''a\\'''",
        'dbrp "a\\"b"."c"',
        "var x = a // c\nAND b",
        "x =~ // AND y",
        "lambda: TRUE AND // c\n(f(1))",
        "f(// c\n(-1))",
        "-x // c\nAND y",
        "a.b // c\n-!x // d\nAND y",
        "a.b // c\n-x // d\nAND y",
    ],
)
def test_what_needs_its_parentheses_or_its_place_keeps_them(text: str) -> None:
    once = format_script(text)
    assert parse(once) == parse(text)
    assert format_script(once) == once


@pytest.mark.parametrize("text", ["a =~ x // c\n - y", "a // c\nAND (// d\nb)", "x > 1 // c\nAND y"])
def test_a_comment_inside_an_operation_settles_with_the_second_pass(text: str) -> None:
    once = format_script(text)
    again = format_script(once)
    assert parse(again) == parse(once) == parse(text)
    assert comment_lines(again) == comment_lines(once)
    assert format_script(again) == again


def test_a_comment_and_the_regex_below_it_stay_apart() -> None:
    assert format_script("// c\n\n/x/") == "// c\n\n/x/\n"


def test_a_comment_on_the_value_of_a_var_moves_above_it() -> None:
    assert format_script("var x = a // c\nAND b") == "// c\nvar x = a AND\nb\n"


def test_a_call_breaks_where_an_argument_before_the_last_breaks() -> None:
    assert format_script("f(1 -\n2, 3)") == "f(\n    1 -\n    2,\n    3\n)\n"


def test_an_operation_breaks_where_its_left_side_breaks() -> None:
    assert format_script("lambda: a\n- b OR c") == "lambda: a -\nb OR\nc\n"


def test_lost_comments_names_the_tokens_that_cannot_hold_theirs() -> None:
    text = "f( // a\n) x // b\n y( // c\n-1)"
    assert [(token.text, token.comment) for token in lost_comments(text)] == [(")", ("a",)), ("-", ("c",))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.0, "1.0"), (0.00001, "0.00001"), (1e22, "10000000000000000000000.0"), (0.1, "0.1"), (123.456, "123.456")],
)
def test_a_float_prints_without_exponent(value: float, expected: str) -> None:
    assert format_float(value) == expected


@given(st.floats(min_value=0, allow_infinity=False))
def test_a_printed_float_reads_back(value: float) -> None:
    assert parse(format_float(value)).statements == (ast.Float(value),)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.booleans())
def test_a_computed_string_reads_back_whenever_a_literal_for_it_exists(value: str, triple: bool) -> None:
    if value.endswith("\\") and ("'''" in value or "\\'" in value):
        return
    back = parse(format_expr(ast.String(value, triple))).statements[0]
    assert isinstance(back, ast.String)
    assert back.value == value


def test_a_tree_without_flags_gets_the_parentheses_it_needs() -> None:
    tree = parse_lambda('("a" OR "b") AND ("c" - ("d" - "e")) * -("f" + 1)')
    bare = _without_parens(tree)
    assert parse(format_expr(bare)).statements[0] == tree


def _without_parens(node: ast.Node) -> ast.Node:
    match node:
        case ast.Binary(op=op, left=left, right=right):
            return ast.Binary(op, _without_parens(left), _without_parens(right))
        case ast.Unary(op=op, operand=operand):
            return ast.Unary(op, _without_parens(operand))
        case ast.Lambda(expression=expression):
            return ast.Lambda(_without_parens(expression))
    return node


def test_computed_literals_have_a_text() -> None:
    items = [ast.Duration(5_400 * 10**9), ast.Regex("a/b"), ast.Int(-5), ast.Int(8, 8)]
    assert [format_expr(item) for item in items] == ["90m", "/a\\/b/", "-5", "010"]


def test_the_text_of_a_long_chain_takes_no_recursion() -> None:
    text = "a" + ".b(1 OR 2)" * 5_000
    assert format_program(parse(text)).count("\n") == 5_001

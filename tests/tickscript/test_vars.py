"""Vars of requests, in three layers of checks, and as templates show them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickscript.compile import api_text, compile_script, compile_template
from tickscript.errors import EvaluationError, TickscriptError
from tickscript.vars import Var, VarsJsonError, VarValueError, check_vars, decode_vars, encode_vars

SCRIPT = "stream|from()|log()"
OPERANDS = '"number","string","duration","identifier","TRUE","FALSE","==","(","-","!"'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.5, "1.5"),
        (1.0, "1.0"),
        (True, "true"),
        ("1", "1"),
        ([1.0, "a", None], "[1.0 a <nil>]"),
        ({"b": 2, "a": []}, "map[a:[] b:2]"),
        (2**63, "9223372036854775808"),
    ],
)
def test_a_value_that_is_no_int_is_shown_as_the_json_has_it(value: object, shown: str) -> None:
    with pytest.raises(VarsJsonError) as caught:
        decode_vars({"x": {"type": "int", "value": value, "description": "d"}})
    assert str(caught.value) == f"invalid var {{int {shown} d}}: expected int value"


@pytest.mark.parametrize(
    "var",
    [
        {"type": "int", "value": 1.5},
        {"type": "int", "value": 2**63},
        {"type": "int", "value": True},
        {"type": "float", "value": "1"},
        {"type": "duration", "value": 1.0},
        {"type": "duration", "value": "5"},
        {"type": "list", "value": [1]},
        {"type": "list", "value": {}},
        {"type": "boolean", "value": True},
        {"type": 3, "value": True},
        {"value": True},
        {"type": "int", "value": 1, "description": 3},
        7,
    ],
)
def test_json_that_is_no_var_is_the_first_layer(var: Any) -> None:
    with pytest.raises(VarsJsonError):
        decode_vars({"x": var})


@pytest.mark.parametrize(
    ("var", "text"),
    [
        ({"type": "string", "value": 1}, "invalid var x: unsupported Var type json.Number."),
        ({"type": "lambda", "value": 1.5}, "invalid var x: unsupported Var type json.Number."),
        ({"type": "bool", "value": "y"}, "invalid var x: unexpected var type bool, value is a string"),
        ({"type": "string", "value": True}, "invalid var x: mismatched type and value: bool string"),
        ({"type": "int"}, "invalid var x: unsupported Var type <nil>."),
        ({"type": "regex", "value": None}, "invalid var x: unsupported Var type <nil>."),
        ({"type": "string", "value": {}}, "invalid var x: unsupported Var type map[string]interface {}."),
        ({"type": "string", "value": []}, "invalid var x: unsupported Var type []interface {}."),
        (
            {"type": "list", "value": [{"type": "int", "value": 1}]},
            "invalid var x: unsupported Var type json.Number.",
        ),
    ],
)
def test_a_value_of_another_kind_is_the_second_layer_and_stands_alone(var: Any, text: str) -> None:
    with pytest.raises(VarValueError) as caught:
        compile_script("not even parsed (", vars=decode_vars({"x": var}))
    assert api_text(caught.value) == text


@pytest.mark.parametrize(
    ("var", "text"),
    [
        (
            {"type": "regex", "value": "["},
            "invalid var x: invalid regex pattern: error parsing regexp: missing closing ]: `[`",
        ),
        (
            {"type": "lambda", "value": "1 +"},
            'invalid var x: invalid lambda expression: parser: unexpected EOF line 1 char 4 in "1 +". expected: '
            + OPERANDS,
        ),
    ],
)
def test_a_value_without_meaning_is_the_third_layer_even_if_nothing_uses_it(var: Any, text: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        compile_script(SCRIPT, vars=decode_vars({"x": var}))
    assert api_text(caught.value) == f"invalid TICKscript: {text}"


_PLAIN = st.one_of(
    st.builds(Var, st.just("bool"), st.booleans(), st.text()),
    st.builds(Var, st.just("int"), st.integers(-(2**63), 2**63 - 1)),
    st.builds(Var, st.just("float"), st.floats(allow_nan=False)),
    st.builds(Var, st.sampled_from(["string", "regex", "lambda"]), st.text()),
    st.builds(Var, st.just("duration"), st.integers(-(2**63), 2**63 - 1)),
    st.builds(Var, st.just("star")),
)
_LIST = st.builds(Var, st.just("list"), st.lists(st.builds(Var, st.just("string"), st.text())).map(tuple))


@given(st.dictionaries(st.text(), _PLAIN | _LIST))
def test_what_the_api_answers_reads_back_as_the_same_vars(supplied: dict[str, Var]) -> None:
    assert decode_vars(encode_vars(supplied)) == supplied
    check_vars(supplied)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["list", "int"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "value", "description", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(_ANY)
def test_any_json_is_taken_or_refused_by_name(data: Any) -> None:
    try:
        supplied = decode_vars(data)
        taken = compile_script(SCRIPT, vars=supplied)
    except TickscriptError as error:
        taken = error
    assert taken


def test_descriptions_are_the_comments_before_the_declaration() -> None:
    shown = compile_template(
        "// one\n// two\n\n// three\nvar x int\nvar y = 1 // z\nvar z = 2\nstream|from()|log()"
    ).vars
    assert {name: var.description for name, var in shown.items()} == {"x": "one\ntwo\n\n\nthree", "y": "", "z": "z"}


def test_the_value_of_a_var_is_that_of_its_expression() -> None:
    assert compile_template("var a = 1 + 2\nvar b = -a\nstream|from()|log()").vars["b"] == Var("int", -3)


def test_a_supplied_lambda_keeps_its_identifiers() -> None:
    pipeline = compile_script("var n = 1\nvar w lambda\nstream|from()|where(w)", vars={"w": Var("lambda", '"a" > n')})
    with pytest.raises(Exception, match=r"Given node type is not valid evaluation node: \*ast\.IdentifierNode"):
        pipeline.check_start()

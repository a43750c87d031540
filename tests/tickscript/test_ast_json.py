"""Trees as JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tickscript.scripts import ScriptMaker
from tickscript import ast
from tickscript.ast_json import AstJsonError, from_json, to_json
from tickscript.errors import DepthError, ParseError, TickscriptError
from tickscript.formatter import format_program
from tickscript.parser import parse, parse_lambda


@given(st.integers(0, 2**32))
def test_every_script_comes_back_from_its_json(seed: int) -> None:
    try:
        program = parse(ScriptMaker(seed, comments=0.02).script())
    except ParseError:
        return
    back = from_json(json.loads(json.dumps(to_json(program))))
    assert back == program


@given(st.integers(0, 2**32))
def test_an_expression_comes_back_with_all_that_its_text_needs(seed: int) -> None:
    try:
        tree = parse_lambda(ScriptMaker(seed).lambda_body())
    except ParseError:
        return
    back = from_json(to_json(tree))
    assert isinstance(back, ast.Lambda)
    assert format_program(ast.Program((back,))) == format_program(ast.Program((tree,)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e300, 0.1])
def test_a_float_of_any_value_travels_through_json(value: float) -> None:
    back = from_json(json.loads(json.dumps(to_json(ast.Float(value)), allow_nan=False)))
    assert isinstance(back, ast.Float)
    assert repr(back.value) == repr(value)


def test_a_call_keeps_its_name() -> None:
    assert to_json(parse("f(1)").statements[0])["func"] == "f"


def test_a_call_without_its_name_is_refused() -> None:
    with pytest.raises(AstJsonError, match="invalid func node: key 'func' must be str"):
        from_json({"typeOf": "func", "functionType": "global", "args": []})


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"typeOf": "nope"},
        {"typeOf": "number", "isint": True, "int64": 2**63, "base": 10},
        {"typeOf": "number", "isint": True, "int64": True, "base": 10},
        {"typeOf": "number", "isint": True, "int64": 1, "base": 2},
        {"typeOf": "number", "isint": False, "float64": "x"},
        {"typeOf": "number", "isint": False, "float64": 10**400},
        {"typeOf": "duration", "duration": "5"},
        {"typeOf": "unary", "operator": "+", "node": {"typeOf": "star"}},
        {"typeOf": "unary", "operator": "-", "node": {"typeOf": "comment", "comments": []}},
        {"typeOf": "binary", "operator": "=", "left": {"typeOf": "star"}, "right": {"typeOf": "star"}},
        {"typeOf": "binary", "operator": "==", "left": None, "right": {"typeOf": "star"}},
        {"typeOf": "chain", "operator": "|", "left": {"typeOf": "star"}, "right": {"typeOf": "star"}},
        {"typeOf": "list", "nodes": [1]},
        {"typeOf": "dbrp", "db": {"typeOf": "star"}, "rp": {"typeOf": "reference", "reference": "a"}},
        {"typeOf": "comment", "comments": [1]},
        {"typeOf": "program", "nodes": [{"typeOf": "program", "nodes": []}]},
    ],
)
def test_what_is_no_tree_is_refused(value: Any) -> None:
    with pytest.raises(AstJsonError):
        from_json(value)


def test_json_deeper_than_any_script_is_refused() -> None:
    value: dict[str, Any] = {"typeOf": "star"}
    for _ in range(100_000):
        value = {"typeOf": "unary", "operator": "-", "node": value}
    with pytest.raises(DepthError):
        from_json(value)
    row: dict[str, Any] = {"typeOf": "star"}
    for _ in range(100_000):
        row = {"typeOf": "binary", "operator": "OR", "left": row, "right": {"typeOf": "star"}}
    with pytest.raises(DepthError):
        from_json(row)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["-", "number", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["typeOf", "node", "left", "right", "operator", "nodes", "args"]), inner)
    ),
    max_leaves=8,
)


@given(_JSON, st.sampled_from(["number", "binary", "unary", "func", "list", "chain", "program", "lambda", "string"]))
def test_no_json_breaks_the_reader(value: Any, kind: str) -> None:
    fields = value if isinstance(value, dict) else {"node": value}
    try:
        node = from_json(fields | {"typeOf": kind})
    except TickscriptError:
        return
    assert from_json(to_json(node)) == node

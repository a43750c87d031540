"""Every entry of the two tables, on columns, tags and constants of telling values, against the interpreter."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest

from engine.frames.model import Span
from tests.engine.lambdas.strategies import Row
from tests.engine.lambdas.test_equality import check
from tickscript import ast
from tickscript.lambdas.library import LIBRARY
from tickscript.lambdas.operators import BINARY, MATCH, OPERATORS, UNARY
from tickscript.lambdas.values import Kind

INTS = (0, 1, -1, 7, -7, 2, 3, 2**53 + 1, -(2**63), 2**63 - 1)
VALUES: dict[Kind, tuple[Any, ...]] = {
    Kind.BOOL: (True, False),
    Kind.INT: INTS,
    Kind.FLOAT: (0.0, -0.0, 1.0, -2.5, 7.25, 1e300, 5e-324, math.inf, -math.inf, math.nan, 2.0**63, 9007199254740993.0),
    Kind.STRING: ("", "a", "ab", "ABC é", "12", "-1.5", "true", "1h30m", " x ", "a\udcffb", "banana", "x" * 300),
    Kind.DURATION: tuple(Span(i) for i in INTS),
}
PATTERNS = ("a", "(a)(n)?", "", "^ab")
_FIELDS = {Kind.BOOL: ("b", "c"), Kind.INT: ("i", "j"), Kind.FLOAT: ("f", "g"), Kind.DURATION: ("d", "e")}
_FIELDS |= {Kind.STRING: ("s", "s2")}


def points() -> list[Row]:
    """Rows in which each pair of values of one kind meets at least once, by cycles of coprime lengths."""
    rows = []
    for n in range(156):
        row = Row(1_500_000_000_000_000_000 + n * 3_599_999_999_999, n % 3)
        for kind, (first, second) in _FIELDS.items():
            values = VALUES[kind]
            row.fields[first] = values[n % len(values)]
            row.fields[second] = values[(n // len(values) + n) % len(values)]
        row.tags["host"] = VALUES[Kind.STRING][n % 12]
        row.tags["region"] = VALUES[Kind.STRING][n // 12 % 12]
        rows.append(row)
    return rows


POINTS = points()


def literal(kind: Kind, value: Any) -> ast.Expr:
    match kind:
        case Kind.BOOL:
            return ast.Bool(value)
        case Kind.INT:
            return ast.Int(value)
        case Kind.FLOAT:
            return ast.Float(value)
        case Kind.STRING:
            return ast.String(value)
        case _:
            return ast.Duration(int(value))


def operands(kind: Kind, place: int) -> list[ast.Expr]:
    """What stands for an operand of a kind: columns, then constants."""
    if kind is Kind.TIME:
        return [ast.Reference("time"), ast.Function("global", "now")]
    if kind is Kind.REGEX:
        return [ast.Regex(pattern) for pattern in PATTERNS]
    if kind is Kind.MISSING:
        return [ast.Reference("nowhere")]
    references: list[ast.Expr] = [ast.Reference(_FIELDS[kind][place % 2])]
    if kind is Kind.STRING:
        references.append(ast.Reference(("host", "region")[place % 2]))
    return references + [literal(kind, value) for value in VALUES[kind][:5]]


@pytest.mark.parametrize(("op", "left", "right"), sorted(BINARY))
def test_each_operator_equals_the_interpreter(op, left, right):
    for a, b in itertools.product(operands(left, 0), operands(right, 1)):
        check(ast.Binary(op, a, b), POINTS, [50, 51], predicate=False)


@pytest.mark.parametrize(("op", "kind"), sorted(UNARY))
def test_each_unary_operator_equals_the_interpreter(op, kind):
    for operand in operands(kind, 0):
        check(ast.Unary(op, operand), POINTS, [50], predicate=False)


@pytest.mark.parametrize(
    ("name", "signature"),
    [(n, s) for n, signatures in LIBRARY.items() for s in signatures],
    ids=lambda v: v if isinstance(v, str) else ",".join(k.word for k in v.args),
)
def test_each_function_equals_the_interpreter(name, signature):
    choices = [operands(kind, place) for place, kind in enumerate(signature.args)]
    bound = 3 if len(choices) > 2 else 4
    for args in itertools.product(*[c[:bound] for c in choices]):
        if name in ("jn", "yn") and isinstance(args[0], ast.Reference):
            # Orders beyond a few thousand take the C library long; the remainder keeps them small.
            args = (ast.Binary("%", args[0], ast.Int(40)), *args[1:])  # noqa: PLW2901
        check(ast.Function("global", name, args), POINTS, [77], predicate=False)


def test_every_pair_of_kinds_that_an_operator_refuses_is_refused_alike():
    names = {k: n[0] for k, n in _FIELDS.items()} | {Kind.TIME: "time", Kind.MISSING: "nowhere"}
    for op, left, right in itertools.product(OPERATORS, names, names):
        if (op, left, right) not in BINARY and op not in MATCH:
            tree = ast.Binary(op, ast.Reference(names[left]), ast.Reference(names[right]))
            check(tree, POINTS[:3], [], predicate=True)

"""Columns and interpreter give the same values, errors and states, however the rows are cut into sections."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.frames.model import Kind as FieldKind
from engine.frames.model import Span
from engine.lambdas.columns import ColumnExpression, Result
from tests.engine.lambdas.strategies import Row, expressions, remembering, rows, section
from tickscript.lambdas.environment import Environment
from tickscript.lambdas.errors import CompileError, LambdaError
from tickscript.lambdas.expression import Expression
from tickscript.lambdas.values import Duration

# Seeds and the clock are fixed, so that random numbers and times agree.
ENVIRONMENT = Environment(now=lambda: 1_500_000_000_000_000_000, seed=lambda: 42)
EXAMPLES = int(os.environ.get("TICKWORKS_FUZZ_LAMBDAS", "400"))
CHECKS = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return (math.isnan(left) and math.isnan(right)) or (left == right and str(left) == str(right))
    return bool(left == right)


def expected(expression: Expression, points: list[Row], predicate: bool) -> list[Any]:
    """What the interpreter says of each point; errors as text in a tuple."""
    first = expression.new_state()
    states = {0: first, 1: expression.new_state(first), 2: expression.new_state(first)}
    outcomes: list[Any] = []
    for point in points:
        clash = point.conflict(expression.references)
        if clash is not None:
            outcomes.append((f'cannot have field and tags with same name "{clash}"',))
            continue
        evaluate = expression.predicate if predicate else expression.evaluate
        try:
            value: Any = evaluate(point.scope(), states[point.group])
        except LambdaError as error:
            outcomes.append((str(error),))
        else:
            outcomes.append(Span(value) if isinstance(value, Duration) else value)
    return outcomes


def outcomes_of(compiled: ColumnExpression, pieces: list[list[Row]], predicate: bool) -> list[Any]:
    states = compiled.new_states()
    outcomes: list[Any] = []
    for piece in pieces:
        slots = np.array([r.group for r in piece], np.int64)
        given_section = section(piece)
        if predicate:
            truth = compiled.predicate(given_section, slots, states, max_errors=10**6)
            result: Any = Result(FieldKind.BOOL, truth.mask, truth.ok, truth.failed, truth.errors)
        else:
            result = compiled.evaluate(given_section, slots, states, max_errors=10**6)
        column = result.column()
        found: list[Any] = [column.at(i) for i in range(len(piece))]
        bad = [] if result.ok is None else np.flatnonzero(~result.ok).tolist()
        assert [row for row, _ in result.errors] == bad
        assert result.failed == len(bad)
        for row, text in result.errors:
            found[row] = (text,)
        outcomes.extend(found)
    return outcomes


def cut(points: list[Row], places: list[int]) -> list[list[Row]]:
    ends = sorted({p % (len(points) + 1) for p in places} | {len(points)})
    return [points[a:b] for a, b in zip([0, *ends], ends, strict=False) if a < b]


def check(tree: Any, points: list[Row], places: list[int], predicate: bool) -> None:
    try:
        expression = Expression(tree, ENVIRONMENT)
    except CompileError:
        return
    wanted = expected(expression, points, predicate)
    found = outcomes_of(ColumnExpression(expression), cut(points, places), predicate)
    assert len(found) == len(wanted)
    for row, (left, right) in enumerate(zip(wanted, found, strict=True)):
        assert same(left, right), f"row {row}: interpreter {left!r}, columns {right!r}"


# Repeated rows make sections large enough for columns to look for equal strings.
TIMES = st.sampled_from([1, 1, 1, 5])
PLACES = st.lists(st.integers(0, 60), max_size=3)


@CHECKS
@given(expressions(), rows(), TIMES, PLACES, st.booleans())
def test_columns_equal_the_interpreter_on_random_expressions(tree, points, times, places, predicate):
    check(tree, points * times, places, predicate)


@CHECKS
@given(remembering(), rows(mixed=False), TIMES, PLACES, st.booleans())
def test_state_is_the_same_however_rows_are_cut(tree, points, times, places, predicate):
    check(tree, points * times, places, predicate)

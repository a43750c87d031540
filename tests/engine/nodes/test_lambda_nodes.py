"""where, eval, stateDuration and stateCount against the interpreter, one point at a time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM
from engine.nodes.eval import EvalOperator
from engine.nodes.states import StateOperator
from engine.nodes.where import WhereOperator
from engine.operator import TaskError
from tests.engine.nodes import row_models
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Batch, Message, Point, Row, through
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, check, streams
from tickscript import ast
from tickscript.lambdas.errors import CompileError
from tickscript.parser import parse_lambda

CONDITIONS = st.sampled_from(
    ['"v" > 0.5', '"v" == 1', "\"h\" == 'a' OR \"v\" < 0.0", "count() % 3 == 1", 'sigma("v") > 0.5', 'isPresent("w")',
     '"x" =~ /a/', 'spread("v") > 1.0 AND "w" > 0', "TRUE", '"h" != \'a\' AND count() > 2']
)  # fmt: skip


def where(text: str, **more: Any) -> WhereOperator:
    return WhereOperator(condition=parse_lambda(text), **more)


def evaluate(texts: list[str], names: list[str], **more: Any) -> EvalOperator:
    return EvalOperator(lambdas=[parse_lambda(t) for t in texts], as_=names, **more)


def test_where_keeps_batches_that_become_empty() -> None:
    batch = Batch("m", 5, (Row(1, {"v": 1.0}), Row(2, {"v": 2.0})))
    assert through(where('"v" > 1.0'), [batch], BATCH) == [Batch("m", 5, (Row(2, {"v": 2.0}),))]
    assert through(where('"v" > 9.0'), [batch], BATCH) == [Batch("m", 5, ())]


def test_where_counts_points_that_fail_and_quiet_does_not_log_them() -> None:
    points: list[Message] = [Point("m", i, {"w": 1.0}) for i in range(3)]
    operator = where('"v" > 1.0')
    assert through(operator, points, cuts=[]) == []
    [record] = operator.report.records
    assert (operator.report.errors, record.message, record.fields["points"]) == (
        3,
        "error while evaluating expression",
        3,
    )
    quiet = where('"v" > 1.0', quiet=True)
    through(quiet, points, cuts=[])
    assert (quiet.report.errors, len(quiet.report.records)) == (3, 0)


def test_a_division_by_zero_is_an_error_not_an_end() -> None:
    operator = where('"v" / 0 > 1')
    assert through(operator, [Point("m", 0, {"v": 1})]) == []
    assert operator.report.errors == 1


def test_a_condition_that_does_not_compile_is_refused() -> None:
    with pytest.raises(CompileError):
        WhereOperator(condition=ast.Lambda(ast.Star()))


def test_the_original_field_wins_over_an_earlier_result() -> None:
    operator = evaluate(['"v" * 2.0', '"v" + 1.0'], ["v", "b"])
    assert through(operator, [Point("m", 0, {"v": 10.0})]) == [Point("m", 0, {"v": 10.0, "b": 11.0})]


def test_eval_keeps_results_alone_all_fields_or_a_list() -> None:
    points: list[Message] = [Point("m", 0, {"v": 1.0, "w": 2})]
    assert through(evaluate(['"v" + 1.0'], ["a"]), points) == [Point("m", 0, {"a": 2.0})]
    assert through(evaluate(['"v" + 1.0'], ["a"], keep=()), points) == [Point("m", 0, {"v": 1.0, "w": 2, "a": 2.0})]
    assert through(evaluate(['"v" + 1.0'], ["a"], keep=("w",)), points) == [Point("m", 0, {"w": 2})]


def test_a_field_that_cannot_be_kept_drops_the_point() -> None:
    operator = evaluate(['"v" + 1.0'], ["a"], keep=("a", "w"))
    points = [Point("m", 0, {"v": 1.0}), Point("m", 1, {"v": 1.0, "w": 1})]
    assert through(operator, points, cuts=[]) == [Point("m", 1, {"a": 2.0, "w": 1})]
    [record] = operator.report.records
    assert record.fields["error"] == 'cannot keep field "w", field does not exist'


def test_a_tag_that_is_a_dimension_changes_the_group() -> None:
    operator = evaluate(["\"h\" + '!'"], ["h"], tags=["h"])
    out = through(operator, [Point("m", 0, {"v": 1.0}, {"h": "a"}, ("h",))])
    assert out == [Point("m", 0, {}, {"h": "a!"}, ("h",))]


def test_a_tag_must_be_a_string() -> None:
    operator = evaluate(['"v"'], ["t"], tags=["t"])
    assert through(operator, [Point("m", 0, {"v": 1.0}), Point("m", 1, {"v": 2})], cuts=[]) == []
    assert operator.report.errors == 2
    texts = {
        r.fields["error"].removeprefix("result of a tag expression must be of type string, got ")
        for r in operator.report.records
    }
    assert texts <= {"float64", "int64"}


def test_a_quiet_eval_does_not_even_count() -> None:
    operator = evaluate(['"v"'], ["a"], quiet=True)
    assert through(operator, [Point("m", 0, {})]) == []
    assert operator.report.errors == 0


def test_eval_needs_names() -> None:
    with pytest.raises(TaskError, match="must provide one name per expression via the 'As' property"):
        EvalOperator(lambdas=[], as_=[])


def test_state_of_lambdas_goes_on_over_batches() -> None:
    rows = tuple(Row(i, {"v": 1.0}) for i in range(2))
    out = through(evaluate(["count()"], ["n"]), [Batch("m", 0, rows), Batch("m", 1, rows)], BATCH, cuts=[])
    assert [[r.fields["n"] for r in b.rows] for b in out if isinstance(b, Batch)] == [[1, 2], [3, 4]]


@pytest.mark.parametrize("cuts", [None, []])
def test_states_of_the_vector(cuts: Any) -> None:
    points: list[Message] = [
        Point("m", 1 * S, {"v": 2}), Point("m", 2 * S, {"w": 1}), Point("m", 4 * S, {"v": 2}), Point("m", 5 * S, {"v": 0}),
        Point("m", 7 * S, {"v": 3}),
    ]  # fmt: skip
    condition = parse_lambda('"v" > 1')
    duration = StateOperator(condition=condition, as_="d", unit=S)
    count = StateOperator(condition=condition, as_="c")
    out = through(count, through(duration, points, cuts=cuts), cuts=cuts)
    found = [(p.fields["d"], p.fields["c"]) for p in out if isinstance(p, Point)]
    assert found == [(0.0, 1), (3.0, 2), (-1.0, -1), (0.0, 1)]
    assert duration.report.errors == 1


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(text=CONDITIONS, data=st.data())
def test_where_is_its_model(edge: str, text: str, data: st.DataObject) -> None:
    messages = data.draw(streams(ODD_VALUES) if edge == STREAM else batches(ODD_VALUES))
    check(lambda: where(text), row_models.Where(text), messages, data, edge)


EVALS = st.sampled_from(
    [
        (['"v" * 2.0'], ["a"], {}),
        (['"v"', '"w"'], ["w", "a"], {"keep": ()}),
        (['"v" + 1.0', '"a" * "a"'], ["a", "b"], {"keep": ("b", "v")}),
        (["count()", 'sigma("v")'], ["n", "s"], {}),
        (['"x"', "count()"], ["x", "n"], {"keep": ("x", "w", "n")}),
        (['string("v")', '"h"'], ["r", "a"], {"tags": ("r",)}),
        (["\"h\" + 'z'"], ["h"], {"tags": ("h",), "keep": ()}),
        (['"w"'], ["t"], {"tags": ("t",), "keep": ("h", "t")}),
        (['"h"', 'float("v") / 0.0'], ["a", "q"], {"keep": ("h", "q")}),
        (['if(isPresent("v"), 1m, 2m)'], ["d"], {"keep": ()}),
        (['"v"', '"v"'], ["a", "a"], {}),
    ]
)  # fmt: skip


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(case=EVALS, data=st.data())
def test_eval_is_its_model(edge: str, case: Any, data: st.DataObject) -> None:
    texts, names, more = case
    messages = data.draw(streams(ODD_VALUES) if edge == STREAM else batches(ODD_VALUES))
    check(lambda: evaluate(texts, names, **more), row_models.Eval(texts, names, **more), messages, data, edge)


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(text=CONDITIONS, unit=st.sampled_from([None, S, 7]), data=st.data())
def test_states_are_those_of_the_model(edge: str, text: str, unit: int | None, data: st.DataObject) -> None:
    messages = data.draw(streams(ODD_VALUES) if edge == STREAM else batches(ODD_VALUES))
    check(
        lambda: StateOperator(condition=parse_lambda(text), as_="s", unit=unit),
        row_models.States(text, as_="s", unit=unit),
        messages,
        data,
        edge,
    )

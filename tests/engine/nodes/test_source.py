"""from and groupBy: which points pass, when they are, how they are grouped."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, Frame
from engine.nodes.group_by import BatchGroupByOperator, StreamGroupByOperator
from engine.nodes.passing import PassOperator
from engine.nodes.source import FromOperator
from engine.operator import TaskError
from tests.engine.nodes import models, row_models
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Barrier, Batch, Group, Point, Row, frames_of, messages_of, through
from tests.engine.nodes.strategies import DIMS, ODD_VALUES, SOME, batches, check, streams
from tickscript.parser import parse_lambda

DURATIONS = st.sampled_from([0, S, 7 * S, 10 * S, 604_800 * S])
CONDITIONS = st.sampled_from(["", '"v" > 0.5', "\"h\" == 'a'", "count() % 2 == 1", 'isPresent("w")', '"time" > 0'])


def test_database_and_policy_must_match() -> None:
    operator = FromOperator(database="telegraf", retention_policy="autogen")
    [frame] = frames_of([Point("m", 0, {"v": 1.0})], "stream", [])
    assert len(operator.collect(frame.with_(db="telegraf", rp="autogen"), 0)) == 1
    assert operator.collect(frame.with_(db="telegraf", rp="other"), 0) == []
    assert operator.collect(frame.with_(db="other", rp="autogen"), 0) == []


def test_truncate_comes_before_round() -> None:
    out = through(FromOperator(truncate=10 * S, round_to=4 * S), [Point("m", 1019 * S, {"v": 1.0})])
    assert out == [Point("m", 1012 * S, {"v": 1.0})]


def test_weeks_begin_on_monday() -> None:
    out = through(FromOperator(truncate=604_800 * S), [Point("m", 1_500_000_000 * S, {"v": 1.0})])
    assert out == [Point("m", 1_499_644_800 * S, {"v": 1.0})]


def test_batches_are_refused() -> None:
    with pytest.raises(TaskError, match="from does not support batch data"):
        FromOperator().collect(Frame(BATCH), 0)


def test_a_failing_condition_drops_and_counts_the_point() -> None:
    operator = FromOperator(where=parse_lambda('"v" > 0.5'))
    points = [Point("m", 0, {"v": 1.0}), Point("m", 1, {"w": 1.0}), Point("m", 2, {"v": "x"})]
    assert through(operator, points, cuts=[]) == points[:1]
    assert operator.report.errors == 2
    assert {r.message for r in operator.report.records} == {"failed to evaluate WHERE expression"}


def test_a_group_of_all_tags_has_those_that_the_point_has() -> None:
    points = [Point("m", 0, {"v": 1.0}, {"h": "a", "r": "x"}), Point("m", 1, {"v": 1.0}, {"h": ""})]
    out = through(FromOperator(group_all=True), points, cuts=[])
    assert [p.dims for p in out if isinstance(p, Point)] == [("h", "r"), ("h",)]


def test_the_position_of_the_input_is_on_the_output() -> None:
    [frame] = frames_of([Point("m", 0, {"v": 1.0})], "stream", [])
    [out] = FromOperator().collect(frame.with_(position=7), 0)
    assert out.position == 7


def test_stream_passes_frames_as_they_are() -> None:
    [frame] = frames_of([Point("m", 0, {"v": 1.0})], "stream", [])
    assert PassOperator().collect(frame, 0) == (frame,)


@SOME
@given(
    streams(ODD_VALUES), st.sampled_from(["", "m"]), DURATIONS, DURATIONS, DIMS, st.booleans(), st.booleans(), CONDITIONS,
    st.data(),
)  # fmt: skip
def test_from_is_its_model(
    messages: Any, name: str, cut: int, to: int, dims: Any, everything: bool, by_name: bool, where: str, data: Any
) -> None:
    properties: dict[str, Any] = {
        "measurement": name, "truncate": cut, "round_to": to, "group_by": dims, "group_all": everything,
        "group_by_measurement": by_name,
    }  # fmt: skip
    condition = parse_lambda(where) if where else None
    model = row_models.From(**properties, where=where)
    check(lambda: FromOperator(**properties, where=condition), model, messages, data)


@SOME
@given(streams(ODD_VALUES), st.one_of(st.none(), DIMS), st.booleans(), st.booleans(), st.data())
def test_group_by_of_a_stream_is_its_model(messages: Any, dims: Any, exclude: bool, by_name: bool, data: Any) -> None:
    left_out = ("r",) if exclude and dims is None else ()
    check(
        lambda: StreamGroupByOperator(
            group_by=dims or (), group_all=dims is None, exclude=left_out, by_measurement=by_name
        ),
        row_models.GroupBy(dims=dims, exclude=left_out, by_name=by_name),
        messages,
        data,
    )


@SOME
@given(batches(ODD_VALUES), st.one_of(st.none(), DIMS), st.booleans(), st.data())
def test_group_by_of_batches_is_its_model(messages: Any, dims: Any, by_name: bool, data: Any) -> None:
    check(
        lambda: BatchGroupByOperator(group_by=dims or (), group_all=dims is None, by_measurement=by_name),
        models.BatchGroupBy(dims=dims, by_name=by_name),
        messages,
        data,
        BATCH,
    )


def test_regrouped_batches_leave_when_another_time_comes() -> None:
    one = Batch("m", 10, (Row(3, {"v": 1.0}, {"h": "b"}), Row(1, {"v": 2.0}, {"h": "a"})))
    two = Batch("m", 10, (Row(2, {"v": 3.0}, {"h": "b"}),))
    operator = BatchGroupByOperator(group_by=["h"])
    assert messages_of(operator.collect(frames_of([one, two], BATCH, [])[0], 0)) == []
    assert operator.cardinality == 2
    out = through(operator, [Barrier(Group(), 11)], BATCH)
    assert out == [
        Batch("m", 10, (Row(2, {"v": 3.0}, {"h": "b"}), Row(3, {"v": 1.0}, {"h": "b"})), Group(("h",), ("b",))),
        Batch("m", 10, (Row(1, {"v": 2.0}, {"h": "a"}),), Group(("h",), ("a",))),
        Barrier(Group(), 11),
    ]

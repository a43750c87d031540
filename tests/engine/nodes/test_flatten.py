"""Flatten: the vectors of the spec, and random streams and batches against a model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM
from engine.nodes.flatten import FlattenOperator
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Barrier, Batch, Group, Message, Point, Row, through
from tests.engine.nodes.moment_models import Flatten
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, check, streams


def point(time: float, value: Any, **tags: str) -> Message:
    return Point("m", int(time * S), {"v": value}, tags)


def shown(messages: list[Message]) -> list[Any]:
    return [(m.time / S, m.fields) for m in messages if isinstance(m, Point)]


@pytest.mark.parametrize("cuts", [None, []])
def test_points_of_one_time_become_one(cuts: Any) -> None:
    points = [point(0, 1, h="a"), point(0, 2, h="b"), point(1, 3, h="a")]
    assert through(FlattenOperator(on=["h"]), points, cuts=cuts) == [Point("m", 0, {"a.v": 1, "b.v": 2})]


def test_the_rows_of_a_batch_of_the_vector() -> None:
    rows = tuple(Row(t * S, {"v": v}, {"h": h}) for t, v, h in ((1, 1, "a"), (2, 2, "b"), (14, 3, "a"), (26, 4, "b")))
    operator = FlattenOperator(on=["h"], delimiter="_", tolerance=10 * S, stream=False)
    [out] = through(operator, [Batch("m", 30 * S, rows)], BATCH)
    assert isinstance(out, Batch)
    assert [(r.time // S, r.fields) for r in out.rows] == [
        (0, {"a_v": 1, "b_v": 2}),
        (10, {"a_v": 3}),
        (30, {"b_v": 4}),
    ]


@pytest.mark.parametrize("cuts", [None, []])
def test_late_points_end_a_moment_early_and_have_the_latest_time(cuts: Any) -> None:
    points = [point(0, 1, p="80"), point(1, 2, p="81"), point(0, 3, p="82"), point(1, 4, p="80"), point(3, 5, p="81")]
    out = through(FlattenOperator(on=["p"]), points, cuts=cuts)
    assert shown(out) == [(0, {"80.v": 1}), (1, {"81.v": 2}), (1, {"82.v": 3, "80.v": 4})]


@pytest.mark.parametrize("cuts", [None, []])
def test_a_point_without_the_tag_is_left_out_and_counted(cuts: Any) -> None:
    operator = FlattenOperator(on=["h", "p"])
    points = [point(0, 1, h="A"), point(0, 2, h="B", p="C"), point(1, 3, h="A"), point(2, 4, h="A")]
    assert shown(through(operator, points, cuts=cuts)) == [(0, {"B.C.v": 2})]
    assert operator.report.errors == 2
    assert operator.report.records[0].fields["error"] == "tag p is missing from point"


def test_a_later_barrier_ends_a_moment_with_or_without_fields() -> None:
    operator = FlattenOperator(on=["p"])
    out = through(operator, [point(1, 1, p="80"), Barrier(Group(), S), Barrier(Group(), 2 * S)], cuts=[])
    assert out == [Barrier(Group(), S), Point("m", S, {"80.v": 1}), Barrier(Group(), 2 * S)]
    assert through(operator, [point(3, 1), Barrier(Group(), 4 * S)]) == [Point("m", 3 * S, {}), Barrier(Group(), 4 * S)]


def test_fields_may_be_named_by_tags_alone_and_an_empty_prefix_has_no_delimiter() -> None:
    points = [point(0, 1, p="80"), point(1, 2, p="80")]
    assert shown(through(FlattenOperator(on=["p"], bare=True), points)) == [(0, {"80": 1})]
    assert shown(through(FlattenOperator(on=["p"]), [point(0, 1, p=""), point(1, 2, p="")])) == [(0, {"v": 1})]


def test_the_same_name_twice_has_the_later_value_whatever_its_type() -> None:
    points = [point(0, 1, p="80"), point(0, "later", p="80"), point(1, 2, p="80")]
    assert shown(through(FlattenOperator(on=["p"]), points, cuts=[])) == [(0, {"80.v": "later"})]


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(
    st.sampled_from([("h",), ("h", "r"), ("r",), ()]),
    st.sampled_from([0, S, 3 * S]),
    st.sampled_from([".", "_", ""]),
    st.booleans(),
    st.data(),
)
def test_flattened_points_are_those_of_the_model(
    edge: str, on: tuple[str, ...], tolerance: int, delimiter: str, bare: bool, data: st.DataObject
) -> None:
    messages = data.draw(streams(ODD_VALUES) if edge == STREAM else batches(ODD_VALUES))
    how: dict[str, Any] = {"on": on, "tolerance": tolerance, "delimiter": delimiter, "bare": bare}
    check(lambda: FlattenOperator(stream=edge == STREAM, **how), Flatten(**how), messages, data, edge)

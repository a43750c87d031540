"""Combine: the vectors of the spec, its bound, and random streams and batches against a model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM
from engine.nodes.combine import CombineOperator
from engine.operator import TaskError
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Batch, Delete, Group, Message, Point, Row, frames_of, messages_of, through
from tests.engine.nodes.moment_models import Combine
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, check, streams
from tickscript.parser import parse_lambda

LAMBDAS = st.sampled_from(["TRUE", "TRUE", "\"h\" == 'a'", '"v" > 0.0', "count() > 2", 'isPresent("w")', "FALSE"])


def combined(*lambdas: str, **how: Any) -> CombineOperator:
    names = ["l", "m", "r"][: len(lambdas)]
    return CombineOperator(**{"lambdas": [parse_lambda(text) for text in lambdas], "as_": names, **how})


def pool(time: float, *names: str) -> list[Message]:
    return [Point("m", int(time * S), {"v": i}, {"r": name}) for i, name in enumerate(names)]


def chosen(messages: list[Message]) -> list[Any]:
    return [tuple(p.tags.values()) for p in messages if isinstance(p, Point)]


@pytest.mark.parametrize("cuts", [None, []])
def test_every_pair_leaves_when_a_point_of_another_time_comes(cuts: Any) -> None:
    out = through(combined("TRUE", "TRUE"), [*pool(1, "auth", "log", "cart"), *pool(2, "x")], cuts=cuts)
    assert chosen(out) == [("auth", "log"), ("auth", "cart"), ("log", "cart")]
    assert out[0] == Point("m", S, {"l.v": 0, "m.v": 1}, {"l.r": "auth", "m.r": "log"})


@pytest.mark.parametrize("cuts", [None, []])
def test_lambdas_choose_greedily_and_never_go_back(cuts: Any) -> None:
    points = [*pool(1, "a", "b"), *pool(2, "x")]
    assert through(combined("TRUE", "\"r\" == 'a'"), points, cuts=cuts) == []
    assert chosen(through(combined("\"r\" == 'a'", "TRUE"), points, cuts=cuts)) == [("a", "b")]


def test_a_first_point_off_the_grid_begins_a_moment() -> None:
    out = through(combined("TRUE", "TRUE", tolerance=3 * S), [*pool(1, "a"), *pool(-1, "b"), *pool(2, "c")], cuts=[])
    assert [(p.time, *p.tags.values()) for p in out if isinstance(p, Point)] == [(0, "a", "b")]


def test_dimensions_keep_their_names_and_other_tags_get_prefixes() -> None:
    points: list[Message] = [Point("m", t * S, {"v": t}, {"h": "x", "r": str(t)}, ("h",)) for t in (1, 1, 2)]
    [out] = through(combined("TRUE", "TRUE"), points, cuts=[])
    assert out == Point("m", S, {"l.v": 1, "m.v": 1}, {"h": "x", "l.r": "1", "m.r": "1"}, ("h",))


def test_the_moments_of_a_batch_all_leave() -> None:
    rows = tuple(Row(t * S, {"v": i}) for i, t in enumerate((1, 1, 2, 2)))
    out = through(combined("TRUE", "TRUE", stream=False), [Batch("m", 9 * S, rows)], BATCH)
    assert out == [Point("m", S, {"l.v": 0, "m.v": 1}), Point("m", 2 * S, {"l.v": 2, "m.v": 3})]


@pytest.mark.parametrize("edge", [STREAM, BATCH])
def test_too_many_choices_stop_the_task_and_what_came_before_leaves(edge: str) -> None:
    operator = combined("TRUE", "TRUE", most=5, stream=edge == STREAM)
    if edge == STREAM:
        messages: list[Message] = [*pool(1, "a", "b"), *pool(2, "c"), Delete(Group()), *pool(3, *"abcd"), *pool(4, "x")]
    else:
        few, many = (tuple(Row(t * S, {"v": 1}, {"r": r}) for r in names) for t, names in ((1, "ab"), (3, "abcd")))
        messages = [Batch("m", S, few), Batch("m", S, many)]
    [frame] = frames_of(messages, edge, [])
    with pytest.raises(TaskError, match="total combinations 6 exceeds max combinations 5") as caught:
        operator.collect(frame, 0)
    assert chosen(messages_of(caught.value.frames)) == [("a", "b")]


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(
    st.lists(LAMBDAS, min_size=1, max_size=3), st.sampled_from([0, S, 3 * S]), st.sampled_from([".", "_"]), st.data()
)
def test_combinations_are_those_of_the_model(
    edge: str, lambdas: list[str], tolerance: int, delimiter: str, data: st.DataObject
) -> None:
    messages = data.draw(streams(ODD_VALUES, most=20) if edge == STREAM else batches(ODD_VALUES))
    how: dict[str, Any] = {"tolerance": tolerance, "delimiter": delimiter}
    model = Combine(lambdas=lambdas, as_=["l", "m", "r"][: len(lambdas)], **how)
    check(lambda: combined(*lambdas, stream=edge == STREAM, **how), model, messages, data, edge)

"""Unions: the vectors of the spec, and random streams of several parents against a model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM
from engine.nodes.union import UnionOperator
from engine.operator import TaskError
from tests.engine.nodes.fan_in import Sent, UnionModel, check_fan_in, frames_by_parent, interleaved
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Barrier, Delete, Group, Message, Point, messages_of
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, streams


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(st.integers(1, 3), st.sampled_from(["", "", "all", "m"]), st.data())
def test_unions_are_those_of_the_model(edge: str, parents: int, rename: str, data: st.DataObject) -> None:
    draw = streams if edge == STREAM else batches
    sent = interleaved(data, [data.draw(draw(ODD_VALUES, most=12)) for _ in range(parents)])
    names = [f"from{i}" for i in range(parents)]
    make = lambda: UnionOperator(parents=names, rename=rename, batch=edge == BATCH)  # noqa: E731
    check_fan_in(make, UnionModel(parents=parents, rename=rename), sent, data, edge)


def points(name: str, *times: float) -> list[Point]:
    return [Point(name, int(t * S), {"v": t}) for t in times]


def sent_of(script: str) -> list[Sent]:
    """`a1 b2.5`: points of parents a, b, … with these times, in this order."""
    return [("abc".index(word[0]), points(word[0], float(word[1:]))[0]) for word in script.split()]


def through(operator: Any, sent: list[Sent], cuts: Any = None, edge: str = STREAM) -> list[Message]:
    """What comes out, without the end; each message in a frame of its own unless cut otherwise."""
    out = []
    for src, frame in frames_by_parent(sent, edge, list(range(len(sent))) if cuts is None else cuts):
        out += operator.collect(frame, src)
    return messages_of(out)


def united(parents: int = 2, **how: Any) -> UnionOperator:
    return UnionOperator(parents=["a", "b", "c"][:parents], **how)


def shown(messages: list[Message]) -> str:
    return " ".join(f"{m.name}{m.time / S:g}" for m in messages if isinstance(m, Point))


@pytest.mark.parametrize("cuts", [None, []])
def test_what_the_slowest_parent_has_passed_leaves_in_order_of_time(cuts: Any) -> None:
    operator = united()
    assert shown(through(operator, sent_of("a1 a2 a3 b2 b1"), cuts)) == "a1 a2 b2 b1"
    assert shown(messages_of(operator.finish())) == "a3"


def test_nothing_leaves_before_every_parent_has_sent_something() -> None:
    operator = united(3)
    assert not through(operator, sent_of("a1 b1 a2 b2"))
    assert shown(through(operator, sent_of("c1"))) == "a1 b1 c1"
    assert shown(messages_of(operator.finish())) == "a2 b2"


def test_a_barrier_waits_in_line_and_lets_others_go() -> None:
    operator = united()
    barrier = Barrier(Group(), 3 * S)
    assert shown(through(operator, sent_of("a1 a2 b1"))) == "a1 b1"
    out = through(operator, [(1, barrier)])
    assert shown(out) == "a2"
    assert barrier not in out
    assert through(operator, sent_of("a4")) == [barrier]


def test_a_delete_group_jumps_the_queue() -> None:
    operator = united()
    assert through(operator, [*sent_of("a1"), (0, Delete(Group()))], []) == [Delete(Group())]
    assert shown(messages_of(operator.finish())) == "a1"


def test_a_new_name_makes_groups_by_name_one() -> None:
    sent: list[Sent] = [(i, Point("ab"[i], S, {"v": i}, {"h": "x"}, ("h",), by_name=True)) for i in (0, 1)]
    out = through(united(rename="ab"), sent)
    assert out == [Point("ab", S, {"v": i}, {"h": "x"}, ("h",), by_name=True) for i in (0, 1)]


def test_data_of_several_databases_keeps_its_order() -> None:
    operator = united()
    frames = [(src, f.with_(db="xy"[int(f.sections[0].time[0] // S) % 2])) for src, f in
              frames_by_parent(sent_of("a1 a2 b1 b2 b3 a3"), STREAM, list(range(9)))]  # fmt: skip
    out = [f for src, frame in frames for f in operator.collect(frame, src)]
    out += operator.finish()
    assert shown(messages_of(out)) == "a1 b1 a2 b2 a3 b3"
    assert all({"y": 1, "x": 0}[f.db] == m.time // S % 2 for f in out for m in messages_of([f]) if isinstance(m, Point))


def test_many_frames_of_one_row_take_up_what_their_rows_do() -> None:
    operator = united(most=300_000)
    for t in range(2000):
        assert not through(operator, sent_of(f"a{t}"))
    assert len(through(operator, sent_of("b1999"))) == 2001


def test_a_task_whose_parents_drift_too_far_apart_stops_and_says_by_how_much() -> None:
    operator = united(most=20_000)
    through(operator, sent_of("b10"))
    with pytest.raises(TaskError, match="apart") as caught:
        through(operator, sent_of(" ".join(f"a{t}" for t in range(11, 2000))), [])
    assert str(caught.value) == (
        "more than 20000 bytes wait for parents that are behind (33m9s apart): "
        "a is at 1970-01-01T00:33:19.000000000Z, b is at 1970-01-01T00:00:10.000000000Z"
    )

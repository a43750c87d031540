"""Joins: the vectors of the spec, and random streams of several parents against a model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM, Span
from engine.nodes.join import JoinOperator
from tests.engine.nodes.fan_in import JoinModel, check_fan_in, interleaved
from tests.engine.nodes.messages import NIL, Barrier, Batch, Delete, Group, Message, Point, Row
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.strategies import NAMES, TAGS, VALUES, fields, times

DIMS = st.sampled_from([(), ("h",), ("h",), ("h", "r"), ("r",)])
FILLS = st.sampled_from([None, "none", "null", "null", 0, 0.0, 7, -1.5, True])
ODD = st.one_of(VALUES, VALUES, st.just(NIL), st.just(Span(5)))


@st.composite
def source(draw: Any, edge: str, dims: tuple[str, ...], *, by_name: bool, most: int = 14) -> list[Message]:
    """What one parent sends."""
    out: list[Message] = []
    for time in draw(times(draw(st.integers(0, most)))):
        tags, name = draw(TAGS), draw(NAMES)
        group = Group(dims, tuple(tags.get(d, "") for d in dims), by_name, name if by_name else "")
        kind = draw(st.integers(0, 15))
        if kind == 0:
            out.append(Barrier(group, time))
        elif kind == 1:
            out.append(Delete(group))
        elif edge == STREAM:
            out.append(Point(name, time, draw(fields(ODD)), tags, dims, by_name))
        else:
            inside = draw(times(draw(st.integers(0, 4))))
            out.append(Batch(name, time, tuple(Row(t, draw(fields(ODD)), group.tags) for t in inside), group))
    return out


@st.composite
def properties(draw: Any, sources: int) -> dict[str, Any]:
    prefixes = draw(st.sampled_from([("a", "b", "c"), ("a", "av", "avv")]))
    return {
        "as_": prefixes[:sources],
        "delimiter": draw(st.sampled_from([".", "_", "", "#"])),
        "tolerance": draw(st.sampled_from([0, 0, S, 2 * S, 7 * S])),
        "fill": draw(FILLS),
        "stream_name": draw(st.sampled_from(["", "", "joined"])),
        "delete_all": draw(st.booleans()),
    }


def made(given_properties: dict[str, Any]) -> JoinOperator:
    names = [f"from{i}" for i in range(len(given_properties["as_"]))]
    edge = given_properties.pop("edge", STREAM)
    return JoinOperator(parents=names, batch=edge == BATCH, **given_properties)


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@given(st.integers(2, 3), st.data())
def test_joins_are_those_of_the_model(edge: str, sources: int, data: st.DataObject) -> None:
    how = data.draw(properties(sources))
    dims, by_name = data.draw(DIMS), data.draw(st.booleans())
    sent = interleaved(data, [data.draw(source(edge, dims, by_name=by_name)) for _ in range(sources)])
    model = {**how, "fill": None if how["fill"] is True else how["fill"]}
    check_fan_in(lambda: made({**how, "edge": edge}), JoinModel(**model), sent, data, edge)


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@given(st.integers(2, 3), st.sampled_from([("h",), ("r",), ("r", "h"), ("x",)]), st.data())
def test_joins_on_fewer_dimensions_are_those_of_the_model(
    edge: str, sources: int, on: tuple[str, ...], data: st.DataObject
) -> None:
    how = {**data.draw(properties(sources)), "on": on}
    by_name = data.draw(st.booleans())
    sent = interleaved(
        data, [data.draw(source(edge, data.draw(DIMS), by_name=by_name, most=20)) for _ in range(sources)]
    )
    model = {**how, "fill": None if how["fill"] is True else how["fill"]}
    check_fan_in(lambda: made({**how, "edge": edge}), JoinModel(**model), sent, data, edge)

"""Unions: the vectors of the spec, and random streams of several parents against a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM
from engine.nodes.union import UnionOperator
from tests.engine.nodes.fan_in import UnionModel, check_fan_in, interleaved
from tests.engine.nodes.strategies import ODD_VALUES, batches, streams


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@given(st.integers(1, 3), st.sampled_from(["", "", "all", "m"]), st.data())
def test_unions_are_those_of_the_model(edge: str, parents: int, rename: str, data: st.DataObject) -> None:
    draw = streams if edge == STREAM else batches
    sent = interleaved(data, [data.draw(draw(ODD_VALUES, most=12)) for _ in range(parents)])
    names = [f"from{i}" for i in range(parents)]
    make = lambda: UnionOperator(parents=names, rename=rename, batch=edge == BATCH)  # noqa: E731
    check_fan_in(make, UnionModel(parents=parents, rename=rename), sent, data, edge)

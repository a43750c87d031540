"""`|kapacitorLoopback()`: what enters the stream, and what is told when it cannot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM
from engine.nodes.loopback import LoopbackOperator
from engine.rpc import RpcError
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Barrier, Batch, Delete, Group, Message, Point, Row, frames_of, messages_of
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, plain, streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Frame


class Kept:
    """A way that keeps what it is given, or refuses it."""

    def __init__(self, error: str = "") -> None:
        self.frames: list[Frame] = []
        self.state = ""
        self._error = error

    async def open(self) -> None:
        self.state = "open"

    async def write(self, frames: Sequence[Frame]) -> None:
        assert self.state == "open"
        if self._error:
            raise RpcError(503, self._error)
        self.frames += frames

    async def close(self) -> None:
        self.state = "closed"


def looped(messages: list[Message], edge: str, cuts: Any = (), way: Kept | None = None, **more: Any) -> Any:
    """The operator after these messages, and its way."""
    operator = LoopbackOperator(database="db", retention_policy="rp", **more)
    operator.way = way or Kept()

    async def run() -> None:
        await operator.open()
        for frame in frames_of(messages, edge, list(cuts)):
            assert await operator.collect(frame, 0) == ()
        assert await operator.finish() == ()
        await operator.close()

    asyncio.run(run())
    return operator, operator.way


def entered(message: Message, measurement: str, tags: dict[str, str]) -> list[Message]:
    """The model: the points that a message comes to."""
    if isinstance(message, Point):
        return [Point(measurement or message.name, message.time, message.fields, {**message.tags, **tags})]
    if isinstance(message, Batch):
        return [Point(message.name, row.time, row.fields, {**row.tags, **tags}) for row in message.rows]
    return []


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(data=st.data())
def test_points_enter_without_dimensions_and_events_end_here(edge: str, data: st.DataObject) -> None:
    messages = data.draw((streams if edge == STREAM else batches)(ODD_VALUES))
    measurement = data.draw(st.sampled_from(["", "copy"]))
    tags = data.draw(st.sampled_from([{}, {"via": "loop"}, {"h": "over", "a": ""}]))
    cuts = data.draw(st.lists(st.integers(0, len(messages)), max_size=5))
    operator, way = looped(messages, edge, cuts, measurement=measurement, tags=tags)
    wanted = [m for message in messages for m in entered(message, measurement, tags)]
    assert [plain(m) for m in messages_of(way.frames)] == [plain(m) for m in wanted]
    assert {(f.db, f.rp) for f in way.frames} <= {("db", "rp")}
    assert operator.report.counters.get("points_written", 0) == len(wanted)
    assert operator.report.errors == operator.cardinality == 0
    assert way.state == "closed"


def test_a_batch_keeps_its_name() -> None:
    batch = Batch("m", 9 * S, (Row(S, {"v": 1.0}),), Group())
    _, way = looped([batch], BATCH, measurement="copy")
    assert messages_of(way.frames) == [Point("m", S, {"v": 1.0})]


def test_what_cannot_be_written_is_counted_and_told() -> None:
    points: list[Message] = [Point("m", t * S, {"v": 1.0}) for t in range(3)]
    operator, _ = looped(points, STREAM, way=Kept("log full"))
    assert (operator.report.errors, operator.report.counters) == (3, {})
    [record] = operator.report.records
    assert (record.message, record.fields["error"]) == ("failed to write point over loopback", "log full")


def test_what_has_no_points_is_not_written() -> None:
    _, way = looped([Barrier(Group(), S), Delete(Group())], STREAM)
    assert way.frames == []
    _, way = looped([Batch("m", S, (), Group())], BATCH)
    assert way.frames == []

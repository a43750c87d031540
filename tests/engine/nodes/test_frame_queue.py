"""The queue of a union's parent: what goes in comes out in order, and nothing is held on to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import STREAM, Event, Frame
from engine.nodes.frame_queue import FrameQueue
from tests.engine.nodes.messages import Delete, Message, frames_of, messages_of
from tests.engine.nodes.strategies import ODD_VALUES, SOME, plain, streams


def _taken(queue: FrameQueue, count: int) -> list[Message]:
    """The next items, barriers back in their places."""
    pieces, barriers = queue.take(count)
    at = dict(barriers)
    units = messages_of(pieces)
    return [_barrier(at[i]) if i in at else units.pop(0) for i in range(count)]


def _barrier(event: Event) -> Message:
    [message] = messages_of([Frame(STREAM, events=(Event(0, event.kind, event.time, event.group),))])
    return message


@SOME
@given(streams(ODD_VALUES, most=40), st.data())
def test_items_come_out_as_they_went_in(messages: list[Message], data: st.DataObject) -> None:
    messages = [m for m in messages if not isinstance(m, Delete)]
    cuts = data.draw(st.lists(st.integers(0, len(messages)), max_size=20))
    queue = FrameQueue()
    times: list[int] = []
    out: list[Message] = []
    for frame in frames_of(messages, STREAM, cuts):
        times += queue.put(frame).tolist()
        out += _taken(queue, data.draw(st.integers(0, len(times) - len(out))))
        if data.draw(st.booleans()):
            state, queue = queue.snapshot(), FrameQueue()
            queue.restore(state)
    out += _taken(queue, len(times) - len(out))
    assert times == [m.time for m in messages if not isinstance(m, Delete)]
    assert [plain(m) for m in out] == [plain(m) for m in messages]
    assert queue.bytes == 0

"""What a join holds: rows by the numbers of their messages, through every compaction."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH
from engine.nodes.arrivals import Arrivals
from engine.nodes.held import MASK, Held
from tests.engine.nodes.messages import Batch, frames_of
from tests.engine.nodes.strategies import SOME, VALUES, batches


def _rows(held: Held, unit: int) -> tuple[str, list[Any]]:
    """Name, and the times and fields of the unit's rows."""
    number, first = int(held.place[unit] >> 32), int(held.place[unit] & MASK)
    index = np.arange(first, first + held.size[unit])
    pool = held.pools[number]
    fields = pool.fields(index)
    at = [{k: c.at(i) for k, c in fields.items() if c.valid is None or c.valid[i]} for i in range(len(index))]
    return held.names[number], list(zip(pool.time.take(index).tolist(), at, strict=True))


@SOME
@given(batches(VALUES), st.data())
def test_units_keep_their_rows(messages: list[Any], data: st.DataObject) -> None:
    sent = [m for m in messages if isinstance(m, Batch)]
    held, there = Held(), []
    for message in sent:
        [frame] = frames_of([message], BATCH, [])
        arrivals = Arrivals(frame)
        if held.full(arrivals.n):
            held.make_room(arrivals.n)
        assert held.take_in(arrivals) == len(there)
        there.append(message)
        if data.draw(st.booleans()):
            kept = [i for i in range(len(there)) if data.draw(st.booleans())]
            held.keep(np.array(kept, np.int64))
            there = [there[i] for i in kept]
        if data.draw(st.booleans()):
            state = msgpack.unpackb(msgpack.packb(held.snapshot()))
            held = Held()
            held.restore(state)
        assert [_rows(held, u) for u in range(held.used)] == [
            (m.name, [(r.time, r.fields) for r in m.rows]) for m in there
        ]
    held.keep(np.zeros(0, np.int64))
    assert (held.bytes, held.pools) == (0, [])

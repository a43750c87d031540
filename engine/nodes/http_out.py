"""`|httpOut()`: the latest point, or batch, of every group, served over HTTP (nodes.md §17.1).

Rows are kept in columns and become JSON when somebody asks; what did not change since is not rendered again. Groups
stand in the order in which they appeared; one that only a barrier has announced shows as null, a deleted one is gone.
Bound: one row (batch) a group, in pools that are compacted when superseded rows outweigh the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import Batches, Section, nil_groups
from engine.frames.reshape import take
from engine.nodes.arrivals import Arrivals
from engine.nodes.grouped import Grouped
from engine.nodes.pool import Pool, Schema, schema_of
from engine.operator import Answering
from engine.rows import UnsupportedValueError, batch_rows, document, point_rows
from engine.slots import grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Frame, Groups

_NOTHING, _BARRIER = -2, -1
_SLACK = 8192


class HttpOutOperator(Grouped, Answering):
    """`path` is the endpoint; `batch` says whether the edge carries batches. `answer` gives the HTTP status and body."""

    def __init__(self, *, endpoint: str, batch: bool = False) -> None:
        super().__init__()
        self.path = endpoint
        self._batch = batch
        self._pools: list[Pool] = []
        self._numbers: dict[Schema, int] = {}
        # Per slot: pool << 32 | first row (or _NOTHING, _BARRIER), rows, the number of its name, order of appearance.
        self._place = np.full(0, _NOTHING, np.int64)
        self._size = np.zeros(0, np.int64)
        self._name = np.zeros(0, np.int32)
        self._seen = np.zeros(0, np.int64)
        self._appeared = 0
        self._changed = np.zeros(0, np.bool_)
        self._texts: list[str | UnsupportedValueError] = []

    def _start(self, slots: NDArray[np.int64]) -> None:
        room = self.slots.room
        self._place, self._size = grown(self._place, room, _NOTHING), grown(self._size, room)
        self._name, self._seen = grown(self._name, room), grown(self._seen, room)
        self._changed = grown(self._changed, room)
        self._texts += [""] * (room - len(self._texts))
        self._seen[slots] = np.arange(self._appeared, self._appeared + len(slots))
        self._appeared += len(slots)
        self._place[slots] = _BARRIER
        self._size[slots] = 0
        self._changed[slots] = True

    def _forget(self, slot: int) -> None:
        self._place[slot] = _NOTHING
        self._size[slot] = 0

    def _process(self, frame: Frame) -> Sequence[Frame]:
        if frame.sections:
            arrivals = Arrivals(frame)
            slots = self._map(arrivals)
            last = np.full(self.slots.high, -1, np.int64)
            last[slots] = np.arange(arrivals.n)
            self._make_room()
            for i, section in enumerate(frame.sections):
                units = np.arange(arrivals.n) if arrivals.single is not None else arrivals.places[i]
                mine = slots if arrivals.single is not None else slots[units]
                chosen = np.flatnonzero(last[mine] == units)
                if len(chosen):
                    self._keep(section, chosen, mine[chosen])
        return (frame,)

    def _keep(self, section: Section, chosen: NDArray[np.int64], slots: NDArray[np.int32]) -> None:
        """These units of the section are now the latest of these slots."""
        if len(chosen) < section.count:
            section = take(section, chosen)
        schema = schema_of(section)
        number = self._numbers.setdefault(schema, len(self._pools))
        if number == len(self._pools):
            self._pools.append(Pool(section))
        first = self._pools[number].append(section) + (number << 32)
        if section.batches is None:
            self._place[slots] = np.arange(first, first + len(slots))
            self._size[slots] = 1
        else:
            offsets = section.batches.offsets
            self._place[slots] = offsets[:-1] + np.int64(first)
            self._size[slots] = np.diff(offsets)
        self._name[slots] = self.slots.name_number(section.name)
        self._changed[slots] = True

    def _make_room(self) -> None:
        """Compact when less than half of the rows are anybody's latest."""
        used = sum(pool.used for pool in self._pools)
        if used <= _SLACK or used <= 2 * int(self._size.sum()):
            return
        kept: list[Pool] = []
        held = np.flatnonzero(self._place >= 0)
        for number, pool in enumerate(self._pools):
            mine = held[self._place[held] >> 32 == number]
            if not len(mine):
                continue
            size = self._size[mine]
            pool.keep(_rows(self._place[mine] & 0xFFFFFFFF, size))
            self._place[mine] = np.cumsum(size) - size + (len(kept) << 32)
            kept.append(pool)
        self._pools = kept
        self._numbers = {pool.schema: i for i, pool in enumerate(kept)}

    def answer(self) -> tuple[int, bytes]:
        """The HTTP status and the JSON of all groups' latest rows."""
        live = self.slots.live()
        if not len(live):
            return 200, b'{"series":null}'
        self._render(live[self._changed[live]])
        texts = [self._texts[slot] for slot in live[np.argsort(self._seen[live])].tolist()]
        for text in texts:
            if isinstance(text, UnsupportedValueError):
                return 500, f'{{"error":"{text}"}}'.encode()
        return 200, document(texts).encode()

    def _render(self, slots: NDArray[np.int64]) -> None:
        self._changed[slots] = False
        places = self._place[slots]
        for slot in slots[places < 0].tolist():
            self._texts[slot] = "null"
        for number, pool in enumerate(self._pools):
            mine = slots[(places >= 0) & (places >> 32 == number)]
            if len(mine):
                rows = self._rendered(pool, mine)
                for slot, row in zip(mine.tolist(), rows, strict=True):
                    self._texts[slot] = row

    def _rendered(self, pool: Pool, slots: NDArray[np.int64]) -> list[str | UnsupportedValueError]:
        size = self._size[slots]
        columns = pool.take(_rows(self._place[slots] & 0xFFFFFFFF, size))
        names = [self.slots.names[n] for n in self._name[slots].tolist()]
        if not self._batch:
            return point_rows(Section("", *columns, nil_groups()), names)
        offsets = np.zeros(len(slots) + 1, np.int32)
        np.cumsum(size, out=offsets[1:])
        out: list[str | UnsupportedValueError] = [""] * len(slots)
        for which, groups, codes in self.slots.tables(slots):
            index = np.arange(len(slots)) if which is None else which
            section = _batches(columns, offsets, groups, self._group_codes(codes, len(slots), index))
            rows = batch_rows(section, names)
            for i in index.tolist():
                out[i] = rows[i]
        return out

    @staticmethod
    def _group_codes(codes: NDArray[np.uint32], n: int, index: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Codes for all batches; those of other dimensions get any."""
        out = np.zeros(n, np.uint32)
        out[index] = codes
        return out

    def snapshot(self) -> Any:
        high = self.slots.high
        return {
            **super().snapshot(),
            "pools": [pool.snapshot() for pool in self._pools],
            "place": self._place[:high].tobytes(),
            "size": self._size[:high].tobytes(),
            "name": self._name[:high].tobytes(),
            "seen": self._seen[:high].tobytes(),
            "appeared": self._appeared,
        }

    def restore(self, state: Any) -> None:
        super().restore(state)
        self._pools = [Pool.restored(s) for s in state["pools"]]
        self._numbers = {pool.schema: i for i, pool in enumerate(self._pools)}
        self._start(np.zeros(0, np.int64))
        high = self.slots.high
        self._place[:high] = np.frombuffer(state["place"], np.int64)
        self._size[:high] = np.frombuffer(state["size"], np.int64)
        self._name[:high] = np.frombuffer(state["name"], np.int32)
        self._seen[:high] = np.frombuffer(state["seen"], np.int64)
        self._appeared = state["appeared"]
        self._changed[:high] = True


def _rows(first: NDArray[np.int64], size: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row numbers of stretches, one after the other."""
    starts = np.cumsum(size) - size
    return np.repeat(first - starts, size) + np.arange(int(size.sum()))


def _batches(columns: Any, offsets: NDArray[np.int32], groups: Groups, group: NDArray[np.uint32]) -> Section:
    time, tags, fields = columns
    batches = Batches(offsets, np.zeros(len(offsets) - 1, np.int64))
    return Section("", time, tags, fields, groups, group, batches)

"""Bodies of line protocol, piece by piece as they arrive, into frames.

    parser.begin(...); parser.feed(piece) ...; parsed = parser.finish(); parser.reset()

Complete lines are parsed while the rest arrives; nothing is handed out before `finish`. The kernel does what it knows,
the exact parser the rest, and the order of the lines is kept. The work is proportional to the body, however it is
cut: a line that lacks its end is looked at again only when it has grown by half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.inputs.line_protocol import kernel, layout
from engine.inputs.line_protocol.assembly import Block
from engine.inputs.line_protocol.exact import UNITS, LineError, parse_line
from engine.inputs.line_protocol.tables import Memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.frames.model import Frame

_FIRST_BUFFER = 1 << 20
_LARGEST_KEPT = 4 << 20
_FRAME_BYTES = 1 << 20
_WORTH_PARSING = 16 << 10
_END = np.zeros(layout.SLACK, np.uint8)
_END[0] = 10


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a body held: its points in frames, in order, and its bad lines, in order."""

    frames: list[Frame]
    errors: list[LineError]


class LineParser:
    """A parser for one body at a time."""

    def __init__(self, max_rows: int = 8192, memory: Memory | None = None, frame_bytes: int = _FRAME_BYTES) -> None:
        """`max_rows`, or about `frame_bytes` of text, close a frame. Parsers of one thread may share a `memory`."""
        self._memory = memory or Memory()
        self._tables = self._memory.tables
        self._data = np.empty(_FIRST_BUFFER, np.uint8)
        self._block = Block(max_rows)
        self._frame_bytes = frame_bytes
        self._cursor = np.zeros(layout.CURSOR, np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget the body; what was learnt of series and shapes stays."""
        self._db = self._rp = ""
        self._now, self._unit = 0, 1
        self._start = self._end = 0
        self._cursor[: layout.MARKS] = 0
        self._again = _WORTH_PARSING
        self.fed = 0
        self._frames: list[Frame] = []
        self._errors: list[LineError] = []
        self._block.clear()
        if len(self._data) > _LARGEST_KEPT:
            self._data = np.empty(_FIRST_BUFFER, np.uint8)

    def begin(self, *, db: str, rp: str, precision: str, now: int) -> None:
        """Start a body. `now` (ns) is the time of points without one; an unknown precision counts as `n`."""
        self._db, self._rp = db, rp
        self._unit = UNITS.get(precision, 1)
        self._now = now
        self._tables = self._memory.tables

    def feed(self, piece: bytes | memoryview) -> None:
        """A further piece of the body."""
        size = len(piece)
        self.fed += size
        if self._end + size + layout.SLACK > len(self._data):
            self._make_room(size)
        self._data[self._end : self._end + size] = np.frombuffer(piece, np.uint8)
        self._end += size
        if self._end >= self._again:
            self._parse(final=False)

    def finish(self) -> Parsed:
        """The body is complete."""
        self._parse(final=True)
        self._close_block()
        return Parsed(self._frames, self._errors)

    # The block of rows that is under way begins at `_start` of `_data`; the cursor counts from there.

    def _make_room(self, size: int) -> None:
        """Drop the text of closed blocks; then grow as needed."""
        if self._cursor[layout.ROWS] == 0:
            self._start_block()
        keep = self._start
        left = self._end - keep
        data = self._data
        if left + size + layout.SLACK > len(data) // 2:
            data = np.empty(2 * (left + size + layout.SLACK), np.uint8)
            data[:left] = self._data[keep : self._end]
            self._data = data
        else:
            data[:left] = data[keep : self._end].copy()
        self._again -= keep
        self._start = 0
        self._end = left

    def _start_block(self) -> None:
        self._start += int(self._cursor[layout.POSITION])
        self._cursor[layout.POSITION] = self._cursor[layout.ROWS] = self._cursor[layout.USED] = 0

    def _close_block(self) -> None:
        """Make frames of the rows so far."""
        rows = int(self._cursor[layout.ROWS])
        if rows:
            data = self._data[self._start :]
            self._frames += self._block.frames(self._db, self._rp, rows, data, self._tables)
            self._block.clear()
        self._start_block()

    def _parse(self, *, final: bool) -> None:
        cursor, block = self._cursor, self._block
        now = self._now - self._now % self._unit
        self._data[self._end : self._end + layout.SLACK] = _END
        while True:
            data = self._data[self._start :]
            end = self._end - self._start
            reason = kernel.parse(
                data, end, final, now, self._unit, self._frame_bytes, cursor, block.rows, block.values,
                *self._tables.arguments,
            )  # fmt: skip
            if reason == kernel.DONE:
                break
            if reason == kernel.FULL:
                if cursor[layout.ROWS] == 0:
                    block.make_room()
                self._close_block()
            elif reason == kernel.GROW:
                self._grow()
            elif reason == kernel.INCOMPLETE or not self._look_closer(reason, data, end, final):
                break
        self._again = self._end + max(_WORTH_PARSING, (self._end - self._start - int(cursor[layout.POSITION])) // 2)

    def _grow(self) -> None:
        """Room in the tables: larger ones, or new ones in place of full ones."""
        if self._tables.full:
            self._close_block()
            self._tables = self._memory.renewed(self._tables)
            self._cursor[layout.BEFORE] = 0
        else:
            self._tables.grow()

    def _look_closer(self, reason: int, data: NDArray[np.uint8], end: int, final: bool) -> bool:
        """Deal with the line that the kernel did not know; False if it has no end yet."""
        cursor = self._cursor
        position = int(cursor[layout.POSITION])
        stop = kernel.line_end(data, position, end)
        if stop == end and not final:
            return False
        if reason != kernel.EXACT and self._tables.full:
            self._grow()
            return True
        line = data[position:stop].tobytes()
        size, h = int(cursor[layout.FOUND_SIZE]), int(cursor[layout.FOUND_HASH])
        if reason == kernel.NEW_PATTERN:
            self._tables.learn_pattern(line[:size], h)
            return True
        try:
            point = parse_line(line, self._now, self._unit)
        except LineError as error:
            self._errors.append(error)
            point = None
        if point is not None and reason == kernel.NEW_SHAPE:
            self._tables.learn_shape(point.fields, size, h)
            return True
        cursor[layout.POSITION] = stop
        if point is not None:
            if cursor[layout.ROWS] == self._block.room:
                self._close_block()
            self._block.add(int(cursor[layout.ROWS]), point)
            cursor[layout.ROWS] += 1
        return True

"""Bodies of line protocol, piece by piece as they arrive, into frames.

    parser.begin(...); parser.feed(piece) ...; parsed = parser.finish(); parser.reset()

Complete lines are parsed while the rest arrives; nothing is handed out before `finish`. The kernel does what it knows,
the exact parser the rest, and the order of the lines is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.inputs.line_protocol import kernel
from engine.inputs.line_protocol.assembly import Rows, build_frame
from engine.inputs.line_protocol.exact import UNITS, LineError, line_end, parse_line
from engine.inputs.line_protocol.tables import SeriesTable, ShapeTable

if TYPE_CHECKING:
    from engine.frames.model import Frame

_FIRST_BUFFER = 1 << 20
_LARGEST_KEPT = 4 << 20
_FRAME_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a body held: its points in frames, in order, and its bad lines, in order."""

    frames: list[Frame]
    errors: list[LineError]


class LineParser:
    """A parser with its tables; one body at a time."""

    def __init__(self, max_rows: int = 8192) -> None:
        """`max_rows` closes a frame, as about 1 MiB of text does."""
        self._series = SeriesTable()
        self._shapes = ShapeTable()
        self._data = np.empty(_FIRST_BUFFER, np.uint8)
        self._rows = Rows(max_rows)
        self.reset()

    def reset(self) -> None:
        """Forget the body; what was learnt of series and shapes stays, unless it has become too much."""
        self._db = self._rp = ""
        self._now, self._unit = 0, 1
        self._position = self._end = 0
        self._block = 0
        self.fed = 0
        self._frames: list[Frame] = []
        self._errors: list[LineError] = []
        self._rows.clear()
        if len(self._data) > _LARGEST_KEPT:
            self._data = np.empty(_FIRST_BUFFER, np.uint8)
        if self._series.full or self._shapes.full:
            self._series.clear()
            self._shapes.clear()

    def begin(self, *, db: str, rp: str, precision: str, now: int) -> None:
        """Start a body. `now` (ns) is the time of points without one; an unknown precision counts as `n`."""
        self._db, self._rp = db, rp
        self._unit = UNITS.get(precision, 1)
        self._now = now

    def feed(self, piece: bytes | memoryview) -> None:
        """A further piece of the body."""
        size = len(piece)
        self.fed += size
        if self._end + size > len(self._data):
            self._make_room(size)
        self._data[self._end : self._end + size] = np.frombuffer(piece, np.uint8)
        self._end += size
        self._parse(final=False)

    def finish(self) -> Parsed:
        """The body is complete."""
        self._parse(final=True)
        self._close_block()
        return Parsed(self._frames, self._errors)

    def _make_room(self, size: int) -> None:
        """Drop what has been dealt with, if no row refers to it any more; then grow as needed."""
        keep = self._position if self._rows.count == 0 else self._block
        left = self._end - keep
        data = self._data
        if left + size > len(data) // 2:
            data = np.empty(max(2 * len(data), left + size), np.uint8)
        if keep or data is not self._data:
            data[:left] = self._data[keep : self._end].copy()
            self._rows_moved(keep)
            self._data = data
            self._position -= keep
            self._end -= keep
            self._block = 0

    def _rows_moved(self, by: int) -> None:
        """Places of strings and of floats that are still to be read move with the bytes."""
        if by == 0 or self._rows.count == 0:
            return
        self._apply_strings_shift(by)

    def _apply_strings_shift(self, by: int) -> None:
        rows = self._rows
        for shape_number in np.unique(rows.shapes[: rows.count]).tolist():
            shape = self._shapes.known[shape_number]
            for k, kind in enumerate(shape.types):
                if kind == kernel.STRING:
                    places = rows.starts[: rows.count][rows.shapes[: rows.count] == shape_number] + k
                    rows.values[places] -= np.uint64(by << 32)

    def _parse(self, *, final: bool) -> None:
        series, shapes, rows = self._series, self._shapes, self._rows
        now = self._now - self._now % self._unit
        stuck = -1
        while True:
            if rows.total >= rows.room or (rows.total and self._position - self._block > _FRAME_BYTES):
                self._close_block()
            n, used = rows.count, rows.used
            reason, position, got, values, found, family = kernel.parse(
                self._data, self._position, self._end, int(final), now, self._unit, rows.total,
                series.table, series.hashes, series.arena, series.offsets, series.families, series.last_shape,
                series.successors,
                shapes.candidates, shapes.starts, shapes.key_starts, shapes.keys, shapes.kinds, kernel.POWERS,
                rows.times[n : rows.room - len(rows.exact)], rows.series[n:], rows.shapes[n:], rows.starts[n:],
                rows.sequences[n:], rows.values[used:], rows.fixups,
            )  # fmt: skip
            if got:
                rows.starts[n : n + got] += used
                self._read_floats(found, used)
                rows.count += got
                rows.used += values
            self._position = position
            if reason in (kernel.DONE, kernel.INCOMPLETE):
                return
            if reason == kernel.FULL:
                if rows.total == 0:
                    rows.make_room()
                self._close_block()
                continue
            stop = line_end(self._data, position, self._end)
            if stop == self._end and not final:
                return
            if reason == kernel.EXACT or stuck == position or not self._learn(reason, position, stop, family):
                self._exact(position, stop)
                stuck = -1
            elif reason == kernel.NEW_SHAPE:
                stuck = position

    def _read_floats(self, found: int, used: int) -> None:
        """Floats that the kernel left: those that need more than exact double arithmetic."""
        if not found:
            return
        data, values = self._data, self._rows.values
        for slot, start, end in self._rows.fixups[:found].tolist():
            values[used + slot] = np.float64(float(data[start:end].tobytes())).view(np.uint64)

    def _learn(self, reason: int, position: int, stop: int, family: int) -> bool:
        """Learn what the line needs; False if it is for the exact parser all the same."""
        line = self._data[position:stop].tobytes()
        key = line.partition(b" ")[0]
        if reason == kernel.NEW_SERIES:
            if self._series.full:
                return False
            self._series.add(key)
            return True
        if b"\\" in line or self._shapes.full:
            return False
        try:
            point = parse_line(line, self._now, self._unit)
        except LineError:
            return False
        if point is None or any(isinstance(v, str) and '"' in v for v in point.fields.values()):
            return False
        shape = self._shapes.learn(family, point.fields)
        keys = np.frombuffer(key, np.uint8)
        s = kernel.series_of(keys, self._series.table, self._series.hashes, self._series.arena, self._series.offsets)
        self._series.last_shape[s] = shape
        return True

    def _exact(self, position: int, stop: int) -> None:
        """Give one line to the exact parser."""
        try:
            point = parse_line(self._data[position:stop].tobytes(), self._now, self._unit)
        except LineError as error:
            self._errors.append(error)
        else:
            if point is not None:
                if self._rows.total >= self._rows.room:
                    self._close_block()
                self._rows.exact.append((self._rows.total, point))
        self._position = stop

    def _close_block(self) -> None:
        rows = self._rows
        if rows.total:
            self._frames.append(build_frame(self._db, self._rp, rows, self._data, self._series, self._shapes))
        rows.clear()
        self._block = self._position

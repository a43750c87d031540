"""The log's most recent frames, kept in memory, so that forks at the head never touch a file.

Bound: bytes of parts plus a flat charge for each frame and part (small frames cost more in objects than in bytes).
Policy when full: the oldest frames leave; they are still in their segment. The newest frame stays whatever its size
is. The tail keeps references: a part that is a view of a larger message keeps that message alive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from engine.ingest_log.record import Entry

_FRAME_CHARGE: Final = 400
_PART_CHARGE: Final = 100


class Tail:
    """Entries by position; what it holds is ordered by position, without holes where the log has none."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        # A dictionary keeps insertion order, finds a position at once and forgets its oldest key cheaply.
        self._entries: dict[int, tuple[Entry, int]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def push(self, entry: Entry) -> None:
        """Take the newest frame; let go of the oldest beyond the bound."""
        charge = _FRAME_CHARGE
        for part in entry.parts:
            charge += _PART_CHARGE + (len(part) if type(part) is bytes else memoryview(part).nbytes)
        self._entries[entry.position] = (entry, charge)
        self.bytes += charge
        while self.bytes > self.max_bytes and len(self._entries) > 1:
            self.bytes -= self._entries.pop(next(iter(self._entries)))[1]

    def read(self, position: int, max_bytes: int) -> list[Entry]:
        """Frames from `position` on, up to `max_bytes` (charges included) but one at least; empty if it is not here."""
        entries: list[Entry] = []
        held = self._entries.get(position)
        while held is not None:
            entry, charge = held
            max_bytes -= charge
            if entries and max_bytes < 0:
                break
            entries.append(entry)
            position += 1
            held = self._entries.get(position)
        return entries

    def drop_before(self, position: int) -> None:
        """Let go of everything before `position`."""
        while self._entries and (oldest := next(iter(self._entries))) < position:
            self.bytes -= self._entries.pop(oldest)[1]

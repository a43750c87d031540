"""Reading the headers of a stretch of the ingest log, a bounded amount at a time and never waiting for the disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.frames import header as wire
from engine.ingest_log.segment import Lost, NotResident

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.frames.header import Header
    from engine.ingest_log.log import IngestLog

_READ_BYTES = 1 << 20
_READS_A_TURN = 4


@dataclass(slots=True)
class Span:
    """The frames from `position`, which comes next, up to `last`, which is in the log.

    `missing`: where frames could not be read, and how many rows they had, of whatever kind. `asked`: what the disk must be
    asked for before anything more is read; to be set to None when it is there.
    """

    position: int
    last: int
    missing: list[tuple[int, int]] = field(default_factory=list)
    asked: NotResident | None = None

    @property
    def done(self) -> bool:
        return self.position > self.last

    def read(self, log: IngestLog) -> Iterator[tuple[int, Header]]:
        """Positions and headers of the next frames. Raises LogError."""
        for _ in range(_READS_A_TURN):
            if self.done or self.asked is not None:
                return
            found = log.read(self.position, _READ_BYTES)
            if isinstance(found, NotResident):
                self.asked = found
                return
            if isinstance(found, Lost):
                before = log.rows_before(self.position)
                if isinstance(before, int):
                    self.missing.append((self.position, max(0, found.rows_before - before)))
                else:
                    self.missing.append((self.position, 0))
                self.position = found.oldest
                continue
            for entry in found:
                if entry.position > self.last:
                    self.position = entry.position
                    return
                yield entry.position, wire.read_header(entry.parts[0])
                self.position = entry.position + 1

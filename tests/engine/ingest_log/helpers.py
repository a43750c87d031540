"""What the log's tests share: minted time, a small log, and reading it to its end."""

from __future__ import annotations

from pathlib import Path

from engine.ingest_log import Entry, IngestLog, Lost, NotResident


def descriptors() -> list[str]:
    """The open file descriptors of this process, the one for looking among them."""
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())


class Clock:
    """Minted time in ns."""

    def __init__(self, now: int = 1_000_000_000_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def small_log(directory: Path, clock: Clock | None = None, **options) -> IngestLog:
    """A log whose segments hold a handful of small frames and whose tail holds about two."""
    settings = {"segment_bytes": 600, "retention_bytes": 1 << 20, "tail_bytes": 1200} | options
    return IngestLog.open(directory, clock=clock or Clock(), **settings)


def plain(entry: Entry) -> tuple[int, int, list[bytes], int]:
    """An entry as values that compare."""
    return entry.position, entry.rows, [bytes(part) for part in entry.parts], entry.rows_before


def read_all(log: IngestLog, position: int = 1, max_bytes: int = 1 << 20) -> tuple[list, list[Lost]]:
    """Everything from `position` to the head, as a cursor reads it, and what it was told is lost."""
    entries: list = []
    losses: list[Lost] = []
    while True:
        result = log.read(position, max_bytes, wait=True)
        assert not isinstance(result, NotResident)
        if isinstance(result, Lost):
            assert result.oldest > position
            losses.append(result)
            position = result.oldest
        elif result:
            assert result[0].position >= position
            entries += [plain(entry) for entry in result]
            position = result[-1].position + 1
        else:
            return entries, losses


def append(log: IngestLog, *texts: bytes, rows: int = 1) -> list[int]:
    """Append one frame of one part for each text."""
    return [log.append([text], rows) for text in texts]

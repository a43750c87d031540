"""The board: one page of shared memory that every process of one server sees, because all are forked from the launcher.

It holds what must be known everywhere at once and costs nothing to look up: the log level, which levels the readers of
logs want, and each role's pid and restarts. Single int64 values are read and written whole; each word has one writer
at a time, so nothing is locked.
"""

from __future__ import annotations

import mmap

from engine import clock

READERS = 8
"""Front ends that can read logs at the same time."""

NOBODY = 1_000
"""The level that a reader wants who is not there: above every level of a record."""

ROLES = ("launcher", "supervisor", "zygote", "store", "alerts", "frontend")
COUNTERS = ("writes", "writes_rejected", "writes_failed", "log_lines_lost")
"""What each front end counts for itself, under the number that it reads logs by."""

_LEVEL = 0
_WANTED = 1
_PIDS = _WANTED + READERS
_RESTARTS = _PIDS + len(ROLES)
_COUNTS = _RESTARTS + len(ROLES)
_STARTED = _COUNTS + READERS * len(COUNTERS)
_WORDS = _STARTED + 1


class Board:
    """Made by the launcher before it forks. Levels are the numbers of Python's `logging`."""

    __slots__ = ("_memory", "_words")

    def __init__(self, level: int) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        assert _WORDS * 8 <= mmap.PAGESIZE
        self._words: memoryview[int] = memoryview(self._memory).cast("q")
        self._words[_LEVEL] = level
        self._words[_STARTED] = clock.now()
        for reader in range(READERS):
            self._words[_WANTED + reader] = NOBODY

    @property
    def made(self) -> int:
        """When the server was started, in ns since 1970."""
        return self._words[_STARTED]

    @property
    def level(self) -> int:
        """The server's log level: what is less goes to no log file and no terminal."""
        return self._words[_LEVEL]

    @level.setter
    def level(self, level: int) -> None:
        self._words[_LEVEL] = level

    @property
    def least(self) -> int:
        """The lowest level that anybody wants."""
        return min(self._words[_LEVEL:_PIDS])

    def wanted(self, reader: int) -> int:
        """The lowest level that a reader of logs wants."""
        return self._words[_WANTED + reader]

    def want(self, reader: int, level: int) -> None:
        self._words[_WANTED + reader] = level

    def readers(self, level: int) -> list[int]:
        """The readers that want a record of this level."""
        return [i for i, wanted in enumerate(self._words[_WANTED:_PIDS]) if level >= wanted]

    def started(self, role: str, pid: int) -> None:
        """A process of this role runs; one that ran before counts as a restart."""
        at = ROLES.index(role)
        if self._words[_PIDS + at]:
            self._words[_RESTARTS + at] += 1
        self._words[_PIDS + at] = pid

    def pids(self) -> dict[str, int]:
        """The last process of each role that was started."""
        return {role: pid for role, pid in zip(ROLES, self._words[_PIDS:_RESTARTS], strict=True) if pid}

    def restarts(self) -> dict[str, int]:
        return dict(zip(ROLES, self._words[_RESTARTS:_COUNTS], strict=True))

    def count(self, reader: int, counter: str, by: int = 1) -> None:
        """Count for the front end of this number."""
        self._words[_COUNTS + reader * len(COUNTERS) + COUNTERS.index(counter)] += by

    def total(self, counter: str) -> int:
        """A counter over all front ends; it never goes back, whoever of them ends."""
        return sum(self._words[_COUNTS + COUNTERS.index(counter) : _STARTED : len(COUNTERS)])

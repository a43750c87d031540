"""Status pages: what a node says of itself in shared memory, readable even when the node is stopped.

The pages lie in one file of the run directory, a page of `PAGE` bytes a node. A node alone writes its page, the
supervisor reads. Single int64 values are read and written whole; the extra counters behind them are guarded by a
sequence number that is odd while they change.

A process of several nodes keeps what concerns it as a whole on the page of its first node: tick, state, positions, edges.
`TICK` moves with every step, and every `BEAT_MS` while the process waits for room in its output; a process that waits for
input has nothing to do, so it does not tick. `WAITING` is 1 while it has something in hand.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

PAGE = 4096
_WORDS = 208
_EXTRA = _WORDS * 8
MAX_EDGES = 64
"""Of so many parents and children a page counts the messages apart."""

TICK, STATE, ERRORS, CARDINALITY, AVG_EXEC_NS = 0, 1, 2, 3, 4
FIRST_IN_WORK, LAST_IN_WORK, DEALT, INPUT_ROWS, OUTPUT_ROWS = 5, 6, 7, 8, 9
WAITING, EXTRA_SEQ, EXTRA_LEN, COLLECTED, EMITTED = 10, 11, 12, 13, 14
PARENT_EDGES = 16
TAKEN = PARENT_EDGES + MAX_EDGES
SENT = TAKEN + MAX_EDGES
"""Points taken from each parent; messages taken from each parent's edge, and put into each child's."""

BEAT_MS = 1000

STARTING, RUNNING, BLOCKED, ENDED, FAILED = 0, 1, 2, 3, 4


class Page:
    """One node's page, as writer or reader."""

    __slots__ = ("_buffer", "words")

    def __init__(self, memory: mmap.mmap, slot: int) -> None:
        self._buffer = memoryview(memory)[slot * PAGE : (slot + 1) * PAGE]
        self.words: memoryview[int] = self._buffer[: _WORDS * 8].cast("q")

    def step(self) -> None:
        """The process has done something."""
        self.words[TICK] += 1

    def clear(self) -> None:
        self._buffer[:] = bytes(PAGE)

    def write_counters(self, counters: dict[str, int]) -> None:
        """Publish the counters that only some node kinds have."""
        raw = msgspec.msgpack.encode(counters)
        if len(raw) > PAGE - _EXTRA:
            return
        words = self.words
        words[EXTRA_SEQ] += 1
        self._buffer[_EXTRA : _EXTRA + len(raw)] = raw
        words[EXTRA_LEN] = len(raw)
        words[EXTRA_SEQ] += 1

    def read_counters(self) -> dict[str, int]:
        words = self.words
        for _ in range(100):
            before = words[EXTRA_SEQ]
            size = words[EXTRA_LEN]
            raw = bytes(self._buffer[_EXTRA : _EXTRA + size])
            if before & 1 == 0 and words[EXTRA_SEQ] == before:
                return msgspec.msgpack.decode(raw, type=dict[str, int]) if size else {}
        return {}

    def parent_emitted(self, parents: int) -> list[int]:
        return list(self.words[PARENT_EDGES : PARENT_EDGES + min(parents, MAX_EDGES)])

    def note_taken(self, parent: int, messages: int) -> None:
        """The process has taken so many messages in all from the edge of this parent."""
        if parent < MAX_EDGES:
            self.words[TAKEN + parent] = messages

    def note_sent(self, child: int, messages: int) -> None:
        """The process has put so many messages in all into the edge of this child."""
        if child < MAX_EDGES:
            self.words[SENT + child] = messages

    def taken(self, parent: int) -> int | None:
        """None for an edge that is not counted: a process has room for 64 on either side."""
        return self.words[TAKEN + parent] if parent < MAX_EDGES else None

    def sent(self, child: int) -> int | None:
        return self.words[SENT + child] if child < MAX_EDGES else None


class StatusFile:
    """The file with all pages; `slots` of them. The supervisor gives slots out and takes them back."""

    def __init__(self, path: Path, descriptor: int, memory: mmap.mmap, slots: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._memory = memory
        self._slots = slots
        self._free = list(range(slots - 1, -1, -1))
        self._pages: dict[int, Page] = {}

    @classmethod
    def create(cls, path: Path, slots: int) -> StatusFile:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, slots * PAGE)
            return cls(path, descriptor, mmap.mmap(descriptor, slots * PAGE), slots)
        except BaseException:
            os.close(descriptor)
            raise

    def take(self) -> int:
        """A cleared slot. Raises RuntimeError when all are in use, or the disk has no room for its page."""
        if not self._free:
            raise RuntimeError(
                f"no status page is free: [tickworks] max-nodes allows {self._slots} nodes of all tasks together"
            )
        slot = self._free[-1]
        try:
            # A process that writes to a page without a place on the disk would be killed for it.
            os.posix_fallocate(self._descriptor, slot * PAGE, PAGE)
        except OSError as error:
            raise RuntimeError(f"{self.path.parent}: {error.strerror}: there is no room for a status page") from error
        self._free.pop()
        self.page(slot).clear()
        return slot

    def close(self) -> None:
        """No slot is taken any more; pages that are in use stay."""
        os.close(self._descriptor)

    def give_back(self, slot: int) -> None:
        self._free.append(slot)

    def page(self, slot: int) -> Page:
        page = self._pages.get(slot)
        if page is None:
            page = self._pages[slot] = Page(self._memory, slot)
        return page


def open_page(path: str, slot: int) -> Page:
    """A node's own page."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        memory = mmap.mmap(descriptor, PAGE, offset=slot * PAGE)
    finally:
        os.close(descriptor)
    return Page(memory, 0)

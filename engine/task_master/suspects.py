"""Which input may be what kills a task's processes: exits by the log positions that were in work. Pure.

When a process dies, every frame that the task was given and has not dealt with is under suspicion. The task is then given
the frames up to the last of them one at a time, so that each further exit has one suspect. A frame that was in work at
`MAX_EXITS` exits is poison. What the task has dealt with since is cleared, so the memory is bounded by the frames in work.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_EXITS = 3


class Work(NamedTuple):
    """What a task has in hand: everything up to `dealt` is done, `given` is the last position that it was given.

    `dealt` is None for a task that has not been given a place in the stream yet.
    """

    dealt: int | None
    given: int = 0


class Suspects:
    """One task's exits since the last time that it had nothing under suspicion."""

    __slots__ = ("_exits",)

    def __init__(self) -> None:
        self._exits: list[tuple[int, int]] = []

    @property
    def fence(self) -> int:
        """Up to here frames are to be given one at a time; 0 for no need."""
        return max((last for _, last in self._exits), default=0)

    def died(self, work: Work) -> int:
        """A process died: the most exits that any frame in work has seen, 0 with nothing in work."""
        if work.dealt is None:
            return 0
        self._clear(work.dealt)
        if work.given <= work.dealt:
            return 0
        self._exits.append((work.dealt, work.given))
        # Intervals overlap most at the end of one of them.
        ends = [last for _, last in self._exits if work.dealt < last <= work.given]
        return max(sum(after < end <= last for after, last in self._exits) for end in ends)

    def _clear(self, dealt: int) -> None:
        self._exits = [e for e in self._exits if e[1] > dealt]

"""Which events a node has told lately, so that those which it tells again after a crash are known (DESIGN §5).

A node that crashed begins again at a log position before its end, so that some of its input comes a second time. Its states
begin empty, so neither the cut of its frames nor the count of its events is what it was: an event is told by what it is, its
ID, time and level, among those whose input may come again. Of several that are the same each is known once.

What always holds: an event is taken for a repeat only if one just like it was told, from input that comes again. Bound: `MOST`
events; of those beyond, a repeat passes for new.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.alerts.events import Event

MOST: Final = 65_536


def key(event: Event) -> int:
    """What makes an event of a node the same."""
    return hash((event.id, event.time, event.level))


class Told:
    """What one incarnation of a node has told, and what those before it had that it has not yet told again."""

    def __init__(self, before: Told | None = None) -> None:
        self._recent: deque[tuple[int, int, Sequence[int]]] = deque()
        self._before = 0
        self._count = 0
        self._former = before
        self._awaited: Counter[int] = Counter()
        self._until = 0

    def begin(self, contained: int) -> None:
        """What is told from now on follows from input behind this log position."""
        self._before = contained
        if self._former is not None:
            for before, upto, keys in self._former.all():
                # What follows from input on both sides of the position may not come again: better twice than never.
                if before >= contained:
                    self._awaited.update(keys)
                    self._until = max(self._until, upto)
            self._former = None
        elif self._awaited and contained >= self._until:
            self._awaited.clear()

    def all(self) -> Iterable[tuple[int, int, Sequence[int]]]:
        """The events that are remembered, each time with the log positions that their input lies between."""
        if self._former is not None:
            yield from self._former.all()
        if self._awaited:
            yield self._until - 1, self._until, list(self._awaited.elements())
        yield from self._recent

    @property
    def expecting(self) -> bool:
        """Whether some event may be a repeat."""
        return bool(self._awaited)

    def repeats(self, known: int) -> bool:
        """Whether the event with this key was told before; it is not expected again."""
        if self._awaited.get(known, 0) <= 0:
            return False
        self._awaited[known] -= 1
        if not self._awaited[known]:
            del self._awaited[known]
        return True

    def add(self, upto: int, keys: Sequence[int]) -> None:
        """Remember events that followed from input up to this position."""
        if not keys:
            return
        self._recent.append((self._before, upto, keys))
        self._count += len(keys)
        while self._count > MOST:
            self._count -= len(self._recent.popleft()[2])

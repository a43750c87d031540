"""Routing the global stream: which forks want which sections of a frame (spec "TaskMaster" §5). Pure.

A fork wants a set of (database, retention policy, measurement); measurement "" stands for all. Matching is exact. A
fork that is wanted both by name and by "" gets the rows of that name twice, as recorded of the reference.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.frames.header import Header

_CACHE = 4096


class Selection(NamedTuple):
    """What one kind of fork gets of a frame: section numbers, None for all; and which of those it gets twice."""

    sections: tuple[int, ...] | None
    twice: tuple[int, ...]

    def rows(self, sizes: Sequence[int]) -> int:
        """How many rows that are; `sizes` are those of the frame's sections."""
        chosen = range(len(sizes)) if self.sections is None else self.sections
        return sum([sizes[i] for i in chosen]) + sum([sizes[chosen[k]] for k in self.twice])


class Routes:
    """Who wants what, by what is wanted: a frame costs what the tasks that want it cost, however many others there are.

    Every change forgets what was looked up before. Tasks come in the order in which they were added.
    """

    def __init__(self) -> None:
        self._wants: dict[str, frozenset[tuple[str, str, str]]] = {}
        self._places: dict[str, int] = {}
        self._serial = itertools.count()
        self._index: dict[tuple[str, str, str], set[str]] = {}
        self._known: dict[tuple[str, str, tuple[str, ...]], list[tuple[str, Selection]]] = {}

    def add(self, task: str, dbrps: Iterable[tuple[str, str]], measurements: Iterable[str]) -> None:
        """Take in what a task wants, instead of what it wanted before."""
        self.remove(task)
        names = list(measurements)
        wants = self._wants[task] = frozenset((db, rp, m) for db, rp in dbrps for m in names)
        self._places[task] = next(self._serial)
        for key in wants:
            self._index.setdefault(key, set()).add(task)

    def remove(self, task: str) -> None:
        for key in self._wants.pop(task, ()):
            tasks = self._index[key]
            tasks.discard(task)
            if not tasks:
                del self._index[key]
        self._places.pop(task, None)
        self._known.clear()

    def lookup(self, header: Header) -> Sequence[tuple[str, Selection]]:
        """The tasks that want something of the frame, and what."""
        key = (header.db, header.rp, tuple([s.name for s in header.sections]))
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _CACHE:
                self._known.clear()
            found = self._known[key] = list(self._find(*key))
        return found

    def _find(self, db: str, rp: str, names: tuple[str, ...]) -> Iterable[tuple[str, Selection]]:
        every = self._index.get((db, rp, ""), set())
        named: dict[str, list[int]] = {}
        for i, name in enumerate(names):
            if name:
                for task in self._index.get((db, rp, name), ()):
                    named.setdefault(task, []).append(i)
        for task in sorted(every | named.keys(), key=self._places.__getitem__):
            if task in every:
                yield task, Selection(None, tuple(named.get(task, ())))
            else:
                chosen = named[task]
                yield task, Selection(None if len(chosen) == len(names) else tuple(chosen), ())

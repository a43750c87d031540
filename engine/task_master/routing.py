"""Routing the global stream: which forks want which sections of a frame (spec "TaskMaster" §5). Pure.

A fork wants a set of (database, retention policy, measurement); measurement "" stands for all. Matching is exact. A
fork that is wanted both by name and by "" gets the rows of that name twice, as recorded of the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.frames.header import Header

_CACHE = 4096


class Selection(NamedTuple):
    """What one kind of fork gets of a frame: section numbers, None for all; and which of those it gets twice."""

    sections: tuple[int, ...] | None
    twice: tuple[int, ...]


class Routes:
    """Who wants what. Every change forgets what was looked up before."""

    def __init__(self) -> None:
        self._wants: dict[str, frozenset[tuple[str, str, str]]] = {}
        self._known: dict[tuple[str, str, tuple[str, ...]], list[tuple[str, Selection]]] = {}

    def add(self, task: str, dbrps: Iterable[tuple[str, str]], measurements: Iterable[str]) -> None:
        names = list(measurements)
        self._wants[task] = frozenset((db, rp, m) for db, rp in dbrps for m in names)
        self._known.clear()

    def remove(self, task: str) -> None:
        self._wants.pop(task, None)
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
        for task, wants in self._wants.items():
            every = (db, rp, "") in wants
            chosen = [i for i, name in enumerate(names) if every or (db, rp, name) in wants]
            if not chosen:
                continue
            twice = tuple(k for k, i in enumerate(chosen) if every and names[i] and (db, rp, names[i]) in wants)
            yield task, Selection(None if len(chosen) == len(names) else tuple(chosen), twice)

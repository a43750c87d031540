"""Which events are muted at the moment: the inhibitors that are on, by category and tags (alerts.md §8).

Pure. An inhibitor belongs to a node's group; it is on or off, and gone when its group or its node is.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

Rule = tuple[str, tuple[str, ...]]
"""A category and tag names."""


class Inhibitors:
    """The inhibitors of all nodes. Bound: one entry a group whose alert is on."""

    def __init__(self) -> None:
        # By category, then by tag names: how many inhibitors are on for these values.
        self._on: dict[str, dict[tuple[str, ...], Counter[tuple[str, ...]]]] = {}
        self._owned: dict[Hashable, dict[int, list[tuple[Rule, tuple[str, ...]]]]] = {}

    def switch(
        self, owner: Hashable, group: int, rules: Sequence[Rule], values: Sequence[Sequence[str]], *, on: bool
    ) -> None:
        """Switch the inhibitors of a group of an owner; `values` has the tag values for each of its rules."""
        self._take_off(self._owned.get(owner, {}).pop(group, []))
        if on:
            entries = [(rule, tuple(v)) for rule, v in zip(rules, values, strict=True)]
            self._owned.setdefault(owner, {})[group] = entries
            for (category, tags), value in entries:
                self._on.setdefault(category, {}).setdefault(tags, Counter())[value] += 1

    def remove(self, owner: Hashable) -> None:
        """The owner has ended."""
        for entries in self._owned.pop(owner, {}).values():
            self._take_off(entries)

    def _take_off(self, entries: Sequence[tuple[Rule, tuple[str, ...]]]) -> None:
        for (category, tags), value in entries:
            counts = self._on[category][tags]
            counts[value] -= 1
            if counts[value] <= 0:
                del counts[value]
            if not counts:
                del self._on[category][tags]
            if not self._on[category]:
                del self._on[category]

    def mutes(self, category: str, tags: Mapping[str, str]) -> bool:
        """Whether an event of this category with these tags is muted; a missing tag equals ""."""
        found = self._on.get(category)
        if found is None:
            return False
        return any(tuple(tags.get(k, "") for k in names) in counts for names, counts in found.items())

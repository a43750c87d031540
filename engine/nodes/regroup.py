"""Giving the rows of stream sections new groups: by tags, by all tags of each point, by the measurement (nodes.md §1.2).

Tag names are sorted. `*` stands for the tags that a point *has*, so rows of one section that lack different tags get
different dimensions, and the section falls apart into one a pattern of missing tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.frames.groups import group_rows
from engine.frames.model import ABSENT_CODE, Section
from engine.frames.reshape import take_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from engine.frames.groups import GroupMemo


def by_tags(section: Section, dims: Sequence[str], by_name: bool, memo: GroupMemo | None = None) -> Section:
    """The stream section grouped by these tags (sorted)."""
    groups, group = group_rows(section, dims, by_name, memo)
    return Section(section.name, section.time, section.tags, section.fields, groups, group)


def by_all_tags(
    section: Section, exclude: Collection[str], by_name: bool
) -> list[tuple[Section, NDArray[np.int64] | None]]:
    """The stream section grouped by every point's own tags: parts, each with its rows (None: all)."""
    keys = [k for k in sorted(section.tags) if k not in exclude]
    pattern = np.zeros(section.rows, np.int64)
    distinct = 1
    for k in keys:
        codes = section.tags[k].codes
        missing = codes == ABSENT_CODE
        if missing.any():
            both = pattern * 2 + missing
            found, pattern = np.unique(both, return_inverse=True)
            distinct = len(found)
    if distinct == 1:
        present = [k for k in keys if not section.rows or section.tags[k].codes[0] != ABSENT_CODE]
        return [(by_tags(section, present, by_name), None)]
    parts: list[tuple[Section, NDArray[np.int64] | None]] = []
    for p in range(distinct):
        rows = np.flatnonzero(pattern == p)
        part = take_rows(section, rows)
        present = [k for k in keys if section.tags[k].codes[rows[0]] != ABSENT_CODE]
        parts.append((by_tags(part, present, by_name), rows))
    return parts

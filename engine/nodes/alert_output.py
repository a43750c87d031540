"""What an alert passes on: the data that triggered an event, with the event's id, level, message and duration added.

A batch's header gets the tags too, and stays in the group that it was in: its group table has further entries of tags
but the hashes of before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.alerts.levels import NAMES
from engine.frames.model import FieldColumn, Groups, Kind, Section, TagColumn
from engine.frames.strings import Strings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEVELS = Strings.of(NAMES)


@dataclass(frozen=True, slots=True)
class Annotations:
    """The names under which they are added; "" for not at all."""

    level_tag: str = ""
    id_tag: str = ""
    level_field: str = ""
    message_field: str = ""
    id_field: str = ""
    duration_field: str = ""

    def add(
        self, section: Section, ids: Sequence[str], messages: Sequence[str], levels: NDArray[np.int64],
        durations: NDArray[np.int64],
    ) -> Section:  # fmt: skip
        """The section with the columns added; one entry of everything a point, or batch."""
        tags: dict[str, Strings] = {}
        if self.level_tag:
            tags[self.level_tag] = _LEVELS.take(levels)
        if self.id_tag:
            tags[self.id_tag] = Strings.of(ids)
        added: dict[str, FieldColumn] = {}
        if self.level_field:
            added[self.level_field] = FieldColumn(Kind.STRING, _LEVELS.take(levels))
        if self.message_field:
            added[self.message_field] = FieldColumn(Kind.STRING, Strings.of(messages))
        if self.id_field:
            added[self.id_field] = FieldColumn(Kind.STRING, Strings.of(ids))
        if self.duration_field:
            added[self.duration_field] = FieldColumn(Kind.INT, durations)
        if not tags and not added:
            return section
        units = np.arange(section.count)
        groups, group = section.groups, section.group
        if section.batches is not None:
            units = np.repeat(units, np.diff(section.batches.offsets))
            added = {k: _spread(c, units) for k, c in added.items()}
            if tags:
                groups, group = _headed(section, tags), np.arange(section.count, dtype=np.uint32)
        codes = units.astype(np.uint32)
        columns = {k: TagColumn(codes, v) for k, v in tags.items()}
        return section.with_(
            tags=dict(sorted({**section.tags, **columns}.items())),
            fields={**section.fields, **added},
            groups=groups,
            group=group,
        )


def _spread(column: FieldColumn, units: NDArray[np.int64]) -> FieldColumn:
    return FieldColumn(column.kind, column.data.take(units))


def _headed(section: Section, tags: dict[str, Strings]) -> Groups:
    """A group table with an entry a batch, and the tags among its dimensions."""
    groups, codes = section.groups, section.group_codes().astype(np.int64)
    values = {d: v.take(codes) for d, v in zip(groups.dims, groups.values, strict=True)}
    values = dict(sorted({**values, **tags}.items()))
    return Groups(tuple(values), groups.by_name, tuple(values.values()), groups.hashes.take(codes, axis=0))

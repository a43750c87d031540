"""Dropping the columns that no later node can refer to, as early as somebody knows (DESIGN §8, lever 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Columns, Frame, Section


def project_section(section: Section, keep: Columns) -> Section:
    """The section with the columns in `keep` and its dimensions."""
    dims = section.groups.dims
    tags, fields = section.tags, section.fields
    if keep.tags is not None:
        tags = {k: c for k, c in tags.items() if k in keep.tags or k in dims}
    if keep.fields is not None:
        fields = {k: c for k, c in fields.items() if k in keep.fields}
    if len(tags) == len(section.tags) and len(fields) == len(section.fields):
        return section
    return section.with_(tags=tags, fields=fields)


def project(frames: Sequence[Frame], keep: Columns) -> list[Frame]:
    return [f.with_(sections=tuple([project_section(s, keep) for s in f.sections])) for f in frames]

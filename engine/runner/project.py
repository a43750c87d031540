"""Dropping the columns that no later node can refer to, as early as somebody knows (DESIGN §8, lever 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Frame, Section


def project_section(section: Section, keep: frozenset[str]) -> Section:
    """The section with the columns in `keep` and its dimensions."""
    dims = section.groups.dims
    if all(k in keep for k in section.fields) and all(k in keep or k in dims for k in section.tags):
        return section
    return section.with_(
        tags={k: c for k, c in section.tags.items() if k in keep or k in dims},
        fields={k: c for k, c in section.fields.items() if k in keep},
    )


def project(frames: Sequence[Frame], keep: frozenset[str]) -> list[Frame]:
    return [f.with_(sections=tuple(project_section(s, keep) for s in f.sections)) for f in frames]

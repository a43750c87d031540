"""`stream` and `noop`: nodes that only pass on (nodes.md §6.1, §11.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.operator import Stateless

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Frame


class PassOperator(Stateless):
    """Frames go through as they are."""

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002  (one parent)
        return (frame,)

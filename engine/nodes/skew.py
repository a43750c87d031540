"""How far apart the parents of a join or union are, and the end of a task whose parents drift too far apart.

Bound: the bytes that the node holds of parents that are ahead. Policy when full: the task stops with an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.operator import TaskError
from tickscript.durations import go_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_BYTES = 256 << 20
_NEVER = -(2**63)


class Skew:
    """The newest time of each parent, in int64 ns, and the bound in bytes."""

    def __init__(self, parents: Sequence[str], most: int) -> None:
        self._parents = list(parents)
        self._most = most
        self._newest = [_NEVER] * len(parents)

    def saw(self, parent: int, time: int) -> None:
        """A frame of the parent goes up to this time."""
        self._newest[parent] = max(self._newest[parent], time)

    def over(self, held: int) -> bool:
        return held > self._most

    def fail(self) -> TaskError:
        """The error that names the parents and how far they are apart."""
        told = [t for t in self._newest if t != _NEVER]
        apart = max(told) - min(told) if told else 0
        places = ", ".join(
            f"{name} has sent nothing" if t == _NEVER else f"{name} is at {np.datetime64(t, 'ns')}Z"
            for name, t in zip(self._parents, self._newest, strict=True)
        )
        return TaskError(
            f"more than {self._most} bytes wait for parents that are behind ({go_duration(apart)} apart): {places}"
        )

    def snapshot(self) -> list[int]:
        """Plain msgpack values."""
        return list(self._newest)

    def restore(self, state: list[int]) -> None:
        """Take over what `snapshot` gave."""
        self._newest = list(state)

"""What an expression reads from the world: the wall clock, the local zone, and seeds for random numbers."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _seed() -> int:
    return secrets.randbits(64)


@dataclass(frozen=True, slots=True)
class Environment:
    """`zone` is that of `now()` and of a point's time; `now` gives nanoseconds since the epoch, `seed` 64 bits."""

    zone: tzinfo = UTC
    now: Callable[[], int] = time.time_ns
    seed: Callable[[], int] = _seed


DEFAULT = Environment()

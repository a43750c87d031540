"""The one module that reads the wall clock."""

from __future__ import annotations

import time


def now() -> int:
    """Nanoseconds since the epoch."""
    return time.time_ns()


def ticks() -> int:
    """Nanoseconds of a clock that never jumps, for measuring how long things take."""
    return time.perf_counter_ns()


def monotonic() -> float:
    """Seconds of a clock that never jumps, for deadlines."""
    return time.monotonic()

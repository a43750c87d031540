"""Rounding times the reference's way: multiples of a duration count from year 1, not from 1970 (nodes.md §1.3).

All in int64 nanoseconds with the arithmetic of Python's floor. The offset of year 1 does not fit into int64, so only
its remainder is ever used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.frames.jit import helper

if TYPE_CHECKING:
    from numpy.typing import NDArray

_YEAR_ONE_NS = 62_135_596_800 * 1_000_000_000
_FIRST, _LAST = np.int64(-(1 << 63)), np.int64((1 << 63) - 1)
_LONG = 1 << 62


def phase(d: int) -> int:
    """What the kernels need of year 1 for the duration `d`: its offset modulo d (0 where d <= 0)."""
    return _YEAR_ONE_NS % d if d > 0 else 0


@helper
def truncated(t: int, d: int, offset: int) -> int:
    """`t` down to a multiple of `d`, for one time; `offset` is `phase(d)`."""
    if d <= 0:
        return t
    return t - (t % d + offset) % d


def truncate(t: NDArray[np.int64], d: int) -> NDArray[np.int64]:
    """Times down to multiples of `d`; unchanged where d <= 0. A multiple before all times that there are is the first of them."""
    if d <= 0:
        return t
    out = t - _rest(t, d)
    return np.where(out > t, _FIRST, out)


def round_half_up(t: NDArray[np.int64], d: int) -> NDArray[np.int64]:
    """Times to the nearest multiple of `d`, halves up; unchanged where d <= 0. Beyond all times it is the first or last."""
    if d <= 0:
        return t
    rest = _rest(t, d)
    up = rest >= d - rest
    out = np.where(up, t + (d - rest), t - rest)
    return np.where(up & (out < t), _LAST, np.where(~up & (out > t), _FIRST, out))


def _rest(t: NDArray[np.int64], d: int) -> NDArray[np.int64]:
    """How far each time is above a multiple of `d`. The sum is below 2 d: for long durations it needs the 64th bit."""
    if d < _LONG:
        return (t % d + phase(d)) % d
    return (((t % d).astype(np.uint64) + np.uint64(phase(d))) % np.uint64(d)).astype(np.int64)

"""The parts of a column of times in a zone, equal to `tickscript.lambdas.calendar` (spec 5.5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STEP: Final = 900
"""Seconds over which an offset is looked up at once; where it changes within them, second by second."""
_DAY: Final = 86_400
_THURSDAY: Final = 4


def _offset(zone: tzinfo, second: int) -> int:
    moment = _EPOCH + timedelta(seconds=second)
    # The difference of the clocks themselves: asking the local time for its offset is ambiguous where clocks go back.
    return int((moment.astimezone(zone).replace(tzinfo=None) - moment.replace(tzinfo=None)).total_seconds())


def local_seconds(ns: Ints, zone: tzinfo) -> Ints:
    """Seconds of the wall clock of the zone, counted as if it were UTC."""
    seconds = ns // 10**9
    if isinstance(zone, timezone):
        return seconds + _offset(zone, 0)
    steps, which = np.unique(seconds // _STEP, return_inverse=True)
    first = np.array([_offset(zone, s * _STEP) for s in steps.tolist()], np.int64)
    last = np.array([_offset(zone, s * _STEP + _STEP - 1) for s in steps.tolist()], np.int64)
    offsets = first[which]
    for row in np.flatnonzero((first != last)[which]).tolist():
        offsets[row] = _offset(zone, int(seconds[row]))
    return seconds + offsets


def _dates(local: Ints, unit: str) -> Any:
    return local.astype("M8[s]").astype(f"M8[{unit}]")


PARTS: Final[dict[str, Callable[[Ints], Ints]]] = {
    "minute": lambda s: s // 60 % 60,
    "hour": lambda s: s // 3600 % 24,
    "weekday": lambda s: (s // _DAY + _THURSDAY) % 7,
    "day": lambda s: (_dates(s, "D") - _dates(s, "M").astype("M8[D]")).astype(np.int64) + 1,
    "month": lambda s: _dates(s, "M").astype(np.int64) % 12 + 1,
    "year": lambda s: _dates(s, "Y").astype(np.int64) + 1970,
}
"""Function name to the part it takes from local seconds."""

"""The parts of a time in its zone (spec 5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickscript.lambdas.values import Time

PARTS: Final[dict[str, Callable[[Time], int]]] = {
    "unixNano": lambda t: t.ns,
    "minute": lambda t: t.local().minute,
    "hour": lambda t: t.local().hour,
    "weekday": lambda t: t.local().isoweekday() % 7,
    "day": lambda t: t.local().day,
    "month": lambda t: t.local().month,
    "year": lambda t: t.local().year,
}
"""Function name to the part it takes: minute 0 to 59, hour 0 to 23, weekday 0 = Sunday, day 1 to 31, month 1 to 12."""

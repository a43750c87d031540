"""Durations as text: the literal of a script, the text form of vars and JSON, and Go's long form.

Three notations that must not be mixed up. All values are int64 nanoseconds. Spec "TICKscript" section 1.3.
"""

from __future__ import annotations

import re
from typing import Final

from tickscript.errors import DurationError

INT64_MAX: Final = 2**63 - 1
NANOSECONDS: Final = {
    "w": 7 * 86_400 * 10**9,
    "d": 86_400 * 10**9,
    "h": 3_600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "u": 10**3,
    "µ": 10**3,
    "ns": 1,
}
_PAIR: Final = re.compile(r"([0-9]+)(ns|ms|[uµsmhdw])")
_PRINTED_UNITS: Final = ("w", "d", "h", "m", "s", "ms", "u", "ns")


def _count(digits: str, limit: int = INT64_MAX) -> int:
    """The number, or `DurationError` beyond the limit (whose 19 digits are checked first: int() is not linear)."""
    significant = digits.lstrip("0") or "0"
    if not digits.isascii() or len(significant) > 19 or int(significant) > limit:
        raise DurationError("invalid duration")
    return int(significant)


def _wrap(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


def parse_duration_literal(digits: str, unit: str, text: str) -> int:
    """The nanoseconds of one number and one unit of a script.

    Raises `DurationError` when the digits exceed int64, or when the wrapped product is negative; a product that
    wraps to a positive value is taken as it is, as in the reference.
    """
    value = _wrap(_count(digits) * NANOSECONDS[unit])
    if value < 0:
        raise DurationError(f"overflowed duration {text}: choose a smaller duration or INF")
    return value


def parse_duration_text(text: str) -> int:
    """The nanoseconds of a duration outside scripts: optional `-`, then number-unit pairs (`1h30m`, `10ns`).

    Raises `DurationError` for anything else, and for a value beyond int64.
    """
    negative = text.startswith("-")
    position = 1 if negative else 0
    if position == len(text):
        raise DurationError("invalid duration")
    total = 0
    while position < len(text):
        pair = _PAIR.match(text, position)
        if pair is None:
            raise DurationError("invalid duration")
        total += _count(pair[1], INT64_MAX + negative) * NANOSECONDS[pair[2]]
        position = pair.end()
    wrapped = _wrap(total)
    if wrapped < 0 and not negative:
        raise DurationError(f"overflowed duration {text}: choose a smaller duration or INF")
    return _wrap(-wrapped) if negative else wrapped


def format_duration(value: int) -> str:
    """The short text of a duration: the largest unit that divides it exactly, with an integer count."""
    if value == 0:
        return "0s"
    for unit in _PRINTED_UNITS:
        if value % NANOSECONDS[unit] == 0:
            return f"{value // NANOSECONDS[unit]}{unit}"
    raise AssertionError


def _decimal(value: int, scale: int) -> str:
    """`value / scale` without an exponent and without trailing zeros."""
    whole, rest = divmod(value, scale)
    digits = str(rest).zfill(len(str(scale)) - 1).rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)


def go_duration(value: int) -> str:
    """The long form of a duration, as Go prints it: `1h0m0s`, `1.5s`, `100ms`, `0s`."""
    sign, size = ("-", -value) if value < 0 else ("", value)
    if size == 0:
        return "0s"
    if size < 10**9:
        unit, scale = ("ns", 1) if size < 10**3 else ("µs", 10**3) if size < 10**6 else ("ms", 10**6)
        return f"{sign}{_decimal(size, scale)}{unit}"
    minutes, rest = divmod(size, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, 10**9)}s"
    if hours:
        text = f"{hours}h{minutes}m{text}"
    elif minutes:
        text = f"{minutes}m{text}"
    return sign + text

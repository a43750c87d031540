"""The conversions between kinds (spec 5.2)."""

from __future__ import annotations

from tickscript.durations import format_duration, parse_duration_text
from tickscript.errors import DurationError
from tickscript.gostrings import quote
from tickscript.lambdas.errors import CallError
from tickscript.lambdas.numbers import plain_float, short_float
from tickscript.lambdas.values import Duration, decode, truncate, wrap


def int_to_bool(value: int) -> bool:
    """0 and 1 only; raises `CallError`."""
    if value in (0, 1):
        return value == 1
    raise CallError(f"cannot convert {value} to boolean")


def float_to_bool(value: float) -> bool:
    """0 and 1 only; raises `CallError`."""
    if value in (0.0, 1.0):
        return value == 1.0
    raise CallError(f"cannot convert {short_float(value)} to boolean")


def bool_to_string(value: bool) -> bytes:
    return b"true" if value else b"false"


def int_to_string(value: int) -> bytes:
    return b"%d" % value


def float_to_string(value: float) -> bytes:
    return plain_float(value).encode()


def duration_to_string(value: Duration) -> bytes:
    return format_duration(int(value)).encode()


def int_to_duration(value: int, unit: Duration) -> Duration:
    return Duration(wrap(value * int(unit)))


def float_to_duration(value: float, unit: Duration) -> Duration:
    return Duration(truncate(value * float(unit)))


def string_to_duration(text: bytes, _unit: Duration) -> Duration:
    """Duration text; the unit is ignored. Raises `CallError`."""
    try:
        return Duration(parse_duration_text(decode(text)))
    except DurationError:
        raise CallError(f"invalid duration string {quote(decode(text))}") from None

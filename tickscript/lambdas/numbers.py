"""Numbers as text, both ways, by Go's rules (spec 5.1, 5.2).

Always: what these accept and print is what Go's strconv accepts and prints; Python's own `int()` and `float()` are
reached only with text that both read alike.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

from tickscript.gostrings import quote
from tickscript.lambdas.errors import CallError
from tickscript.lambdas.values import INT64_MAX, INT64_MIN, decode

_INT: Final = re.compile(rb"[+-]?[0-9]+")
_DIGITS: Final = r"[0-9](?:_?[0-9])*"
_HEX: Final = r"[0-9a-fA-F](?:_?[0-9a-fA-F])*"
_DECIMAL: Final = re.compile(
    rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?".encode(),
)
_HEXADECIMAL: Final = re.compile(
    rf"[+-]?0[xX]_?(?:{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][+-]?{_DIGITS}".encode(),
)
_INFINITY: Final = re.compile(rb"([+-]?)(?:inf|infinity)", re.IGNORECASE)
_INT64_DIGITS: Final = 19
_EXPONENT_LIMIT: Final = 6


def _refuse(function: str, data: bytes, why: str) -> CallError:
    return CallError(f"strconv.{function}: parsing {quote(decode(data))}: {why}")


def parse_int(data: bytes) -> int:
    """An int64 from an optional sign and decimal digits.

    Raises `CallError`.
    """
    if _INT.fullmatch(data) is None:
        raise _refuse("ParseInt", data, "invalid syntax")
    # Python refuses to convert thousands of digits, so length is judged first.
    digits = data.lstrip(b"+-").lstrip(b"0")
    if len(digits) <= _INT64_DIGITS:
        value = int(digits or b"0") * (-1 if data[:1] == b"-" else 1)
        if INT64_MIN <= value <= INT64_MAX:
            return value
    raise _refuse("ParseInt", data, "value out of range")


def parse_float(data: bytes) -> float:
    """A float from decimal or hexadecimal text, with single underscores between digits, `inf` or `nan`.

    Raises `CallError`.
    """
    value = math.nan
    if _DECIMAL.fullmatch(data):
        value = float(data.replace(b"_", b""))
    elif _HEXADECIMAL.fullmatch(data):
        try:
            value = float.fromhex(data.replace(b"_", b"").decode())
        except OverflowError:
            value = math.inf
    elif (infinity := _INFINITY.fullmatch(data)) is not None:
        return -math.inf if infinity[1] == b"-" else math.inf
    elif data.lower() == b"nan":
        return math.nan
    else:
        raise _refuse("ParseFloat", data, "invalid syntax")
    if math.isinf(value):
        raise _refuse("ParseFloat", data, "value out of range")
    return value


_TRUE: Final = frozenset((b"1", b"t", b"T", b"true", b"TRUE", b"True"))
_FALSE: Final = frozenset((b"0", b"f", b"F", b"false", b"FALSE", b"False"))


def parse_bool(data: bytes) -> bool:
    """A bool from the texts that Go knows.

    Raises `CallError`.
    """
    if data in _TRUE:
        return True
    if data in _FALSE:
        return False
    raise _refuse("ParseBool", data, "invalid syntax")


def _special(value: float) -> str | None:
    if math.isfinite(value):
        return None
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def plain_float(value: float) -> str:
    """The fewest digits that read back the same, never with an exponent: `1`, `0.1`, `100000000000000000000`."""
    special = _special(value)
    if special is not None:
        return special
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


def short_float(value: float) -> str:
    """The fewest digits, with an exponent where Go's `%v` has one: below -4 or from 6 on."""
    special = _special(value)
    if special is not None:
        return special
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits)).rstrip("0") or "0"
    power = exponent + len(digits) - 1
    if value != 0 and (power < -4 or power >= _EXPONENT_LIMIT):
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return plain_float(value)

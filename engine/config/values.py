"""Values that TOML has no type for: durations in Go's notation and sizes in bytes.

Both are integers where they are used (nanoseconds, bytes) and text in a file; `str()` gives the text back.
"""

from __future__ import annotations

import re
from typing import Final, Self

_UNITS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SIZES: Final = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_SIZES_10: Final = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZE: Final = re.compile(r"(\d+)\s*([a-zA-Z]*)")
_INT64_MAX: Final = 2**63 - 1


class Duration(int):
    """Nanoseconds, written `1m30s`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Go's notation: signed numbers with units h, m, s, ms, us, ns; `0`. Raises ValueError with Go's text."""
        body = text[1:] if text[:1] in {"+", "-"} else text
        parts = _PART.findall(body)
        if body == "0":
            return cls(0)
        if not parts or "".join(n + u for n, u in parts) != body:
            raise ValueError(f'time: invalid duration "{text}"')
        total = sum(_scaled(n, _UNITS[u]) for n, u in parts)
        if total > _INT64_MAX:
            raise ValueError(f'time: invalid duration "{text}"')
        return cls(-total if text[0] == "-" else total)

    def __str__(self) -> str:
        """As Go prints it: `1m0s`, `1.5s`, `250ms`."""
        left = abs(int(self))
        sign = "-" if self < 0 else ""
        if left < 10**9:
            for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
                if left >= size:
                    return f"{sign}{_decimal(left, size)}{unit}"
            return "0s"
        hours, left = divmod(left, 3600 * 10**9)
        minutes, left = divmod(left, 60 * 10**9)
        text = f"{hours}h" if hours else ""
        text += f"{minutes}m" if hours or minutes else ""
        return f"{sign}{text}{_decimal(left, 10**9)}s"


class Size(int):
    """Bytes, written as a number or with a unit: `256MiB`, `10MB`, `64KiB`."""

    @classmethod
    def parse(cls, text: str | int) -> Self:
        """Raises ValueError."""
        if isinstance(text, int):
            if text < 0:
                raise ValueError(f"invalid size {text}")
            return cls(text)
        found = _SIZE.fullmatch(text)
        units = {**_SIZES, **_SIZES_10}
        if found is None or found[2].lower() not in units:
            raise ValueError(f'invalid size "{text}": a number, or one with KiB, MiB, GiB, TiB, kB, MB, GB or TB')
        return cls(int(found[1]) * units[found[2].lower()])

    def __str__(self) -> str:
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            size = _SIZES[unit.lower()]
            if self and self % size == 0:
                return f"{int(self) // size}{unit}"
        return str(int(self))


def _scaled(number: str, unit: int) -> int:
    whole, _, part = number.partition(".")
    return int(whole or "0") * unit + (int(part) * unit // 10 ** len(part) if part else 0)


def _decimal(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    part = f"{rest:0{len(str(size)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{part}" if part else str(whole)


def parse_bool(text: str) -> bool:
    """Go's booleans. Raises ValueError."""
    if text in {"1", "t", "T", "true", "TRUE", "True"}:
        return True
    if text in {"0", "f", "F", "false", "FALSE", "False"}:
        return False
    raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def parse_int(text: str) -> int:
    """An integer, with Go's prefixes 0x, 0o, 0 and 0b. Raises ValueError."""
    body = text.lstrip("+-")
    if body.startswith("0") and body.isdigit() and body != "0":
        text = text.replace("0", "0o", 1)
    return int(text, 0)

"""How results are laid out: columns, dates and values (spec "Command lines" §6, 7)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 0
"""As a column's width: that of its longest value or heading, and a blank."""


def table(columns: list[tuple[str, int]], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of left-aligned columns; a width counts bytes, a longer value is not cut, and width -1 does not pad.

    A width below -1 aligns to the right in so many.
    """
    widths = []
    for at, (heading, width) in enumerate(columns):
        longest = max((len(row[at].encode()) for row in [(heading,) * len(columns), *rows]), default=0)
        widths.append(longest + 1 if width == LONGEST else width)
    lines = [tuple(heading for heading, _ in columns), *rows]
    return ["".join(_pad(text, width) for text, width in zip(line, widths, strict=True)) for line in lines]


def at_least(width: int, heading: str, values: Sequence[str]) -> int:
    """The width of a column as wide as its longest value or heading and a blank, but not narrower than `width` and one."""
    return max([width, len(heading), *(len(v.encode()) for v in values)]) + 1


def _pad(text: str, width: int) -> str:
    if width < -1:
        return " " * (-width - len(text.encode())) + text
    return text + " " * (width - len(text.encode()))


def date(text: str) -> str:
    """A time of the API as `23 Nov 26 23:39 UTC`."""
    whole = datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    # strftime leaves out leading zeros of years before 1000 on some systems; only the last two digits are shown.
    return f"{whole:%d %b} {whole.year % 100:02d} {whole:%H:%M} UTC"


def value(var: dict[str, Any]) -> str:
    """The value of a var: lists as `[a, b]`, durations as `1m0s`."""
    kind, content = var.get("type"), var.get("value")
    if kind == "list" and isinstance(content, list):
        return "[" + ", ".join("*" if item.get("type") == "star" else str(item.get("value")) for item in content) + "]"
    if kind == "duration" and isinstance(content, int):
        from tickscript.durations import go_duration  # noqa: PLC0415 - the language is dear and seldom needed here

        return go_duration(content)
    if content is None:
        return "<nil>"
    return str(content).lower() if isinstance(content, bool) else str(content)

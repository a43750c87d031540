"""A point in time as templates see it: how it prints, `.Unix`, `.Format` and the like, always in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.rows import time_text
from engine.templates.errors import CallFailed
from engine.templates.values import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000
# Longest first, so that "January" is not read as "Jan" and "uary".
_LAYOUT = re.compile(
    r"January|Monday|2006|-07:00:00|Z07:00:00|-070000|Z070000|-07:00|Z07:00|-0700|Z0700|MST|Jan|Mon|002|-07|Z07|"
    r"__2|_2|01|02|03|04|05|06|15|PM|pm|[.,](?:0+|9+)(?!\d)|1|2|3|4|5"
)


def _plain(at: datetime) -> Mapping[str, str]:
    hour = at.hour % 12 or 12
    zulu = dict.fromkeys(("Z07:00", "Z0700", "Z07", "Z07:00:00", "Z070000"), "Z")
    return {
        "January": at.strftime("%B"), "Jan": at.strftime("%b"), "Monday": at.strftime("%A"), "Mon": at.strftime("%a"),
        "2006": f"{at.year:04d}", "06": f"{at.year % 100:02d}", "01": f"{at.month:02d}", "1": str(at.month),
        "02": f"{at.day:02d}", "_2": f"{at.day:2d}", "2": str(at.day), "002": f"{at.timetuple().tm_yday:03d}",
        "__2": f"{at.timetuple().tm_yday:3d}", "15": f"{at.hour:02d}", "03": f"{hour:02d}", "3": str(hour),
        "04": f"{at.minute:02d}", "4": str(at.minute), "05": f"{at.second:02d}", "5": str(at.second),
        "PM": "AM" if at.hour < 12 else "PM", "pm": "am" if at.hour < 12 else "pm", "MST": "UTC",
        "-07:00": "+00:00", "-0700": "+0000", "-07": "+00", "-07:00:00": "+00:00:00", "-070000": "+000000", **zulu,
    }  # fmt: skip


class GoTime(Struct):
    """Nanoseconds since the epoch as Go's `time.Time` in UTC."""

    go_type = "time.Time"

    def __init__(self, nanoseconds: int) -> None:
        self.nanoseconds = nanoseconds

    def go_text(self) -> str:
        return time_text(self.nanoseconds).replace("T", " ").removesuffix("Z") + " +0000 UTC"

    def go_json(self) -> str:
        return f'"{time_text(self.nanoseconds)}"'

    def go_method(self, name: str, args: Sequence[Any]) -> Any:
        if name == "Format":
            if len(args) != 1 or not isinstance(args[0], str):
                raise CallFailed(f"wrong number of args for Format: want 1 got {len(args)}")
            return self.format(args[0])
        if args:
            raise CallFailed(f"wrong number of args for {name}: want 0 got {len(args)}")
        return _METHODS[name](self)

    @property
    def at(self) -> datetime:
        """To the second."""
        return _EPOCH + timedelta(seconds=self.nanoseconds // _SECOND)

    def format(self, layout: str) -> str:
        """Go's `Format`: the layout with each part of the reference time replaced."""
        texts = _plain(self.at)
        digits = f"{self.nanoseconds % _SECOND:09d}"

        def one(found: re.Match[str]) -> str:
            token = found.group()
            if token[0] not in ".,":
                return texts[token]
            shown = digits[: len(token) - 1]
            if token[1] == "9":
                shown = shown.rstrip("0")
                return token[0] + shown if shown else ""
            return token[0] + shown.ljust(len(token) - 1, "0")

        return _LAYOUT.sub(one, layout)


_METHODS: Mapping[str, Callable[[GoTime], Any]] = {
    "Unix": lambda t: t.nanoseconds // _SECOND,
    "UnixNano": lambda t: t.nanoseconds,
    "UnixMilli": lambda t: t.nanoseconds // 1_000_000,
    "UnixMicro": lambda t: t.nanoseconds // 1_000,
    "Year": lambda t: t.at.year,
    "Day": lambda t: t.at.day,
    "Hour": lambda t: t.at.hour,
    "Minute": lambda t: t.at.minute,
    "Second": lambda t: t.at.second,
    "Nanosecond": lambda t: t.nanoseconds % _SECOND,
    "YearDay": lambda t: t.at.timetuple().tm_yday,
    "Month": lambda t: t.at.strftime("%B"),
    "Weekday": lambda t: t.at.strftime("%A"),
    "UTC": lambda t: t,
    "String": lambda t: t.go_text(),
}

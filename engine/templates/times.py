"""Points in time as templates see them: how they print, `.Unix`, `.Format` and the like, always in UTC; and what durations
can be asked.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.frames.model import Span
from engine.rows import time_text
from engine.templates.errors import CallFailed
from engine.templates.values import Int, Struct, type_word
from tickscript.durations import go_duration

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
        if name in _OF_TIMES:
            return _OF_TIMES[name](self, *_checked(name, args, (GoTime,)))
        if name in _OF_SPANS:
            return _OF_SPANS[name](self, *_checked(name, args, (int,)))
        found = _METHODS[name]
        _checked(name, args, ())
        return found(self)

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


def _checked(name: str, args: Sequence[Any], kinds: tuple[type, ...]) -> Sequence[Any]:
    """The arguments, as many and of such types. Raises CallFailed."""
    if len(args) != len(kinds):
        raise CallFailed(f"wrong number of args for {name}: want {len(kinds)} got {len(args)}")
    for arg, kind in zip(args, kinds, strict=True):
        if not isinstance(arg, kind) or isinstance(arg, bool):
            wanted = "time.Time" if kind is GoTime else "time.Duration"
            raise CallFailed(f"wrong type for value; expected {wanted}; got {type_word(arg)}")
    return args


def _truncated(nanoseconds: int, unit: int) -> int:
    """Down to a multiple of the unit since the year 1, as Go counts."""
    if unit <= 0:
        return nanoseconds
    since = nanoseconds + _YEAR_1
    return since - since % unit - _YEAR_1


def _rounded(nanoseconds: int, unit: int) -> int:
    """To the nearest multiple, up at the half."""
    down = _truncated(nanoseconds, unit)
    return down if unit <= 0 or (nanoseconds - down) * 2 < unit else down + unit


_YEAR_1: int = 62_135_596_800 * _SECOND
"""From the year 1 to 1970."""
_METHODS: Mapping[str, Callable[[GoTime], Any]] = {
    "Unix": lambda t: t.nanoseconds // _SECOND,
    "UnixNano": lambda t: t.nanoseconds,
    "UnixMilli": lambda t: t.nanoseconds // 1_000_000,
    "UnixMicro": lambda t: t.nanoseconds // 1_000,
    "Year": lambda t: Int(t.at.year),
    "Day": lambda t: Int(t.at.day),
    "Hour": lambda t: Int(t.at.hour),
    "Minute": lambda t: Int(t.at.minute),
    "Second": lambda t: Int(t.at.second),
    "Nanosecond": lambda t: Int(t.nanoseconds % _SECOND),
    "YearDay": lambda t: Int(t.at.timetuple().tm_yday),
    "Month": lambda t: Int.named(t.at.month, "time.Month", t.at.strftime("%B")),
    "Weekday": lambda t: Int.named(t.at.isoweekday() % 7, "time.Weekday", t.at.strftime("%A")),
    "UTC": lambda t: t,
    "Local": lambda t: t,
    "IsZero": lambda _: False,
    "String": lambda t: t.go_text(),
}
_OF_TIMES: Mapping[str, Callable[[GoTime, GoTime], Any]] = {
    "Sub": lambda t, u: Span(t.nanoseconds - u.nanoseconds),
    "Before": lambda t, u: t.nanoseconds < u.nanoseconds,
    "After": lambda t, u: t.nanoseconds > u.nanoseconds,
    "Equal": lambda t, u: t.nanoseconds == u.nanoseconds,
    "Compare": lambda t, u: Int((t.nanoseconds > u.nanoseconds) - (t.nanoseconds < u.nanoseconds)),
}
_OF_SPANS: Mapping[str, Callable[[GoTime, int], Any]] = {
    "Add": lambda t, d: GoTime(t.nanoseconds + int(d)),
    "Truncate": lambda t, d: GoTime(_truncated(t.nanoseconds, int(d))),
    "Round": lambda t, d: GoTime(_rounded(t.nanoseconds, int(d))),
}


_DURATION_METHODS: Mapping[str, Callable[[int], Any]] = {
    "Nanoseconds": int,
    "Microseconds": lambda d: _whole(d, 1_000),
    "Milliseconds": lambda d: _whole(d, 1_000_000),
    "Seconds": lambda d: _parts(d, _SECOND),
    "Minutes": lambda d: _parts(d, 60 * _SECOND),
    "Hours": lambda d: _parts(d, 3600 * _SECOND),
    "String": go_duration,
    "Abs": lambda d: Span(abs(d)),
}


def _whole(duration: int, unit: int) -> int:
    size = abs(duration) // unit
    return -size if duration < 0 else size


def _parts(duration: int, unit: int) -> float:
    """In units: the whole ones and the rest are divided apart, as in Go."""
    whole = _whole(duration, unit)
    return float(whole) + float(duration - whole * unit) / unit


def duration_method(duration: Span, name: str, args: Sequence[Any]) -> Any:
    """What a method of Go's `time.Duration` gives. Raises CallFailed."""
    if name in ("Truncate", "Round"):
        (unit,) = (int(a) for a in _checked(name, args, (int,)))
        if unit <= 0:
            return duration
        size = abs(duration)
        down = size - size % unit
        up = down + unit if name == "Round" and (size - down) * 2 >= unit else down
        return Span(-up if duration < 0 else up)
    found = _DURATION_METHODS.get(name)
    if found is None:
        raise CallFailed(f"can't evaluate field {name} in type time.Duration")
    _checked(name, args, ())
    return found(int(duration))

"""The values of lambda expressions and their kinds (spec 4.1).

Inside the evaluators a string is `bytes`, because everything in the language counts and compares bytes; at the border
it is `str` with surrogate escapes, so that bytes which are not UTF-8 come through unchanged. Ints and durations are
int64 and wrap; every arithmetic result passes `wrap`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum, IntEnum
from typing import Any, Final, TypeAlias

from tickscript.lambdas.errors import LambdaError
from tickscript.regex import compile_regex

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1


class Kind(IntEnum):
    """What a value is. `MISSING` is a kind to the language; `NULL` is not, every use of a null is an error."""

    BOOL = 1
    INT = 2
    FLOAT = 3
    STRING = 4
    REGEX = 5
    DURATION = 6
    TIME = 7
    MISSING = 8
    NULL = 9

    @property
    def word(self) -> str:
        """The word for the kind in error texts."""
        return _WORDS[self]


_WORDS: Final = {
    Kind.BOOL: "boolean",
    Kind.INT: "int",
    Kind.FLOAT: "float",
    Kind.STRING: "string",
    Kind.REGEX: "regex",
    Kind.DURATION: "duration",
    Kind.TIME: "time",
    Kind.MISSING: "missing",
    Kind.NULL: "nil",
}


class Absence(Enum):
    """The two values that stand for no value."""

    MISSING = "missing"
    NULL = "null"


MISSING: Final = Absence.MISSING
"""The name is neither field nor tag."""
NULL: Final = Absence.NULL
"""The field is explicitly null."""


class Duration(int):
    """A duration in nanoseconds; not an int to the language."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Duration({int(self)})"


@dataclass(frozen=True, slots=True)
class Time:
    """A moment: nanoseconds since the epoch, seen in a zone. Equality is that of the moment."""

    ns: int
    zone: tzinfo = UTC

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Time) and self.ns == other.ns

    def __hash__(self) -> int:
        return hash(self.ns)

    def local(self) -> datetime:
        """The wall clock time in the zone, to the microsecond below."""
        return (_EPOCH + timedelta(microseconds=self.ns // 1000)).astimezone(self.zone)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression by its pattern (RE2 syntax)."""

    pattern: str

    def matches(self, text: bytes) -> bool:
        """Whether the pattern is found anywhere in the text."""
        return compile_regex(self.pattern).search(readable(text)) is not None


Value: TypeAlias = bool | int | float | str | bytes | Duration | Time | Regex | Absence

_KINDS: Final[dict[type[Any], Kind]] = {
    bool: Kind.BOOL,
    int: Kind.INT,
    float: Kind.FLOAT,
    str: Kind.STRING,
    bytes: Kind.STRING,
    Regex: Kind.REGEX,
    Duration: Kind.DURATION,
    Time: Kind.TIME,
}


def kind_of(value: Value) -> Kind:
    """The kind of a value.

    Raises `LambdaError` for something that is no value of the language.
    """
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if value is MISSING:
        return Kind.MISSING
    if value is NULL:
        return Kind.NULL
    raise LambdaError(f"expression returned unexpected type {type(value).__name__}")


def wrap(value: int) -> int:
    """The int modulo 2**64, as int64."""
    if INT64_MIN <= value <= INT64_MAX:
        return value
    return (value - INT64_MIN) % 2**64 + INT64_MIN


def truncate(value: float) -> int:
    """The float as int64, towards zero; NaN and what is out of range give the smallest int64, as on amd64."""
    if -9223372036854775808.0 <= value < 9223372036854775808.0:
        return int(value)
    return INT64_MIN


def encode(text: str) -> bytes:
    """The bytes of a string at the border."""
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    """The text of a string inside, for the border."""
    return data.decode("utf-8", "surrogateescape")


def readable(data: bytes) -> bytes:
    """The same text as valid UTF-8: each byte that is not part of a character becomes U+FFFD, as Go reads it."""
    if data.isascii():
        return data
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return fold(decode(data)).encode("utf-8")
    return data


def fold(text: str) -> str:
    """The text with every escaped byte replaced by U+FFFD, one for one."""
    if text.isascii():
        return text
    return "".join(["\ufffd" if "\udc80" <= c <= "\udcff" else c for c in text])

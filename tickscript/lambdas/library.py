"""The function library: every function with its signatures (spec 5).

`LIBRARY` is the one table; the typing pass, the interpreter, the column compiler and the documentation read it.
Implementations take values as the evaluators hold them (strings are `bytes`) and raise `CallError` to refuse.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from tickscript.lambdas import conversion, mathematics, numbers, strings
from tickscript.lambdas.calendar import PARTS
from tickscript.lambdas.state import State
from tickscript.lambdas.values import Kind, truncate

if TYPE_CHECKING:
    from collections.abc import Callable


class Source(Enum):
    """What a function needs beside its arguments."""

    NOTHING = "nothing"
    STATE = "state"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: `call(*args)`, or `call(state, *args)` where the source is the state, `call(now)` for the clock.

    `total`: the function takes every value of these kinds without an error.
    """

    args: tuple[Kind, ...]
    result: Kind
    call: Callable[..., Any]
    total: bool = True
    source: Source = Source.NOTHING


_B, _I, _F, _S, _R = Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.STRING, Kind.REGEX
_D, _T, _M = Kind.DURATION, Kind.TIME, Kind.MISSING


def _same(value: Any) -> Any:
    return value


def _conversions() -> dict[str, tuple[Signature, ...]]:
    return {
        "bool": (
            Signature((_B,), _B, _same),
            Signature((_S,), _B, numbers.parse_bool, total=False),
            Signature((_I,), _B, conversion.int_to_bool, total=False),
            Signature((_F,), _B, conversion.float_to_bool, total=False),
        ),
        "int": (
            Signature((_B,), _I, int),
            Signature((_S,), _I, numbers.parse_int, total=False),
            Signature((_I,), _I, _same),
            Signature((_F,), _I, truncate),
        ),
        "float": (
            Signature((_B,), _F, float),
            Signature((_S,), _F, numbers.parse_float, total=False),
            Signature((_I,), _F, float),
            Signature((_F,), _F, _same),
        ),
        "string": (
            Signature((_B,), _S, conversion.bool_to_string),
            Signature((_S,), _S, _same),
            Signature((_I,), _S, conversion.int_to_string),
            Signature((_F,), _S, conversion.float_to_string),
            Signature((_D,), _S, conversion.duration_to_string),
        ),
        "duration": (
            Signature((_D,), _D, _same),
            Signature((_I, _D), _D, conversion.int_to_duration),
            Signature((_F, _D), _D, conversion.float_to_duration),
            Signature((_S, _D), _D, conversion.string_to_duration, total=False),
        ),
    }


def _mathematics() -> dict[str, tuple[Signature, ...]]:
    table: dict[str, tuple[Signature, ...]] = {}
    for name, function in mathematics.ONE.items():
        table[name] = (Signature((_F,), _F, mathematics.scalar(function)),)
    for name, function in mathematics.TWO.items():
        table[name] = (Signature((_F, _F), _F, mathematics.scalar(function)),)
    for name, function in mathematics.ORDER.items():
        table[name] = (Signature((_I, _F), _F, mathematics.scalar(function)),)
    table["pow10"] = (Signature((_I,), _F, mathematics.scalar(mathematics.POW10)),)
    return table


def _strings() -> dict[str, tuple[Signature, ...]]:
    def one(args: tuple[Kind, ...], result: Kind, call: Callable[..., Any], *, total: bool = True) -> Any:
        return (Signature(args, result, call, total),)

    two = (_S, _S)
    return {
        "strContains": one(two, _B, operator.contains),
        "strContainsAny": one(two, _B, strings.contains_any),
        "strCount": one(two, _I, strings.count),
        "strHasPrefix": one(two, _B, bytes.startswith),
        "strHasSuffix": one(two, _B, bytes.endswith),
        "strIndex": one(two, _I, bytes.find),
        "strIndexAny": one(two, _I, strings.index_any),
        "strLastIndex": one(two, _I, bytes.rfind),
        "strLastIndexAny": one(two, _I, strings.last_index_any),
        "strLength": one((_S,), _I, len),
        "strReplace": one((_S, _S, _S, _I), _S, strings.replace, total=False),
        "strSubstring": one((_S, _I, _I), _S, strings.substring, total=False),
        "strToLower": one((_S,), _S, strings.to_lower),
        "strToUpper": one((_S,), _S, strings.to_upper),
        "strTrim": one(two, _S, strings.trim),
        "strTrimLeft": one(two, _S, strings.trim_left),
        "strTrimPrefix": one(two, _S, bytes.removeprefix),
        "strTrimRight": one(two, _S, strings.trim_right),
        "strTrimSpace": one((_S,), _S, strings.trim_space),
        "strTrimSuffix": one(two, _S, bytes.removesuffix),
        "regexReplace": one((_R, _S, _S), _S, strings.regex_replace, total=False),
        "humanBytes": (Signature((_F,), _S, strings.human_bytes_float), Signature((_I,), _S, strings.human_bytes)),
    }


def _choose(condition: bool, yes: Any, no: Any) -> Any:
    return yes if condition else no


def _present(_value: Any) -> bool:
    return True


def _absent(_value: Any) -> bool:
    return False


def _others() -> dict[str, tuple[Signature, ...]]:
    table: dict[str, tuple[Signature, ...]] = {name: (Signature((_T,), _I, call),) for name, call in PARTS.items()}
    table["now"] = (Signature((), _T, _same, source=Source.CLOCK),)
    table["if"] = tuple(Signature((_B, kind, kind), kind, _choose) for kind in (_F, _I, _S, _B, _R, _T, _D))
    table["isPresent"] = tuple(
        Signature((kind,), _B, _absent if kind is _M else _present) for kind in (_M, _B, _S, _I, _F)
    )
    table["count"] = (Signature((), _I, State.count, source=Source.STATE),)
    table["sigma"] = (Signature((_F,), _F, State.sigma, source=Source.STATE),)
    table["spread"] = (Signature((_F,), _F, State.spread, source=Source.STATE),)
    table["rand"] = (
        Signature((), _I, State.rand, source=Source.STATE),
        Signature((_I,), _I, State.rand_below, source=Source.STATE),
    )
    return table


LIBRARY: Final[dict[str, tuple[Signature, ...]]] = _conversions() | _mathematics() | _strings() | _others()
STATEFUL: Final = frozenset(
    name for name, signatures in LIBRARY.items() if any(s.source is Source.STATE for s in signatures)
)


def find(name: str, kinds: tuple[Kind, ...]) -> Signature | None:
    """The signature of a known function for these kinds of arguments, or None."""
    for signature in LIBRARY[name]:
        if signature.args == kinds:
            return signature
    return None

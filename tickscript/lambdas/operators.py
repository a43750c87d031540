"""The operator matrix: which operator takes which kinds, what comes out, and what is said of the others (spec 4.3, 4.4).

`BINARY` is the one table; the typing pass, the interpreter, the column compiler and the documentation read it.
Implementations take values as the evaluators hold them: strings are `bytes`, ints and durations are int64.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tickscript.lambdas.errors import DIVIDE_BY_ZERO, LambdaError
from tickscript.lambdas.values import Duration, Kind, Regex, truncate, wrap

if TYPE_CHECKING:
    from collections.abc import Callable

MATH: Final = ("+", "-", "*", "/", "%")
ORDER: Final = ("<", "<=", ">", ">=")
EQUALITY: Final = ("==", "!=")
MATCH: Final = ("=~", "!~")
LOGICAL: Final = ("AND", "OR")
OPERATORS: Final = MATH + EQUALITY + ORDER + MATCH + LOGICAL


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of the matrix. `total` says that no operands of these kinds can raise."""

    result: Kind
    call: Callable[[Any, Any], Any]
    total: bool = True


def quotient(left: int, right: int) -> int:
    """Int64 division that truncates towards zero and wraps.

    Raises `LambdaError` on a zero divisor.
    """
    if right == 0:
        raise LambdaError(DIVIDE_BY_ZERO)
    size = abs(left) // abs(right)
    return wrap(size if (left < 0) == (right < 0) else -size)


def remainder(left: int, right: int) -> int:
    """The remainder of truncating division, with the sign of the dividend.

    Raises `LambdaError` on a zero divisor.
    """
    if right == 0:
        raise LambdaError(DIVIDE_BY_ZERO)
    size = abs(left) % abs(right)
    return size if left >= 0 else -size


def divide(left: float, right: float) -> float:
    """IEEE division."""
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _matrix() -> dict[tuple[str, Kind, Kind], Operation]:
    bool_, int_, float_, string = Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.STRING
    duration, regex = Kind.DURATION, Kind.REGEX
    table: dict[tuple[str, Kind, Kind], Operation] = {
        ("+", int_, int_): Operation(int_, lambda a, b: wrap(a + b)),
        ("-", int_, int_): Operation(int_, lambda a, b: wrap(a - b)),
        ("*", int_, int_): Operation(int_, lambda a, b: wrap(a * b)),
        ("/", int_, int_): Operation(int_, quotient, total=False),
        ("%", int_, int_): Operation(int_, remainder, total=False),
        ("+", float_, float_): Operation(float_, operator.add),
        ("-", float_, float_): Operation(float_, operator.sub),
        ("*", float_, float_): Operation(float_, operator.mul),
        ("/", float_, float_): Operation(float_, divide),
        ("+", string, string): Operation(string, operator.add),
        ("+", duration, duration): Operation(duration, lambda a, b: Duration(wrap(int(a) + int(b)))),
        ("-", duration, duration): Operation(duration, lambda a, b: Duration(wrap(int(a) - int(b)))),
        ("*", duration, int_): Operation(duration, lambda a, b: Duration(wrap(int(a) * b))),
        ("*", int_, duration): Operation(duration, lambda a, b: Duration(wrap(a * int(b)))),
        ("*", duration, float_): Operation(duration, lambda a, b: Duration(truncate(float(a) * b))),
        ("*", float_, duration): Operation(duration, lambda a, b: Duration(truncate(a * float(b)))),
        ("/", duration, int_): Operation(duration, lambda a, b: Duration(quotient(int(a), b)), total=False),
        ("/", duration, float_): Operation(duration, lambda a, b: Duration(truncate(divide(float(a), b)))),
        ("/", duration, duration): Operation(int_, lambda a, b: quotient(int(a), int(b)), total=False),
        ("=~", string, regex): Operation(bool_, _matches),
        ("!~", string, regex): Operation(bool_, lambda text, pattern: not pattern.matches(text)),
        ("AND", bool_, bool_): Operation(bool_, operator.and_),
        ("OR", bool_, bool_): Operation(bool_, operator.or_),
    }
    compare = {"==": operator.eq, "!=": operator.ne} | {
        "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    }  # fmt: skip
    for op, call in compare.items():
        for kind in (int_, float_, string, duration, *((bool_,) if op in EQUALITY else ())):
            table[op, kind, kind] = Operation(bool_, call)
        # Python compares int with float exactly; the language goes through double.
        table[op, int_, float_] = Operation(bool_, _as_doubles(call))
        table[op, float_, int_] = Operation(bool_, _as_doubles(call))
    return table


def _as_doubles(call: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    return lambda a, b: call(float(a), float(b))


def _matches(text: bytes, pattern: Regex) -> bool:
    return pattern.matches(text)


BINARY: Final = _matrix()
_HAS: Final = frozenset((op, kind) for op, left, right in BINARY for kind in (left, right))
_NEGATABLE: Final = (Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.DURATION)
UNARY: Final = {("-", kind): kind for kind in _NEGATABLE} | {("!", Kind.BOOL): Kind.BOOL}
"""Unary operators: (operator, kind) to the kind of the result. `-` of a bool negates logically."""


def group(op: str) -> str:
    """What an operator is called in error texts: math, comparison or logical."""
    return "math" if op in MATH else "logical" if op in LOGICAL else "comparison"


def lookup(op: str, left: Kind, right: Kind) -> Operation:
    """The entry for an operator and the kinds of its operands.

    Raises `LambdaError` when there is none; the left operand is blamed alone only if its kind has the operator in no
    combination at all.
    """
    entry = BINARY.get((op, left, right))
    if entry is not None:
        return entry
    if (op, left) not in _HAS:
        raise LambdaError(f"invalid {group(op)} operator {op} for type {left.word}")
    raise LambdaError(
        f"mismatched type to binary operator. got {left.word} {op} {right.word}. "
        "see bool(), int(), float(), string(), duration()"
    )


def negate(value: Any, kind: Kind) -> Any:
    """Unary minus of a value of one of the kinds in `UNARY`."""
    if kind is Kind.BOOL:
        return not value
    if kind is Kind.FLOAT:
        return -value
    wrapped = wrap(-int(value))
    return Duration(wrapped) if kind is Kind.DURATION else wrapped

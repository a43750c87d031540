"""Binary operators over columns: each entry of the operator matrix as whole-column arithmetic.

`binary` is called with kinds that the matrix has; a test walks the matrix and finds none without a column form.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.frames.strings import Strings, concat_strings
from engine.lambdas import kernels
from engine.lambdas.steps import Step, column, derive, failure, literal
from engine.lambdas.texts import PerValue, Texts, buffer
from tickscript.lambdas.errors import DIVIDE_BY_ZERO, LambdaError
from tickscript.lambdas.operators import BINARY
from tickscript.lambdas.values import Duration, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.lambdas.run import Run
    from engine.lambdas.steps import Evaluate, Mask

_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
_ORDERS: Final = {"==": operator.eq, "!=": operator.ne} | {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_MIRROR: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_FLOAT: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide,
}  # fmt: skip
_TOO_LONG: Final = "result of + exceeds 2 GiB"


class Unplanned(Exception):  # a finding, not a failure
    """This part has no column form for these kinds: the interpreter evaluates row by row."""


def binary(op: str, left: Step, right: Step) -> Step:
    """A step for an operator of the matrix, other than `AND` and `OR`. Raises `Unplanned`."""
    result = BINARY[op, left.kind, right.kind].result
    if left.fixed and right.fixed:
        return fold(op, left, right)
    if left.kind is Kind.STRING:
        return _texts(op, left, right)
    if op in _COMPARE:
        return _numeric(Kind.BOOL, _COMPARE[op], left, right)
    if op == "/" and Kind.FLOAT not in (left.kind, right.kind):
        return _quotient(result, left, right)
    if op == "%":
        return _remainder(left, right)
    if result is Kind.DURATION and Kind.FLOAT in (left.kind, right.kind):
        return _truncated(_FLOAT[op], left, right)
    return _numeric(result, _FLOAT[op], left, right)


def fold(op: str, left: Step, right: Step) -> Step:
    """The step of two constants."""
    operation = BINARY[op, left.kind, right.kind]
    try:
        value = operation.call(restore(left), restore(right))
    except LambdaError as error:
        return failure(operation.result, str(error))
    return literal(operation.result, value)


def restore(step: Step) -> Any:
    """The constant of a step as a value of the language."""
    return Duration(step.constant) if step.kind is Kind.DURATION else step.constant


def _numeric(kind: Kind, call: Callable[[Any, Any], Any], left: Step, right: Step) -> Step:
    if right.fixed:
        first, scalar = left.run, right.constant

        def run(run: Run, active: Mask) -> Any:
            return call(first(run, active), scalar)
    elif left.fixed:
        second, scalar = right.run, left.constant

        def run(run: Run, active: Mask) -> Any:
            return call(scalar, second(run, active))
    else:
        first, second = left.run, right.run

        def run(run: Run, active: Mask) -> Any:
            return call(first(run, active), second(run, active))

    return derive(kind, run, left, right)


def _truncated(call: Callable[[Any, Any], Any], left: Step, right: Step) -> Step:
    """Duration with float: computed in float and truncated to nanoseconds."""

    def double(step: Step) -> Evaluate:
        if step.fixed:
            scalar = float(step.constant)
            return lambda _run, _active: scalar
        if step.kind is Kind.FLOAT:
            return step.run
        return lambda run, active: step.run(run, active).astype(np.float64)

    first, second = double(left), double(right)

    def run(run: Run, active: Mask) -> Any:
        return kernels.truncate(call(first(run, active), second(run, active)))

    return derive(Kind.DURATION, run, left, right)


def _divisor(right: Step) -> Evaluate:
    """The divisor as a column; rows where it is zero fail."""

    def run(run: Run, active: Mask) -> Any:
        divisor = right.run(run, active)
        zero = divisor == 0
        if zero.any():
            run.fail(zero, active, DIVIDE_BY_ZERO)
        return divisor

    return run


def _by_zero(kind: Kind, left: Step) -> Step:
    always = failure(kind, DIVIDE_BY_ZERO)

    def run(run: Run, active: Mask) -> Any:
        left.run(run, active)
        return always.run(run, active)

    return derive(kind, run, left, total=False)


def _quotient(kind: Kind, left: Step, right: Step) -> Step:
    if right.fixed:
        divisor = right.constant
        if divisor == 0:
            return _by_zero(kind, left)
        if divisor == -1:
            return derive(kind, lambda run, active: np.negative(left.run(run, active)), left)
        return derive(kind, lambda run, active: kernels.quotient_by(left.run(run, active), divisor), left)
    divisors = _divisor(right)

    def run(run: Run, active: Mask) -> Any:
        dividend = column(left, left.run(run, active), run.n)
        return kernels.quotient(dividend, divisors(run, active))

    return derive(kind, run, left, right, total=False)


def _remainder(left: Step, right: Step) -> Step:
    if right.fixed:
        divisor = right.constant
        if divisor == 0:
            return _by_zero(Kind.INT, left)
        return derive(Kind.INT, lambda run, active: np.fmod(left.run(run, active), divisor), left)
    divisors = _divisor(right)

    def run(run: Run, active: Mask) -> Any:
        dividend = left.run(run, active)
        return np.fmod(dividend, divisors(run, active))

    return derive(Kind.INT, run, left, right, total=False)


def _texts(op: str, left: Step, right: Step) -> Step:
    if op in ("=~", "!~"):
        return _match(op, left, right)
    if op == "+":
        return _joined(left, right)
    if left.fixed:
        return _compared(_MIRROR[op], right, left.constant, left)
    if right.fixed:
        return _compared(op, left, right.constant, right)
    order = _ORDERS[op]

    def run(run: Run, active: Mask) -> Any:
        a, b = left.run(run, active), right.run(run, active)
        return order(
            kernels.compare_rows(
                a.values.offsets, a.values.data, a.coded(), b.values.offsets, b.values.data, b.coded()
            ),
            0,
        )

    return derive(Kind.BOOL, run, left, right)


def _compared(op: str, texts: Step, text: bytes, fixed: Step) -> Step:
    wanted = buffer(text)
    order = _ORDERS[op]

    def run(run: Run, active: Mask) -> Any:
        given: Texts = texts.run(run, active)
        values = given.values
        if op == "==":
            return given.spread(kernels.equal_const(values.offsets, values.data, wanted))
        if op == "!=":
            return ~given.spread(kernels.equal_const(values.offsets, values.data, wanted))
        return given.spread(order(kernels.compare_const(values.offsets, values.data, wanted), 0))

    return derive(Kind.BOOL, run, texts, fixed)


def _match(op: str, left: Step, right: Step) -> Step:
    if not right.fixed:
        raise Unplanned
    if left.fixed:
        return fold(op, left, right)
    pattern = right.constant
    wanted = op == "=~"
    each = PerValue(lambda text: pattern.matches(text) is wanted)

    def run(run: Run, active: Mask) -> Any:
        given: Texts = left.run(run, active)
        # The rows of a dictionary cost nothing; those of a field are looked at only where it matters.
        rows = run.indices(active) if given.codes is None else None
        texts = given.distinct(rows)
        found = texts.spread(each.table(texts.values, _bools))
        if rows is None:
            return found
        out = np.zeros(run.n, np.bool_)
        out[rows] = found
        return out

    return derive(Kind.BOOL, run, left, costly=True)


def _bools(results: list[Any]) -> Any:
    return np.array(results, np.bool_)


def _joined(left: Step, right: Step) -> Step:
    """Concatenation; with a constant it is that of the dictionary."""
    if left.fixed or right.fixed:
        texts, fixed = (right, left) if left.fixed else (left, right)

        def run(run: Run, active: Mask) -> Any:
            given: Texts = texts.run(run, active).compact()
            n = len(given.values)
            one = Strings.of((fixed.constant,))
            own, zeros = np.arange(n, dtype=np.uint32), np.zeros(n, np.uint32)
            a, b = ((one, zeros), (given.values, own)) if left.fixed else ((given.values, own), (one, zeros))
            values = _join(run, active, a, b)
            return Texts(values, given.codes) if len(values) == n else Texts(values)
    else:

        def run(run: Run, active: Mask) -> Any:
            a, b = left.run(run, active), right.run(run, active)
            return Texts(_join(run, active, (a.values, a.coded()), (b.values, b.coded())))

    return derive(Kind.STRING, run, left, right, total=False)


def _join(run: Run, active: Mask, a: tuple[Strings, Any], b: tuple[Strings, Any]) -> Strings:
    offsets, data, fits = kernels.join_rows(a[0].offsets, a[0].data, a[1], b[0].offsets, b[0].data, b[1])
    if not fits:
        run.fail(None, active, _TOO_LONG)
        return concat_strings([Strings.of((b"",))] * run.n)
    return Strings(offsets, data)

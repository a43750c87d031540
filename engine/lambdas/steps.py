"""The steps of a typed plan: what a part of an expression does to whole columns once the kinds of all names are known.

A step takes the run and the rows that are active (None: all) and returns a column of its kind for every row; at rows
that are not active, or that failed, the values have no meaning. A step that is `total` cannot fail a row; unless it is
`stateful` or `costly` too, it may then be evaluated where the language would have skipped it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from engine.frames.strings import Strings
from engine.lambdas.texts import Texts, constant, empty
from tickscript.lambdas.values import Duration, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from engine.lambdas.run import Run

    Mask: TypeAlias = NDArray[np.bool_] | None
    Evaluate: TypeAlias = Callable[[Run, Mask], Any]

VARIES: Final = object()
"""Stands where a step has no constant value."""

DTYPES: Final[dict[Kind, Any]] = {
    Kind.BOOL: np.bool_,
    Kind.INT: np.int64,
    Kind.FLOAT: np.float64,
    Kind.DURATION: np.int64,
    Kind.TIME: np.int64,
}


@dataclass(frozen=True, slots=True)
class Step:
    """`constant` holds the value where it is known while planning; `run` then gives that scalar."""

    kind: Kind
    run: Evaluate
    total: bool = True
    stateful: bool = False
    costly: bool = False
    constant: Any = VARIES

    @property
    def fixed(self) -> bool:
        return self.constant is not VARIES

    @property
    def free(self) -> bool:
        """Whether the step may be evaluated, or left out, at any row without anybody noticing."""
        return self.total and not self.stateful


def literal(kind: Kind, value: Any) -> Step:
    """A step with a known value; durations become plain ints, as in columns."""
    scalar = int(value) if isinstance(value, Duration) else value
    return Step(kind, lambda _run, _active: scalar, constant=scalar)


def garbage(kind: Kind, n: int) -> Any:
    """A column without meaning, for rows that have failed."""
    return empty(n) if kind is Kind.STRING else np.zeros(n, DTYPES.get(kind, np.int64))


def failure(kind: Kind, text: str) -> Step:
    """A step that fails every active row."""

    def run(run: Run, active: Mask) -> Any:
        run.fail(None, active, text)
        return garbage(kind, run.n)

    return Step(kind, run, total=False)


def after(first: Step, then: Step) -> Step:
    """Evaluate one step for its errors and its state, then another for its value."""
    if first.free:
        return then

    def run(run: Run, active: Mask) -> Any:
        first.run(run, active)
        value = then.run(run, active)
        return column(then, value, run.n) if then.fixed else value

    return Step(then.kind, run, total=False, stateful=first.stateful or then.stateful, costly=True)


def column(step: Step, value: Any, n: int) -> Any:
    """A step's result as a column, also where it is a constant."""
    if not step.fixed:
        return value
    return constant(value, n) if step.kind is Kind.STRING else np.full(n, value, DTYPES[step.kind])


def build(kind: Kind, values: list[Any]) -> Any:
    """A column from Python values of one kind (strings as bytes)."""
    if kind is Kind.STRING:
        return Texts(Strings.of(values))
    return np.array(values, DTYPES[kind])


def derive(kind: Kind, run: Evaluate, *parts: Step, total: bool = True, costly: bool = False) -> Step:
    """A step over others, which is what they are: it fails, remembers and costs where they do."""
    return Step(
        kind,
        run,
        total=total and all(p.total for p in parts),
        stateful=any(p.stateful for p in parts),
        costly=costly or any(p.costly for p in parts),
    )

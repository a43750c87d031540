"""`compile_columns`: an expression as a function over sections.

For each assignment of kinds to names that occurs there is one plan, made once and kept, so a frame costs no walk over
a tree. A section whose rows all have the same kinds runs one plan over its columns as they are; otherwise its rows are
split by kinds, each part runs its plan, and the results are put back in place. What an expression means is decided by
`tickscript.lambdas` alone: values, errors, their order and states are those of its interpreter, row after row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.frames.model import FieldColumn, Span, TagColumn
from engine.frames.model import Kind as FieldKind
from engine.frames.strings import EMPTY_STRINGS, Strings, concat_strings
from engine.lambdas.plan import Planner, Unplanned, sequential
from engine.lambdas.rows import conflict, each_row
from engine.lambdas.run import Run
from engine.lambdas.sources import CONFLICT, FIELD_KINDS, KIND_MASK, MixedColumn, Source
from engine.lambdas.states import States
from engine.lambdas.steps import DTYPES, Step, build, column, failure
from engine.lambdas.texts import Texts
from tickscript.lambdas.environment import DEFAULT, Environment
from tickscript.lambdas.errors import LambdaError
from tickscript.lambdas.expression import Expression
from tickscript.lambdas.values import Duration, Kind, encode, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from engine.frames.model import Section
    from tickscript import ast

    Rows = NDArray[np.int64]

MAX_ERRORS: Final = 16
"""Error texts kept of one evaluation; all failures are counted."""
MAX_PLANS: Final = 512
"""Plans kept of one expression; when full, all are forgotten."""
_NO_EXTRA: Final[dict[str, FieldColumn]] = {}


@dataclass(frozen=True, slots=True)
class Result:
    """What an expression gives for the `n` rows of a section.

    `data` is an array of the kind's dtype, or `Texts` for strings; it has no meaning where `ok` is False. `ok` is
    bool[n], or None when no row failed. `failed` counts the others; `errors` has the row and text of the first of
    them, at most `MAX_ERRORS`, rows ascending.
    """

    kind: FieldKind
    data: Any
    ok: NDArray[np.bool_] | None
    failed: int
    errors: list[tuple[int, str]]

    def column(self) -> FieldColumn:
        """The values as a field column, valid in every row."""
        return FieldColumn(self.kind, self.data.flat() if isinstance(self.data, Texts) else self.data)

    def tag(self) -> TagColumn:
        """String values as a tag column. Raises `TypeError` for another kind."""
        if not isinstance(self.data, Texts):
            raise TypeError(f"a tag is a string, not {self.kind.name.lower()}")
        return TagColumn(self.data.coded(), self.data.values)


@dataclass(frozen=True, slots=True)
class Truth:
    """What a predicate says of the `n` rows of a section: `mask` is bool[n], False where the row failed; see `Result`."""

    mask: NDArray[np.bool_]
    ok: NDArray[np.bool_] | None
    failed: int
    errors: list[tuple[int, str]]


class ColumnExpression:
    """An expression over sections. It changes only in the plans and the distinct values that it remembers.

    `references` are the names it refers to, `stateful` says whether it needs `States`. `impure`: it reads the clock,
    once a section.
    """

    def __init__(self, expression: Expression) -> None:
        self.expression = expression
        self.references = expression.references
        self.stateful = expression.stateful
        self.impure = expression.impure
        self._sequential = sequential(expression.node)
        self._plans: dict[tuple[bool, tuple[int, ...]], Step | None] = {}

    def new_states(self) -> States:
        """The states before the first row of any group."""
        expression = self.expression
        return States(expression.calls, expression.shape, expression.environment.seed)

    def evaluate(
        self,
        section: Section,
        slots: NDArray[np.int64] | None = None,
        states: States | None = None,
        *,
        extra: Mapping[str, FieldColumn] = _NO_EXTRA,
        max_errors: int = MAX_ERRORS,
    ) -> Result:
        """The values for all rows, as eval nodes take them.

        `slots` (int64[n]) is the group slot of each row; None: all rows are slot 0. `extra` has earlier results by
        name, for rows that have neither field nor tag of that name. Raises `ValueError` when a stateful expression is
        given no states.
        """
        data, kind, run, failed = self._run(section, slots, states, extra, max_errors, predicate=False)
        if failed is None:
            return Result(kind, data, None, 0, [])
        return Result(kind, data, ~failed, int(np.count_nonzero(failed)), run)

    def predicate(
        self,
        section: Section,
        slots: NDArray[np.int64] | None = None,
        states: States | None = None,
        *,
        extra: Mapping[str, FieldColumn] = _NO_EXTRA,
        max_errors: int = MAX_ERRORS,
    ) -> Truth:
        """The truth for all rows, as where, alert and state nodes take it. See `evaluate`."""
        data, _, errors, failed = self._run(section, slots, states, extra, max_errors, predicate=True)
        if failed is None:
            return Truth(data, None, 0, [])
        ok = ~failed
        return Truth(data & ok, ok, int(np.count_nonzero(failed)), errors)

    def _run(
        self,
        section: Section,
        slots: NDArray[np.int64] | None,
        states: States | None,
        extra: Mapping[str, FieldColumn],
        limit: int,
        *,
        predicate: bool,
    ) -> tuple[Any, FieldKind, list[tuple[int, str]], NDArray[np.bool_] | None]:
        """Data, its kind, errors, and the rows that failed (None: none did)."""
        n = len(section.time)
        if self.stateful:
            if states is None:
                raise ValueError("a stateful expression needs states")
            if slots is not None:
                slots = np.ascontiguousarray(slots, np.int64)
                states.grow(int(slots.max()) + 1 if n else 0)
        sources = [Source(name, section, extra) for name in self.references]
        try:
            classes = [source.classes() for source in sources]
        except MixedColumn:
            return self._by_row(sources, n, slots, states, limit, predicate=predicate)
        uniform = True
        for found in classes:
            if type(found) is not int:
                uniform = False
                break
        if self._sequential or not (uniform or n):
            return self._by_row(sources, n, slots, states, limit, predicate=predicate)
        if uniform:
            key: Any = tuple(classes)
            step = self._plan(key, predicate)
            if step is None:
                return self._by_row(sources, n, slots, states, limit, predicate=predicate)
            columns = [s.load(c, None) for s, c in zip(sources, key, strict=True)]
            run = Run(n, columns, slots, states, self._now(), limit)
            with np.errstate(all="ignore"):
                data = column(step, step.run(run, None), n)
            return data, FIELD_KINDS[step.kind], _first(run.errors, limit), run.failed
        return self._by_class(sources, classes, n, slots, states, limit, predicate=predicate)

    def _now(self) -> int:
        return self.expression.environment.now() if self.impure else 0

    def _plan(self, classes: tuple[int, ...], predicate: bool) -> Step | None:
        """The plan for the classes of the references; None when there is no column form."""
        key = (predicate, classes)
        try:
            return self._plans[key]
        except KeyError:
            pass
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
        plan = self._plans[key] = self._make(classes, predicate)
        return plan

    def _make(self, classes: tuple[int, ...], predicate: bool) -> Step | None:
        for name, code in zip(self.references, classes, strict=True):
            if code == CONFLICT:
                return failure(Kind.BOOL, conflict(name))
        kinds = {name: Kind(code & KIND_MASK) for name, code in zip(self.references, classes, strict=True)}
        planner = Planner(self.expression, kinds)
        try:
            return planner.truth() if predicate else planner.result()
        except Unplanned:
            return None

    def _by_class(
        self,
        sources: list[Source],
        classes: list[Any],
        n: int,
        slots: NDArray[np.int64] | None,
        states: States | None,
        limit: int,
        *,
        predicate: bool,
    ) -> tuple[Any, FieldKind, list[tuple[int, str]], NDArray[np.bool_] | None]:
        table = np.empty((n, len(classes)), np.uint8)
        for i, found in enumerate(classes):
            table[:, i] = found
        combinations, which = np.unique(table, axis=0, return_inverse=True)
        which = which.reshape(-1)
        plans = [(tuple(key), self._plan(tuple(key), predicate)) for key in combinations.tolist()]
        # Two parts that remember would have to be evaluated in the order of their rows.
        remembering = sum(plan is None or plan.stateful for _, plan in plans)
        if any(plan is None for _, plan in plans) or remembering > 1:
            return self._by_row(sources, n, slots, states, limit, predicate=predicate)
        now = self._now()
        pieces: list[tuple[Rows, Step, Any]] = []
        errors: list[tuple[int, str]] = []
        failed = np.zeros(n, np.bool_)
        for i, (key, step) in enumerate(plans):
            assert step is not None
            rows = np.flatnonzero(which == i)
            columns = [s.load(c, rows) for s, c in zip(sources, key, strict=True)]
            run = Run(len(rows), columns, None if slots is None else slots[rows], states, now, limit)
            with np.errstate(all="ignore"):
                data = column(step, step.run(run, None), len(rows))
            if run.failed is not None:
                failed[rows[run.failed]] = True
                errors.extend((int(rows[row]), text) for row, text in _first(run.errors, limit))
                if run.failed.all():
                    continue
            pieces.append((rows, step, data))
        kind, whole = _assemble(n, pieces)
        return whole, kind, _first(errors, limit), failed if failed.any() else None

    def _by_row(
        self,
        sources: list[Source],
        n: int,
        slots: NDArray[np.int64] | None,
        states: States | None,
        limit: int,
        *,
        predicate: bool,
    ) -> tuple[Any, FieldKind, list[tuple[int, str]], NDArray[np.bool_] | None]:
        results = each_row(self.expression, sources, n, slots, states, predicate=predicate)
        errors = [(row, str(r)) for row, r in enumerate(results) if isinstance(r, LambdaError)]
        good = [r for r in results if not isinstance(r, LambdaError)]
        kinds = {kind_of(r) for r in good} or {Kind.BOOL}
        failed = None
        if errors:
            failed = np.zeros(n, np.bool_)
            failed[[row for row, _ in errors]] = True
        if len(kinds) > 1:
            mixed = np.empty(n, object)
            mixed[:] = [None if isinstance(r, LambdaError) else _plain(r) for r in results]
            return mixed, FieldKind.MIXED, errors[:limit], failed
        kind = kinds.pop()
        default: Any = b"" if kind is Kind.STRING else 0
        values: list[Any] = [
            default if isinstance(r, LambdaError) else encode(r) if isinstance(r, str) else r for r in results
        ]
        return build(kind, values), FIELD_KINDS[kind], errors[:limit], failed


def _plain(value: Any) -> Any:
    """A value as mixed columns hold it."""
    return Span(value) if isinstance(value, Duration) else value


def _first(errors: list[tuple[int, str]], limit: int) -> list[tuple[int, str]]:
    """Errors by ascending row; each row has at most one."""
    return sorted(errors)[:limit] if errors else errors


def _assemble(n: int, pieces: list[tuple[Rows, Step, Any]]) -> tuple[FieldKind, Any]:
    """One column from those of the parts; a mixed one when their kinds differ."""
    kinds = {step.kind for _, step, _ in pieces}
    if not kinds:
        return FieldKind.BOOL, np.zeros(n, np.bool_)
    if len(kinds) > 1:
        mixed = np.empty(n, object)
        for rows, step, data in pieces:
            mixed[rows] = _objects(step.kind, data)
        return FieldKind.MIXED, mixed
    kind = kinds.pop()
    if kind is not Kind.STRING:
        whole = np.zeros(n, DTYPES[kind])
        for rows, _, data in pieces:
            whole[rows] = data
        return FIELD_KINDS[kind], whole
    codes = np.zeros(n, np.uint32)
    dictionary: list[Strings] = [Strings.of((b"",))]
    base = 1
    for rows, _, data in pieces:
        codes[rows] = data.coded() + np.uint32(base)
        dictionary.append(data.values)
        base += len(data.values)
    return FieldKind.STRING, Texts(concat_strings(dictionary) if n else EMPTY_STRINGS, codes)


def _objects(kind: Kind, data: Any) -> NDArray[Any]:
    values: list[Any] = data.flat().to_list() if kind is Kind.STRING else data.tolist()
    objects = np.empty(len(values), object)
    objects[:] = [Span(v) for v in values] if kind is Kind.DURATION else values
    return objects


def compile_columns(expression: ast.Lambda | ast.Expr, environment: Environment = DEFAULT) -> ColumnExpression:
    """Compile a lambda for sections. Raises `tickscript.lambdas.errors.CompileError`."""
    return ColumnExpression(Expression(expression, environment))

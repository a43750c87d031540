"""Function calls over columns.

Each signature of the library has one of four forms: a column function of its own (arithmetic, conversions, calendar,
offsets of constant texts), a state kernel, one evaluation for each distinct value of a string column, or, for what is
left, one call for each row. `call` chooses; none of them changes what a call means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.frames.strings import Strings, concat_strings
from engine.lambdas import kernels
from engine.lambdas.calendars import PARTS, local_seconds
from engine.lambdas.operations import Unplanned, restore
from engine.lambdas.steps import DTYPES, Step, build, column, derive, failure, garbage, literal
from engine.lambdas.texts import PerValue, Texts, buffer, choose
from tickscript.lambdas import mathematics
from tickscript.lambdas.errors import CallError, LambdaError
from tickscript.lambdas.library import Signature, Source
from tickscript.lambdas.values import Duration, Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from engine.lambdas.run import Run
    from engine.lambdas.states import Scope
    from engine.lambdas.steps import Mask

    Columns = Callable[..., Any]

_B, _I, _F, _S, _D = Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.STRING, Kind.DURATION


def _float_mathematics() -> dict[tuple[str, tuple[Kind, ...]], Columns]:
    one: dict[tuple[str, tuple[Kind, ...]], Columns] = {(n, (_F,)): f for n, f in mathematics.ONE.items()}
    two: dict[tuple[str, tuple[Kind, ...]], Columns] = {(n, (_F, _F)): f for n, f in mathematics.TWO.items()}
    order: dict[tuple[str, tuple[Kind, ...]], Columns] = {(n, (_I, _F)): f for n, f in mathematics.ORDER.items()}
    return one | two | order | {("pow10", (_I,)): mathematics.POW10}


def _same(values: Any) -> Any:
    return values


_TRUTH: Final = Strings.of((b"false", b"true"))

_CONVERSIONS: Final[dict[tuple[str, tuple[Kind, ...]], Columns]] = {
    ("bool", (_B,)): _same,
    ("int", (_B,)): lambda x: x.astype(np.int64),
    ("int", (_I,)): _same,
    ("int", (_F,)): kernels.truncate,
    ("float", (_B,)): lambda x: x.astype(np.float64),
    ("float", (_I,)): lambda x: x.astype(np.float64),
    ("float", (_F,)): _same,
    ("string", (_B,)): lambda x: Texts(_TRUTH, x.astype(np.uint32)),
    ("string", (_S,)): _same,
    ("duration", (_D,)): _same,
    ("duration", (_I, _D)): np.multiply,
    ("duration", (_F, _D)): lambda x, unit: kernels.truncate(np.multiply(x, np.asarray(unit).astype(np.float64))),
    ("strLength", (_S,)): lambda x: x.spread(np.diff(x.values.offsets).astype(np.int64)),
    ("unixNano", (Kind.TIME,)): _same,
}
WHOLE: Final = _float_mathematics() | _CONVERSIONS
"""Functions of whole columns that take every value; constants come as scalars, strings as `Texts`."""

_FIND: Final[dict[str, tuple[int, Callable[[Any], Any]]]] = {
    "strContains": (0, lambda found: found >= 0),
    "strHasPrefix": (2, lambda found: found >= 0),
    "strHasSuffix": (3, lambda found: found >= 0),
    "strIndex": (0, _same),
    "strLastIndex": (1, _same),
}


def form(name: str, signature: Signature) -> str:
    """How a call with varying arguments is evaluated, in the words of the documentation."""
    if signature.source is Source.STATE:
        return "kernel over group states"
    if signature.source is Source.CLOCK:
        return "once a section"
    if Kind.REGEX in signature.args and name == "if":
        return "interpreter"
    if name in ("if", "isPresent") or name in PARTS or (name, signature.args) in WHOLE:
        return "column"
    if name == "bool" and signature.args != (_S,):
        return "column"
    if name in _FIND:
        return "kernel, for a constant second argument; else once a row"
    if signature.args == (_S,):
        return "once a distinct value"
    if _S in signature.args:
        return "once a distinct value of the only varying string; else once a row"
    return "once a row"


def call(name: str, signature: Signature, args: list[Step], scope: int | None, zone: tzinfo) -> Step:
    """A step for a call whose signature is known. `scope`: the embedded lambda that it stands in, None for none.

    Raises `Unplanned`.
    """
    if signature.source is Source.STATE:
        return _remember(name, args, scope)
    if signature.source is Source.CLOCK:
        return Step(Kind.TIME, lambda run, _active: np.full(run.n, run.now))
    if name == "if":
        return _choice(*args)
    if name == "isPresent":
        return _presence(args[0])
    if all(a.fixed for a in args):
        return _fold(name, signature, args)
    whole = WHOLE.get((name, signature.args))
    if whole is not None and not (args[0].fixed and args[0].kind is _S):
        return _whole(signature, whole, args)
    if name in PARTS:
        return _calendar(name, args[0], zone)
    if name in _FIND and args[1].fixed:
        return _search(name, args[0], args[1].constant)
    if name == "bool" and signature.args != (_S,):
        return _number_to_bool(name, signature, args[0])
    varying = [i for i, a in enumerate(args) if not a.fixed]
    if len(varying) == 1 and args[varying[0]].kind is _S:
        return _each_value(name, signature, args, varying[0])
    if any(a.kind is Kind.REGEX and not a.fixed for a in args):
        raise Unplanned
    return _each_row(name, signature, args)


def attempt(name: str, signature: Signature, args: list[Any]) -> Any:
    """The result of one call, or the `LambdaError` that it raises."""
    try:
        return signature.call(*args)
    except CallError as error:
        return LambdaError(f'error calling "{name}": {error}')
    except LambdaError as error:
        return error


def _fold(name: str, signature: Signature, args: list[Step]) -> Step:
    result = attempt(name, signature, [restore(a) for a in args])
    if isinstance(result, LambdaError):
        return failure(signature.result, str(result))
    return literal(signature.result, result)


def _whole(signature: Signature, function: Columns, args: list[Step]) -> Step:
    if len(args) == 1:
        only = args[0].run
        return derive(signature.result, lambda run, active: function(only(run, active)), *args)

    def run(run: Run, active: Mask) -> Any:
        return function(*[a.run(run, active) for a in args])

    return derive(signature.result, run, *args)


def _calendar(name: str, arg: Step, zone: tzinfo) -> Step:
    part = PARTS[name]
    return derive(_I, lambda run, active: part(local_seconds(arg.run(run, active), zone)), arg)


def _search(name: str, arg: Step, text: bytes) -> Step:
    where, finish = _FIND[name]
    wanted = buffer(text)

    def run(run: Run, active: Mask) -> Any:
        texts: Texts = arg.run(run, active)
        values = texts.values
        return texts.spread(finish(kernels.find_const(values.offsets, values.data, wanted, where)))

    return derive(_B if name in ("strContains", "strHasPrefix", "strHasSuffix") else _I, run, arg)


def _number_to_bool(name: str, signature: Signature, arg: Step) -> Step:
    def run(run: Run, active: Mask) -> Any:
        values = arg.run(run, active)
        truth = values == 1
        bad = ~(truth | (values == 0))
        if bad.any():
            live = run.live(active)
            rows = np.flatnonzero(bad if live is None else bad & live).tolist()
            run.fail_each([(row, str(attempt(name, signature, [values[row].item()]))) for row in rows])
        return truth

    return derive(_B, run, arg, total=False)


def _presence(arg: Step) -> Step:
    present = literal(_B, arg.kind is not Kind.MISSING)
    if arg.free:
        return present

    def run(run: Run, active: Mask) -> Any:
        arg.run(run, active)
        return np.full(run.n, present.constant)

    return derive(_B, run, arg)


def _choice(condition: Step, yes: Step, no: Step) -> Step:
    if yes.kind is Kind.REGEX:
        raise Unplanned

    def run(run: Run, active: Mask) -> Any:
        chosen = condition.run(run, active)
        a, b = yes.run(run, active), no.run(run, active)
        if condition.fixed:
            return column(yes, a, run.n) if chosen else column(no, b, run.n)
        if yes.kind is _S:
            return choose(chosen, column(yes, a, run.n), column(no, b, run.n))
        selected: Any = np.where(chosen, a, b)
        return selected.astype(DTYPES[yes.kind], copy=False)

    if condition.fixed and yes.free and no.free:
        return yes if condition.constant else no
    return derive(yes.kind, run, condition, yes, no)


def _remember(name: str, args: list[Step], scope: int | None) -> Step:
    def arrays(run: Run) -> tuple[Any, dict[str, Any]]:
        assert run.states is not None
        held: Scope = run.states.own if scope is None else run.states.embedded[scope]
        if scope is not None or run.slots is None:
            return np.zeros(run.n, np.int64), held.columns
        return run.slots, held.columns

    def values(run: Run, active: Mask) -> Any:
        return column(args[0], args[0].run(run, active), run.n)

    def count(run: Run, active: Mask) -> Any:
        slots, held = arrays(run)
        return kernels.count_rows(slots, run.kernel_mask(active), held["counted"])

    def sigma(run: Run, active: Mask) -> Any:
        x = values(run, active)
        slots, held = arrays(run)
        mask = run.kernel_mask(active)
        return kernels.sigma_rows(slots, mask, x, held["sigma_n"], held["sigma_mean"], held["sigma_m2"])

    def spread(run: Run, active: Mask) -> Any:
        x = values(run, active)
        slots, held = arrays(run)
        return kernels.spread_rows(slots, run.kernel_mask(active), x, held["spread_min"], held["spread_max"])

    def rand(run: Run, active: Mask) -> Any:
        below = values(run, active) if args else None
        slots, held = arrays(run)
        drawn = kernels.rand_rows(slots, run.kernel_mask(active), held["seed"])
        return drawn if below is None else np.where(below > 0, drawn % np.maximum(below, 1), 0)

    run = {"count": count, "sigma": sigma, "spread": spread, "rand": rand}[name]
    kind = _F if name in ("sigma", "spread") else _I
    return Step(kind, run, total=all(a.total for a in args), stateful=True)


def _each_value(name: str, signature: Signature, args: list[Step], varying: int) -> Step:
    """One evaluation for each distinct value of the only column; a refused value fails the rows that have it."""
    fixed = [restore(a) if a.fixed else None for a in args]
    kind = signature.result

    def one(value: bytes) -> Any:
        given = list(fixed)
        given[varying] = value
        return attempt(name, signature, given)

    each = PerValue(one)
    default: Any = b"" if kind is _S else 0

    def finish(results: list[Any]) -> tuple[Any, Any, list[Any]]:
        refused = np.array([isinstance(r, LambdaError) for r in results], np.bool_)
        good = [default if isinstance(r, LambdaError) else r for r in results]
        table: Any = Strings.of(good) if kind is _S else np.array(good, DTYPES[kind])
        return table, refused if refused.any() else None, results

    def run(run: Run, active: Mask) -> Any:
        given: Texts = args[varying].run(run, active)
        rows = run.indices(active) if given.codes is None else None
        texts = given.distinct(rows)
        table, refused, results = each.table(texts.values, finish)
        if refused is not None:
            _refuse(run, active, rows, texts, refused, results)
        if rows is None:
            return Texts(table, texts.codes) if kind is _S else texts.spread(table)
        return _scatter(run.n, kind, rows, Texts(table, texts.codes) if kind is _S else texts.spread(table))

    return derive(kind, run, *args, total=signature.total, costly=True)


def _refuse(run: Run, active: Mask, rows: Any, texts: Texts, refused: Any, results: list[Any]) -> None:
    """Fail the live rows whose value was refused. `rows`: those that `texts` has, all of them live; None: all."""
    bad = texts.spread(refused)
    if rows is None:
        live = run.live(active)
        places = chosen = np.flatnonzero(bad if live is None else bad & live)
    else:
        chosen = np.flatnonzero(bad)
        places = rows[chosen]
    codes = texts.coded()[chosen]
    run.fail_each((r, str(results[c])) for r, c in zip(places.tolist(), codes.tolist(), strict=True))


def _scatter(n: int, kind: Kind, rows: Any, found: Any) -> Any:
    """A column of `n` rows from the values of some."""
    if kind is _S:
        codes = np.full(n, len(found.values), np.uint32)
        codes[rows] = found.coded()
        return Texts(concat_strings([found.values, Strings.of((b"",))]), codes)
    content = garbage(kind, n)
    content[rows] = found
    return content


def _each_row(name: str, signature: Signature, args: list[Step]) -> Step:
    """One call for each live row."""

    def run(run: Run, active: Mask) -> Any:
        columns = [(a, a.run(run, active)) for a in args]
        rows = run.indices(active)
        count = run.n if rows is None else len(rows)
        given = [_values(a, c, rows, count) for a, c in columns]
        results = [attempt(name, signature, list(row)) for row in zip(*given, strict=True)]
        return _place(run, signature.result, rows, results)

    return derive(signature.result, run, *args, total=signature.total, costly=True)


def _values(step: Step, content: Any, rows: Any, count: int) -> list[Any]:
    """A column as values of the language, for some rows."""
    if step.fixed:
        return [restore(step)] * count
    if step.kind is _S:
        return (content if rows is None else content.take(rows).compact()).raw()  # type: ignore[no-any-return]
    values: list[Any] = (content if rows is None else content[rows]).tolist()
    return [Duration(v) for v in values] if step.kind is _D else values


def _place(run: Run, kind: Kind, rows: Any, results: list[Any]) -> Any:
    """A column from the results of some rows (None: all); errors among them fail their rows."""
    failures = [
        (i if rows is None else int(rows[i]), str(r)) for i, r in enumerate(results) if isinstance(r, LambdaError)
    ]
    default: Any = b"" if kind is _S else 0
    if failures:
        run.fail_each(failures)
        results = [default if isinstance(r, LambdaError) else r for r in results]
    return build(kind, results) if rows is None else _scatter(run.n, kind, rows, build(kind, results))

"""`|eval()`: new fields and tags from lambdas (nodes.md §11.2).

Lambdas run in turn over the rows that are left: a row for which one fails takes no part in the next and is dropped, so
states and error counts are those of point by point. A later lambda sees earlier results, except where the point has a
field or tag of that name: there the original wins, and replaces the result in the output too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import ABSENT, ABSENT_CODE, FieldColumn, Kind, Section, TagColumn
from engine.frames.reshape import as_kind, filter_rows, take_field, take_rows
from engine.frames.strings import EMPTY_STRINGS, Strings
from engine.lambdas.columns import compile_columns
from engine.nodes.arrivals import Arrivals
from engine.nodes.assembly import Piece, assemble
from engine.nodes.condition import environment
from engine.nodes.failing import report_failures
from engine.nodes.grouped import Grouped, merged
from engine.nodes.regroup import by_tags
from engine.nodes.usable import WORDS, kind_of_value
from engine.operator import TaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Frame
    from engine.lambdas.columns import ColumnExpression
    from engine.lambdas.states import States
    from engine.operator import Context
    from tickscript import ast

_MESSAGE = "error evaluating expression"


@dataclass(frozen=True, slots=True)
class _Lambda:
    name: str
    columns: ColumnExpression
    states: States | None
    # Whether a later lambda refers to the name, so that an original of that name replaces the result.
    reloaded: bool


@dataclass(frozen=True, slots=True)
class _Results:
    """Results by name for the rows that are left: `rows` (None: all)."""

    rows: NDArray[np.int64] | None
    fields: dict[str, FieldColumn]

    def take(self, index: NDArray[np.int64]) -> dict[str, FieldColumn]:
        return {k: take_field(c, index) for k, c in self.fields.items()}


class EvalOperator(Grouped):
    """`as_` has a name a lambda; `keep` None: results alone; empty: all fields; else exactly these.

    Raises TaskError without names, CompileError when a lambda does not compile.
    """

    def __init__(
        self, *, lambdas: Sequence[ast.Lambda], as_: Sequence[str], tags: Sequence[str] = (),
        keep: Sequence[str] | None = None, quiet: bool = False, context: Context | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if not as_:
            raise TaskError("must provide one name per expression via the 'As' property")
        self._quiet = quiet
        self._tags = tuple(tags)
        self._keep = None if keep is None else tuple(keep)
        compiled = [compile_columns(e, environment(context)) for e in lambdas]
        self._lambdas = [
            _Lambda(
                name,
                columns,
                columns.new_states() if columns.stateful else None,
                any(name in later.references for later in compiled[i + 1 :]),
            )
            for i, (name, columns) in enumerate(zip(as_, compiled, strict=True))
        ]
        self._stateful = any(part.states is not None for part in self._lambdas)
        self._references = frozenset(r for columns in compiled for r in columns.references)

    def _start(self, slots: NDArray[np.int64]) -> None:
        for part in self._lambdas:
            if part.states is not None:
                for slot in slots.tolist():
                    part.states.reset(slot)

    def _process(self, frame: Frame) -> Sequence[Frame]:
        if not frame.sections:
            return assemble(frame, (), frame.events)
        arrivals = Arrivals(frame)
        slots = self._map(arrivals)
        rows = arrivals.by_row()
        wide = arrivals.row_slots(slots).astype(np.int64) if self._stateful else None
        pieces: list[Piece] = []
        for i, (section, results) in enumerate(zip(frame.sections, self._results(rows, wide), strict=True)):
            out, kept = self._output(section, results)
            places = None if arrivals.single is not None else arrivals.places[i]
            if section.batches is None and kept is not None:
                places = kept if places is None else places[kept]
            pieces.append((out, places))
        return assemble(frame, pieces, frame.events)

    def _results(self, rows: Arrivals, slots: NDArray[np.int64] | None) -> list[_Results]:
        """The results for every section."""
        if slots is None or rows.single is not None:
            return [self._evaluate(s, slots) for s in rows.sections]
        whole = self._evaluate(merged(rows, self._references), slots)
        left = np.arange(rows.n) if whole.rows is None else whole.rows
        number = np.full(rows.n, -1, np.int64)
        number[left] = np.arange(len(left))
        out = []
        for places in rows.places:
            mine = number[places]
            index = np.flatnonzero(mine >= 0)
            out.append(_Results(index, whole.take(mine[index])))
        return out

    def _evaluate(self, section: Section, slots: NDArray[np.int64] | None) -> _Results:
        """Run all lambdas over the rows of a stream-like section."""
        left: NDArray[np.int64] | None = None
        fields: dict[str, FieldColumn] = {}
        for part in self._lambdas:
            result = part.columns.evaluate(section, slots, part.states, extra=fields)
            if result.failed:
                self._fail(result.errors, result.failed)
                assert result.ok is not None
                good = np.flatnonzero(result.ok)
                column = take_field(result.column(), good)
                fields = {k: take_field(c, good) for k, c in fields.items()}
                section = take_rows(section, good)
                slots = None if slots is None else slots[good]
                left = good if left is None else left[good]
            else:
                column = result.column()
            fields = {**fields, part.name: column}
        for part in self._lambdas:
            if part.reloaded:
                fields[part.name] = _original(section, part.name, fields[part.name])
        return _Results(left, fields)

    def _fail(self, errors: Sequence[tuple[int, str]], failed: int) -> None:
        # A quiet eval does not even count its errors.
        if not self._quiet:
            report_failures(self.report, _MESSAGE, errors, failed)

    def _output(self, section: Section, results: _Results) -> tuple[Section, NDArray[np.int64] | None]:
        """The section with the results, and the rows of it that are left (None: all)."""
        rows, fields = results.rows, results.fields
        bad = self._unfit(section, results)
        if bad is not None:
            good = np.flatnonzero(~bad)
            rows = good if rows is None else rows[good]
            fields = {k: take_field(c, good) for k, c in fields.items()}
        if rows is not None:
            section = _only(section, rows)
        tags = section.tags
        if self._tags:
            tags = dict(sorted({**tags, **{k: _tag(fields[k]) for k in self._tags if k in fields}}.items()))
        columns = self._fields(section, fields)
        out = Section(section.name, section.time, tags, columns, section.groups, section.group, section.batches)
        if section.batches is None and any(name in section.groups.dims for name in self._tags):
            out = by_tags(out, section.groups.dims, section.groups.by_name)
        return out, rows

    def _fields(self, section: Section, fields: dict[str, FieldColumn]) -> dict[str, FieldColumn]:
        if self._keep is None:
            return {k: c for k, c in fields.items() if k not in self._tags}
        if not self._keep:
            return {**section.fields, **fields}
        return {k: c for k in self._keep if (c := self._kept(section, k, fields)) is not None}

    def _kept(self, section: Section, name: str, fields: dict[str, FieldColumn]) -> FieldColumn | None:
        """What `.keep(name)` keeps: a result, else a field, else a tag that a lambda refers to."""
        if name in fields:
            return fields[name]
        field = section.fields.get(name)
        tag = section.tags.get(name) if name in self._references else None
        if field is None:
            return None if tag is None else _tag_field(tag)
        return field if tag is None else _merged(field, _tag_field(tag))

    def _unfit(self, section: Section, results: _Results) -> NDArray[np.bool_] | None:
        """The rows (of those left) whose results cannot become the tags or kept fields that are asked for."""
        n = section.rows if results.rows is None else len(results.rows)
        bad: NDArray[np.bool_] | None = None
        for name in self._tags:
            if name not in results.fields:
                continue
            wrong = _not_text(results.fields[name])
            if wrong is not None:
                bad = self._also(bad, *wrong)
        for name in self._keep or ():
            if name in results.fields:
                continue
            column = self._kept(section, name, {})
            missing = np.ones(n, np.bool_)
            if column is not None and column.valid is None:
                continue
            if column is not None and column.valid is not None:
                valid = column.valid if results.rows is None else column.valid.take(results.rows)
                missing = valid == ABSENT
            if missing.any():
                bad = self._also(bad, missing, f'cannot keep field "{name}", field does not exist')
        return bad

    def _also(self, bad: NDArray[np.bool_] | None, more: NDArray[np.bool_], text: str) -> NDArray[np.bool_]:
        """Each row fails once, for the first reason."""
        fresh = more if bad is None else more & ~bad
        count = int(np.count_nonzero(fresh))
        if count:
            self._fail([(0, text)], count)
        return more if bad is None else bad | more

    def snapshot(self) -> Any:
        states = [None if part.states is None else part.states.snapshot() for part in self._lambdas]
        return {**super().snapshot(), "states": states}

    def restore(self, state: Any) -> None:
        super().restore(state)
        for part, saved in zip(self._lambdas, state["states"], strict=True):
            if part.states is not None:
                part.states.restore(saved)


def _only(section: Section, rows: NDArray[np.int64]) -> Section:
    if section.batches is None:
        return take_rows(section, rows)
    mask = np.zeros(section.rows, np.bool_)
    mask[rows] = True
    return filter_rows(section, mask)


def _original(section: Section, name: str, result: FieldColumn) -> FieldColumn:
    """The result, replaced by the field or tag of that name in the rows that have one."""
    tag, field = section.tags.get(name), section.fields.get(name)
    if tag is not None:
        result = _merged(_tag_field(tag), result)
    return result if field is None else _merged(field, result)


def _merged(first: FieldColumn, second: FieldColumn) -> FieldColumn:
    """`first` where it has a value, else `second`."""
    if first.valid is None:
        return first
    use = first.valid != ABSENT
    if not use.any():
        return second
    if first.kind != second.kind:
        first, second = as_kind(first, Kind.MIXED), as_kind(second, Kind.MIXED)
    assert first.valid is not None
    n = len(use)
    valid = np.where(use, first.valid, 1 if second.valid is None else second.valid).astype(np.uint8)
    if first.kind == Kind.STRING:
        both = [first.data.bytes_at(i) if use[i] else second.data.bytes_at(i) for i in range(n)]
        return FieldColumn(Kind.STRING, Strings.of(both), valid)
    return FieldColumn(first.kind, np.where(use, first.data, second.data), valid)


def _tag_field(tag: TagColumn) -> FieldColumn:
    """A tag as a string field."""
    missing = tag.codes == ABSENT_CODE
    if not missing.any():
        return FieldColumn(Kind.STRING, tag.values.take(tag.codes.astype(np.int64)))
    values = Strings(np.append(tag.values.offsets, tag.values.offsets[-1:]), tag.values.data)
    codes = np.where(missing, len(tag.values), tag.codes).astype(np.int64)
    return FieldColumn(Kind.STRING, values.take(codes), (~missing).astype(np.uint8))


def _tag(column: FieldColumn) -> TagColumn:
    """A string field as a tag. A column of another kind has no row left."""
    if column.kind not in {Kind.STRING, Kind.MIXED}:
        return TagColumn(np.full(len(column.data), ABSENT_CODE, np.uint32), EMPTY_STRINGS)
    data = Strings.of(column.data.tolist()) if column.kind == Kind.MIXED else column.data
    codes = np.arange(len(data), dtype=np.uint32)
    if column.valid is not None:
        codes[column.valid != 1] = ABSENT_CODE
    return TagColumn(codes, data)


def _not_text(column: FieldColumn) -> tuple[NDArray[np.bool_], str] | None:
    """The rows whose value is no string, and what to say of them."""
    words = "result of a tag expression must be of type string, got "
    if column.kind == Kind.STRING:
        return None
    if column.kind != Kind.MIXED:
        return np.ones(len(column.data), np.bool_), words + WORDS[column.kind]
    wrong = np.array([not isinstance(v, str) for v in column.data.tolist()])
    if not wrong.any():
        return None
    return wrong, words + WORDS[Kind(kind_of_value(column.data[int(np.argmax(wrong))]))]

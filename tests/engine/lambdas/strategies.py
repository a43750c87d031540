"""Random expressions, and random rows for them, shared by the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from engine.frames.model import ABSENT, DTYPES, NULL, PRESENT, FieldColumn, Section, Span, TagColumn, nil_groups
from engine.frames.model import Kind as FieldKind
from engine.frames.strings import Strings
from tickscript import ast
from tickscript.lambdas import values
from tickscript.lambdas.library import LIBRARY
from tickscript.lambdas.operators import BINARY, OPERATORS, UNARY
from tickscript.lambdas.values import Duration, Kind, Regex, Time

INT64 = st.one_of(
    st.integers(-3, 10), st.integers(-(2**63), 2**63 - 1), st.sampled_from([-(2**63), 2**63 - 1, 2**53 + 1, 10**9])
)
FLOATS = st.one_of(
    st.floats(-10.0, 10.0), st.floats(), st.sampled_from([0.0, -0.0, 1.0, 2.0**63, -(2.0**63), 1e300, float("nan")])
)
TEXT = st.one_of(
    st.sampled_from(["", "a", "b", "ab", "12", "-1.5", "true", "1h", "é", "ß", "a\udcffb", " x ", "aab"]),
    st.text("aAb1.é ", max_size=6),
)
PATTERNS = st.sampled_from(["a", "^a", "b$", "", "(a)(b)?", "é|x", ".", "(?i)AB"])
_LITERALS = {
    Kind.BOOL: st.booleans().map(ast.Bool),
    Kind.INT: INT64.map(ast.Int),
    Kind.FLOAT: FLOATS.map(ast.Float),
    Kind.STRING: TEXT.map(ast.String),
    Kind.DURATION: INT64.map(ast.Duration),
    Kind.REGEX: PATTERNS.map(ast.Regex),
}
NAMES = {
    Kind.FLOAT: ("f", "g"),
    Kind.INT: ("i", "j"),
    Kind.BOOL: ("b",),
    Kind.STRING: ("s", "host", "region"),
    Kind.DURATION: ("d",),
    Kind.TIME: ("time",),
    Kind.MISSING: ("nowhere",),
}
ANY = ("both", "mixed", "x", "f", "s", "host")
_FIELDS = {"f": FieldKind.FLOAT, "g": FieldKind.FLOAT, "i": FieldKind.INT, "j": FieldKind.INT, "b": FieldKind.BOOL}
_FIELDS |= {"s": FieldKind.STRING, "d": FieldKind.DURATION, "both": FieldKind.FLOAT, "mixed": FieldKind.MIXED}
_FIXED = {"c": FieldKind.BOOL, "e": FieldKind.DURATION, "s2": FieldKind.STRING}
_CONTENT = {
    FieldKind.FLOAT: FLOATS,
    FieldKind.INT: INT64,
    FieldKind.BOOL: st.booleans(),
    FieldKind.STRING: TEXT,
    FieldKind.DURATION: INT64.map(Span),
    FieldKind.MIXED: st.one_of(FLOATS, INT64, st.booleans(), TEXT, INT64.map(Span)),
}
_TAGS = ("host", "region", "both")
_KINDS = (Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.STRING, Kind.DURATION)


@st.composite
def expressions(draw: Any, kind: Kind | None = None, depth: int = 4) -> ast.Expr:
    """An expression that mostly has a kind, and now and then does not."""
    wanted = draw(st.sampled_from(_KINDS)) if kind is None else kind
    if draw(st.integers(0, 24)) == 0:
        return draw(st.sampled_from([ast.Reference(name) for name in ANY]))
    if draw(st.integers(0, 19)) == 0:
        wanted = draw(st.sampled_from([*_KINDS, Kind.TIME, Kind.REGEX, Kind.MISSING]))
    references = [ast.Reference(name) for name in NAMES.get(wanted, ())]
    leaves = [st.sampled_from(references)] if references else []
    if wanted in _LITERALS:
        leaves.append(_LITERALS[wanted])
    if depth == 0 or (leaves and draw(st.integers(0, 3)) == 0):
        return draw(st.one_of(leaves)) if leaves else ast.Reference("x")
    below = depth - 1
    operators = [key for key, entry in BINARY.items() if entry.result is wanted]
    calls = [(n, s) for n, signatures in LIBRARY.items() for s in signatures if s.result is wanted]
    choices = ["binary"] * 4 * bool(operators) + ["call"] * 2 * bool(calls) + ["unary", "embedded", "leaf"]
    match draw(st.sampled_from(choices)):
        case "binary":
            op, left, right = draw(st.sampled_from(operators))
            return ast.Binary(op, draw(expressions(left, below)), draw(expressions(right, below)))
        case "call":
            name, signature = draw(st.sampled_from(calls))
            args = tuple(draw(expressions(k, below)) for k in signature.args)
            return ast.Function("global", name, args)
        case "unary":
            op = draw(st.sampled_from([o for o, k in UNARY if k is wanted] or ["-", "!"]))
            return ast.Unary(op, draw(expressions(wanted, below)))
        case "embedded":
            return ast.Lambda(draw(expressions(wanted, below)))
        case _:
            return draw(st.one_of(leaves)) if leaves else ast.Reference("x")


STATEFUL_CALLS = st.sampled_from(
    [
        ast.Function("global", "count"),
        ast.Function("global", "sigma", (ast.Reference("f"),)),
        ast.Function("global", "spread", (ast.Reference("f"),)),
        ast.Function("global", "rand"),
        ast.Function("global", "rand", (ast.Int(10),)),
    ]
)


_CONDITIONS = st.one_of(
    st.sampled_from(
        [
            ast.Reference("b"),
            ast.Binary(">", ast.Reference("f"), ast.Float(0.0)),
            ast.Binary(">", ast.Reference("i"), ast.Int(1)),
            ast.Function("global", "isPresent", (ast.Reference("region"),)),
            ast.Function("global", "isPresent", (ast.Reference("f"),)),
            ast.Binary("==", ast.Binary("/", ast.Reference("i"), ast.Reference("j")), ast.Int(0)),
        ]
    ),
    expressions(Kind.BOOL, 2),
)
_BOUNDS = st.sampled_from([ast.Float(1.0), ast.Int(2), ast.Reference("g")])


@st.composite
def remembering(draw: Any) -> ast.Expr:
    """An expression around stateful calls, some of which are not reached in every row."""
    call, other = draw(STATEFUL_CALLS), draw(_CONDITIONS)
    compared = ast.Binary(">", call, draw(_BOUNDS))
    again = ast.Binary(">", draw(STATEFUL_CALLS), draw(_BOUNDS))
    shapes = [
        call,
        ast.Binary("AND", other, compared),
        ast.Binary("OR", compared, other),
        ast.Binary("OR", other, ast.Binary("AND", draw(_CONDITIONS), compared)),
        ast.Lambda(compared),
        ast.Binary("AND", compared, ast.Lambda(ast.Binary("OR", other, compared))),
        ast.Binary("==", ast.Lambda(again), ast.Lambda(ast.Binary("AND", other, compared))),
        ast.Function("global", "if", (other, compared, again)),
        ast.Function("global", "if", (other, call, call)),
        ast.Binary("+", call, draw(STATEFUL_CALLS)),
    ]
    return draw(st.sampled_from(shapes))


@dataclass
class Row:
    """One point: what a section is made from, and what the interpreter sees."""

    time: int
    group: int
    fields: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def scope(self) -> dict[str, Any]:
        found: dict[str, Any] = dict(self.tags)
        for name, value in self.fields.items():
            found[name] = values.NULL if value is None else Duration(value) if isinstance(value, Span) else value
        return found | {"time": Time(self.time)}

    def conflict(self, references: tuple[str, ...]) -> str | None:
        return next((n for n in references if n in self.fields and n in self.tags), None)


@st.composite
def rows(draw: Any, mixed: bool = True) -> list[Row]:
    """Up to a dozen points with the same columns, some of which lack values."""
    n = draw(st.integers(1, 12))
    made = [Row(draw(st.integers(-(10**18), 4 * 10**18)), draw(st.integers(0, 2))) for _ in range(n)]
    for name, kind in _FIELDS.items():
        if kind is FieldKind.MIXED and not (mixed and draw(st.integers(0, 5)) == 0):
            continue
        presence = draw(st.sampled_from(["all", "all", "all", "some", "none"]))
        for row in made:
            if presence == "all" or (presence == "some" and draw(st.booleans())):
                null = presence == "some" and draw(st.integers(0, 4)) == 0
                row.fields[name] = None if null else draw(_CONTENT[kind])
    for name in _TAGS:
        presence = draw(st.sampled_from(["all", "all", "some", "none"]))
        for row in made:
            if presence == "all" or (presence == "some" and draw(st.booleans())):
                row.tags[name] = draw(TEXT)
    return made


def section(points: list[Row]) -> Section:
    """The points as a section; tag dictionaries hold repeated and unused values."""
    fields = {}
    for name, kind in (_FIELDS | _FIXED).items():
        if not any(name in row.fields for row in points):
            continue
        valid = np.array(
            [(NULL if r.fields[name] is None else PRESENT) if name in r.fields else ABSENT for r in points], np.uint8
        )
        default: Any = "" if kind is FieldKind.STRING else 0
        content = [r.fields.get(name) if r.fields.get(name) is not None else default for r in points]
        if kind is FieldKind.STRING:
            data: Any = Strings.of(content)
        elif kind is FieldKind.MIXED:
            data = np.empty(len(points), object)
            data[:] = content
        else:
            data = np.array([int(c) if isinstance(c, Span) else c for c in content], DTYPES[kind])
        fields[name] = FieldColumn(kind, data, None if (valid == PRESENT).all() else valid)
    tags = {}
    for name in _TAGS:
        if any(name in row.tags for row in points):
            present = [r.tags[name] for r in points if name in r.tags]
            codes = iter(range(1, len(present) + 1))
            coded = [next(codes) if name in r.tags else 0xFFFFFFFF for r in points]
            tags[name] = TagColumn(np.array(coded, np.uint32), Strings.of(["unused", *present]))
    return Section("m", np.array([r.time for r in points], np.int64), tags, fields, nil_groups())


__all__ = ["OPERATORS", "Regex", "Row", "expressions", "remembering", "rows", "section"]

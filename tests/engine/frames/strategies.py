"""Random frames of every shape, and frames as plain values for comparison."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from engine.frames.groups import group_rows, make_groups
from engine.frames.model import (
    ABSENT_CODE,
    DTYPES,
    Batches,
    Event,
    EventKind,
    FieldColumn,
    Frame,
    GroupInfo,
    Kind,
    Section,
    Span,
    TagColumn,
    nil_groups,
)
from engine.frames.strings import Strings

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=6)
NAME = st.text(st.characters(codec="utf-8"), min_size=1, max_size=4)
VALUES = {
    Kind.FLOAT: st.floats(),
    Kind.INT: INT64,
    Kind.BOOL: st.booleans(),
    Kind.STRING: TEXT,
    Kind.DURATION: INT64,
    Kind.TIME: INT64,
    Kind.MIXED: st.one_of(st.floats(), INT64, st.booleans(), TEXT, INT64.map(Span)),
}

ALL_KINDS = list(Kind)
NO_TIME = [k for k in Kind if k != Kind.TIME]
"""Kinds that keep their name in a mixed column."""


@st.composite
def tag_columns(draw, n):
    words = draw(st.lists(TEXT, min_size=1, max_size=4))
    codes = draw(st.lists(st.sampled_from([*range(len(words)), ABSENT_CODE]), min_size=n, max_size=n))
    return TagColumn(np.array(codes, np.uint32), Strings.of(words))


@st.composite
def field_columns(draw, n, kind=None):
    kind = draw(st.sampled_from(list(Kind))) if kind is None else kind
    values = draw(st.lists(VALUES[kind], min_size=n, max_size=n))
    valid = draw(st.one_of(st.none(), st.lists(st.sampled_from([0, 1, 2]), min_size=n, max_size=n)))
    valid = None if valid is None else np.array(valid, np.uint8)
    if kind == Kind.STRING:
        return FieldColumn(kind, Strings.of(values), valid)
    data = np.empty(n, DTYPES[kind])
    data[:] = values
    return FieldColumn(kind, data, valid)


@st.composite
def sections(draw, *, batch=False, name=None, max_rows=8, kinds=ALL_KINDS):
    n = draw(st.integers(0 if batch else 1, max_rows))
    tags = {k: draw(tag_columns(n)) for k in sorted(draw(st.sets(NAME, max_size=3)))}
    fields = {k: draw(field_columns(n, draw(st.sampled_from(kinds)))) for k in sorted(draw(st.sets(NAME, max_size=4)))}
    time = np.array(draw(st.lists(INT64, min_size=n, max_size=n)), np.int64)
    name = draw(NAME) if name is None else name
    section = Section(name, time, tags, fields, nil_groups())
    dims = draw(st.lists(st.sampled_from([*tags, "zz"]), unique=True, max_size=2))
    by_name = draw(st.booleans())
    if not batch:
        groups, codes = group_rows(section, sorted(dims), by_name)
        return section.with_(groups=groups, group=codes)
    b = draw(st.integers(1, 4))
    cuts = sorted(draw(st.lists(st.integers(0, n), min_size=b - 1, max_size=b - 1)))
    g = draw(st.integers(1, 3)) if dims else 1
    values = [Strings.of(draw(st.lists(TEXT, min_size=g, max_size=g))) for _ in dims]
    groups = make_groups(sorted(dims), by_name, name, values, g)
    codes = np.array(draw(st.lists(st.integers(0, len(groups) - 1), min_size=b, max_size=b)), np.uint32)
    batches = Batches(
        np.array([0, *cuts, n], np.int32), np.array(draw(st.lists(INT64, min_size=b, max_size=b)), np.int64)
    )
    return section.with_(groups=groups, group=codes, batches=batches)


@st.composite
def group_infos(draw):
    dims = tuple(sorted(draw(st.sets(NAME, max_size=2))))
    tags = tuple(draw(TEXT) for _ in dims)
    words = st.integers(0, 2**64 - 1)
    return GroupInfo(draw(NAME), dims, draw(st.booleans()), tags, (draw(words), draw(words)))


@st.composite
def frames(draw, *, edge=None, max_sections=3, max_rows=8, events=True):
    edge = draw(st.sampled_from(["stream", "batch"])) if edge is None else edge
    chosen = draw(st.lists(sections(batch=edge == "batch", max_rows=max_rows), max_size=max_sections))
    count = sum(s.count for s in chosen)
    order = None
    if len(chosen) > 1:
        order = np.repeat(np.arange(len(chosen), dtype=np.uint16), [s.count for s in chosen])
        order = np.array(draw(st.permutations(order.tolist())), np.uint16)
    happened = ()
    if events:
        places = sorted(draw(st.lists(st.integers(0, count), max_size=3)))
        happened = tuple(
            Event(at, draw(st.sampled_from(list(EventKind))), draw(INT64), draw(st.one_of(st.none(), group_infos())))
            for at in places
        )
    position = draw(st.integers(0, 2**40))
    return Frame(edge, draw(TEXT), draw(TEXT), tuple(chosen), order, happened, position, draw(st.integers(0, 5)))


def raw(text):
    return None if text is None else text.encode("utf-8", "surrogateescape")


def plain_value(column, r):
    if column.valid is not None and column.valid[r] != 1:
        return ("null",) if column.valid[r] == 2 else None
    kind, value = column.kind, column.data[r]
    if kind == Kind.MIXED:
        for name, types in (("duration", Span), ("bool", bool), ("int", int), ("float", float)):
            if isinstance(value, types):
                return (name, int(value) if name in ("int", "duration") else value)
        return ("string", raw(value))
    names = {1: "float", 2: "int", 3: "bool", 4: "string", 5: "duration", 6: "time"}
    return (names[int(kind)], raw(value) if kind == Kind.STRING else value.item())


def plain_row(section, r):
    tags = {k: raw(c.at(r)) for k, c in section.tags.items() if c.at(r) is not None}
    fields = {k: v for k, c in section.fields.items() if (v := plain_value(c, r)) is not None}
    return {"time": int(section.time[r]), "tags": tags, "fields": fields}


def plain_units(frame):
    """The frame's points or batches in order, as the independent reader gives them."""
    out = []
    used = [0] * len(frame.sections)
    order = [0] * frame.count if frame.order is None else frame.order.tolist()
    for s in order:
        section, u = frame.sections[s], used[s]
        used[s] += 1
        g = int(section.group_codes()[u])
        tags = {k: raw(v) for k, v in section.groups.tags(g).items()}
        name = section.name if section.groups.by_name else None
        group = (name, tags, tuple(int(h) for h in section.groups.hashes[g]))
        if section.batches is None:
            out.append({"name": section.name, "group": group, **plain_row(section, u)})
        else:
            a, b = section.batches.offsets[u : u + 2].tolist()
            rows = [plain_row(section, r) for r in range(a, b)]
            time = int(section.batches.time[u])
            out.append({"name": section.name, "group": group, "time": time, "rows": rows})
    return out


def plain_events(frame):
    return [
        (
            e.at,
            int(e.kind),
            e.time,
            None if e.group is None else (e.group.name, e.group.dims, e.group.by_name, e.group.tags, e.group.hash),
        )
        for e in frame.events
    ]


def same(a, b):
    """Equality of plain values in which NaN equals itself."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b

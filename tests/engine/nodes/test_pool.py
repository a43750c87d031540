"""Interners and pools: rows of many frames in one set of columns, given back as they came."""

from __future__ import annotations

from typing import Any

import msgpack
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import ABSENT_CODE, Frame, TagColumn, nil_groups
from engine.frames.strings import Strings
from engine.nodes.interner import Interner
from engine.nodes.pool import Pool, schema_of
from engine.nodes.window import WindowOperator
from tests.engine.nodes.messages import SECOND, Batch, Point, frames_of, messages_of
from tests.engine.nodes.strategies import ODD_VALUES

TEXTS = st.sampled_from(["", "a", "b", "ab", "é", "x" * 40, "\udcff"])


@given(st.lists(st.lists(st.one_of(st.none(), TEXTS, st.text(max_size=3)), max_size=12), max_size=8))
def test_an_interner_gives_equal_strings_one_number(columns: list[list[str | None]]) -> None:
    interner = Interner()
    numbers: dict[str, int] = {}
    for values in columns:
        # A dictionary with a repeated and an unused entry.
        texts = [*[v or "" for v in values], "unused", *[v or "" for v in values]]
        codes = np.array([ABSENT_CODE if v is None else i for i, v in enumerate(values)], np.uint32)
        out = np.empty(len(values), np.uint32)
        interner.number(TagColumn(codes, Strings.of(texts)), out)
        for value, number in zip(values, out.tolist(), strict=True):
            if value is None:
                assert number == ABSENT_CODE
            else:
                assert numbers.setdefault(value, number) == number
    assert interner.values().to_list() == sorted(numbers, key=numbers.__getitem__)


def test_an_interner_grows_without_bound_of_its_own() -> None:
    interner = Interner()
    for start in range(0, 5_000, 7):
        values = Strings.of([f"host-{i}" for i in range(start, start + 7)])
        out = np.empty(7, np.uint32)
        interner.number(TagColumn(np.arange(7, dtype=np.uint32), values), out)
        assert out.tolist() == list(range(start, start + 7))
    assert interner.values()[4_999] == "host-4999"


@given(
    st.lists(st.lists(st.tuples(ODD_VALUES, st.sampled_from([{}, {"h": "a"}])), min_size=1, max_size=6), max_size=6),
    st.data(),
)
def test_a_pool_gives_rows_back_as_they_came(
    parts: list[list[tuple[Any, dict[str, str]]]], data: st.DataObject
) -> None:
    pools: dict[Any, Pool] = {}
    held: dict[Any, list[Any]] = {}
    for part in parts:
        points = [Point("m", i, {"v": value}, tags) for i, (value, tags) in enumerate(part)]
        for section in frames_of(points, "stream", [])[0].sections:
            key = schema_of(section)
            pool = pools.setdefault(key, Pool(section))
            first = pool.append(section)
            rows = held.setdefault(key, [])
            assert first == len(rows)
            rows += _points(section)
    for key, pool in pools.items():
        rows = held[key]
        index = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8)), np.int64)
        assert _points(pool.section(index, "m", nil_groups())) == [rows[i] for i in index.tolist()]
        restored = Pool.restored(msgpack.unpackb(msgpack.packb(pool.snapshot())))
        for kept in (pool, restored):
            kept.keep(index)
            assert kept.used == len(index)
            whole = kept.section(np.arange(len(index)), "m", nil_groups())
            assert _points(whole) == [rows[i] for i in index.tolist()]


def _points(section: Any) -> list[Any]:
    return messages_of([Frame("stream", sections=(section,))])


def test_a_long_run_keeps_memory_near_what_is_alive() -> None:
    window = WindowOperator(period=10 * SECOND, every=5 * SECOND)
    out = 0
    for t in range(400):
        points = [
            Point("m", t * SECOND, {"v": float(i), "s": f"text {t}"}, {"h": str(i), "id": str(t * 50 + i)}, ("h",))
            for i in range(50)
        ]
        for frame in frames_of(points, "stream", []):
            out += sum(len(b.rows) for b in messages_of(window.collect(frame, 0)) if isinstance(b, Batch))
    assert out > 30_000
    queues = window._queues
    # 50 groups with some 15 s of points alive.
    assert len(queues.link) <= 20_000
    [pool] = queues._pools
    assert pool._room <= 20_000
    assert pool._tags["id"].interner.count < 30_000

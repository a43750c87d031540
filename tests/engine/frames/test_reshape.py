"""Choosing, cutting and joining frames changes neither rows, nor their order, nor the place of events."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.chunks import Assembler, chunk
from engine.frames.codec import decode, encode
from engine.frames.header import WireError
from engine.frames.reshape import (
    concat_frames,
    cut,
    filter_rows,
    runs,
    select_sections,
    slice_frame,
    take,
    widen,
)
from tests.engine.frames.strategies import NO_TIME, frames, plain_events, plain_row, plain_units, same, sections


def walk(frame):
    """Units and events as one sequence."""
    units, events = plain_units(frame), plain_events(frame)
    out = []
    for i in range(len(units) + 1):
        out += [("event", e[1:]) for e in events if e[0] == i]
        if i < len(units):
            out.append(("unit", units[i]))
    return out


@given(frames(), st.integers(1, 5))
def test_cutting_and_joining_gives_the_frame_back(frame, most):
    pieces = cut(frame, most)
    assert all(p.count <= most for p in pieces)
    assert [p.position for p in pieces[:-1]] == [0] * (len(pieces) - 1)
    assert same([x for p in pieces for x in walk(p)], walk(frame))
    whole = concat_frames(pieces)
    assert same(walk(whole), walk(frame))
    assert whole.position == frame.position


@given(frames(), st.data())
def test_a_slice_has_the_units_and_events_of_its_range(frame, data):
    count = frame.count
    start = data.draw(st.integers(0, count))
    stop = data.draw(st.integers(start, count))
    piece = slice_frame(frame, start, stop)
    assert same(plain_units(piece), plain_units(frame)[start:stop])
    expected = [e for e in plain_events(frame) if start <= e[0] < stop or (stop == count and e[0] >= stop)]
    assert [e[1:] for e in plain_events(piece)] == [e[1:] for e in expected]
    assert same(plain_units(decode(encode(piece))), plain_units(piece))


@given(st.lists(frames(edge="stream"), min_size=1, max_size=4))
def test_joined_frames_follow_each_other(many):
    many = [f.with_(db="d", rp="r") for f in many]
    assert same(walk(concat_frames(many)), [x for f in many for x in walk(f)])


@given(frames(), st.data())
def test_choosing_sections_keeps_their_rows_in_order(frame, data):
    names = st.sets(st.sampled_from(range(len(frame.sections)))) if frame.sections else st.just(set())
    wanted = sorted(data.draw(names))
    order = [0] * frame.count if frame.order is None else frame.order.tolist()
    expected = [u for u, s in zip(plain_units(frame), order, strict=True) if s in wanted]
    chosen = select_sections(frame, wanted)
    assert same(plain_units(chosen), expected)
    kept = [sum(1 for s in order[: e.at] if s in wanted) for e in frame.events]
    assert [e.at for e in chosen.events] == kept


@given(frames())
def test_runs_name_every_unit_once_in_order(frame):
    order = []
    used = [0] * len(frame.sections)
    for s, start, stop in runs(frame):
        assert start == used[s]
        used[s] = stop
        order += [s] * (stop - start)
    expected = [0] * frame.count if frame.order is None else frame.order.tolist()
    assert order == expected


@given(sections(max_rows=100), st.data())
def test_filtering_keeps_exactly_the_rows_of_the_mask(section, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=section.rows, max_size=section.rows)))
    kept = filter_rows(section, mask)
    assert same([plain_row(kept, r) for r in range(kept.rows)], [plain_row(section, r) for r in np.flatnonzero(mask)])


@given(sections(batch=True), st.data())
def test_filtering_a_batch_section_keeps_every_batch(section, data):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=section.rows, max_size=section.rows)), bool)
    kept = filter_rows(section, mask)
    assert len(kept.batches) == len(section.batches)
    for b in range(len(section.batches)):
        a, z = section.batches.offsets[b : b + 2]
        expected = [plain_row(section, r) for r in range(a, z) if mask[r]]
        a, z = kept.batches.offsets[b : b + 2]
        assert same([plain_row(kept, r) for r in range(a, z)], expected)


@given(frames(max_sections=1, events=False), st.data())
def test_taking_units_gives_them_in_the_asked_order(frame, data):
    if not frame.count:
        return
    index = data.draw(st.lists(st.integers(0, frame.count - 1), max_size=8))
    units = plain_units(frame)
    taken = frame.with_(sections=(take(frame.sections[0], np.array(index, np.int64)),))
    assert same(plain_units(taken), [units[i] for i in index])


@given(sections(name="m", kinds=NO_TIME), sections(name="m", kinds=NO_TIME))
def test_widened_sections_keep_their_rows(a, b):
    for before, after in zip((a, b), widen([a, b]), strict=True):
        assert same(
            [plain_row(after, r) for r in range(after.rows)], [plain_row(before, r) for r in range(before.rows)]
        )
    wide = widen([a, b])
    assert list(wide[0].tags) == list(wide[1].tags)
    assert {k: c.kind for k, c in wide[0].fields.items()} == {k: c.kind for k, c in wide[1].fields.items()}


@given(frames(edge="batch", max_sections=1, events=False, max_rows=40), st.integers(1, 7))
def test_a_large_batch_travels_in_pieces_and_arrives_whole(frame, most):
    for one in cut(frame, 1):
        assembler = Assembler()
        arrived = [f for piece in chunk(one, most) if (f := assembler.take(decode(encode(piece)))) is not None]
        assert len(arrived) == 1
        assert same(plain_units(arrived[0]), plain_units(one))
        assert arrived[0].position == one.position


@given(frames(edge="batch", max_sections=1, events=False, max_rows=40))
def test_pieces_out_of_order_are_a_wire_error(frame):
    for one in cut(frame, 1):
        pieces = list(chunk(one, 2))
        if len(pieces) < 2:
            continue
        with pytest.raises(WireError):
            Assembler().take(pieces[1])
        assembler = Assembler()
        assembler.take(pieces[0])
        with pytest.raises(WireError):
            assembler.take(pieces[0])

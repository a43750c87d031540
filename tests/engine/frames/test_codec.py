"""The codec: what goes out comes back, an independent reader agrees, and nothing that is no frame gets through."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.frames.codec import decode, encode
from engine.frames.groups import group_rows, make_groups
from engine.frames.header import WireError
from engine.frames.model import (
    Batches,
    Columns,
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
from tests.engine.frames import independent_reader
from tests.engine.frames.strategies import frames, plain_events, plain_units, same

GOLDEN = Path(__file__).parent / "golden.json"


def golden_frames():
    stream = Section(
        "cpu",
        np.array([1, 2, 3], np.int64),
        {"host": TagColumn(np.array([0, 1, 0xFFFFFFFF], np.uint32), Strings.of(["a", "b"]))},
        {
            "f": FieldColumn(Kind.FLOAT, np.array([1.5, 0.0, -2.0]), np.array([1, 0, 2], np.uint8)),
            "i": FieldColumn(Kind.INT, np.array([1, 2, 3], np.int64)),
            "b": FieldColumn(Kind.BOOL, np.array([True, False, True])),
            "s": FieldColumn(Kind.STRING, Strings.of(["x", "", "zz"])),
            "d": FieldColumn(Kind.DURATION, np.array([1, 2, 3], np.int64)),
            "m": FieldColumn(Kind.MIXED, np.array([1, "one", Span(7)], object)),
        },
        nil_groups(),
    )
    groups, codes = group_rows(stream, ["host"], by_name=True)
    grouped = stream.with_(groups=groups, group=codes)
    other = Section("mem", np.array([9], np.int64), {}, {}, nil_groups())
    batch = Section(
        "cpu",
        np.array([1, 2, 3], np.int64),
        {},
        {"v": FieldColumn(Kind.FLOAT, np.array([1.0, 2.0, 3.0]))},
        make_groups(["h"], False, "cpu", [Strings.of(["p", "q"])], 2),
        np.array([1, 0], np.uint32),
        Batches(np.array([0, 2, 3], np.int32), np.array([10, 20], np.int64)),
    )
    event = Event(1, EventKind.BARRIER, 5, GroupInfo("cpu", ("host",), True, ("a",), (1, 2)))
    return {
        "stream": Frame("stream", "db", "rp", (stream,), position=7),
        "sections": Frame("stream", "db", "rp", (grouped, other), np.array([0, 1, 0, 0], np.uint16), (event,)),
        "batch": Frame("batch", sections=(batch,), parent=2),
        "progress": Frame("stream", position=99),
    }


@given(frames())
def test_a_frame_comes_back_as_it_was(frame):
    back = decode(encode(frame))
    assert same(plain_units(back), plain_units(frame))
    assert plain_events(back) == plain_events(frame)
    assert (back.edge, back.db, back.rp) == (frame.edge, frame.db, frame.rp)
    assert (back.position, back.parent) == (frame.position, frame.parent)
    assert [s.schema for s in back.sections] == [s.schema for s in frame.sections]


@given(frames())
def test_an_independent_reader_agrees(frame):
    read = independent_reader.read(encode(frame))
    assert same(read["units"], plain_units(frame))
    assert read["events"] == plain_events(frame)
    assert (read["batch"], read["db"], read["rp"]) == (frame.edge == "batch", frame.db, frame.rp)
    assert (read["position"], read["parent"]) == (frame.position, frame.parent)


@pytest.mark.parametrize("name", list(golden_frames()))
def test_the_bytes_of_version_1_stay_what_they_are(name):
    golden = [base64.b64decode(p) for p in json.loads(GOLDEN.read_text())[name]]
    frame = golden_frames()[name]
    assert encode(frame) == golden
    assert same(plain_units(decode(golden)), plain_units(frame))


@given(frames(), st.data())
def test_a_flipped_byte_is_another_frame_or_a_wire_error(frame, data):
    parts = [bytearray(p) for p in encode(frame)]
    part = data.draw(st.sampled_from(range(len(parts))))
    if parts[part]:
        parts[part][data.draw(st.integers(0, len(parts[part]) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        plain_units(decode(parts))
    except WireError:
        return


@given(frames(), st.data())
def test_a_truncated_message_is_a_wire_error(frame, data):
    parts = encode(frame)
    part = data.draw(st.integers(0, len(parts) - 1))
    cut = data.draw(st.integers(0, len(parts[part]) - 1))
    with pytest.raises(WireError):
        decode([*parts[:part], parts[part][:cut], *parts[part + 1 :]])


@given(st.lists(st.binary(max_size=200), max_size=4))
@settings(max_examples=200)
def test_garbage_is_a_wire_error(parts):
    with pytest.raises(WireError):
        decode(parts)


def test_a_claimed_size_allocates_nothing():
    frame = golden_frames()["stream"]
    parts = encode(frame)
    header = msgpack.unpackb(parts[0])
    header["sections"][0][1] = 2**40
    with pytest.raises(WireError):
        decode([msgpack.packb(header), *parts[1:]])


def test_parts_that_lie_unaligned_in_memory_are_read_all_the_same():
    frame = golden_frames()["sections"]
    for shift in range(8):
        views = []
        for p in encode(frame):
            held = bytearray(len(p) + 16)
            held[shift : shift + len(p)] = p
            views.append(memoryview(held)[shift : shift + len(p)])
        assert same(plain_units(decode(views)), plain_units(frame))


def test_columns_that_share_their_strings_share_the_buffer():
    section = golden_frames()["sections"].sections[0]
    host = Strings.of([f"server{i:05}" for i in range(1000)])
    column = TagColumn(np.zeros(3, np.uint32), host)
    once = sum(map(len, encode(Frame("stream", sections=(section.with_(tags={"host": column}),)))))
    twice = sum(map(len, encode(Frame("stream", sections=(section.with_(tags={"host": column, "node": column}),)))))
    assert twice - once < 100


@given(frames())
def test_a_section_that_nobody_changed_goes_on_as_it_came(frame):
    parts = encode(frame)
    again = encode(decode(parts).with_(position=17))
    assert len(again) == len(parts)
    first = len(parts) - len(frame.sections)
    assert all(a is p for a, p in zip(again[first:], parts[first:], strict=True))
    assert same(plain_units(decode(again)), plain_units(frame))


_some = st.none() | st.sets(st.sampled_from("abcdefgh"))


@given(frames(), _some, _some)
def test_columns_that_nobody_wants_are_left_out(frame, fields, tags):
    if fields is not None and frame.sections:
        fields |= set(list(frame.sections[0].fields)[:1])
    columns = Columns.of(fields, tags)
    found = decode(encode(frame), columns)
    thinned = frame.with_(
        sections=tuple(
            s.with_(
                tags={k: c for k, c in s.tags.items() if tags is None or k in tags or k in s.groups.dims},
                fields={k: c for k, c in s.fields.items() if fields is None or k in fields},
            )
            for s in frame.sections
        )
    )
    assert same(plain_units(found), plain_units(thinned))
    # What is sent on from here has no more than that either.
    assert same(plain_units(decode(encode(found))), plain_units(thinned))


def test_a_changed_section_forgets_what_it_was_decoded_from():
    section = decode(encode(next(iter(golden_frames().values())))).sections[0]
    assert section.wire is not None
    assert section.with_(name="other").wire is None

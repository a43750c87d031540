"""The bytes of a record: fixed, verified, and found again behind damage."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ingest_log.record import (
    HEAD_BYTES,
    KIND_SEAL,
    MAX_PARTS,
    MAX_ROWS,
    decode_body,
    decode_head,
    encode,
    find_next,
)


def record(parts, **values) -> bytes:
    settings = {"position": 1, "rows_before": 0, "time": 0, "rows": 1} | values
    buffers, total = encode(parts, **settings)
    data = b"".join(buffers)
    assert len(data) == total
    return data


def test_the_layout_is_the_documented_one():
    data = record([b"ab", b"", b"cde"], position=7, rows_before=40, time=1_600_000_000_000_000_001, rows=3)
    body = bytes.fromhex("02000000 00000000 03000000") + b"abcde"
    head = (
        bytes.fromhex("11000000")  # 17 bytes of body
        + bytes.fromhex("0700000000000000 2800000000000000")
        + bytes.fromhex("0100a0d885573416")
        + bytes.fromhex("03000000 03000000")
        + zlib.crc32(body).to_bytes(4, "little")
        + bytes(4)
    )
    assert data == zlib.crc32(head).to_bytes(4, "little") + head + body + bytes(7)
    assert len(data) % 8 == 0


@given(
    st.lists(st.binary(max_size=40), max_size=6),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, MAX_ROWS),
)
def test_what_is_written_is_read_back(parts, position, rows_before, time, rows):
    data = b"12345678" + record(parts, position=position, rows_before=rows_before, time=time, rows=rows)
    head = decode_head(data, 8)
    assert head is not None
    assert (head.position, head.rows_before, head.time, head.rows) == (position, rows_before, time, rows)
    assert 8 + head.total == len(data)
    assert [bytes(part) for part in decode_body(memoryview(data), 8, head)] == parts


@given(st.lists(st.binary(max_size=20), max_size=4), st.data())
def test_any_flipped_bit_but_in_the_padding_is_noticed(parts, data):
    clean = record(parts)
    used = HEAD_BYTES + 4 * len(parts) + sum(map(len, parts))
    bit = data.draw(st.integers(0, used * 8 - 1))
    broken = bytearray(clean)
    broken[bit // 8] ^= 1 << (bit % 8)
    head = decode_head(broken, 0)
    if bit // 8 < HEAD_BYTES:
        assert head is None
    else:
        assert decode_body(memoryview(broken), 0, head) is None


@given(st.binary(max_size=HEAD_BYTES * 2), st.integers(0, HEAD_BYTES))
def test_arbitrary_bytes_are_no_head(data, at):
    assert decode_head(data, at) is None


def test_views_of_wider_items_are_counted_in_bytes():
    data = record([memoryview(b"12345678").cast("d"), bytearray(b"x")])
    head = decode_head(data, 0)
    assert [bytes(part) for part in decode_body(memoryview(data), 0, head)] == [b"12345678", b"x"]


@pytest.mark.parametrize(("parts", "rows"), [([b""] * (MAX_PARTS + 1), 1), ([b"x"], MAX_ROWS + 1)])
def test_what_no_record_can_hold_is_refused(parts, rows):
    with pytest.raises(ValueError, match="at most"):
        record(parts, rows=rows)


def test_the_next_record_is_found_behind_a_broken_head():
    first, second, third = (record([b"x" * 9], position=position) for position in (5, 6, 7))
    data = bytearray(first + second + third)
    data[4] ^= 1
    assert find_next(data, 0, 5) == (len(first), decode_head(second, 0))
    data[len(first) + 30] ^= 1
    assert find_next(data, 0, 5) == (len(first + second), decode_head(third, 0))
    data[len(first + second)] ^= 1
    assert find_next(data, 0, 5) is None


def test_a_position_in_the_data_is_not_taken_for_a_record():
    decoy = (6).to_bytes(8, "little") * 12
    data = bytearray(record([decoy], position=5) + record([b""], position=6, kind=KIND_SEAL))
    data[0] ^= 1
    assert find_next(data, 0, 5)[0] == len(record([decoy], position=5))

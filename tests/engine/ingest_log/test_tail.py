"""The tail: recent frames, bounded, without holes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.ingest_log.record import Entry
from engine.ingest_log.tail import Tail


def entry(position: int, size: int) -> Entry:
    return Entry(position, 1, [b"x" * size], position - 1, 0)


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=40), st.integers(0, 5000), st.integers(1, 45))
def test_it_holds_the_newest_frames_within_its_bound(sizes, bound, drop):
    tail = Tail(bound)
    for position, size in enumerate(sizes, 1):
        tail.push(entry(position, size))
        assert tail.bytes <= bound or len(tail) == 1
    oldest = len(sizes) - len(tail) + 1
    assert tail.read(oldest - 1, 10**9) == []
    assert [held.position for held in tail.read(oldest, 10**9)] == list(range(oldest, len(sizes) + 1))
    tail.drop_before(drop)
    assert len(tail) == min(len(sizes) - oldest + 1, max(0, len(sizes) - drop + 1))
    assert (tail.bytes == 0) == (len(tail) == 0)


def test_a_read_is_bounded_but_never_empty_handed():
    tail = Tail(10**9)
    for position in (1, 2, 3):
        tail.push(entry(position, 1000))
    assert [held.position for held in tail.read(1, 10)] == [1]
    assert [held.position for held in tail.read(1, 3100)] == [1, 2]
    assert tail.read(4, 10) == []


def test_the_parts_are_the_very_objects_that_were_given():
    part = bytearray(b"abc")
    tail = Tail(1000)
    tail.push(Entry(1, 1, [part], 0, 0))
    assert tail.read(1, 1)[0].parts[0] is part

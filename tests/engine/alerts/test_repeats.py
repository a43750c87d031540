"""Events that a node tells again after a crash."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.alerts import repeats
from engine.alerts.repeats import Told, key
from tests.engine.alerts.things import event


def tell(told: Told, before: int, upto: int, keys: list[int]) -> list[int]:
    """What is new of a message."""
    told.begin(before)
    new = [k for k in keys if not (told.expecting and told.repeats(k))]
    told.add(upto, keys)
    return new


def test_an_event_is_the_same_by_id_time_and_level() -> None:
    assert key(event("a", 1, 5)) == key(event("a", 1, 5, message="other", duration=7))
    assert len({key(e) for e in (event("a", 1, 5), event("b", 1, 5), event("a", 2, 5), event("a", 1, 6))}) == 4


def test_without_a_crash_everything_is_new() -> None:
    told = Told()
    assert [tell(told, i, i + 1, [7, 7]) for i in range(3)] == [[7, 7]] * 3


def test_what_was_told_behind_the_position_is_known_once_each_time_it_was_told() -> None:
    first = Told()
    tell(first, 0, 1, [1])
    tell(first, 1, 3, [2, 2, 3])
    second = Told(first)
    # From position 1 on: the 1 cannot come again, and is new if it does.
    assert tell(second, 1, 2, [1, 2]) == [1]
    assert tell(second, 2, 3, [2, 2, 3]) == [2]


def test_behind_the_end_of_what_was_told_everything_is_new() -> None:
    first = Told()
    tell(first, 0, 3, [1, 2])
    second = Told(first)
    assert tell(second, 0, 2, [1]) == []
    assert tell(second, 3, 4, [2]) == [2]


def test_a_second_crash_does_not_make_new_what_the_first_told() -> None:
    first = Told()
    tell(first, 0, 5, [1, 2, 3])
    second = Told(first)
    assert tell(second, 0, 1, [1]) == []
    third = Told(second)
    assert tell(third, 0, 5, [1, 2, 3, 4]) == [4]
    assert tell(Told(Told(first)), 0, 5, [1, 2, 3, 4]) == [4], "one that told nothing passes on what it knew"


def test_of_more_than_the_bound_the_oldest_are_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(repeats, "MOST", 4)
    first = Told()
    tell(first, 0, 1, [1, 2])
    tell(first, 1, 2, [3, 4, 5])
    assert tell(Told(first), 0, 2, [1, 3]) == [1]


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=8), st.data())
def test_whatever_the_cut_each_event_is_new_exactly_once(inputs: list[list[int]], data: st.DataObject) -> None:
    """Inputs at positions 1, 2, …; a node that crashes anywhere, begins again at or behind its last begin, and merges them."""
    seen: list[int] = []
    told, start = Told(), 0
    for crash in (True, True, False):
        stop = data.draw(st.integers(start, len(inputs))) if crash else len(inputs)
        bounds = [start]
        while bounds[-1] < stop:
            at, upto = bounds[-1], data.draw(st.integers(bounds[-1] + 1, stop))
            seen += tell(told, at, upto, [k for keys in inputs[at:upto] for k in keys])
            bounds.append(upto)
        told, start = Told(told), data.draw(st.sampled_from(bounds)) if crash else 0
    assert Counter(seen) == Counter(k for keys in inputs for k in keys)


@given(st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=8), st.data())
def test_wherever_a_node_begins_again_nothing_is_lost(inputs: list[list[int]], data: st.DataObject) -> None:
    """It may be between two positions that it never stood at: what it told across it may be told twice."""
    seen: list[int] = []
    crash = data.draw(st.integers(0, len(inputs)))
    first = Told()
    if crash:
        seen += tell(first, 0, crash, [k for keys in inputs[:crash] for k in keys])
    start = data.draw(st.integers(0, crash))
    if start < len(inputs):
        seen += tell(Told(first), start, len(inputs), [k for keys in inputs[start:] for k in keys])
    assert Counter(seen) >= Counter(k for keys in inputs for k in keys)

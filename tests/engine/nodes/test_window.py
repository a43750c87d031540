"""Windows: the vectors of the spec, and every cutting of random streams against a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.nodes.window import WindowOperator
from engine.operator import TaskError
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Barrier, Batch, Delete, Group, Point, Row, through
from tests.engine.nodes.models import CountWindow, TimeWindow
from tests.engine.nodes.strategies import ODD_VALUES, check, streams

DURATIONS = st.sampled_from([0, S, 2 * S, 3 * S, 7 * S, 10 * S, S // 2])


def points(*seconds: int) -> list[Point]:
    return [Point("m", t * S, {"v": float(t)}) for t in seconds]


def shown(messages: list[object]) -> list[tuple[float, list[float]]]:
    return [(b.time / S, [r.time / S for r in b.rows]) for b in messages if isinstance(b, Batch)]


@pytest.mark.parametrize("cuts", [None, []])
class TestVectors:
    """Section 21, numbers 1 to 10."""

    def test_unaligned_windows_drift_with_gaps(self, cuts: list[int] | None) -> None:
        out = through(WindowOperator(period=3 * S, every=2 * S), points(0, 7, 8, 9, 10, 11), cuts=cuts)
        assert shown(out) == [(2, [0]), (9, [7, 8]), (11, [8, 9, 10])]

    def test_aligned_windows_leave_at_multiples(self, cuts: list[int] | None) -> None:
        out = through(WindowOperator(period=3 * S, every=2 * S, align=True), points(0, 7, 8, 9, 10, 11), cuts=cuts)
        assert shown(out) == [(2, [0]), (8, [7]), (10, [7, 8, 9])]

    def test_fill_period_waits_for_a_whole_period(self, cuts: list[int] | None) -> None:
        out = through(WindowOperator(period=14 * S, every=10 * S, fill_period=True), points(*range(15)), cuts=cuts)
        assert shown(out) == [(14, list(range(14)))]

    def test_fill_period_aligned_drops_the_first_points(self, cuts: list[int] | None) -> None:
        window = WindowOperator(period=14 * S, every=10 * S, fill_period=True, align=True)
        assert shown(through(window, points(*range(21)), cuts=cuts)) == [(20, list(range(6, 20)))]

    def test_without_fill_the_first_batch_is_short(self, cuts: list[int] | None) -> None:
        out = through(WindowOperator(period=14 * S, every=10 * S), points(*range(11)), cuts=cuts)
        assert shown(out) == [(10, list(range(10)))]

    def test_every_zero_leaves_on_every_point(self, cuts: list[int] | None) -> None:
        out = through(WindowOperator(period=5 * S, every=0, fill_period=True), points(*range(8)), cuts=cuts)
        assert shown(out) == [(5, [1, 2, 3, 4, 5]), (6, [2, 3, 4, 5, 6]), (7, [3, 4, 5, 6, 7])]

    def test_count_windows_grow_to_the_period(self, cuts: list[int] | None) -> None:
        out = through(WindowOperator(period_count=3, every_count=1), points(*range(12)), cuts=cuts)
        assert [len(b.rows) for b in out if isinstance(b, Batch)] == [1, 2] + [3] * 10

    def test_filled_count_windows_have_constant_size(self, cuts: list[int] | None) -> None:
        out = through(WindowOperator(period_count=4, every_count=1, fill_period=True), points(*range(12)), cuts=cuts)
        assert [len(b.rows) for b in out if isinstance(b, Batch)] == [4] * 9

    def test_late_points_leave_in_order_of_arrival(self, cuts: list[int] | None) -> None:
        out = through(WindowOperator(period=10 * S, every=10 * S), points(0, 10, 11, 2, 12, 20), cuts=cuts)
        assert shown(out) == [(10, [0]), (20, [10, 11, 2, 12])]

    def test_a_short_period_may_leave_empty_batches(self, cuts: list[int] | None) -> None:
        out = through(WindowOperator(period=S, every=5 * S), points(0, 1, 6, 12), cuts=cuts)
        assert shown(out) == [(5, []), (11, [])]

    def test_a_wrapped_buffer_drops_what_lies_before_a_late_point(self, cuts: list[int] | None) -> None:
        out = through(WindowOperator(period=10 * S, every=5 * S), points(0, 4, 6, 3, 10, 8, 15, 20), cuts=cuts)
        assert shown(out) == [(5, [0, 4]), (11, [4, 6, 3, 10, 8]), (20, [15])]


def test_batches_carry_group_tags_and_all_columns_of_their_points() -> None:
    given_points = [
        Point("m", 0, {"v": 1.0, "s": "x"}, {"h": "a", "r": "1"}, ("h",)),
        Point("m", S, {"v": 2}, {"h": "a"}, ("h",)),
        Point("m", 5 * S, {"w": True}, {"h": "a"}, ("h",)),
    ]
    out = through(WindowOperator(period=5 * S, every=5 * S), given_points, cuts=[])
    assert out == [
        Batch(
            "m",
            5 * S,
            (Row(0, {"v": 1.0, "s": "x"}, {"h": "a", "r": "1"}), Row(S, {"v": 2}, {"h": "a"})),
            Group(("h",), ("a",)),
        )
    ]


def test_a_barrier_makes_a_batch_leave_and_is_swallowed() -> None:
    window = WindowOperator(period=5 * S, every=5 * S)
    out = through(window, [*points(0, 1), Barrier(Group(), 5 * S), Barrier(Group(), 7 * S), *points(11)], cuts=[])
    assert shown(out) == [(5, [0, 1]), (10, [])]
    assert all(isinstance(m, Batch) for m in out)


def test_a_group_known_by_a_barrier_alone_emits_nothing() -> None:
    window = WindowOperator(period=S, every=S)
    out = through(window, [Barrier(Group(), 0), Barrier(Group(), 5 * S), *points(5, 6)], cuts=[])
    assert [(b.name, b.time) for b in out if isinstance(b, Batch)] == [("m", 6 * S)]


def test_a_deleted_group_begins_anew() -> None:
    window = WindowOperator(period=5 * S, every=5 * S)
    out = through(window, [*points(0), Delete(Group()), *points(3, 7, 8)], cuts=[])
    assert out[0] == Delete(Group())
    assert shown(out) == [(8, [3, 7])]
    assert window.cardinality == 1


def test_a_window_needs_a_period() -> None:
    with pytest.raises(TaskError, match="must have either a non zero period or non zero period count"):
        WindowOperator(every=S)


def test_one_group_larger_than_a_frame_leaves_whole() -> None:
    window = WindowOperator(period=20_000, every=20_000)
    many = [Point("m", t, {"v": t}) for t in range(20_001)]
    out = through(window, many, cuts=list(range(0, 20_001, 4_096)))
    assert [len(b.rows) for b in out if isinstance(b, Batch)] == [20_000]
    assert [r.fields["v"] for r in out[0].rows] == list(range(20_000))  # type: ignore[union-attr]


@given(streams(ODD_VALUES), DURATIONS, DURATIONS, st.booleans(), st.booleans(), st.data())
def test_windows_by_time_are_those_of_the_model(
    messages: list[object], period: int, every: int, align: bool, fill: bool, data: st.DataObject
) -> None:
    properties = {"period": period or S, "every": every, "align": align, "fill_period": fill}
    check(lambda: WindowOperator(**properties), TimeWindow(**properties), messages, data)


@given(streams(ODD_VALUES), st.integers(1, 5), st.integers(1, 7), st.booleans(), st.data())
def test_windows_by_count_are_those_of_the_model(
    messages: list[object], period: int, every: int, fill: bool, data: st.DataObject
) -> None:
    properties = {"period_count": period, "every_count": every, "fill_period": fill}
    check(lambda: WindowOperator(**properties), CountWindow(**properties), messages, data)

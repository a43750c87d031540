"""InfluxQL functions: vectors of the spec, and every cutting of random input against models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM
from engine.nodes.aggregates import AggregateOperator, CountOperator
from engine.nodes.lists import BestOperator, DistinctOperator
from engine.nodes.selectors import FirstLastOperator, MinMaxOperator, PercentileOperator
from engine.nodes.transforms import TransformOperator
from engine.nodes.window import WindowOperator
from tests.engine.nodes import models
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Barrier, Batch, Group, Message, Point, Row, through
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, check, streams

if TYPE_CHECKING:
    from collections.abc import Callable


def make(function: str, *, stream: bool, **more: Any) -> Any:
    """The operator of a function over the field `v`."""
    kinds: dict[str, Callable[..., Any]] = {
        "count": CountOperator, "first": FirstLastOperator, "last": FirstLastOperator, "min": MinMaxOperator,
        "max": MinMaxOperator, "percentile": PercentileOperator, "distinct": DistinctOperator, "top": BestOperator,
        "bottom": BestOperator, "elapsed": TransformOperator, "difference": TransformOperator,
        "movingAverage": TransformOperator, "cumulativeSum": TransformOperator,
    }  # fmt: skip
    more = {"as_": function, "field": "v", **more}
    return kinds.get(function, AggregateOperator)(function=function, stream=stream, **more)


def model(function: str, *, stream: bool, **more: Any) -> Any:
    properties = {"as_": function, "field": "v", "stream": stream, **more}
    if function == "count":
        return models.Count(**properties)
    if function in models.PICKS:
        return models.Select(function=function, **properties)
    if function in {"distinct", "top", "bottom"}:
        return models.Listed(function=function, **properties)
    if function in {"elapsed", "difference", "movingAverage", "cumulativeSum"}:
        return models.Transform(function=function, **properties)
    return models.Aggregate(function=function, **properties)


def stream_of(*pairs: tuple[int, Any]) -> list[Message]:
    """Points of a time and a value; None stands for a point without the field."""
    return [Point("m", t * S, {"w": 1} if v is None else {"v": v}) for t, v in pairs]


def values(messages: list[Message], name: str) -> list[tuple[float, Any]]:
    return [(m.time / S, m.fields[name]) for m in messages if isinstance(m, Point)]


def run_of(function: str, *pairs: tuple[int, Any], cuts: Any = None, **more: Any) -> list[tuple[float, Any]]:
    return values(through(make(function, stream=True, **more), stream_of(*pairs), cuts=cuts), function)


@pytest.mark.parametrize("cuts", [None, []])
class TestVectors:
    """Section 21, numbers 17 to 22, 25, 40 to 42."""

    def test_a_stream_is_reduced_by_equal_consecutive_times(self, cuts: Any) -> None:
        assert run_of("mean", (1, 1.0), (1, 3.0), (2, 5.0), (1, 7.0), (4, 9.0), cuts=cuts) == [
            (1, 2.0),
            (2, 5.0),
            (1, 7.0),
        ]

    def test_the_type_is_that_of_each_run(self, cuts: Any) -> None:
        operator = make("mean", stream=True)
        out = through(operator, stream_of((1, 1.0), (2, "a"), (3, 4), (4, 9.0)), cuts=cuts)
        assert values(out, "mean") == [(1, 1.0), (3, 4.0)]
        assert operator.report.errors == 1
        record = operator.report.records[0]
        assert record.message == "failed to realize reduce context from fields"
        assert record.fields["error"] == "invalid influxql func mean with field v: cannot apply mean to string field"

    def test_cumulative_sum_says_its_last_output_again(self, cuts: Any) -> None:
        assert run_of("cumulativeSum", (1, 1.0), (2, None), (3, 5.0), cuts=cuts) == [(1, 1.0), (1, 1.0), (3, 6.0)]

    def test_elapsed_says_its_last_output_again(self, cuts: Any) -> None:
        out = run_of("elapsed", (1, 1.0), (3, 1.0), (4, None), (9, 1.0), cuts=cuts, unit=S)
        assert out == [(3, 2), (3, 2), (9, 6)]

    def test_difference_ignores_a_second_point_of_one_time(self, cuts: Any) -> None:
        assert run_of("difference", (1, 1.0), (3, 3.0), (4, None), (3, 5.0), (9, 9.0), cuts=cuts) == [
            (3, 2.0),
            (9, 6.0),
        ]

    def test_moving_average_waits_for_its_window(self, cuts: Any) -> None:
        out = run_of("movingAverage", *[(t, float(t)) for t in range(6)], cuts=cuts, n=4)
        assert out == [(3, 1.5), (4, 2.5), (5, 3.5)]

    def test_selectors_keep_all_fields_and_tags_of_their_point(self, cuts: Any) -> None:
        points: list[Message] = [
            Point("m", 0, {"v": 1.0, "w": 7.0}, {"t": "1"}),
            Point("m", 0, {"v": 2.0, "w": 8.0}, {"t": "2"}),
            Point("m", S, {"v": 0.0}),
        ]
        out = through(make("max", stream=True, as_="v"), points, cuts=cuts)
        assert out == [Point("m", 0, {"v": 2.0, "w": 8.0}, {"t": "2"})]
        out = through(make("top", stream=True, n=2), points, cuts=cuts)
        assert out == [Batch("m", 0, (Row(0, {"top": 2.0}, {"t": "2"}), Row(0, {"top": 1.0}, {"t": "1"})))]


def test_stddev_is_the_sample_deviation() -> None:
    rows = tuple(Row(i, {"v": float(v)}) for i, v in enumerate((98, 91, 95, 93, 92, 96, 92, 95, 95, 93)))
    out = through(make("stddev", stream=False), [Batch("m", 0, rows)], BATCH)
    assert isinstance(out[0], Point)
    assert out[0].fields["stddev"] == pytest.approx(2.160246899469287)


def test_stddev_of_one_point_is_no_number() -> None:
    out = through(make("stddev", stream=False), [Batch("m", 0, (Row(0, {"v": 1.0}),))], BATCH)
    assert isinstance(out[0], Point)
    assert math.isnan(out[0].fields["stddev"])


def test_an_empty_batch_counts_and_sums_to_zero() -> None:
    empty: list[Message] = [Batch("m", 5 * S, ())]
    assert through(make("count", stream=False), empty, BATCH) == [Point("m", 5 * S, {"count": 0})]
    assert through(make("sum", stream=False), empty, BATCH) == [Point("m", 5 * S, {"sum": 0.0})]
    assert through(make("mean", stream=False), empty, BATCH) == []
    assert through(make("distinct", stream=False), empty, BATCH) == []
    assert through(make("difference", stream=False), empty, BATCH) == empty


def test_with_point_times_sums_and_the_count_of_nothing_are_stamped_1970() -> None:
    messages: list[Message] = [Batch("m", 5 * S, (Row(4 * S, {"v": 1.0}),)), Batch("m", 9 * S, ())]
    out = through(make("sum", stream=False, use_point_times=True), messages, BATCH)
    assert out == [Point("m", 0, {"sum": 1.0}), Point("m", 0, {"sum": 0.0})]
    out = through(make("count", stream=False, use_point_times=True), messages, BATCH)
    assert out == [Point("m", 5 * S, {"count": 1}), Point("m", 0, {"count": 0})]


def test_a_distinct_value_has_the_time_of_the_point_that_came_first() -> None:
    rows = (Row(5 * S, {"v": 1.0}), Row(3 * S, {"v": 2.0}), Row(1 * S, {"v": 1.0}))
    [out] = through(make("distinct", stream=False, use_point_times=True), [Batch("m", 9 * S, rows)], BATCH)
    assert isinstance(out, Batch)
    assert [(row.time, row.fields["distinct"]) for row in out.rows] == [(3 * S, 2.0), (5 * S, 1.0)]


def test_sums_of_ints_wrap_around() -> None:
    rows = (Row(0, {"v": 2**63 - 1}), Row(1, {"v": 1}))
    assert through(make("sum", stream=False), [Batch("m", 0, rows)], BATCH) == [Point("m", 0, {"sum": -(2**63)})]


def test_a_batch_without_a_usable_point_sums_to_zero_and_is_counted() -> None:
    operator = make("sum", stream=False)
    out = through(operator, [Batch("m", 0, (Row(0, {"v": "a"}), Row(1, {})))], BATCH)
    assert out == [Point("m", 0, {"sum": 0.0})]
    assert operator.report.errors == 2


def test_a_point_of_another_type_is_told_once_a_frame() -> None:
    operator = make("sum", stream=False)
    rows = (Row(0, {"v": 1.0}), Row(1, {"v": 2}), Row(2, {"v": 3}), Row(3, {}))
    assert through(operator, [Batch("m", 0, rows)], BATCH) == [Point("m", 0, {"sum": 1.0})]
    told = {(r.message, r.fields["error"], r.fields.get("points")) for r in operator.report.records}
    assert told == {
        ("failed to aggregate point in batch", "field v has wrong type: got int64 exp float64", 2),
        ("failed to aggregate point in batch", "field v missing from point cannot aggregate", None),
    }


def test_results_keep_the_first_name_of_their_group() -> None:
    rows = (Row(0, {"v": 1.0}),)
    out = through(make("sum", stream=False), [Batch("m", 0, rows), Batch("n", S, rows)], BATCH, cuts=[])
    assert [m.name for m in out if isinstance(m, Point)] == ["m", "m"]


def test_barriers_do_not_flush_a_run() -> None:
    messages = [*stream_of((1, 1.0)), Barrier(Group(), 5 * S), *stream_of((2, 2.0))]
    out = through(make("mean", stream=True), messages, cuts=[])
    assert out == [Barrier(Group(), 5 * S), Point("m", S, {"mean": 1.0})]


def test_a_windowed_mean_has_the_time_of_its_batch() -> None:
    window = through(WindowOperator(period=3 * S, every=3 * S), stream_of((0, 1.0), (1, 3.0), (3, 9.0)), cuts=[])
    assert through(make("mean", stream=False), window, BATCH) == [Point("m", 3 * S, {"mean": 2.0})]


def test_percentile_zero_gives_nothing() -> None:
    rows = tuple(Row(i, {"v": float(i)}) for i in range(10))
    assert through(make("percentile", stream=False, percentile=0.0), [Batch("m", 0, rows)], BATCH) == []


def test_top_with_point_times_raises_the_time_of_its_batch() -> None:
    rows = (Row(9 * S, {"v": 1.0}), Row(2 * S, {"v": 5.0}))
    out = through(make("top", stream=False, n=1, use_point_times=True), [Batch("m", S, rows)], BATCH)
    assert out == [Batch("m", 2 * S, (Row(2 * S, {"top": 5.0}),))]


FUNCTIONS = ["count", "sum", "mean", "median", "mode", "spread", "stddev", "first", "last", "min", "max", "distinct"]
MORE: dict[str, Any] = {
    "percentile": st.fixed_dictionaries({"percentile": st.sampled_from([0.0, 10.0, 50.0, 90.0, 99.9, 100.0])}),
    "top": st.fixed_dictionaries({"n": st.integers(1, 4)}),
    "bottom": st.fixed_dictionaries({"n": st.integers(1, 4)}),
}
TRANSFORMS: dict[str, Any] = {
    "difference": st.just({}),
    "cumulativeSum": st.just({}),
    "elapsed": st.fixed_dictionaries({"unit": st.sampled_from([1, S, 3 * S])}),
    "movingAverage": st.fixed_dictionaries({"n": st.integers(1, 4)}),
}


@pytest.mark.parametrize("function", [*FUNCTIONS, *MORE])
@SOME
@given(data=st.data(), point_times=st.booleans())
def test_reductions_of_batches_are_those_of_the_model(function: str, point_times: bool, data: st.DataObject) -> None:
    more = {**data.draw(MORE.get(function, st.just({}))), "use_point_times": point_times}
    messages = data.draw(batches(ODD_VALUES))
    check(lambda: make(function, stream=False, **more), model(function, stream=False, **more), messages, data, BATCH)


@pytest.mark.parametrize("function", [*FUNCTIONS, *MORE])
@SOME
@given(data=st.data(), point_times=st.booleans())
def test_reductions_of_streams_are_those_of_the_model(function: str, point_times: bool, data: st.DataObject) -> None:
    more = {**data.draw(MORE.get(function, st.just({}))), "use_point_times": point_times}
    messages = data.draw(streams(ODD_VALUES))
    check(lambda: make(function, stream=True, **more), model(function, stream=True, **more), messages, data, STREAM)


@pytest.mark.parametrize("function", TRANSFORMS)
@SOME
@given(data=st.data())
def test_transforms_of_streams_are_those_of_the_model(function: str, data: st.DataObject) -> None:
    more = data.draw(TRANSFORMS[function])
    messages = data.draw(streams(ODD_VALUES))
    check(lambda: make(function, stream=True, **more), model(function, stream=True, **more), messages, data, STREAM)


@pytest.mark.parametrize("function", TRANSFORMS)
@SOME
@given(data=st.data())
def test_transforms_of_batches_are_those_of_the_model(function: str, data: st.DataObject) -> None:
    more = data.draw(TRANSFORMS[function])
    messages = data.draw(batches(ODD_VALUES))
    check(lambda: make(function, stream=False, **more), model(function, stream=False, **more), messages, data, BATCH)

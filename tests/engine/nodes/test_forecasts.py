"""Holt-Winters: vectors of the spec to the last bit, the kernel against a plain model, and runs that give nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.frames.model import BATCH
from engine.nodes.forecasts import MOST, HoltWintersOperator
from engine.nodes.holt_winters import fit
from tests.engine.nodes.holt_winters_model import fitted
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Batch, Group, Message, Point, Row, through

VALUES = (1000.0, 1001.0, 1002.0, 1003.0, 1004.0, 1006.0, 1007.0, 1007.0, 1008.0, 1009.0)
FIT = (
    1000, 1000.7349380776699, 1001.8935462884633, 1003.1750039651934, 1004.4245269000132, 1005.5685498251902,
    1006.5782508658309, 1007.4488388165385, 1008.1877681696025, 1008.8080773333872,
)  # fmt: skip
AHEAD = (1009.324690106368, 1009.7524349889708, 1010.105056042826)
SEASON = (10.0, 12.0, 15.0, 11.0, 13.0, 16.0, 12.0, 14.0, 17.0, 13.0, 15.0, 18.0, 14.0, 16.0, 19.0, 15.0)
SEASON_FIT = (10, 12.681282666836532, 12.680498146138568, 12.680508510080822, 13.664347541177904, 13.663192423562066)
SEASON_AHEAD = (17.68681849418567, 17.68534158226419, 17.685339469075036)


def make(*, stream: bool = False, ahead: int = 3, season: int = 0, interval: int = S, with_fit: bool = False) -> Any:
    function = "holtWintersWithFit" if with_fit else "holtWinters"
    return HoltWintersOperator(
        ahead=ahead, season=season, interval=interval, with_fit=with_fit, function=function, field="v",
        as_="holtWinters", stream=stream, use_point_times=True,
    )  # fmt: skip


def batch(values: Any, times: Any = None, **more: Any) -> list[Message]:
    at = range(len(values)) if times is None else times
    return [Batch("m", 10 * S, tuple(Row(int(t * S), {"v": v}) for t, v in zip(at, values, strict=True)), **more)]


def pairs(messages: list[Message]) -> list[tuple[float, Any]]:
    [found] = messages
    assert isinstance(found, Batch)
    return [(row.time / S, row.fields["holtWinters"]) for row in found.rows]


def test_the_forecast_is_the_reference_s_to_the_last_bit() -> None:
    assert pairs(through(make(), batch(VALUES), BATCH)) == list(zip((10, 11, 12), AHEAD, strict=True))


def test_the_fit_stands_before_the_forecast() -> None:
    assert pairs(through(make(with_fit=True), batch(VALUES), BATCH)) == list(enumerate(FIT + AHEAD))


def test_a_season_is_the_reference_s_to_the_last_bit() -> None:
    out = fit(np.array(SEASON), 3, 3).tolist()
    assert tuple(out[:6]) == SEASON_FIT
    assert tuple(out[-3:]) == SEASON_AHEAD


def test_ints_are_forecast_as_floats() -> None:
    assert pairs(through(make(), batch([int(v) for v in VALUES]), BATCH)) == list(zip((10, 11, 12), AHEAD, strict=True))


def test_the_batch_has_the_group_s_tags_and_the_time_of_its_latest_point() -> None:
    rows = tuple(Row(t * S, {"v": v}, {"h": "a", "r": "x"}) for t, v in enumerate(VALUES))
    [out] = through(make(), [Batch("m", 10 * S, rows, Group(("h",), ("a",)))], BATCH)
    assert isinstance(out, Batch)
    assert (out.time, {r.tags["h"] for r in out.rows}, "r" in out.rows[0].tags) == (12 * S, {"a"}, False)


@pytest.mark.parametrize(
    ("values", "more"),
    [
        ([1.0], {}),
        ([1.0, 2.0], {"ahead": 0}),
        ([1.0, 2.0], {"season": 3}),
        ([1.0, 2.0], {"interval": 5 * S}),
        ([1.0, 2.0], {"interval": 0}),
    ],
)
def test_what_cannot_be_forecast_gives_an_empty_batch(values: list[float], more: dict[str, Any]) -> None:
    assert through(make(**more), batch(values), BATCH) == [Batch("m", 10 * S, ())]


def test_a_batch_without_a_usable_point_gives_nothing() -> None:
    operator = make()
    assert through(operator, [Batch("m", 10 * S, ()), *batch(["a"])], BATCH) == []
    assert operator.report.errors == 1


def test_a_stream_is_forecast_by_equal_times() -> None:
    points: list[Message] = [Point("m", t * S, {"v": 1.0}) for t in (1, 1, 2)]
    assert through(make(stream=True), points) == [Batch("m", S, ())]


def test_a_gap_has_no_value_and_a_second_value_of_an_interval_does_not_count() -> None:
    times = [0, 1, 1.2, 2, 5, 4, 6]
    out = pairs(through(make(), batch([1.0, 2.0, 9.0, 3.0, 6.0, 99.0, 7.0], times), BATCH))
    assert out == list(enumerate(fit(np.array([1.0, 2, 3, np.nan, np.nan, 6, 7]), 3, 0)[7:].tolist(), 7))


def test_half_an_interval_goes_down() -> None:
    out = pairs(through(make(ahead=1), batch([1.0, 2.0, 3.0], [0, 1.5, 2.6]), BATCH))
    assert out == [(3.6, fit(np.array([1.0, 2, np.nan, 3]), 1, 0)[4])]


def test_a_series_without_bound_is_refused_and_counted() -> None:
    operator = make(interval=1)
    assert through(operator, batch(VALUES), BATCH) == [Batch("m", 10 * S, ())]
    assert operator.report.errors == 1
    assert str(MOST) in operator.report.records[0].fields["error"]


@settings(max_examples=8, deadline=None)
@given(
    y=st.lists(st.one_of(st.floats(-50, 50), st.sampled_from([0.0, math.nan, 3.0])), min_size=1, max_size=7),
    first=st.floats(-5, 5),
    season=st.sampled_from([0, 1, 2, 3]),
    ahead=st.integers(1, 4),
)
def test_the_kernel_is_the_plain_model(y: list[float], first: float, season: int, ahead: int) -> None:
    series = [first, *y]
    got, wanted = fit(np.array(series), ahead, season).tolist(), fitted(series, ahead, season)
    # Adding 0.0 takes the sign off a zero.
    assert [repr(v + 0.0) for v in got] == [repr(v + 0.0) for v in wanted]

"""Rounding against exact arithmetic from year 1, over all times and durations that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.nodes.times import round_half_up, truncate
from tests.engine.nodes import models

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST, LAST = -(2**63), 2**63 - 1
SECOND, WEEK = 10**9, 7 * 86_400 * 10**9
TIMES = st.one_of(st.integers(FIRST, LAST), st.integers(-WEEK, WEEK), st.sampled_from([FIRST, LAST, 0, -1]))
DURATIONS = st.one_of(st.integers(-1, 100), st.integers(1, LAST), st.sampled_from([SECOND, 7 * SECOND, WEEK, LAST]))


@pytest.mark.parametrize(
    ("made", "wanted"), [(truncate, models.truncate), (round_half_up, models.round_half_up)], ids=["truncate", "round"]
)
@given(times=st.lists(TIMES, min_size=1, max_size=5), d=DURATIONS)
def test_a_time_becomes_the_multiple_or_the_nearest_time_there_is(
    made: Callable[..., np.ndarray], wanted: Callable[[int, int], int], times: list[int], d: int
) -> None:
    assert made(np.array(times, np.int64), d).tolist() == [min(max(wanted(t, d), FIRST), LAST) for t in times]


def test_weeks_begin_on_monday_and_seconds_count_from_year_one() -> None:
    """The spec's own figures, §1.3."""
    times = np.array([1_500_000_000, 700], np.int64) * SECOND
    assert (truncate(times[:1], WEEK) // SECOND).tolist() == [1_499_644_800]
    assert (truncate(times[1:], 7 * SECOND) // SECOND).tolist() == [696]

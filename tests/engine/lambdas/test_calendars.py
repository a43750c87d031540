"""The parts of columns of times equal those of single times, in zones whose offset changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.lambdas.calendars import PARTS, local_seconds
from tickscript.lambdas import calendar
from tickscript.lambdas.values import Time


class Summer(tzinfo):
    """An hour ahead of UTC, two between two moments of 2017 of which one is no quarter of an hour."""

    _START = datetime(2017, 3, 26, 1, 0, 7, tzinfo=UTC)
    _STOP = datetime(2017, 10, 29, 1, 0, 0, tzinfo=UTC)

    def fromutc(self, moment):
        summer = self._START <= moment.replace(tzinfo=UTC) < self._STOP
        return moment + timedelta(hours=2 if summer else 1)

    def utcoffset(self, moment):
        local = moment.replace(tzinfo=UTC)
        summer = self._START + timedelta(hours=2) <= local < self._STOP + timedelta(hours=2)
        return timedelta(hours=2 if summer else 1)

    def dst(self, moment):
        return self.utcoffset(moment) - timedelta(hours=1)

    def tzname(self, _moment):
        return "summer"

    def __str__(self):
        return "summer"


ZONES = [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-11)), Summer()]
NEAR_CHANGES = st.sampled_from([1490490000, 1490490007, 1509238800]).flatmap(
    lambda second: st.integers((second - 2000) * 10**9, (second + 2000) * 10**9)
)


@pytest.mark.parametrize("zone", ZONES, ids=str)
@given(times=st.lists(st.one_of(st.integers(-(2**63), 2**63 - 1), NEAR_CHANGES), min_size=1, max_size=20))
def test_columns_and_single_times_have_the_same_parts(zone, times):
    seconds = local_seconds(np.array(times, np.int64), zone)
    for name, part in PARTS.items():
        assert part(seconds).tolist() == [calendar.PARTS[name](Time(ns, zone)) for ns in times], name


def test_sunday_is_day_zero():
    sunday = np.array([datetime(2017, 7, 16, tzinfo=UTC).timestamp() * 10**9], np.int64)
    assert PARTS["weekday"](local_seconds(sunday, UTC)).tolist() == [0]

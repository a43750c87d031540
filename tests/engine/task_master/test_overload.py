"""Writers are slowed when every fork that could go on is far behind, and never for the sake of one task."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.task_master.forks import Fork
from engine.task_master.overload import ENOUGH, overloaded


def fork(name, *, live=False, dead=False, drained=False):
    return Fork(name, None, 0, live, dead=dead, drained=drained)


def test_without_forks_nobody_is_slowed():
    assert not overloaded([], (), lambda _: 1.0)


def test_a_healthy_fork_keeps_writers_fast():
    assert not overloaded([fork("slow"), fork("well", live=True)], (), lambda _: 1.0)
    assert not overloaded([fork("slow"), fork("better")], (), lambda f: 0.9 if f.task == "slow" else 0.4)


def test_stalled_forks_alone_slow_nobody():
    assert not overloaded([fork("a"), fork("b")], {"a", "b"}, lambda _: 1.0)


def test_beside_a_stalled_fork_the_others_count():
    assert overloaded([fork("stalled"), fork("slow")], {"stalled"}, lambda _: 0.6)


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.floats(0, 1)), max_size=6),
)
def test_it_is_all_that_count_and_at_least_one(shapes):
    forks = [fork(str(i), live=live, dead=dead, drained=drained) for i, (live, dead, drained, *_) in enumerate(shapes)]
    stalled = {str(i) for i, shape in enumerate(shapes) if shape[3]}
    lags = {str(i): shape[4] for i, shape in enumerate(shapes)}
    counting = [f for f in forks if not (f.dead or f.drained or f.task in stalled)]
    expected = bool(counting) and all(not f.live and lags[f.task] > ENOUGH for f in counting)
    assert overloaded(forks, stalled, lambda f: lags[f.task]) == expected

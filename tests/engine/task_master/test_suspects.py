"""Whoever was in work at three exits is poison, and nobody else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.task_master.suspects import MAX_EXITS, Suspects, Work


def test_nothing_in_work_puts_nothing_under_suspicion():
    suspects = Suspects()
    assert suspects.died(Work(None)) == 0
    assert suspects.died(Work(5, 5)) == 0
    assert suspects.fence == 0


def test_the_fence_is_the_last_frame_that_was_in_work():
    suspects = Suspects()
    suspects.died(Work(5, 9))
    suspects.died(Work(6, 7))
    assert suspects.fence == 9


def test_what_was_dealt_with_is_cleared():
    suspects = Suspects()
    suspects.died(Work(5, 9))
    assert suspects.died(Work(9, 10)) == 1
    assert suspects.fence == 10


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 60))
def test_poison_is_found_at_its_third_exit_wherever_it_was_in_the_work(poison, before, behind):
    """A task that dies whenever it is given `poison`, all at once first and then frame by frame."""
    dealt, last = max(0, poison - 1 - before), poison + behind
    suspects = Suspects()
    assert suspects.died(Work(dealt, last)) == 1
    exits = 1
    while exits < MAX_EXITS:
        assert suspects.fence == last
        exits += 1
        assert suspects.died(Work(poison - 1, poison)) == exits


@given(st.lists(st.integers(1, 30), max_size=30, unique=True))
def test_exits_at_different_frames_never_make_one_of_them_poison(frames):
    """Frame by frame, each further exit at another frame: what was in work at the first exit has two at most."""
    suspects = Suspects()
    suspects.died(Work(0, 30))
    assert all(suspects.died(Work(frame - 1, frame)) <= 2 for frame in sorted(frames))

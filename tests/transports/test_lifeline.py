"""The lifeline alone: how two ends meet, and what each hears of the other."""

from __future__ import annotations

import select

import pytest

from transports import lifeline
from transports.errors import EdgeAborted, PeerLost


@pytest.fixture
def path(run_directory):
    return run_directory.new_path()


@pytest.fixture
def pair(path):
    first = lifeline.listen(path, "c")
    second = lifeline.join(path)
    first.turn()
    yield first, second
    first.close()
    second.close()


def readable(line):
    return bool(select.select([line.fileno()], [], [], 0)[0])


def test_there_is_nobody_to_join_where_nobody_has_been(path):
    assert lifeline.join(path) is None


def test_the_first_listens_the_second_joins_and_no_name_is_left(path, run_directory):
    first = lifeline.listen(path, "e")
    assert [entry.name for entry in run_directory.path.iterdir()] == [path.rsplit("/", 1)[1]]
    descriptor = first.fileno()
    second = lifeline.join(path)
    assert list(run_directory.path.iterdir()) == []
    assert (first.met, readable(first)) == (False, True)
    first.turn()
    assert (first.met, first.fileno(), readable(first)) == (True, descriptor, False)
    first.close()
    second.close()


def test_who_is_second_to_listen_must_join(path, run_directory):
    first = lifeline.listen(path, "c")
    assert lifeline.listen(path, "e") is None
    assert len(list(run_directory.path.iterdir())) == 1
    first.close()


def test_a_dead_listener_is_a_lost_peer_and_its_name_is_removed(path, run_directory):
    lifeline.listen(path, "c").close()
    late = lifeline.join(path)
    assert (late.fault, late.met, readable(late)) == (PeerLost, False, True)
    late.turn()
    late.say_end(0, 0)
    late.say_abort()
    late.close()
    assert list(run_directory.path.iterdir()) == []


def test_what_is_said_before_the_two_have_met_is_heard_after(path):
    first = lifeline.listen(path, "c")
    first.say_end(2, 30)
    second = lifeline.join(path)
    second.turn()
    assert second.end is None
    first.turn()
    assert readable(second)
    second.turn()
    assert second.end == (2, 30)
    first.close()
    second.close()


def test_the_end_and_its_answer_are_heard(pair):
    parent, child = pair
    parent.say_end(2**40, 2**50)
    child.turn()
    assert child.end == (2**40, 2**50)
    child.say_taken(2**50)
    child.close()
    parent.turn()
    assert (parent.taken, parent.fault) == (2**50, None)
    parent.turn()
    assert parent.fault is None


def test_an_abort_is_told_from_a_death(pair):
    parent, child = pair
    child.say_abort()
    assert readable(parent)
    assert readable(child)
    parent.turn()
    assert parent.fault is EdgeAborted


def test_closing_without_a_word_is_a_death(pair):
    parent, child = pair
    child.close()
    assert readable(parent)
    parent.turn()
    assert parent.fault is PeerLost
    parent.turn()
    assert parent.fault is PeerLost


def test_a_word_that_the_peer_never_read_does_not_hide_its_last(pair):
    parent, child = pair
    # The kernel answers the first read with a reset, as the child closed with a record unread.
    parent.say_end(1, 1)
    child.say_abort()
    child.close()
    parent.turn()
    assert parent.fault is EdgeAborted


def test_speaking_to_a_dead_peer_is_no_error(pair):
    parent, child = pair
    child.close()
    parent.say_end(1, 1)
    parent.say_abort()
    assert parent.fault is PeerLost


def test_an_end_that_has_everything_stays_readable_and_goes_on_hearing(pair):
    parent, child = pair
    child.stay_readable()
    child.turn()
    assert (child.fault, readable(child)) == (None, True)
    parent.say_abort()
    child.turn()
    assert (child.fault, readable(child)) == (EdgeAborted, True)


def test_an_abort_before_the_two_have_met_is_readable_here_and_refuses_who_comes(path):
    first = lifeline.listen(path, "c")
    first.say_abort()
    assert readable(first)
    late = lifeline.join(path)
    assert late.fault is PeerLost
    first.close()
    late.close()


def test_an_abort_reaches_a_peer_that_joined_and_was_not_yet_accepted(path):
    first = lifeline.listen(path, "c")
    second = lifeline.join(path)
    first.say_abort()
    second.turn()
    assert second.fault is EdgeAborted
    first.close()
    second.close()


def test_joining_what_is_no_lifeline_is_an_error(path):
    with open(path, "wb"):  # noqa: PTH123 -- a path of the transports is text
        pass
    late = lifeline.join(path)
    assert late.fault is PeerLost
    late.close()

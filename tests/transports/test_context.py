"""Contexts and the limit of open files."""

from __future__ import annotations

import resource

import pytest
import zmq

from transports.context import new_context, raise_file_limit


@pytest.fixture
def limits():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_context_has_the_sockets_and_threads_that_it_was_asked_for():
    with new_context(io_threads=2, max_sockets=5000) as context:
        assert (context.get(zmq.IO_THREADS), context.get(zmq.MAX_SOCKETS)) == (2, 5000)


def test_the_sockets_of_a_context_do_not_linger():
    with new_context() as context, context.socket(zmq.PUSH) as socket:
        assert socket.linger == 0


@pytest.mark.parametrize("wish", [0, -1, 10**6])
def test_more_sockets_than_libzmq_allows_are_refused(wish):
    with pytest.raises(ValueError, match=f"max_sockets is {wish}, and this libzmq allows 1 to"):
        new_context(max_sockets=wish)


def test_the_limit_of_files_is_raised_up_to_the_hard_one(limits):
    _, hard = limits
    wanted = 600 if hard == resource.RLIM_INFINITY else min(600, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted - 100, hard))
    found = raise_file_limit(wanted)
    assert (found.soft, found.hard, found.warning) == (wanted, hard, None)


def test_a_limit_that_suffices_is_left_alone(limits):
    soft, _ = limits
    assert (raise_file_limit(10).soft, resource.getrlimit(resource.RLIMIT_NOFILE)) == (soft, limits)


def test_a_limit_that_cannot_be_raised_gives_a_warning_that_says_what_to_do(limits, monkeypatch):
    soft, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))

    def refuse(which, wish):
        if wish[1] > hard:
            raise ValueError("not allowed to raise maximum limit")
        real(which, wish)

    real = resource.setrlimit
    monkeypatch.setattr(resource, "setrlimit", refuse)
    found = raise_file_limit(hard + 1)
    assert (found.soft, found.hard) == (hard, hard)
    assert f"this process may open {hard} files and wants {hard + 1}" in found.warning
    assert f"LimitNOFILE={hard + 1}" in found.warning

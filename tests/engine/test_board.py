"""The board: what one process writes, all that were forked from its maker see."""

from __future__ import annotations

import logging
import os

from engine.board import NOBODY, READERS, Board
from engine.proc import parse, usages


def test_a_child_sees_what_its_parent_writes_and_the_other_way_round() -> None:
    board = Board(logging.INFO)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(read, 1)
        seen = board.level
        board.want(2, logging.DEBUG)
        os._exit(seen)
    board.level = logging.ERROR
    os.write(write, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == logging.ERROR
    assert board.wanted(2) == logging.DEBUG
    os.close(read)
    os.close(write)


def test_the_least_level_is_that_of_the_server_or_of_a_reader() -> None:
    board = Board(logging.ERROR)
    assert (board.least, board.readers(logging.CRITICAL)) == (logging.ERROR, [])
    board.want(3, logging.INFO)
    board.want(0, logging.ERROR)
    assert board.least == logging.INFO
    assert (board.readers(logging.DEBUG), board.readers(logging.INFO)) == ([], [3])
    assert board.readers(logging.ERROR) == [0, 3]
    board.want(3, NOBODY)
    assert board.least == logging.ERROR


def test_a_role_that_starts_again_counts_as_a_restart() -> None:
    board = Board(logging.INFO)
    for pid in (5, 6, 7):
        board.started("store", pid)
    board.started("zygote", 8)
    assert board.pids() == {"store": 7, "zygote": 8}
    assert {role: n for role, n in board.restarts().items() if n} == {"store": 2}


def test_counters_are_summed_over_the_front_ends() -> None:
    board = Board(logging.INFO)
    for reader in range(READERS):
        board.count(reader, "writes")
    board.count(1, "writes_failed", 5)
    assert [board.total(c) for c in ("writes", "writes_rejected", "writes_failed")] == [READERS, 0, 5]


def test_usage_is_read_behind_a_name_that_contains_anything() -> None:
    tail = " ".join(["S", *["0"] * 10, "150", "50", *["0"] * 8, "1000", "0"])
    usage = parse(f"7 (a) b () {tail}")
    assert usage.cpu_s == 200 / os.sysconf("SC_CLK_TCK")
    assert usage.rss_bytes == 1000 * os.sysconf("SC_PAGE_SIZE")


def test_a_process_that_is_gone_is_left_out() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert set(usages([os.getpid(), pid])) == {os.getpid()}

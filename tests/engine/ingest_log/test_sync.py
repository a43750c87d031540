"""The helper process: syncs, pages in, removes; comes back when it dies; leaves nothing behind."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.ingest_log import FileSynced, HelperDied, LogHelper, NotResident, PagedIn, Synced, SyncFailed
from engine.ingest_log.helper import REPLY, Disk
from tests.engine.ingest_log.helpers import Clock, append, descriptors, small_log

SECOND = 1_000_000_000


@contextmanager
def running(directory, clock, *, options=None, **settings):
    """A log with its helper; proves at the end that the helper's process is gone and its descriptors are closed."""
    before = descriptors()
    with small_log(directory, clock, **(options or {})) as log:
        helper = LogHelper(log, clock=clock, **settings)
        pids = [helper.pid]
        try:
            yield log, helper, pids
        finally:
            pids.append(helper.pid)
            helper.close()
            helper.close()
    assert [pid for pid in pids if pid is not None and Path(f"/proc/{pid}").exists()] == []
    assert descriptors() == before


def next_events(helper) -> list:
    events = []
    while not events:
        select.select([helper.fileno()], [], [], 60)
        events = helper.handle()
    return events


def test_always_syncs_what_was_appended_in_one_go_while_one_is_in_flight(tmp_path):
    with running(tmp_path, Clock(), policy="always") as (log, helper, _):
        assert helper.turn() is None
        assert helper.statistics().waiting == 0
        append(log, b"a")
        helper.turn()
        append(log, b"b", b"c" * 700, b"d")
        helper.turn()
        assert helper.statistics().waiting == 1
        assert next_events(helper) == [Synced(1)]
        assert helper.synced == 1
        helper.turn()
        assert next_events(helper) == [Synced(4)]
        assert helper.turn() is None
        assert helper.statistics().syncs == 2


def test_interval_waits_for_its_time_and_says_when_that_is(tmp_path):
    clock = Clock()
    with running(tmp_path, clock, policy="interval", interval=SECOND) as (log, helper, _):
        append(log, b"a")
        assert helper.turn() == clock.now + SECOND
        assert helper.statistics().waiting == 0
        clock.now += SECOND
        helper.turn()
        assert next_events(helper) == [Synced(1)]
        assert helper.turn() is None
        append(log, b"b")
        assert helper.turn() == clock.now + SECOND


def test_never_syncs_nothing_by_itself(tmp_path):
    clock = Clock()
    with running(tmp_path, clock, policy="never") as (log, helper, _):
        append(log, b"a")
        clock.now += 100 * SECOND
        assert helper.turn() is None
        assert helper.statistics().waiting == 0


def test_what_a_crash_may_have_left_unsynced_is_in_the_first_sync(tmp_path):
    with small_log(tmp_path) as log:
        append(log, b"a" * 700, b"b")
    with running(tmp_path, Clock(), policy="always") as (log, helper, _):
        assert helper.synced == 0
        assert log.unsynced(helper.synced) == [1, 2]
        helper.turn()
        assert next_events(helper) == [Synced(2)]


def test_closing_syncs_the_rest(tmp_path):
    clock = Clock()
    with running(tmp_path, clock, policy="interval") as (log, helper, _):
        append(log, b"a")
        helper.close()
        assert helper.synced == 1


def test_a_page_that_is_asked_for_is_answered_even_when_its_segment_is_gone(tmp_path):
    with running(tmp_path, Clock(), policy="never") as (log, helper, _):
        append(log, b"a" * 500)
        for asked in (NotResident(1, 64, 500), NotResident(77, 64, 500)):
            helper.page_in(asked)
            assert next_events(helper) == [PagedIn(asked)]
        assert helper.statistics().pages == 2


def test_the_helper_removes_what_retention_drops(tmp_path):
    with running(tmp_path, Clock(), policy="never", options={"retention_bytes": 0}) as (log, helper, _):
        append(log, b"a" * 500, b"b" * 500)
        assert len(log.retain()) == 1
        # Removals are done in order before this page, which is answered.
        helper.page_in(NotResident(2, 64, 8))
        next_events(helper)
        assert [path.name for path in tmp_path.iterdir()] == [f"{2:020d}.log"]


def test_a_removal_that_was_not_done_is_done_when_the_helper_is_closed(tmp_path):
    with running(tmp_path, Clock(), policy="never", options={"retention_bytes": 0}) as (log, helper, pids):
        append(log, b"a" * 500, b"b" * 500)
        os.kill(pids[0], signal.SIGSTOP)
        log.retain()
        helper.close()
        assert [path.name for path in tmp_path.iterdir()] == [f"{2:020d}.log"]


def test_another_file_is_synced_with_its_directory(tmp_path):
    with running(tmp_path / "log", Clock(), policy="never") as (_, helper, _):
        path = tmp_path / "positions"
        path.write_text("x")
        helper.sync_file(path, 5)
        assert next_events(helper) == [FileSynced(path, 5, "")]
        helper.sync_file(tmp_path / "none", 6)
        assert next_events(helper) == [FileSynced(tmp_path / "none", 6, os.strerror(errno.ENOENT))]


def test_a_helper_that_dies_is_started_again_and_answers_what_was_asked(tmp_path):
    clock = Clock()
    with running(tmp_path, clock, policy="always") as (log, helper, pids):
        os.kill(pids[0], signal.SIGSTOP)
        append(log, b"a")
        helper.turn()
        os.kill(pids[0], signal.SIGKILL)
        assert next_events(helper) == [HelperDied("signal 9")]
        assert helper.pid is None
        assert helper.turn() == clock.now + SECOND
        clock.now += SECOND
        helper.turn()
        pids.append(helper.pid)
        assert next_events(helper) == [Synced(1)]
        assert helper.statistics().restarts == 1


def test_signals_to_the_whole_group_do_not_end_it(tmp_path):
    with running(tmp_path, Clock(), policy="always") as (log, helper, pids):
        append(log, b"a")
        helper.turn()
        next_events(helper)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pids[0], number)
        append(log, b"b")
        helper.turn()
        assert next_events(helper) == [Synced(2)]


def test_a_sync_that_fails_makes_the_synced_position_stand_still_for_good(tmp_path):
    with running(tmp_path, Clock(), policy="always") as (log, helper, _):
        append(log, b"a")
        helper.turn()
        next_events(helper)
        append(log, b"b")
        helper.sync()
        helper._answered(*REPLY.unpack(REPLY.pack(b"S", helper._token, errno.EIO)))
        assert helper.handle() == [SyncFailed(os.strerror(errno.EIO))]
        assert helper.failed
        assert helper.turn() is None
        helper.sync()
        next_events(helper)
        assert helper.synced == 1
        assert helper.statistics().failures == 1


def test_requests_that_the_socket_does_not_take_wait_in_order(tmp_path):
    with running(tmp_path, Clock(), policy="never") as (log, helper, pids):
        append(log, b"a" * 500)
        os.kill(pids[0], signal.SIGSTOP)
        for offset in range(3000):
            helper.page_in(NotResident(1, 64, offset % 100))
        assert helper.statistics().waiting == 3000
        os.kill(pids[0], signal.SIGCONT)
        answered = []
        while len(answered) < 3000:
            answered += next_events(helper)
        assert [event.asked.length for event in answered] == [offset % 100 for offset in range(3000)]


def test_it_dies_with_its_parent(tmp_path):
    script = f"""
import sys, signal
from engine.ingest_log import IngestLog, LogHelper
log = IngestLog.open({str(tmp_path)!r} and __import__("pathlib").Path({str(tmp_path)!r}), clock=lambda: 0)
helper = LogHelper(log, clock=lambda: 0)
print(helper.pid, flush=True)
signal.pause()
"""
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}
    ) as parent:
        descriptor = os.pidfd_open(int(parent.stdout.readline()))
        try:
            assert select.select([descriptor], [], [], 0)[0] == []
            parent.kill()
            assert select.select([descriptor], [], [], 60)[0] == [descriptor]
        finally:
            os.close(descriptor)


def test_a_helper_whose_parent_is_not_the_one_named_ends_at_once():
    program = Path(__file__).parents[3] / "engine" / "ingest_log" / "helper.py"
    ended = subprocess.run([sys.executable, "-I", program, "0", "1", "/"], check=False)
    assert ended.returncode == 1


class TestDisk:
    """The helper's operations, in this process."""

    def test_it_keeps_few_segments_open(self, tmp_path):
        before = len(descriptors())
        disk = Disk(str(tmp_path))
        with small_log(tmp_path) as log:
            append(log, *(b"x" * 500 for _ in range(9)))
            firsts = log.unsynced(0)
        disk.sync(b"".join(first.to_bytes(8, "little") for first in firsts))
        assert len(descriptors()) == before + 4
        disk.sync(firsts[-1].to_bytes(8, "little") + (99).to_bytes(8, "little"))
        for descriptor in disk._synced_names.values():
            os.close(descriptor)

    def test_paging_reads_what_was_asked_and_stops_at_the_end(self, tmp_path):
        with small_log(tmp_path) as log:
            append(log, b"x" * 500)
        Disk(str(tmp_path)).page_in(
            NotResident(1, 64, 1 << 40)[0].to_bytes(8, "little")
            + (64).to_bytes(8, "little")
            + (1 << 40).to_bytes(8, "little")
        )

    def test_a_file_that_is_not_there_is_an_error_of_the_operating_system(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            Disk(str(tmp_path)).sync_file(os.fsencode(tmp_path / "none"))

"""The ingest log: positions, reading, retention, a full disk, and what a start finds."""

from __future__ import annotations

import errno
import os
import resource
import signal
import zlib
from contextlib import contextmanager

import pytest

from engine.ingest_log import (
    IngestLog,
    LogError,
    LogFull,
    LogLocked,
    LogVersion,
    Lost,
    NotResident,
    RecordTooLarge,
    verify,
)
from engine.ingest_log import log as log_module
from engine.ingest_log.log import POSITION_JUMP
from tests.engine.ingest_log.helpers import Clock, append, descriptors, plain, read_all, small_log


def flip(path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


@contextmanager
def file_size_limit(size: int):
    """Files of this process grow no further than `size`: a disk that is full, for one file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)


def test_positions_start_at_one_and_are_known_before_the_append(tmp_path):
    with small_log(tmp_path) as log:
        assert (log.head, log.oldest, log.next_position) == (0, 1, 1)
        assert log.read(1) == []
        assert append(log, b"a", b"b") == [1, 2]
        assert (log.head, log.oldest, log.next_position, log.rows_end) == (2, 1, 3, 2)


def test_positions_and_rows_continue_over_a_clean_restart(tmp_path):
    with small_log(tmp_path) as log:
        append(log, b"a", b"b", rows=5)
    with small_log(tmp_path) as log:
        assert not log.recovery.unclean
        assert append(log, b"c") == [3]
        assert read_all(log)[0] == [(1, 5, [b"a"], 0), (2, 5, [b"b"], 5), (3, 1, [b"c"], 10)]
        assert log.statistics().segments == 1


def test_a_read_at_the_head_comes_from_the_tail_and_an_older_one_from_its_segment(tmp_path):
    with small_log(tmp_path) as log:
        append(log, *(b"%03d" % number * 30 for number in range(20)))
        assert plain(log.read(20)[0])[2] == [b"019" * 30]
        before = log.statistics()
        assert before.segment_reads == 0
        assert log.read(1, wait=True)[0].position == 1
        assert log.statistics().segment_reads == 1
        assert log.statistics().segments > 2


@pytest.mark.parametrize("max_bytes", [0, 1, 150, 400, 1 << 20])
def test_a_cursor_reads_every_frame_once_whatever_it_asks_for(tmp_path, max_bytes):
    with small_log(tmp_path) as log:
        append(log, *(b"x" * size for size in range(0, 900, 37)))
        entries, losses = read_all(log, max_bytes=max_bytes)
        assert losses == []
        assert [(position, len(parts[0])) for position, _, parts, _ in entries] == list(enumerate(range(0, 900, 37), 1))


def test_a_frame_larger_than_a_segment_gets_one_of_its_own(tmp_path):
    with small_log(tmp_path) as log:
        append(log, b"a", b"b" * 5000, b"c")
        assert [path.name for path in sorted(tmp_path.iterdir())] == [f"{first:020d}.log" for first in (1, 2, 3)]
        assert [len(parts[0]) for _, _, parts, _ in read_all(log)[0]] == [1, 5000, 1]


def test_a_frame_of_more_parts_than_one_system_call_takes_is_whole(tmp_path):
    parts = [b"%d" % number for number in range(3000)]
    with small_log(tmp_path, tail_bytes=0) as log:
        log.append(parts, 1)
        log.append([b"after"], 1)
        assert plain(log.read(1, wait=True)[0])[2] == parts


def test_what_is_too_large_for_a_record_is_refused_and_leaves_nothing(tmp_path):
    with small_log(tmp_path) as log:
        with pytest.raises(RecordTooLarge):
            log.append([b""] * 70_000, 1)
        assert append(log, b"a") == [1]
        assert read_all(log)[0] == [(1, 1, [b"a"], 0)]


def test_one_directory_has_one_writer(tmp_path):
    with small_log(tmp_path), pytest.raises(LogLocked, match=str(tmp_path)):
        small_log(tmp_path)
    small_log(tmp_path).close()


def test_a_directory_that_cannot_be_made_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match=r"file.*needs a directory"):
        small_log(tmp_path / "file")


def test_closing_twice_does_nothing_and_leaves_no_descriptor(tmp_path):
    before = len(descriptors())
    log = small_log(tmp_path)
    append(log, *(b"x" * 300 for _ in range(5)))
    log.close()
    log.close()
    assert len(descriptors()) == before


# Retention


def test_retention_by_size_drops_the_oldest_segments_and_says_what_was_in_them(tmp_path):
    with small_log(tmp_path, retention_bytes=1500) as log:
        append(log, *(b"x" * 200 for _ in range(12)), rows=3)
        expected = log.expiring()
        dropped = log.retain()
        assert dropped == expected
        assert [(drop.first, drop.last, drop.rows, drop.reason) for drop in dropped] == [
            (1, 2, 6, "size"),
            (3, 4, 6, "size"),
            (5, 6, 6, "size"),
            (7, 8, 6, "size"),
        ]
        assert log.retain() == []
        assert (log.oldest, log.statistics().dropped_frames, log.statistics().dropped_rows) == (9, 8, 24)
        assert log.statistics().bytes == sum(path.stat().st_size for path in tmp_path.iterdir())
        assert log.read(5) == Lost(9, 24, "retention")
        assert read_all(log, 9)[1] == []


def test_retention_never_drops_the_segment_in_use(tmp_path):
    with small_log(tmp_path, retention_bytes=0, segment_bytes=1 << 20) as log:
        append(log, b"x" * 5000, b"y")
        assert log.retain() == []
        assert len(read_all(log)[0]) == 2


def test_retention_by_age_counts_from_a_segments_last_frame(tmp_path):
    clock = Clock()
    with small_log(tmp_path, clock, retention_age=100) as log:
        append(log, b"x" * 300)
        clock.now += 60
        append(log, b"x" * 300)
        assert log.retain() == []
        clock.now += 100
        assert [(drop.first, drop.last, drop.reason) for drop in log.retain()] == [(1, 1, "age")]
        clock.now += 1
        assert [(drop.first, drop.last, drop.reason) for drop in log.retain()] == [(2, 2, "age")]
        assert (log.oldest, log.next_position) == (3, 3)
        assert log.read(1) == Lost(3, 2, "retention")
        clock.now += 10**9
        assert log.retain() == []


def test_the_tail_forgets_what_retention_dropped(tmp_path):
    with small_log(tmp_path, retention_bytes=0, tail_bytes=1 << 20) as log:
        append(log, b"x" * 500, b"y" * 500)
        log.retain()
        assert log.read(1) == Lost(2, 1, "retention")
        assert log.statistics().tail_frames == 1


def test_what_is_dropped_is_given_to_whoever_removes_files(tmp_path):
    removed = []
    with small_log(tmp_path, retention_bytes=0) as log:
        log.discard = removed.append
        append(log, b"x" * 500, b"y" * 500)
        log.retain()
        assert [path.name for path in removed] == [f"{1:020d}.log"]
        assert removed[0].exists()


def test_how_far_a_cursor_lags_is_told_in_bytes(tmp_path):
    with small_log(tmp_path) as log:
        append(log, *(b"x" * 200 for _ in range(6)))
        assert log.bytes_behind(7) == 0
        assert log.bytes_behind(1) == 6 * 256
        assert log.bytes_behind(3) == 4 * 256
        assert log.rows_before(1) == 0
        assert log.rows_before(4) == 3
        assert log.rows_before(7) == 6


# A full disk


def test_a_frame_that_does_not_fit_leaves_nothing_and_later_ones_succeed(tmp_path):
    with small_log(tmp_path, segment_bytes=1 << 20) as log:
        append(log, b"before")
        size = (tmp_path / f"{1:020d}.log").stat().st_size
        with file_size_limit(4096), pytest.raises(LogFull, match=str(tmp_path)):
            log.append([b"x" * 3000, b"y" * 3000], 1)
        assert (tmp_path / f"{1:020d}.log").stat().st_size == size
        assert log.next_position == 2
        assert append(log, b"after") == [2]
        assert log.statistics().append_failures == 1
        assert [parts for _, _, parts, _ in read_all(log)[0]] == [[b"before"], [b"after"]]


def test_a_segment_that_cannot_be_begun_refuses_the_frame_and_the_log_goes_on(tmp_path):
    with small_log(tmp_path) as log:
        append(log, b"x" * 500)
        with file_size_limit(16), pytest.raises(LogFull):
            log.append([b"y" * 500], 1)
        assert len(list(tmp_path.iterdir())) == 1
        assert append(log, b"y" * 500) == [2]
    assert list(verify(tmp_path)) == []


def test_a_seal_that_does_not_fit_only_makes_the_next_start_read_the_segment(tmp_path):
    log = small_log(tmp_path, segment_bytes=1 << 20)
    append(log, b"x" * 1000)
    with file_size_limit((tmp_path / f"{1:020d}.log").stat().st_size):
        log.close()
    with small_log(tmp_path) as log:
        assert log.recovery.torn_bytes == 0
        assert len(read_all(log)[0]) == 1


def test_a_disk_that_fails_otherwise_is_an_error_of_its_own(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with small_log(tmp_path) as log:
        monkeypatch.setattr(os, "pwritev", fail)
        with pytest.raises(LogError, match="cannot be written") as caught:
            append(log, b"a")
        assert not isinstance(caught.value, LogFull)
        monkeypatch.undo()
        assert append(log, b"a") == [1]


# Starts


def crash(log: IngestLog) -> None:
    """Let go of the files as a killed process does."""
    log_module._close(log._segments, log._lock)
    log._lock = -1


def test_a_killed_writer_loses_nothing_and_positions_continue(tmp_path):
    log = small_log(tmp_path)
    append(log, b"a", b"b")
    crash(log)
    with small_log(tmp_path) as log:
        assert not log.recovery.unclean
        assert append(log, b"c") == [3]
        assert len(read_all(log)[0]) == 3


def test_an_append_cut_short_is_removed_and_its_position_not_used_again(tmp_path):
    log = small_log(tmp_path)
    append(log, b"a", b"b" * 100)
    crash(log)
    path = tmp_path / f"{1:020d}.log"
    os.truncate(path, path.stat().st_size - 5)
    with small_log(tmp_path) as log:
        assert log.recovery.unclean
        assert log.recovery.torn_bytes == 147
        assert log.recovery.head == 1
        assert log.next_position == 2 + POSITION_JUMP
        append(log, b"c")
        assert [position for position, *_ in read_all(log)[0]] == [1, 2 + POSITION_JUMP]
        assert read_all(log)[1] == []
        assert log.read(2)[0].position == 2 + POSITION_JUMP


def test_a_machine_that_lost_power_makes_positions_jump(tmp_path, monkeypatch):
    log = small_log(tmp_path)
    append(log, b"a")
    crash(log)
    monkeypatch.setattr(log_module, "boot_id", lambda: b"another boot ...")
    with small_log(tmp_path) as log:
        assert log.recovery.unclean
        assert append(log, b"b") == [2 + POSITION_JUMP]
    monkeypatch.setattr(log_module, "boot_id", lambda: b"yet another one.")
    with small_log(tmp_path) as log:
        assert not log.recovery.unclean
        assert append(log, b"c") == [3 + POSITION_JUMP]
        assert [parts for _, _, parts, _ in read_all(log)[0]] == [[b"a"], [b"b"], [b"c"]]


def test_an_empty_log_keeps_its_place_over_any_restart(tmp_path, monkeypatch):
    clock = Clock()
    with small_log(tmp_path, clock, retention_age=10) as log:
        append(log, b"a", b"b")
        clock.now += 11
        log.retain()
    for boot in (b"1" * 16, b"2" * 16):
        monkeypatch.setattr(log_module, "boot_id", lambda boot=boot: boot)
        with small_log(tmp_path, clock) as log:
            assert (log.oldest, log.next_position, log.rows_end) == (3, 3, 2)
    crash(small_log(tmp_path, clock))
    monkeypatch.setattr(log_module, "boot_id", lambda: b"3" * 16)
    with small_log(tmp_path, clock) as log:
        assert log.next_position == 3 + POSITION_JUMP
        assert log.read(3) == []


def test_crash_after_crash_of_an_empty_log_leaves_no_heap_of_files(tmp_path, monkeypatch):
    for number in range(5):
        monkeypatch.setattr(log_module, "boot_id", lambda number=number: bytes([number]) * 16)
        crash(small_log(tmp_path))
    assert len(list(tmp_path.iterdir())) == 2
    with small_log(tmp_path) as log:
        position = append(log, b"a")[0]
        assert position == 1 + 4 * POSITION_JUMP
        assert read_all(log) == ([(position, 1, [b"a"], 0)], [])


def test_positions_stay_above_what_others_remember(tmp_path):
    with small_log(tmp_path, floor=41) as log:
        assert append(log, b"a") == [42]
    with small_log(tmp_path, floor=99) as log:
        assert append(log, b"b") == [100]
        assert [position for position, *_ in read_all(log)[0]] == [42, 100]


def test_a_segment_file_that_is_gone_is_a_loss_that_is_told(tmp_path):
    with small_log(tmp_path) as log:
        append(log, *(b"x" * 500 for _ in range(4)), rows=2)
    (tmp_path / f"{2:020d}.log").unlink()
    with small_log(tmp_path) as log:
        entries, losses = read_all(log)
        assert [position for position, *_ in entries] == [1, 3, 4]
        assert [(loss.oldest, loss.rows_before) for loss in losses] == [(3, 4)]
        assert [damage.position for damage in log.recovery.damages] == [2]


def test_flipped_bytes_cost_one_frame_and_are_named(tmp_path):
    with small_log(tmp_path, segment_bytes=1 << 20) as log:
        append(log, *(b"%d" % number * 100 for number in range(5)))
    flip(tmp_path / f"{1:020d}.log", 64 + 2 * 152 + 60)
    with small_log(tmp_path) as log:
        entries, losses = read_all(log)
        assert [position for position, *_ in entries] == [1, 2, 4, 5]
        assert [loss.oldest for loss in losses] == [4]
        assert losses[0].rows_before == 3
        assert losses[0].reason == f"{1:020d}.log at {64 + 2 * 152}: the body of a record is damaged"
        assert [(damage.segment, damage.offset, damage.position) for damage in log.damages] == [
            (f"{1:020d}.log", 64 + 2 * 152, 3)
        ]
        read_all(log)
        assert log.statistics().damages == 1
    assert [damage.position for damage in verify(tmp_path)] == [3]


def test_a_flipped_head_costs_one_frame(tmp_path):
    with small_log(tmp_path, segment_bytes=1 << 20) as log:
        append(log, *(b"%d" % number * 100 for number in range(5)))
    flip(tmp_path / f"{1:020d}.log", 64 + 2 * 152 + 4)
    assert [(damage.offset, damage.position) for damage in verify(tmp_path)] == [(64 + 2 * 152, 3)]
    with small_log(tmp_path) as log:
        entries, losses = read_all(log)
        assert [position for position, *_ in entries] == [1, 2, 4, 5]
        assert [(loss.oldest, loss.rows_before) for loss in losses] == [(4, 3)]


def test_a_flipped_header_is_named_and_costs_no_frame(tmp_path):
    with small_log(tmp_path) as log:
        append(log, b"a", b"b")
    flip(tmp_path / f"{1:020d}.log", 30)
    with small_log(tmp_path) as log:
        assert [damage.reason for damage in log.recovery.damages] == ["the segment's header is damaged"]
        assert [parts for _, _, parts, _ in read_all(log)[0]] == [[b"a"], [b"b"]]


def test_a_segment_of_an_unknown_version_is_refused_and_untouched(tmp_path):
    small_log(tmp_path).close()
    path = tmp_path / f"{1:020d}.log"
    data = bytearray(path.read_bytes())
    data[8] = 9
    data[60:64] = zlib.crc32(data[:60]).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(LogVersion, match="version 9"):
        small_log(tmp_path)
    assert path.read_bytes() == data


def test_files_that_are_no_segments_are_left_alone(tmp_path):
    (tmp_path / "notes.log").write_text("mine")
    with small_log(tmp_path) as log:
        append(log, b"a")
    with small_log(tmp_path) as log:
        assert log.recovery.segments == 1
    assert (tmp_path / "notes.log").read_text() == "mine"


def test_what_the_page_cache_does_not_hold_is_asked_for_and_read_when_it_is_there(tmp_path, monkeypatch):
    """A stand-in for the kernel's page cache: first empty, then holding only the head of the range."""
    held = 0
    real = os.preadv

    def preadv(fd, buffers, offset, flags=0):
        if not flags:
            return real(fd, buffers, offset)
        if offset >= held:
            raise BlockingIOError
        return real(fd, [memoryview(buffers[0])[: held - offset]], offset)

    with small_log(tmp_path, segment_bytes=1 << 20, tail_bytes=0) as log:
        append(log, *(b"x" * 1000 for _ in range(10)))
        monkeypatch.setattr(os, "preadv", preadv)
        assert log.read(1) == NotResident(1, 64, 10 * 1056)
        for available in (0, 65, 100, 500, 1100):
            held = available
            assert isinstance(log.read(1), NotResident)
            assert isinstance(log.read(5), NotResident)
        held = 64 + 2 * 1056 + 20
        assert [entry.position for entry in log.read(1)] == [1, 2]
        assert log.read(3) == NotResident(1, 64 + 2 * 1056, 8 * 1056)
        held = 64 + 9 * 1056
        assert [entry.position for entry in log.read(3)] == [3, 4, 5, 6, 7, 8, 9]
        assert [entry.position for entry in log.read(5)] == [5, 6, 7, 8, 9]
        assert log.statistics().not_resident == 12


def test_a_file_system_without_reads_that_do_not_wait_is_read_all_the_same(tmp_path, monkeypatch):
    real = os.preadv

    def preadv(fd, buffers, offset, flags=0):
        if flags:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return real(fd, buffers, offset)

    with small_log(tmp_path, tail_bytes=0) as log:
        append(log, b"a", b"b")
        monkeypatch.setattr(os, "preadv", preadv)
        assert [entry.position for entry in log.read(1)] == [1, 2]

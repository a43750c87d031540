"""The log against a reference model: a list of frames, under appends, reads, crashes, truncations and flipped bits."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.ingest_log import IngestLog, Lost, NotResident, verify
from engine.ingest_log import log as log_module
from engine.ingest_log.log import POSITION_JUMP
from engine.ingest_log.record import HEAD_BYTES, padded
from engine.ingest_log.segment import HEADER_BYTES
from tests.engine.ingest_log.helpers import Clock, plain, read_all, small_log

PARTS = st.lists(st.one_of(st.binary(max_size=20), st.integers(0, 900).map(lambda size: b"z" * size)), max_size=4)


def record_bytes(parts: list[bytes]) -> int:
    return padded(HEAD_BYTES + sum(4 + len(part) for part in parts))


class LogMachine(RuleBasedStateMachine):
    """The model: `frames` by position as `plain` shows them, and the lowest position that is still kept."""

    @initialize(segment=st.sampled_from([200, 600, 3000]), tail=st.sampled_from([0, 1500, 1 << 20]))
    def start(self, segment, tail):
        self.root = Path(tempfile.mkdtemp(prefix="log-model-"))
        self.directory = self.root / "0"
        self.copies = 0
        self.clock = Clock()
        self.options = {
            "segment_bytes": segment,
            "tail_bytes": tail,
            "retention_bytes": 4000,
            "retention_age": 1000,
        }
        self.log = small_log(self.directory, self.clock, **self.options)
        self.frames: dict[int, tuple] = {}
        self.ends: dict[int, tuple[str, int]] = {}
        self.rows = 0
        self.oldest = 1
        self.used = 0

    @rule(parts=PARTS, rows=st.integers(0, 5000), passed=st.integers(0, 300))
    def append(self, parts, rows, passed):
        self.clock.now += passed
        position = self.log.next_position
        assert position > self.used
        assert self.log.append(parts, rows) == position
        self.used = position
        self.frames[position] = (position, rows, parts, self.rows)
        self.rows += rows
        active = self.log._active
        assert active.length == active.path.stat().st_size
        self.ends[position] = (active.name, active.size)

    @rule(position=st.integers(1, 60), max_bytes=st.sampled_from([0, 100, 1000, 1 << 20]), wait=st.booleans())
    def read(self, position, max_bytes, wait):
        ordered = sorted(self.frames)
        if ordered and position <= len(ordered):
            position = ordered[position - 1]
        result = self.log.read(position, max_bytes, wait=wait)
        expected = [self.frames[p] for p in ordered if p >= max(position, self.oldest)]
        if isinstance(result, NotResident):
            assert not wait
        elif isinstance(result, Lost):
            assert position < self.oldest
            assert result.oldest == self.log.oldest
            assert result.rows_before == (expected[0][3] if expected else self.rows)
        else:
            assert [plain(entry) for entry in result] == expected[: len(result)]
            assert bool(result) == bool(expected)
            sizes = [record_bytes([bytes(part) for part in entry.parts]) for entry in result]
            assert len(sizes) <= 1 or sum(sizes) <= max(max_bytes, sizes[0])

    @rule(passed=st.integers(0, 1500))
    def retain(self, passed):
        self.clock.now += passed
        for dropped in self.log.retain():
            kept = [self.frames.pop(p) for p in sorted(self.frames) if p <= dropped.last]
            assert sum(frame[1] for frame in kept) == dropped.rows
            assert [frame[0] for frame in kept] == list(range(dropped.first, dropped.last + 1))
            self.oldest = dropped.last + 1
        assert self.log.oldest >= self.oldest
        self.oldest = self.log.oldest
        statistics = self.log.statistics()
        assert statistics.segments == 1 or statistics.bytes <= 4000

    @rule()
    def restart(self):
        self.log.close()
        assert list(verify(self.directory)) == []
        self.log = small_log(self.directory, self.clock, **self.options)
        assert not self.log.recovery.unclean

    @rule()
    def kill_between_appends(self):
        self._abandon()
        self.log = small_log(self.directory, self.clock, **self.options)
        assert not self.log.recovery.unclean

    @rule(share=st.floats(0, 1))
    def kill_anywhere_in_the_last_segment(self, share):
        """The machine stops with only a prefix of the last segment on the disk."""
        self._abandon()
        self.copies += 1
        copy = self.root / str(self.copies)
        shutil.copytree(self.directory, copy)
        last = max(copy.iterdir())
        cut = round(share * last.stat().st_size)
        os.truncate(last, cut)
        self.directory = copy
        for position in [p for p, (name, end) in self.ends.items() if name == last.name and end > cut]:
            self.frames.pop(position, None)
            del self.ends[position]
        whole = max([end for name, end in self.ends.values() if name == last.name], default=HEADER_BYTES)
        self.log = small_log(copy, self.clock, **self.options)
        if self.frames:
            self.rows = self.frames[max(self.frames)][3] + self.frames[max(self.frames)][1]
        elif cut < HEADER_BYTES:
            # Without a single frame, what has gone before stands in the header alone.
            assert self.log.rows_end <= self.rows
            self.rows = self.log.rows_end
        else:
            self.rows = self.log._segments[0].rows_before
        assert self.log.recovery.torn_bytes == max(0, cut - whole)
        assert self.log.recovery.unclean == (cut != whole)
        assert self.log.recovery.damages == ()

    def _abandon(self):
        log_module._close(self.log._segments, self.log._lock)
        self.log._lock = -1

    @precondition(lambda self: self.used > 0)
    @rule(above=st.integers(1, 50))
    def restart_above_what_others_remember(self, above):
        self.log.close()
        self.log = small_log(self.directory, self.clock, floor=self.log.head + above, **self.options)
        assert self.log.head >= self.used
        self.used = self.log.head

    @invariant()
    def everything_kept_is_there(self):
        entries, losses = read_all(self.log, self.log.oldest)
        assert losses == []
        assert entries == [self.frames[p] for p in sorted(self.frames)]
        assert self.log.rows_end == self.rows
        assert self.log.statistics().damages == 0

    def teardown(self):
        if hasattr(self, "log"):
            self.log.close()
            shutil.rmtree(self.root)


TestLogMachine = LogMachine.TestCase
TestLogMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(
    st.lists(st.tuples(PARTS, st.integers(0, 100)), min_size=1, max_size=25),
    st.sampled_from([200, 900, 1 << 20]),
    st.booleans(),
    st.data(),
)
@settings(max_examples=120, deadline=None)
def test_flipped_bits_never_change_a_frame_and_cost_at_most_the_one_they_hit(frames, segment_bytes, closed, data):
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        log = small_log(directory, segment_bytes=segment_bytes)
        expected = []
        for parts, rows in frames:
            before = log.rows_end
            expected.append((log.append(parts, rows), rows, parts, before))
        if closed:
            log.close()
        else:
            log_module._close(log._segments, log._lock)
        paths = sorted(directory.iterdir())
        hits = data.draw(st.integers(1, 3))
        for _ in range(hits):
            path = data.draw(st.sampled_from(paths))
            content = bytearray(path.read_bytes())
            bit = data.draw(st.integers(0, 8 * len(content) - 1))
            content[bit // 8] ^= 1 << (bit % 8)
            path.write_bytes(content)
        named = list(verify(directory))
        with IngestLog.open(directory, clock=Clock(), tail_bytes=0) as log:
            entries, losses = read_all(log)
            lost = [frame for frame in expected if frame not in entries]
            assert [frame for frame in expected if frame in entries] == entries
            assert len(lost) <= hits
            for frame in lost:
                told = any(loss.oldest > frame[0] for loss in losses)
                cut = log.recovery.unclean and frame[0] > log.recovery.head
                assert told or cut
                assert cut or any(damage.position <= frame[0] for damage in named)
            fresh = log.append([b"new"], 1)
            assert fresh > expected[-1][0]
            assert plain(log.read(fresh)[0])[2] == [b"new"]
            if lost and not closed and lost[-1][0] == expected[-1][0] and log.recovery.torn_bytes:
                assert fresh > POSITION_JUMP


def test_a_frame_without_rows_at_the_end_of_a_segment_is_missed_too(tmp_path):
    log = small_log(tmp_path, segment_bytes=200)
    first, second = log.append([], 0), log.append([b"z" * 37], 0)
    log_module._close(log._segments, log._lock)
    path = tmp_path / f"{first:020d}.log"
    content = bytearray(path.read_bytes())
    # The head of the only frame of this segment, and that of its seal: nothing in it can be read.
    for at in (HEADER_BYTES, HEADER_BYTES + HEAD_BYTES):
        content[at] ^= 1
    path.write_bytes(content)
    assert [damage.position for damage in verify(tmp_path)] == [first]
    with IngestLog.open(tmp_path, clock=Clock(), tail_bytes=0) as log:
        assert [damage.position for damage in log.recovery.damages] == [first]
        entries, losses = read_all(log)
        assert [entry[0] for entry in entries] == [second]
        assert [loss.oldest for loss in losses] == [second]
        assert "the rest of the segment is unreadable" in losses[0].reason


@given(st.lists(PARTS, min_size=1, max_size=12), st.floats(0, 1), st.binary(min_size=1, max_size=300))
@settings(max_examples=80, deadline=None)
def test_garbage_after_the_last_whole_frame_is_cut_off(frames, share, garbage):
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        log = small_log(directory, segment_bytes=1 << 20)
        ends = [HEADER_BYTES]
        for parts in frames:
            log.append(parts, 1)
            ends.append(log._active.size)
        log_module._close(log._segments, log._lock)
        path = directory / f"{1:020d}.log"
        keep = ends[round(share * len(frames))]
        path.write_bytes(path.read_bytes()[:keep] + garbage)
        with small_log(directory, segment_bytes=1 << 20) as log:
            assert log.recovery.torn_bytes == len(garbage)
            assert [parts for _, _, parts, _ in read_all(log)[0]] == frames[: ends.index(keep)]
            assert path.stat().st_size == keep
            assert log.read(1)[:1] == log.read(log.oldest)[:1]

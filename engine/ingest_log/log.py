"""The ingest log: what has been acknowledged and not yet been processed by every task, on disk, in order.

The TaskMaster is its one writer and, through cursors, its one reader (docs/ingest-log.md). What always holds:

- Positions ascend, are never used twice, and survive restarts; `append` returns only when the kernel has the bytes.
- No call waits for a disk to sync or to seek: reading answers `NotResident` instead, syncing is `sync.LogHelper`'s.
- Retention drops whole segments, only in `retain`, and tells what was dropped. The segment in use is never dropped.
- Memory is bounded by `tail_bytes`, 24 bytes for each 64 KiB of log, and 1,024 remembered offsets.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from bisect import bisect_right
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from engine.ingest_log.errors import LogError, LogFull, LogLocked, RecordTooLarge
from engine.ingest_log.record import HEAD_BYTES, Buffer, Entry, padded
from engine.ingest_log.segment import (
    HEADER_BYTES,
    RETENTION,
    SUFFIX,
    Damage,
    Lost,
    NotResident,
    Segment,
    boot_id,
    first_of,
)
from engine.ingest_log.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

# The distance to positions that a lost end of the log may have held: more frames than can ever be waiting for a sync.
POSITION_JUMP: Final = 1 << 32
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MAX_OFFSETS: Final = 1024
_MAX_DAMAGES: Final = 100
_UNREADABLE: Final = "the rest of the segment is unreadable"


class Dropped(NamedTuple):
    """A segment that retention removed: its positions (inclusive), rows and bytes; `reason` is `size` or `age`."""

    first: int
    last: int
    rows: int
    bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening found. `torn_bytes` were cut off after position `head`: an append that never ended.

    `unclean` says that the machine went down without closing the log, so frames that were acknowledged but not yet
    synced may be missing at its end; positions then continue after a jump, so that none is used twice.
    """

    segments: int = 0
    head: int = 0
    torn_bytes: int = 0
    unclean: bool = False
    damages: tuple[Damage, ...] = ()


@dataclass(frozen=True, slots=True)
class LogStatistics:
    """The log at one moment, and its counters since it was opened. Bytes are bytes on disk unless it says otherwise."""

    head: int
    oldest: int
    segments: int
    bytes: int
    tail_frames: int
    tail_bytes: int
    appended_frames: int = 0
    appended_rows: int = 0
    appended_bytes: int = 0
    append_failures: int = 0
    tail_reads: int = 0
    segment_reads: int = 0
    not_resident: int = 0
    lost: int = 0
    damages: int = 0
    dropped_segments: int = 0
    dropped_frames: int = 0
    dropped_rows: int = 0
    dropped_bytes: int = 0


class IngestLog:
    """Append-only segments in one directory; see `open`. Not for more than one thread."""

    def __init__(
        self,
        directory: Path,
        lock: int,
        segments: list[Segment],
        recovery: Recovery,
        *,
        segment_bytes: int,
        retention_bytes: int,
        retention_age: int | None,
        tail_bytes: int,
        clock: Callable[[], int],
    ) -> None:
        self.directory = directory
        self.recovery = recovery
        self.discard: Callable[[Path], None] = _unlink
        self._lock = lock
        self._segments = segments
        self._firsts = [segment.first for segment in segments]
        self._active = segments[-1]
        self._segment_bytes = segment_bytes
        self._retention_bytes = retention_bytes
        self._retention_age = retention_age
        self._clock = clock
        self._boot = boot_id()
        self._tail = Tail(tail_bytes)
        self._bytes = sum(segment.length for segment in segments)
        self._offsets: OrderedDict[int, int] = OrderedDict()
        self._counters = LogStatistics(0, 1, 0, 0, 0, 0)
        self._frames = self._rows = self._appended = self._failures = 0
        self._tail_reads = self._segment_reads = self._misses = self._losses = 0
        self.damages: deque[Damage] = deque(recovery.damages, maxlen=_MAX_DAMAGES)
        self._damage_count = len(recovery.damages)

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        clock: Callable[[], int],
        segment_bytes: int = 64 << 20,
        retention_bytes: int = 1 << 30,
        retention_age: int | None = None,
        tail_bytes: int = 64 << 20,
        floor: int = 0,
    ) -> IngestLog:
        """Open or create the log of `directory`, repairing a torn end; `recovery` says what was found.

        `retention_age` is in ns, `clock` gives ns since 1970. Positions handed out are above `floor`, the highest one
        that anything outside the log remembers. The last segment is read whole, sealed ones are not (`verify` does).
        Raises LogLocked, LogVersion, LogFull, LogError.
        """
        lock = _lock_directory(directory)
        segments: list[Segment] = []
        try:
            recovery = _open_segments(directory, segments)
            last = segments[-1] if segments else None
            first = max(last.last if last else 0, floor) + 1
            if recovery.unclean:
                first += POSITION_JUMP
            if last is None or last.sealed or first != last.last + 1:
                rows = last.rows_end if last else 0
                segments.append(Segment.create(directory, first, rows_before=rows, now=clock(), boot=boot_id()))
                # Where positions jumped, an empty segment keeps the cursors before the jump; one is enough for that.
                if last is not None and last.empty and len(segments) > 2 and segments[-3].empty:
                    segments.remove(last)
                    last.close()
                    last.path.unlink()
        except OSError as error:
            _close(segments, lock)
            if error.errno in _FULL:
                raise LogFull(f"{directory}: {error.strerror}: make room for the ingest log") from error
            raise LogError(f"{directory}: {error.strerror}: the ingest log cannot be opened") from error
        except BaseException:
            _close(segments, lock)
            raise
        return cls(
            directory,
            lock,
            segments,
            recovery,
            segment_bytes=segment_bytes,
            retention_bytes=retention_bytes,
            retention_age=retention_age,
            tail_bytes=tail_bytes,
            clock=clock,
        )

    @property
    def next_position(self) -> int:
        """The position that the next append takes: what the frame's header is to carry."""
        return self._active.last + 1

    @property
    def head(self) -> int:
        """The highest position in use or passed over: `next_position - 1`. 0 for a new log."""
        return self._active.last

    @property
    def oldest(self) -> int:
        """The lowest position that retention still keeps (`next_position` when the log is empty)."""
        return self._firsts[0]

    @property
    def rows_end(self) -> int:
        """Rows of all frames ever appended: `rows_before` of the next one."""
        return self._active.rows_end

    def append(self, parts: Sequence[Buffer], rows: int) -> int:
        """Append one frame of `rows` rows; returns its position, which was `next_position`.

        The parts are written as they are and kept (not copied) in the tail: nobody may change them afterwards.
        Raises LogFull (nothing was appended, later appends may succeed), RecordTooLarge, LogError (the disk fails).
        """
        size = padded(HEAD_BYTES + sum(4 + memoryview(part).nbytes for part in parts))
        now = self._clock()
        try:
            if self._active.broken or (not self._active.empty and self._active.size + size > self._segment_bytes):
                self._rotate(now)
            active = self._active
            before = active.rows_end
            self._bytes += active.append(parts, rows, now)
        except OSError as error:
            self._failures += 1
            raise self._failure(error) from error
        except ValueError as error:
            self._failures += 1
            raise RecordTooLarge(str(error)) from error
        position = active.last
        self._frames += 1
        self._rows += rows
        self._appended += size
        self._tail.push(Entry(position, rows, parts, before, now))
        return position

    def _failure(self, error: OSError) -> LogError:
        if error.errno in _FULL:
            return LogFull(f"{self.directory}: {error.strerror}: the ingest log has no room for a frame")
        return LogError(f"{self.directory}: {error.strerror}: the ingest log cannot be written")

    def _rotate(self, now: int) -> None:
        active = self._active
        segment = Segment.create(self.directory, active.last + 1, rows_before=active.rows_end, now=now, boot=self._boot)
        active.seal()
        self._segments.append(segment)
        self._firsts.append(segment.first)
        self._active = segment
        self._bytes += active.seal_bytes + segment.length

    def read(self, position: int, max_bytes: int = 1 << 20, *, wait: bool = False) -> list[Entry] | NotResident | Lost:
        """Frames from `position` on, from memory alone unless `wait`: at least one, up to about `max_bytes`.

        An empty list means that there is nothing yet: the cursor is at the head. The next position to read is the
        last entry's plus one; where positions jumped, the first entry's may be higher than asked for.
        Raises LogError (the disk fails).
        """
        if position > self._active.last:
            return []
        entries = self._tail.read(position, max_bytes)
        if entries:
            self._tail_reads += 1
            return entries
        segment = self._segment_of(position)
        if segment is None:
            oldest = self._segments[0]
            self._losses += 1
            return Lost(oldest.first, oldest.rows_before, RETENTION)
        if position > segment.last:
            return self._read_after(segment, max_bytes, wait=wait)
        return self._read_segment(segment, position, max_bytes, wait=wait)

    def _segment_of(self, position: int) -> Segment | None:
        at = bisect_right(self._firsts, position) - 1
        return self._segments[at] if at >= 0 else None

    def _read_after(self, segment: Segment, max_bytes: int, *, wait: bool) -> list[Entry] | NotResident | Lost:
        following = self._segments[bisect_right(self._firsts, segment.first)]
        # Frames may be without rows, and positions may jump: rows alone do not tell that frames are gone.
        if segment.unread or following.rows_before != segment.rows_end:
            self._losses += 1
            why = (
                f"{segment.name}: {_UNREADABLE}"
                if segment.unread
                else f"missing: no segment between {segment.name} and next"
            )
            return Lost(following.first, following.rows_before, why)
        return self.read(following.first, max_bytes, wait=wait)

    def _read_segment(
        self, segment: Segment, position: int, max_bytes: int, *, wait: bool
    ) -> list[Entry] | NotResident | Lost:
        at = self._offsets.pop(position, None)
        if at is None:
            located = segment.locate(position, wait=wait)
            if isinstance(located, NotResident):
                self._misses += 1
                return located
            if isinstance(located, Lost):
                self._losses += 1
                return located
            at = located[0]
        result = segment.read(position, at, max_bytes, wait=wait)
        if isinstance(result, NotResident):
            self._misses += 1
            self._remember(position, at)
            return result
        first, second = result
        if isinstance(first, Lost):
            assert isinstance(second, Damage)
            self._losses += 1
            self._report(second)
            return first
        assert isinstance(second, int)
        self._segment_reads += 1
        if second < segment.size:
            self._remember(first[-1].position + 1, second)
        return first

    def _remember(self, position: int, at: int) -> None:
        self._offsets[position] = at
        if len(self._offsets) > _MAX_OFFSETS:
            self._offsets.popitem(last=False)

    def _report(self, damage: Damage) -> None:
        if damage not in self.damages:
            self.damages.append(damage)
            self._damage_count += 1

    def rows_before(self, position: int) -> int | Lost:
        """`rows_before` of the frame at `position`, reading the segment if need be (waits for the disk: for starts)."""
        if position > self._active.last:
            return self._active.rows_end
        segment = self._segment_of(position)
        if segment is None:
            return Lost(self._segments[0].first, self._segments[0].rows_before, RETENTION)
        if position > segment.last:
            return segment.rows_end
        located = segment.locate(position, wait=True)
        if isinstance(located, Lost):
            return located
        assert not isinstance(located, NotResident)
        return located[1]

    def bytes_behind(self, position: int) -> int:
        """About how many bytes (to 64 KiB or one record) lie from `position` to the end: what a cursor lags by."""
        if position > self._active.last:
            return 0
        at = bisect_right(self._firsts, position) - 1
        if at < 0:
            return self._bytes
        segment = self._segments[at]
        behind = sum(later.size - HEADER_BYTES for later in self._segments[at + 1 :])
        if position <= segment.last:
            behind += segment.size - segment.index.floor(position)[1]
        return max(0, behind)

    def expiring(self) -> list[Dropped]:
        """What `retain` would drop now: for those who would rather refuse writes."""
        dropped = []
        size = self._bytes
        oldest_time = None if self._retention_age is None else self._clock() - self._retention_age
        for segment in self._segments[:-1]:
            if size > self._retention_bytes:
                reason = "size"
            elif oldest_time is not None and segment.last_time < oldest_time:
                reason = "age"
            else:
                break
            size -= segment.length
            rows = segment.rows_end - segment.rows_before
            dropped.append(Dropped(segment.first, segment.last, rows, segment.length, reason))
        return dropped

    @property
    def last_time(self) -> int:
        """When the last frame was appended (ns since 1970), or the segment in use was begun."""
        return self._active.last_time

    def retain(self, most: int | None = None) -> list[Dropped]:
        """Drop the oldest segments beyond the retention, whole; returns them. Cheap when there is nothing to drop.

        `most` bounds how many go; with 0 a segment in use that is too old is ended, so that it can go later. Call it after appending and, with an age, at times. Raises LogFull, LogError where a new segment is needed.
        """
        active = self._active
        if self._retention_age is not None and not active.empty:
            now = self._clock()
            if active.last_time < now - self._retention_age:
                try:
                    self._rotate(now)
                except OSError as error:
                    raise self._failure(error) from error
        if len(self._segments) == 1:
            return []
        dropped = self.expiring()[:most]
        for _ in dropped:
            segment = self._segments.pop(0)
            del self._firsts[0]
            self._bytes -= segment.length
            segment.close()
            self.discard(segment.path)
        if dropped:
            self._tail.drop_before(self._firsts[0])
            counters = self._counters
            self._counters = replace(
                counters,
                dropped_segments=counters.dropped_segments + len(dropped),
                dropped_frames=counters.dropped_frames + sum(drop.last - drop.first + 1 for drop in dropped),
                dropped_rows=counters.dropped_rows + sum(drop.rows for drop in dropped),
                dropped_bytes=counters.dropped_bytes + sum(drop.bytes for drop in dropped),
            )
        return dropped

    def unsynced(self, position: int) -> list[int]:
        """First positions of the segments that hold frames after `position`: what a sync up to the head concerns."""
        at = max(0, bisect_right(self._firsts, position + 1) - 1)
        return [segment.first for segment in self._segments[at:]]

    def statistics(self) -> LogStatistics:
        """The log now."""
        return replace(
            self._counters,
            head=self.head,
            oldest=self.oldest,
            segments=len(self._segments),
            bytes=self._bytes,
            tail_frames=len(self._tail),
            tail_bytes=self._tail.bytes,
            appended_frames=self._frames,
            appended_rows=self._rows,
            appended_bytes=self._appended,
            append_failures=self._failures,
            tail_reads=self._tail_reads,
            segment_reads=self._segment_reads,
            not_resident=self._misses,
            lost=self._losses,
            damages=self._damage_count,
        )

    def close(self) -> None:
        """Seal the last segment, so that the next start need not read it, and close all files; idempotent."""
        if self._lock < 0:
            return
        self._active.seal()
        _close(self._segments, self._lock)
        self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def verify(directory: Path) -> Iterator[Damage]:
    """Read every segment of a log whole and name what is damaged; waits for the disk, changes nothing.

    A torn end (an append in progress, or one that a crash cut short) is no damage.
    """
    before: Segment | None = None
    for path in _segment_paths(directory):
        segment, damages = Segment.open(path, rows_before=before.rows_end if before else 0, thorough=True)
        segment.close()
        if before is not None:
            yield from _missing(before, segment)
        yield from damages
        before = segment


def _missing(before: Segment, after: Segment) -> list[Damage]:
    """The damage that shows only at the next segment: no torn end but an unreadable one, or rows that neither of the two holds."""
    if not before.unread and before.rows_end == after.rows_before:
        return []
    why = _UNREADABLE if before.unread else "a segment after it is missing"
    return [Damage(before.name, before.size, before.last + 1, why)]


def _segment_paths(directory: Path) -> list[Path]:
    paths = []
    for path in sorted(directory.glob(f"*{SUFFIX}")):
        with contextlib.suppress(ValueError):
            first_of(path)
            paths.append(path)
    return paths


def _open_segments(directory: Path, segments: list[Segment]) -> Recovery:
    """Open the files of `directory` into `segments`, cutting a torn end off the last one."""
    damages: list[Damage] = []
    for path in _segment_paths(directory):
        before = segments[-1] if segments else None
        segment, found = Segment.open(path, rows_before=before.rows_end if before else 0)
        segments.append(segment)
        if before is not None:
            damages += _missing(before, segment)
        damages += found
    if not segments:
        return Recovery()
    last = segments[-1]
    torn = last.unread
    same_boot = last.boot == boot_id()
    unclean = bool(torn) or not (last.sealed or same_boot)
    if torn or (last.sealed and (same_boot or last.empty)):
        last.cut_torn()
    return Recovery(len(segments), last.last, torn, unclean, tuple(damages))


def _lock_directory(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise LogError(f"{directory}: {error.strerror}: the ingest log needs a directory of its own") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise LogLocked(f"{directory}: another process has this ingest log open") from error
    return lock


def _close(segments: list[Segment], lock: int) -> None:
    for segment in segments:
        segment.close()
    os.close(lock)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)

"""Resume positions: up to where each task has dealt with the ingest log, kept over crashes (DESIGN §5).

What always holds:

- The file is replaced as a whole by renaming, so a reader finds one version or the next, never a mixture.
- The version before is kept until the helper has synced the newer one: a machine that loses power finds one of both.
- A position read back may be older than the last one set, never newer: something is processed twice, nothing skipped.
- Nothing here waits for a disk; a file that cannot be written is reported, and tried again at the next turn.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from engine.ingest_log.errors import LogError, LogVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from engine.ingest_log.sync import LogHelper

_MAGIC: Final = b"\x89TWRP\r\n\x01"
_HEADER_BYTES: Final = len(_MAGIC) + 4


class _Document(msgspec.Struct, frozen=True):
    """What is in the file: `version` counts the writes, `positions` is {task: position}."""

    version: int
    positions: dict[str, int]


class ResumePositions:
    """{task: position}, written at most once an `interval` (ns) and only after a change."""

    def __init__(self, path: Path, *, clock: Callable[[], int], interval: int = 1_000_000_000) -> None:
        """Read what is at `path`, or the version before where it is damaged; empty where there is neither.

        `damaged` then says what was wrong: a task without a position is to resume at the log's oldest frame.
        Raises LogVersion, LogError (unreadable).
        """
        self.damaged = ""
        self._path = path
        self._previous = path.with_name(path.name + ".previous")
        self._temporary = path.with_name(path.name + ".new")
        self._clock = clock
        self._interval = interval
        document = self._load()
        self._positions = dict(document.positions)
        self._version = document.version
        # The version that is known to be on the disk; only that one may become the version before.
        self._durable = 0
        self._changed = False
        self._written = clock() - interval

    def _load(self) -> _Document:
        found = []
        for path in (self._path, self._previous):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise LogError(f"{path}: {error.strerror}: the resume positions cannot be read") from error
            document = _decode(path, data)
            if document is None:
                self.damaged = f"{path}: the resume positions are damaged"
            else:
                found.append(document)
        return max(found, key=lambda document: document.version, default=_Document(0, {}))

    def __getitem__(self, task: str) -> int:
        return self._positions[task]

    def get(self, task: str) -> int | None:
        """The position of `task`, None where it has none."""
        return self._positions.get(task)

    def items(self) -> Mapping[str, int]:
        """All of them; a copy."""
        return dict(self._positions)

    @property
    def highest(self) -> int:
        """The highest position remembered, 0 for none: the `floor` for opening the log."""
        return max(self._positions.values(), default=0)

    def set(self, task: str, position: int) -> None:
        """Remember that `task` has dealt with everything up to `position`."""
        if self._positions.get(task) != position:
            self._positions[task] = position
            self._changed = True

    def discard(self, task: str) -> None:
        """Forget `task` (disabled or deleted)."""
        if self._positions.pop(task, None) is not None:
            self._changed = True

    def turn(self, helper: LogHelper | None = None) -> int | None:
        """Write if there is a change and the interval has passed; returns the time (ns) to call again, if any.

        `helper` is asked to sync the file; give its `FileSynced` for this path to `synced`.
        Raises LogError when the file cannot be written; the change stays due.
        """
        if not self._changed:
            return None
        now = self._clock()
        due = self._written + self._interval
        if now < due:
            return due
        self.write(helper)
        return None

    def write(self, helper: LogHelper | None = None) -> None:
        """Write now, whether due or not. Raises LogError when the file cannot be written."""
        self._written = self._clock()
        version = self._version + 1
        try:
            self._temporary.write_bytes(_encode(_Document(version, self._positions)))
            if self._durable and self._durable == self._version:
                self._path.replace(self._previous)
            self._temporary.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                self._temporary.unlink(missing_ok=True)
            raise LogError(f"{self._path}: {error.strerror}: the resume positions cannot be written") from error
        self._version = version
        self._changed = False
        if helper is not None:
            helper.sync_file(self._path, version)

    def synced(self, version: int) -> None:
        """The helper has synced the version (its `FileSynced.token`, without an error)."""
        self._durable = max(self._durable, version)


def _encode(document: _Document) -> bytes:
    body = msgspec.msgpack.encode(document)
    return _MAGIC + zlib.crc32(body).to_bytes(4, "little") + body


def _decode(path: Path, data: bytes) -> _Document | None:
    if data[:7] == _MAGIC[:7] and data[7:8] not in {_MAGIC[7:], b""}:
        raise LogVersion(f"{path}: written in a version of the format that this program does not know")
    body = data[_HEADER_BYTES:]
    if not data.startswith(_MAGIC) or zlib.crc32(body) != int.from_bytes(data[len(_MAGIC) : _HEADER_BYTES], "little"):
        return None
    try:
        return msgspec.msgpack.decode(body, type=_Document)
    except msgspec.DecodeError:
        return None

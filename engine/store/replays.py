"""What is known of recordings and replays; a recording's data is a file of its own (http-api.md §13, §14)."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from engine.store.repository import Repository

RunStatus: TypeAlias = Literal["running", "finished", "failed"]
# Second resolution, as the reference lists them; ties go by ID.
_NEWEST_FIRST = "date / 1000000000 DESC, id DESC"


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recording: `path` of its file (empty: none), `size` in bytes (-1: no file), `date` in ns since 1970."""

    id: str
    type: Literal["stream", "batch"]
    path: str = ""
    size: int = 0
    date: int
    error: str = ""
    status: RunStatus = "running"
    progress: float = 0.0


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A replay; `recording` is empty for a live one, `stats` is empty until it has finished."""

    id: str
    task: str
    recording: str = ""
    recording_time: bool = False
    clock: Literal["fast", "real"] = "fast"
    date: int
    error: str = ""
    status: RunStatus = "running"
    progress: float = 0.0
    stats: dict[str, Any] = msgspec.field(default_factory=dict)


class Recordings(Repository[Recording]):
    """Recordings by ID, listed newest first."""

    kind = "recording"
    table = "recordings"
    row = Recording
    order = _NEWEST_FIRST

    def fail_running(self, error: str) -> int:
        """Mark what a server that ended has left running as failed; returns how many."""
        return self._database.change(
            "UPDATE recordings SET status = 'failed', error = ? WHERE status = 'running'", (error,)
        )


class Replays(Repository[Replay]):
    """Replays by ID, listed newest first."""

    kind = "replay"
    table = "replays"
    row = Replay
    order = _NEWEST_FIRST

    def fail_running(self, error: str) -> int:
        """Mark what a server that ended has left running as failed; returns how many."""
        return self._database.change(
            "UPDATE replays SET status = 'failed', error = ? WHERE status = 'running'", (error,)
        )

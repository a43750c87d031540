"""Readers of logs and what they see: the history, the sessions, the filters. Pure but for the wake-up of a session.

Always: whoever brings records never waits for a session. The history is bounded in records and bytes, oldest out first.
A session holds at most `limit` lines (and 4 MiB) for its reader; further ones are dropped, and a line at exactly their place tells
how many they were. A session sees every record that comes after it was opened, in order, each once or counted as lost.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from engine.logs.presentation import LEVELS, Fields, present, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_ALL: Final = logging.DEBUG
_OVERHEAD: Final = 200
_MAX_BYTES: Final = 4 << 20
MAX_SESSIONS: Final = 64


class Line:
    """A record, as it is and as it is shown."""

    __slots__ = ("_fields", "_texts", "level", "record", "size", "ts")

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self.ts: int = record.get("ts", 0)
        self.level = {"debug": logging.DEBUG, "info": logging.INFO}.get(str(record.get("level")), logging.ERROR)
        self.size = _OVERHEAD + sum(len(k) + (len(v) if isinstance(v, str) else 16) for k, v in record.items())
        self._fields: Fields | None = None
        self._texts: dict[str, str] | None = None

    @property
    def fields(self) -> Fields:
        if self._fields is None:
            self._fields = present(self.record)
        return self._fields

    @property
    def texts(self) -> Mapping[str, str]:
        """The fields by key, as filters compare them."""
        if self._texts is None:
            self._texts = {key: text_of(value) for key, value in self.fields}
        return self._texts


@dataclass(frozen=True, slots=True)
class Filter:
    """What a reader wants: a level and above (`least`), after a time, and keys with their texts."""

    least: int = _ALL
    since: int | None = None
    equal: Sequence[tuple[str, str]] = ()

    def takes(self, line: Line) -> bool:
        if line.level < self.least or (self.since is not None and line.ts < self.since):
            return False
        return all(line.texts.get(key) == value for key, value in self.equal)


def reference_filter(pairs: Iterable[tuple[str, str]]) -> Filter:
    """The filter of the reference's parameters: `lvl=info+` is that level and above, anything else must be equal."""
    least, equal = _ALL, []
    for key, value in pairs:
        if key == "lvl" and value.endswith("+"):
            least = LEVELS.get(value[:-1], _ALL)
        else:
            equal.append((key, value))
    return Filter(least, None, tuple(equal))


def lost_line(count: int, now: int) -> Line:
    """What stands where lines are missing."""
    return Line({"ts": now, "level": "error", "msg": "log lines lost", "process": "frontend", "lost": count})


@dataclass(slots=True)
class Session:
    """One reader. `wake` is called when there is something to take."""

    filter: Filter
    limit: int
    wake: Callable[[], None]
    closed: bool = False
    lost: int = 0
    _bytes: int = 0
    _waiting: deque[Line | int] = field(default_factory=deque)

    def offer(self, line: Line) -> None:
        if self.filter.takes(line):
            if len(self._waiting) >= self.limit or self._bytes + line.size > _MAX_BYTES:
                self.lose(1)
                return
            self._waiting.append(line)
            self._bytes += line.size
            self.wake()

    def lose(self, count: int) -> None:
        """So many lines are missing at this place."""
        self.lost += count
        if self._waiting and isinstance(self._waiting[-1], int):
            self._waiting[-1] += count
        else:
            self._waiting.append(count)
        self.wake()

    def take(self, most: int, now: int) -> list[Line]:
        """The next lines; nothing when there are none."""
        out: list[Line] = []
        while self._waiting and len(out) < most:
            entry = self._waiting.popleft()
            line = lost_line(entry, now) if isinstance(entry, int) else entry
            self._bytes -= 0 if isinstance(entry, int) else line.size
            out.append(line)
        return out


class Hub:
    """The sessions of one front end and the history that they can ask for.

    `want(level)` is called when the lowest level that anybody here wants changes; records of the history are of `info`
    and above unless the server logs more.
    """

    def __init__(
        self,
        *,
        history_bytes: int = 1 << 20,
        history_records: int = 10_000,
        limit: int = 1000,
        want: Callable[[int], None] | None = None,
    ) -> None:
        self._history: deque[Line] = deque()
        self._bytes = 0
        self._max_bytes = history_bytes
        self._max_records = history_records
        self._limit = limit
        self._lost = 0
        self._sessions: list[Session] = []
        self._want = want or (lambda _: None)
        self._want(logging.INFO)

    def take(self, records: Iterable[Mapping[str, Any]], lost: int = 0) -> None:
        """Records have come, and before them so many were lost on the way."""
        if lost:
            for session in self._sessions:
                session.lose(lost)
        for record in records:
            line = Line(record)
            self._remember(line)
            for session in self._sessions:
                session.offer(line)

    def _remember(self, line: Line) -> None:
        self._history.append(line)
        self._bytes += line.size
        while self._history and (self._bytes > self._max_bytes or len(self._history) > self._max_records):
            self._bytes -= self._history.popleft().size

    def history(self) -> list[Line]:
        """What is remembered, oldest first."""
        return list(self._history)

    def open(self, wanted: Filter, wake: Callable[[], None]) -> Session | None:
        """A session of what comes from now on; None when there are too many."""
        if len(self._sessions) >= MAX_SESSIONS:
            return None
        session = Session(wanted, self._limit, wake)
        self._sessions.append(session)
        self._tell()
        return session

    def end(self, session: Session) -> None:
        """The reader is gone. May be called again."""
        if session in self._sessions:
            self._sessions.remove(session)
            self._lost += session.lost
            self._tell()

    def close(self) -> None:
        """End every session."""
        for session in self._sessions:
            session.closed = True
            session.wake()

    def _tell(self) -> None:
        self._want(min((s.filter.least for s in self._sessions), default=logging.INFO))

    def statistics(self) -> dict[str, int]:
        return {
            "sessions": len(self._sessions),
            "lost": self._lost + sum(s.lost for s in self._sessions),
            "history_records": len(self._history),
            "history_bytes": self._bytes,
        }

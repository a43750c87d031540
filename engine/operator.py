"""The one interface that shows the life of an operator.

An operator is a node's meaning without its process: frames in, frames out. It knows nothing of processes, sockets,
threads or the wall clock, so that it can be tested, fused and replicated without knowing it. What it emits for a frame
equals what it would have emitted had each point come alone, in the same order.

    build -> [restore] -> collect ... collect -> finish | (dropped: suspended or aborted)
                             |  `-- snapshot between any two frames
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.frames.model import Frame


class TaskError(Exception):
    """A definite error of the task: it stops, and its error shows `<node>: <text>`.

    `frames`: what the operator emitted before the point that failed.
    """

    def __init__(self, text: str, frames: Sequence[Frame] = ()) -> None:
        super().__init__(text)
        self.frames = frames


@dataclass(frozen=True, slots=True)
class Record:
    """A log line that an operator wants written: level, message, and its keys in order."""

    level: str
    message: str
    fields: Mapping[str, Any]


@dataclass(slots=True)
class Report:
    """What an operator has to say beside its output: counters and log records.

    `records` is bounded: beyond `LIMIT` lines waiting, further ones are only counted in `suppressed`.
    """

    LIMIT = 200

    errors: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    records: deque[Record] = field(default_factory=deque)
    suppressed: int = 0

    def error(self, message: str, detail: str, *, times: int = 1, log: bool = True, **fields: Any) -> None:
        """Count `times` recoverable errors and log one line for them; `log=False` is `.quiet()`."""
        self.errors += times
        if log:
            self.log("error", message, error=detail, **fields)

    def log(self, level: str, message: str, **fields: Any) -> None:
        if len(self.records) < self.LIMIT:
            self.records.append(Record(level, message, fields))
        else:
            self.suppressed += 1

    def count(self, name: str, by: int) -> None:
        self.counters[name] = self.counters.get(name, 0) + by


@dataclass(frozen=True, slots=True)
class Context:
    """What an operator may know of its surroundings.

    `now` gives the wall clock in int64 ns and is the only way to it; `zone` is the IANA name of the zone for the
    calendar functions of lambdas. `endpoints` are the configured `[[httppost]]` sections by name. `step` is to be called
    after each thing done within a frame where that may take long: a node that takes no step shows as stalled.
    """

    task: str
    node: str
    now: Callable[[], int]
    zone: str = "UTC"
    endpoints: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    step: Callable[[], None] = lambda: None


@runtime_checkable
class Operator(Protocol):
    """See the module's text. `parent` is the slot of the parent edge that the frame came from."""

    report: Report

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:
        """Take a frame, give what follows from it. Raises TaskError for a definite error."""

    def finish(self) -> Sequence[Frame]:
        """The end of all parents was reached (drain): give what the reference flushes then."""

    def snapshot(self) -> Any:
        """The whole state as plain msgpack values; None where there is none."""

    def restore(self, state: Any) -> None:
        """Take over a state that `snapshot` of an operator with the same properties gave."""

    @property
    def cardinality(self) -> int:
        """Groups that have state (`working_cardinality`)."""


# What an operator can do beyond that is said by plain base classes: asking a protocol touches hundreds of shared pages.


class Answering:
    """An operator that answers questions from outside between two frames (httpOut)."""

    path: str

    def answer(self) -> tuple[int, bytes]:
        """HTTP status and body."""
        raise NotImplementedError


class Reloading:
    """An operator that has loaded something from outside and can load it anew between two frames (sideload)."""

    def reload(self) -> None:
        """Raises an exception whose text says what failed; nothing has changed then."""
        raise NotImplementedError


@runtime_checkable
class Outside(Protocol):
    """An operator that talks to the outside while it handles a frame (httpPost, influxDBOut): its runner is on asyncio."""

    report: Report

    async def open(self) -> None:
        """Get ready to talk; called once in the event loop, before the first frame."""

    async def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:
        """As Operator.collect; one frame at a time, order kept."""

    async def finish(self) -> Sequence[Frame]:
        """As Operator.finish."""

    async def close(self) -> None:
        """Let go of connections."""

    @property
    def cardinality(self) -> int: ...


class Stateless:
    """What operators without state share."""

    def __init__(self) -> None:
        self.report = Report()

    def finish(self) -> Sequence[Frame]:
        return ()

    def snapshot(self) -> Any:
        return None

    def restore(self, state: Any) -> None:
        """Nothing to take over."""

    @property
    def cardinality(self) -> int:
        return 0

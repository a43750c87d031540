"""The life of tasks: a pure state machine. Events and a clock in, instructions out, no I/O.

    start ─► STARTING ─ all processes ready ─► RUNNING ─ stop ─► DRAINING ─ all gone ─► (forgotten)
                │                                │  ▲
                │ a node refuses                 │  └─ back-off over ─ BACKOFF ◄─ a process crashed ─┐
                ▼                                ├──────────────────────────────────────────────────┘
              FAILED ◄─ a definite error ────────┘

FAILED keeps the error: enabled, not executing (spec "TaskMaster" §10). A crash restarts the task's processes from its
resume position, and gives them what was in work one frame at a time; `MAX_EXITS` exits at one frame stop the task, because
the input itself then is the likely cause (engine.task_master.suspects). A start that dies as often is refused.
Processes of an earlier incarnation of a task are waited for by their own identity and never mistaken for later ones.
The status pages of a process stay its own until the last of its incarnation is gone, so that figures of exited ones stay true.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from engine.task_master.suspects import MAX_EXITS, Suspects, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.task_master.placement import Layout

BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds before the first, second, … restart after a crash; the last one repeats."""
HEALTHY_S = 10.0
"""A task that has run for so long begins again with the first of them."""
LAST_WORD_S = 5.0
"""How long the last words of a process that has exited well may take: they come by another way than the news of its exit."""


class State(Enum):
    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    BACKOFF = "waiting to restart"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Definition:
    """What runs: the plan and the (database, retention policy) pairs, as they were when the task was started."""

    plan: Mapping[str, Any]
    dbrps: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Process:
    """A process of one incarnation of a task."""

    id: str
    task: str
    nodes: tuple[str, ...]
    slots: tuple[int, ...]
    parents: int
    pid: int = 0
    ready: bool = False
    ended: bool = False
    exited: bool = False
    paths: tuple[str, ...] = ()


@dataclass(slots=True)
class Task:
    id: str
    definition: Definition
    state: State = State.STARTING
    error: str = ""
    layout: Layout | None = None
    processes: list[Process] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    deadline: float | None = None
    resume: int | None = None
    suspects: Suspects = field(default_factory=Suspects)
    exits: int = 0
    restarts: int = 0
    crashes: int = 0
    running_since: float | None = None
    early: bool = True
    """Whether the zygote may make its operators before it forks; not any more when it has died before all were forked."""
    abandoned: bool = False
    """What it leaves behind is being counted: it only waits for its processes to be gone."""

    @property
    def executing(self) -> bool:
        return self.state in (State.STARTING, State.RUNNING, State.DRAINING, State.BACKOFF)

    @property
    def alive(self) -> bool:
        return any(not p.exited for p in self.processes)


@dataclass(frozen=True, slots=True)
class Spawn:
    """Place the task and fork its processes; report them with `placed`."""

    task: str


@dataclass(frozen=True, slots=True)
class OpenFork:
    """Route the stream to the task from `position` on (None: from the head on); report the place with `opened`.

    Frames up to `fence` are given one at a time.
    """

    task: str
    position: int | None
    fence: int = 0


@dataclass(frozen=True, slots=True)
class DrainFork:
    """Let the fork run up to the head of this moment, then end it."""

    task: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """The task is given up, for the reason `why`, with these nodes left: count the points that it still had, and say so."""

    task: Task
    why: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CloseFork:
    """End the fork at once."""

    task: str


@dataclass(frozen=True, slots=True)
class Forget:
    """The task has ended, by itself or by order: it has no place in the stream any more, and wants nothing of it."""

    task: str


@dataclass(frozen=True, slots=True)
class Kill:
    process: str


@dataclass(frozen=True, slots=True)
class Release:
    """The process is gone, and nobody asks for its figures any more: its status pages are free."""

    process: Process


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer a request: `error` empty for success."""

    request: Any
    error: str = ""


@dataclass(frozen=True, slots=True)
class KeepError:
    """Have the store remember the task's error."""

    task: str
    error: str


@dataclass(frozen=True, slots=True)
class Say:
    """Write a log line."""

    level: str
    message: str
    task: str
    fields: tuple[tuple[str, Any], ...] = ()


Instruction = Spawn | OpenFork | DrainFork | Abandon | CloseFork | Forget | Kill | Release | Answer | KeepError | Say


class Lifecycle:
    """All tasks. Every method takes an event and returns what is to be done, in order."""

    def __init__(
        self,
        *,
        in_work: Callable[[Task], Work],
        start_timeout_s: float = 30.0,
        drain_timeout_s: float = 10.0,
    ) -> None:
        self.tasks: dict[str, Task] = {}
        self.processes: dict[str, Process] = {}
        self._silent: dict[str, float] = {}
        self._in_work = in_work
        self._start_timeout = start_timeout_s
        self._drain_timeout = drain_timeout_s
        self._serial = itertools.count(1)

    def new_process_id(self, task: str, node: str) -> str:
        return f"{task}/{node}#{next(self._serial)}"

    def start(
        self, request: Any, task: str, definition: Definition, now: float, resume: int | None = None
    ) -> list[Instruction]:
        """Begin to execute a task; answered when all its processes are ready."""
        old = self.tasks.get(task)
        if old is not None and old.executing:
            return [] if request is None else [Answer(request, f"task {task} is already executing")]
        released = [] if old is None else _release(old)
        new = Task(task, definition, requests=[] if request is None else [request], resume=resume)
        new.deadline = now + self._start_timeout
        self.tasks[task] = new
        return [*released, Spawn(task)]

    def placed(self, task: str, layout: Layout, processes: Sequence[Process]) -> list[Instruction]:
        """The processes of a Spawn have been ordered."""
        t = self.tasks[task]
        t.layout = layout
        t.processes = list(processes)
        for p in processes:
            self.processes[p.id] = p
        return []

    def cannot_place(self, task: str, error: str) -> list[Instruction]:
        """A Spawn failed before anything was forked."""
        return self._fail(self.tasks[task], error)

    def opened(self, task: str, position: int) -> None:
        """The fork of an OpenFork stands behind `position`: where the task resumes until it has dealt with more."""
        self.tasks[task].resume = position

    def ready(self, process: str, paths: Sequence[str], now: float) -> list[Instruction]:
        """A process has opened its edges; `paths` are what it can be asked for."""
        p = self.processes.get(process)
        if p is None:
            return []
        p.ready = True
        p.paths = tuple(paths)
        t = self.tasks.get(p.task)
        if t is None or p not in t.processes or t.state is not State.STARTING or not all(q.ready for q in t.processes):
            return []
        clash = _clash(t.processes)
        if clash is not None:
            # To the client the task has started, and its node fails then.
            return [*self._answer(t), *self._fail(t, clash)]
        t.state = State.RUNNING
        t.deadline = None
        t.running_since = now
        return [OpenFork(t.id, t.resume, t.suspects.fence), *self._answer(t), Say("info", "task started", t.id)]

    def failed(self, process: str, node: str, error: str) -> list[Instruction]:
        """A definite error of a node."""
        p = self.processes.get(process)
        t = self.tasks.get(p.task) if p is not None else None
        if p is None or t is None or p not in t.processes or t.state is State.FAILED:
            return []
        if t.state is State.STARTING and t.restarts == 0:
            return self._fail(t, error)
        return self._fail(t, f"{node}: {error}")

    def ended(self, process: str, now: float) -> list[Instruction]:
        """A process has said that it ends by itself, the last that it says: its exit is no crash."""
        p = self.processes.get(process)
        if p is None:
            return []
        p.ended = True
        return self.exited(process, 0, now) if process in self._silent else []

    def exited(self, process: str, status: int, now: float, *, blame: bool = True) -> list[Instruction]:
        """A process is gone; a negative `status` is a signal. Without `blame` it is known that no input was the cause."""
        p = self.processes.get(process)
        if p is None:
            return []
        if status == 0 and not p.ended and process not in self._silent:
            self._silent[process] = now + LAST_WORD_S
            return []
        self._silent.pop(process, None)
        del self.processes[process]
        p.exited = True
        t = self.tasks.get(p.task)
        if t is None or p not in t.processes:
            return [Release(p)]
        if not blame and p.pid == 0:
            t.early = False
        out: list[Instruction] = []
        crashed = not p.ended or status != 0
        if crashed and t.state in (State.STARTING, State.RUNNING):
            out += self._crashed(t, p, status, now, blame=blame)
        elif not p.ended and t.state is State.DRAINING and not t.abandoned:
            out += [*_abandon(t, "node process died, task aborted", p.nodes[-1]), CloseFork(t.id), *_kill(t)]
        if not t.alive:
            out += self._all_gone(t)
        elif t.state is State.BACKOFF and crashed:
            out += _kill(t)
        return out

    def _crashed(self, t: Task, p: Process, status: int, now: float, *, blame: bool) -> list[Instruction]:
        how = f"killed by signal {-status}" if status < 0 else f"exited with status {status}"
        node = p.nodes[-1]
        work = self._in_work(t)
        t.exits = t.suspects.died(work) if blame else 0
        t.crashes += 1
        told = (("node", node), ("how", how), ("exits", t.exits), ("resume", work.dealt))
        say = Say("error", "node process died", t.id, told)
        if t.exits >= MAX_EXITS:
            return [say, *self._fail(t, f"{node}: process {how}, {t.exits} times at the same input")]
        if t.running_since is None and blame and t.crashes >= MAX_EXITS:
            return [say, *self._fail(t, f"{node}: process {how} before it was ready, {t.crashes} times")]
        if t.state is State.RUNNING and t.running_since is not None and now - t.running_since >= HEALTHY_S:
            t.restarts = 0
        t.state = State.BACKOFF
        t.resume = work.dealt
        t.deadline = now + BACKOFF_S[min(t.restarts, len(BACKOFF_S) - 1)]
        t.restarts += 1
        return [say, CloseFork(t.id)]

    def _all_gone(self, t: Task) -> list[Instruction]:
        if t.state is State.RUNNING:
            # All nodes ended by themselves although nobody stopped the task: it stays registered, as in the reference.
            return [CloseFork(t.id), Forget(t.id)]
        released = _release(t)
        if t.state is State.DRAINING:
            del self.tasks[t.id]
            return [CloseFork(t.id), Forget(t.id), *released, *self._answer(t), Say("info", "task stopped", t.id)]
        t.processes = []
        return released

    def stop(self, request: Any, task: str, now: float) -> list[Instruction]:
        """Drain a task; answered when nothing of it is left. An unknown task is stopped already."""
        t = self.tasks.get(task)
        if t is None:
            return [Answer(request)]
        if t.state is State.DRAINING:
            t.requests.append(request)
            return []
        if not t.alive or t.state in (State.FAILED, State.BACKOFF):
            del self.tasks[task]
            left = _abandon(t, "task stopped while it waits to restart") if t.state is State.BACKOFF else []
            out = [*left, CloseFork(task), Forget(task), *_kill(t), *_release(t)]
            return [*out, *self._answer(t, "task was stopped"), Answer(request)]
        starting = t.state is State.STARTING
        out = self._answer(t, "task was stopped")
        t.state = State.DRAINING
        t.requests = [request]
        t.deadline = now + self._drain_timeout
        if not starting:
            return [*out, DrainFork(task)]
        if t.resume is not None:
            out += _abandon(t, "task stopped while it restarts")
        t.abandoned = True
        return [*out, *_kill(t)]

    def tick(self, now: float) -> list[Instruction]:
        """Deadlines that have passed."""
        out: list[Instruction] = []
        for process in [p for p, until in self._silent.items() if until <= now]:
            out += self.exited(process, 0, now)
        for t in list(self.tasks.values()):
            if t.deadline is None or now < t.deadline:
                continue
            t.deadline = None
            if t.state is State.STARTING:
                late = ", ".join(p.nodes[-1] for p in t.processes if not p.ready)
                out += self._fail(t, f"not ready within {self._start_timeout:g}s: {late}")
            elif t.state is State.DRAINING:
                left = [p.nodes[-1] for p in t.processes if not p.exited]
                if not t.abandoned:
                    out += _abandon(t, "drain timeout, task aborted", *left)
                out += [CloseFork(t.id), *_kill(t)]
            elif t.state is State.BACKOFF:
                if t.alive:
                    t.deadline = now + BACKOFF_S[0]
                    continue
                t.state = State.STARTING
                t.deadline = now + self._start_timeout
                out.append(Spawn(t.id))
        return out

    def next_deadline(self) -> float | None:
        deadlines = [t.deadline for t in self.tasks.values() if t.deadline is not None]
        return min([*deadlines, *self._silent.values()], default=None)

    def _fail(self, t: Task, error: str) -> list[Instruction]:
        starting = t.state is State.STARTING
        t.state = State.FAILED
        t.error = error
        t.deadline = None
        answers = self._answer(t, error)
        rest = _kill(t) if starting else []
        message = "failed to start task" if starting else "task finished with error"
        say = Say("error", message, t.id, (("error", error),))
        return [CloseFork(t.id), Forget(t.id), *rest, KeepError(t.id, error), *answers, say]

    @staticmethod
    def _answer(t: Task, error: str = "") -> list[Instruction]:
        out: list[Instruction] = [Answer(r, error) for r in t.requests]
        t.requests = []
        return out


def _abandon(t: Task, why: str, *nodes: str) -> list[Instruction]:
    t.abandoned = True
    return [Abandon(t, why, nodes)]


def _kill(t: Task) -> list[Instruction]:
    return [Kill(p.id) for p in t.processes if not p.exited]


def _release(t: Task) -> list[Instruction]:
    """Let go of an incarnation's processes; those that live still are released when they exit."""
    return [Release(p) for p in t.processes if p.exited]


def _clash(processes: Sequence[Process]) -> str | None:
    """Two httpOut nodes of one path: the second one fails, as in the reference (spec "Pipeline nodes" §17.1)."""
    seen: set[str] = set()
    for p in processes:
        for path in p.paths:
            if path in seen:
                return f"{p.nodes[-1]}: http: multiple registrations for /kapacitor/v1/tasks/{p.task}/{path}"
            seen.add(path)
    return None

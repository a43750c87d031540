"""The supervisor's poll loop: the TaskMaster's I/O. It decides nothing and never waits for a disk, a node or a client.

It takes frames from the front ends, appends what a task wants to the ingest log, acknowledges, and hands frames to the
forks; it answers the front ends' questions, passes orders to the zygote, and carries out what the life cycle says.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import zmq

from engine import clock, logs, rpc
from engine.frames import header as wire
from engine.ingest_log.errors import LogError
from engine.ingest_log.log import IngestLog
from engine.ingest_log.positions import ResumePositions
from engine.ingest_log.sync import FileSynced, HelperDied, LogHelper, PagedIn, Synced, SyncFailed
from engine.runner import spec as specs
from engine.settings import MAX_SOCKETS
from engine.status import StatusFile
from engine.task_master import lifecycle as life
from engine.task_master import statistics
from engine.task_master.forks import Forks
from engine.task_master.ingress import Ingress
from engine.task_master.orders import Orders
from engine.task_master.overload import overloaded
from engine.task_master.overview import overview, select
from engine.task_master.placement import PlacementError, place
from engine.task_master.resume import LOOK_S, Resume
from engine.task_master.retention import Loss, Need, Retention
from engine.task_master.stalls import Stalls, observe
from engine.task_master.store_link import StoreLink
from engine.task_master.throughput import Throughput
from engine.task_master.zygote_link import ZygoteDied, ZygoteLink
from transports.context import new_context, socket_limit
from transports.paths import RunDirectory
from transports.zmq_edge import ipc_collector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.ingest_log.segment import Damage, NotResident
    from engine.settings import Addresses, Settings
    from engine.task_master.forks import Fork
    from engine.task_master.stalls import Seen

_FRAMES_A_TURN = 64
_FEW_ROWS = 64
_STORE_TIMEOUT_S = 5.0
_OUT_TIMEOUT_S = 2.0
_NOBODY = b""
"""Asks in place of a client, for a signal."""
_RELOAD_TIMEOUT_S = 15.0
"""A web service has 10 seconds to answer a sideload node."""


class Supervisor:
    """One run of the TaskMaster, from `run` to SIGTERM."""

    def __init__(self, settings: Settings, addresses: Addresses) -> None:
        self._settings = settings
        self._addresses = addresses
        self._log = logs.get_logger(process="supervisor")
        self._zygote = ZygoteLink(settings.log_level, addresses.run_dir)
        # Contexts come after the first fork, so that the zygote never holds one.
        self._context = new_context(max_sockets=min(MAX_SOCKETS, socket_limit()))
        self._run_dir = RunDirectory(Path(addresses.run_dir))
        self._pages = StatusFile.create(Path(addresses.status), settings.engine.max_nodes)
        log = settings.log
        kept = ResumePositions(Path(settings.data_dir) / "positions", clock=clock.now)
        if kept.damaged:
            self._log.error("tasks resume at the oldest frame of the log", error=kept.damaged)
        self._ingest_log = IngestLog.open(
            Path(settings.data_dir) / "log",
            clock=clock.now,
            segment_bytes=log.segment_bytes,
            retention_bytes=log.retention_bytes,
            retention_age=log.retention_age_ns,
            tail_bytes=log.tail_bytes,
            floor=kept.highest,
        )
        self._helper = LogHelper(
            self._ingest_log,
            policy=log.fsync,  # type: ignore[arg-type]
            interval=log.fsync_interval_ns,
            clock=clock.now,
        )
        self._forks = Forks(self._ingest_log, self._dealt)
        self._resume = Resume(
            kept, self._ingest_log, self._helper, self._forks, self._pages, self._cannot_keep_positions
        )
        self._retention = Retention(
            self._ingest_log, self._forks.wanted, self._needs, refuse=log.on_retention == "refuse-writes"
        )
        engine = settings.engine
        self._stalls = Stalls(engine.stall_after_s, engine.stall_timeout_s)
        self._slow = False
        self._retaining = True
        self._damages_told: set[Damage] = set()
        self._paging: NotResident | None = None
        self._look_at: float | None = None
        self._touched = False
        self._lifecycle = life.Lifecycle(
            in_work=self._resume.work,
            start_timeout_s=engine.start_timeout_s,
            drain_timeout_s=engine.drain_timeout_s,
        )
        self._ingest = self._way_in(addresses.ingest)
        # Writers may be slowed; a task that feeds itself never is, or it could not catch up.
        self._loopback = self._way_in(addresses.loopback)
        self._router = rpc.router(self._context, f"ipc://{addresses.control}")
        self._store = StoreLink(self._context, f"ipc://{addresses.store}")
        self._orders = Orders(settings, addresses)
        self._serial = itertools.count(1)
        self._enabled_after: str | None = None
        self._enabled_again = 0.0
        self._enabled_number = 0
        self._asked: dict[int, tuple[bytes, int, float, str]] = {}
        self._unsynced: deque[tuple[int, bytes, int]] = deque()
        self._ingress = Ingress()
        self._throughput = Throughput(lambda t: statistics.source_count(t, self._pages))
        self._stopping = False
        self._reload = False
        self._log_failing = False
        self._poller = zmq.Poller()
        self._watched: set[Any] = set()

    def _way_in(self, address: str) -> zmq.Socket[bytes]:
        """A socket that frames come in by."""
        made: zmq.Socket[bytes] = self._context.socket(zmq.PULL)
        made.setsockopt(zmq.RCVHWM, 8)
        made.setsockopt(zmq.LINGER, 0)
        made.bind(f"ipc://{address}")
        return made

    # ------------------------------------------------------------------ running

    def run(self) -> int:
        """Until SIGTERM; the exit status."""
        recovery = self._ingest_log.recovery
        self._log.info(
            "ingest log open", head=recovery.head, segments=recovery.segments, torn_bytes=recovery.torn_bytes
        )
        self._say_damages()
        wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.signal(signal.SIGHUP, self._on_hangup)
        poller = self._poller
        for s in (self._ingest, self._loopback, self._router, self._store.socket):
            poller.register(s, zmq.POLLIN)
        for descriptor in (wake, self._helper.fileno()):
            poller.register(descriptor, zmq.POLLIN)
        self._zygote.watch(poller)
        self._ask_enabled("")
        while not self._stopping:
            timeout = self._next_timeout()
            ready = dict(poller.poll(timeout))
            if wake in ready:
                os.read(wake, 4096)
            if self._reload:
                self._reload = False
                for process in self._processes_with("sideload"):
                    self._ask_node(_NOBODY, 0, process, "reload", {}, _RELOAD_TIMEOUT_S)
            if self._router in ready:
                self._on_router()
            if self._store.socket in ready:
                self._store.hear()
            if self._zygote.fileno() in ready:
                self._on_zygote()
            if self._helper.fileno() in ready:
                self._on_helper()
            for way in (self._loopback, self._ingest):
                if way in ready:
                    self._on_ingest(way)
            self._pump_waiting()
            self._housekeeping()
            self._slow_writers()
        self._suspend()
        return 0

    def _on_term(self, *_: Any) -> None:
        self._stopping = True

    def _on_hangup(self, *_: Any) -> None:
        self._reload = True

    def _next_timeout(self) -> int | None:
        """Milliseconds until something is due."""
        due = []
        deadline = self._lifecycle.next_deadline()
        if deadline is not None:
            due.append(deadline - clock.monotonic())
        if self._asked:
            due.append(min(d for _, _, d, _ in self._asked.values()) - clock.monotonic())
        wall = [at for at in (self._helper.turn(), self._resume.turn()) if at is not None]
        if wall:
            due.append((min(wall) - clock.now()) / 1e9)
        if self._look_at is not None:
            due.append(self._look_at - clock.monotonic())
        if self._retention.counting:
            due.append(0.0)
        if self._enabled_after is not None:
            due.append(self._enabled_again - clock.monotonic())
        patience = self._forks.patience
        if patience is not None:
            due.append(patience)
        measured = self._throughput.due
        if measured is not None:
            due.append(measured - clock.monotonic())
        return int(max(0.0, min(due) * 1000 + 1)) if due else None

    def _housekeeping(self) -> None:
        self._retain()
        now = clock.monotonic()
        self._throughput.measure(self._lifecycle.tasks.values(), now)
        if (deadline := self._lifecycle.next_deadline()) is not None and deadline <= now:
            self._do(self._lifecycle.tick(now))
        for number, node in [(n, node) for n, (_, _, d, node) in self._asked.items() if d <= now]:
            self._on_node_answer(number, ok=False, value={"code": 503, "message": f"node {node} does not answer"})
        if self._enabled_after is not None and self._enabled_again <= now:
            self._ask_enabled(self._enabled_after)
        self._look(now)

    def _retain(self) -> None:
        """Hold the log to its bounds. Which tasks need it is known once the store has said which run."""
        if self._enabled_after is not None:
            return
        try:
            dropped, losses = self._retention.turn()
        except LogError as error:
            if self._retaining:
                self._log.error("the ingest log cannot be held to its bounds", error=str(error))
            self._retaining = False
            return
        self._retaining = True
        for d in dropped:
            self._log.debug("segment dropped", first=d.first, last=d.last, reason=d.reason)
        for loss in losses:
            self._say_loss(loss)
        asked = self._retention.asked
        if asked is not None and asked != self._paging:
            self._paging = asked
            self._helper.page_in(asked)

    def _say_loss(self, loss: Loss) -> None:
        if loss.first:
            self._log.error("points lost", task=loss.task, rows=loss.rows, total=loss.total)

    def _needs(self) -> dict[str, Need]:
        """From where on tasks need the log."""
        needs = {}
        for t in self._lifecycle.tasks.values():
            if t.executing:
                work = self._resume.work(t)
                if work.dealt is not None:
                    needs[t.id] = Need(work.dealt, max(work.given, work.dealt))
        return needs

    def _slow_writers(self) -> None:
        """Take nothing from front ends while the server as a whole is overloaded: their writers wait, then get 503."""
        slow = bool(self._forks.waiting) and overloaded(self._forks, self._stalls.tasks, self._lag)
        if slow != self._slow:
            self._slow = slow
            if slow:
                self._poller.unregister(self._ingest)
                self._log.warning("writers are slowed: every task is behind by more than half of the ingest log")
            else:
                self._poller.register(self._ingest, zmq.POLLIN)
                self._log.info("writers are not slowed any more")

    def _lag(self, fork: Fork) -> float:
        """How far a fork is behind, as a share of the retention."""
        log = self._settings.log
        share = self._ingest_log.bytes_behind(fork.cursor + 1) / log.retention_bytes
        if log.retention_age_ns:
            share = max(share, (self._ingest_log.last_time - fork.time) / log.retention_age_ns)
        return share

    def _look(self, now: float) -> None:
        """Once a second, while tasks have something in hand, see how far they are."""
        if self._look_at is None:
            if self._touched:
                self._look_at = now + LOOK_S
        elif self._look_at <= now:
            self._touched = False
            tasks = list(self._lifecycle.tasks.values())
            busy = self._resume.look(tasks)
            self._look_for_stalls(tasks, now)
            for task in self._retention.behind:
                fork = self._forks.get(task)
                if fork is not None and fork.live and self._retention.caught_up(task):
                    self._log.info("task has caught up", task=task, lost=self._retention.lost(task))
            self._look_at = now + LOOK_S if busy or self._stalls.tasks else None

    def _look_for_stalls(self, tasks: Sequence[life.Task], now: float) -> None:
        seen: list[Seen] = []
        for t in tasks:
            if t.executing and t.layout is not None and t.processes:
                fork = self._forks.get(t.id)
                seen.extend(observe(t, self._pages, None if fork is None else fork.collector.messages))
        for change in self._stalls.look(seen, now):
            if change.stalled:
                self._log.warning("node stalled", task=change.task, node=change.node)
            else:
                self._log.info("node goes on", task=change.task, node=change.node, after=round(change.seconds, 1))
        for process in self._stalls.overdue(now):
            self._log.error("stalled node is killed", process=process)
            self._zygote.order("kill", process)

    def _dealt(self, task: str) -> int:
        t = self._lifecycle.tasks.get(task)
        return (statistics.dealt_position(t, self._pages) or 0) if t is not None else 0

    def _cannot_keep_positions(self, error: str) -> None:
        self._log.error("resume positions cannot be kept", error=error)

    def _suspend(self) -> None:
        """End at once: nothing is flushed; what was acknowledged and not processed is in the log."""
        self._log.info("supervisor stopping")
        self._zygote.close()
        self._resume.close(self._lifecycle.tasks.values())
        for fork in list(self._forks):
            self._forks.close(fork.task)
        self._helper.close()
        self._ingest_log.close()
        self._pages.close()
        for s in (self._ingest, self._loopback, self._router, self._store.socket):
            s.close(0)
        self._context.term()

    # ------------------------------------------------------------------ ingest

    def _on_ingest(self, way: zmq.Socket[bytes]) -> None:
        receive = way.recv_multipart
        for _ in range(_FRAMES_A_TURN):
            try:
                message = receive(zmq.DONTWAIT, copy=False)
            except zmq.Again:
                return
            who, number = msgspec.msgpack.decode(message[0].buffer)
            self._take(who, number, [m.buffer for m in message[1:]])

    def _take(self, who: bytes, number: int, parts: list[Any]) -> None:
        """One frame of a front end: log it if a task wants it, acknowledge, deliver."""
        header = wire.read_header(parts[0])
        rows = self._ingress.count(header)
        wanted = self._forks.wanted(header)
        # Until it is known which tasks run, everything may be wanted.
        if not wanted and self._enabled_after is None:
            self._acknowledge(who, number)
            return
        if self._helper.failed and self._settings.log.fsync == "always":
            self._refuse(who, number, "the ingest log cannot be synced")
            return
        if self._retention.refusing:
            self._refuse(who, number, self._retention.refusing)
            return
        if self._enabled_after is not None and self._ingest_log.expiring():
            self._refuse(who, number, "the ingest log is full, and which tasks run is not known yet")
            return
        position = self._ingest_log.next_position
        header = msgspec.structs.replace(header, position=position)
        parts[0] = wire.write_header(header)
        try:
            self._ingest_log.append(parts, rows)
        except LogError as error:
            self._refuse(who, number, str(error))
            return
        self._log_failing = False
        self._touched = True
        # A writer of few rows waits for little; one of many sends the next body the sooner it hears.
        first = rows <= _FEW_ROWS
        if first:
            self._forks.appended(position, header, parts, wanted)
        if self._settings.log.fsync == "always":
            self._unsynced.append((position, who, number))
        else:
            self._acknowledge(who, number)
        if not first:
            self._forks.appended(position, header, parts, wanted)

    def _acknowledge(self, who: bytes, number: int) -> None:
        self._reply(who, rpc.pack_request(0, "ack", {"number": number}))

    def _refuse(self, who: bytes, number: int, error: str) -> None:
        self._ingress.refused += 1
        if not self._log_failing:
            self._log_failing = True
            self._log.error("writes are refused", error=error)
        self._reply(who, rpc.pack_request(0, "refused", {"number": number, "message": error}))

    def _pump_waiting(self) -> None:
        for fork in list(self._forks.waiting.values()):
            if fork.asked is not None:
                continue
            missing = self._forks.pump(fork)
            if missing is not None:
                self._helper.page_in(missing)
            if fork.damaged_rows:
                self._say_loss(self._retention.damaged(fork.task, fork.damaged_rows))
                fork.damaged_rows = 0
                self._say_damages()
        self._watch_forks()

    def _say_damages(self) -> None:
        """Name what of the log is found to be damaged."""
        for damage in list(self._ingest_log.damages):
            if damage not in self._damages_told:
                self._damages_told.add(damage)
                where = {"segment": damage.segment, "offset": damage.offset, "position": damage.position}
                self._log.error("the ingest log is damaged", **where, reason=damage.reason)

    def _watch_forks(self) -> None:
        """Poll for room in the edges of forks that wait for it, and only those."""
        want = {
            f.collector.writable_socket: f
            for f in self._forks.waiting.values()
            if f.asked is None and not (f.dead or f.held)
        }
        for s in [s for s in self._watched if s not in want]:
            self._poller.unregister(s)
            self._watched.discard(s)
        for s in want:
            if s is not None and s not in self._watched:
                self._poller.register(s, zmq.POLLOUT)
                self._watched.add(s)

    def _on_helper(self) -> None:
        for event in self._helper.handle():
            if isinstance(event, Synced):
                while self._unsynced and self._unsynced[0][0] <= event.position:
                    _, who, number = self._unsynced.popleft()
                    self._acknowledge(who, number)
            elif isinstance(event, SyncFailed):
                self._log.error("the ingest log cannot be synced", error=event.error)
                while self._unsynced:
                    _, who, number = self._unsynced.popleft()
                    self._refuse(who, number, f"the ingest log cannot be synced: {event.error}")
            elif isinstance(event, PagedIn):
                for fork in self._forks.waiting.values():
                    if fork.asked == event.asked:
                        fork.asked = None
                if self._retention.asked == event.asked:
                    self._retention.asked = self._paging = None
            elif isinstance(event, FileSynced):
                if not event.error:
                    self._resume.synced(event.token)
            elif isinstance(event, HelperDied):
                self._log.warning("log helper died", reason=event.reason)

    # ------------------------------------------------------------------ zygote

    def _on_zygote(self) -> None:
        try:
            for event in self._zygote.events():
                self._heard(event)
        except ZygoteDied as died:
            self._zygote_died(died.status)

    def _heard(self, event: Sequence[Any]) -> None:
        match event:
            case ["forked", str(identity), int(pid)]:
                process = self._lifecycle.processes.get(identity)
                if process is not None:
                    process.pid = pid
            case ["exit", str(identity), int(), int(code)]:
                self._do(self._lifecycle.exited(identity, code, clock.monotonic()))
            case ["refused", str(identity), str(text)]:
                process = self._lifecycle.processes.get(identity)
                node = process.nodes[-1] if process is not None else ""
                self._do(self._lifecycle.failed(identity, node, text))
                self._do(self._lifecycle.exited(identity, 1, clock.monotonic()))

    def _zygote_died(self, status: int) -> None:
        """All nodes died with it: start another and let the life cycle restart the tasks."""
        self._log.error("zygote died", status=status)
        self._zygote.restart()
        now = clock.monotonic()
        for identity in list(self._lifecycle.processes):
            self._do(self._lifecycle.exited(identity, -signal.SIGKILL, now, blame=False))

    # ------------------------------------------------------------------ life cycle

    def _do(self, instructions: Sequence[life.Instruction]) -> None:
        for i in instructions:
            match i:
                case life.Spawn(task):
                    self._spawn(task)
                case life.OpenFork(task, position, fence):
                    self._open_fork(task, position, fence)
                case life.DrainFork(task):
                    self._forks.drain(task)
                    if self._forks.get(task) is None:
                        self._log.warning("a task without a fork is drained", task=task)
                case life.CloseFork(task):
                    self._forks.close(task)
                    self._throughput.forget(task)
                case life.Forget(task):
                    self._forks.unwant(task)
                    self._resume.forget(task)
                    self._retention.forget(task)
                case life.Kill(process):
                    self._zygote.order("kill", process)
                case life.Release(process):
                    for slot in process.slots:
                        self._pages.give_back(slot)
                case life.Answer(request, error):
                    self._answer(request, error)
                case life.KeepError(task, error):
                    self._store.tell("task_error", id=task, error=error)
                case life.Say(level, message, task, fields):
                    getattr(self._log, level)(message, task=task, **dict(fields))

    def _spawn(self, task: str) -> None:
        self._log.debug("task starting", task=task)
        t = self._lifecycle.tasks[task]
        try:
            layout = place(t.definition.plan, lambda: self._run_dir.new_path("e"))
            made = self._orders.make(t, layout, self._lifecycle.new_process_id, self._pages.take)
        except (RuntimeError, PlacementError) as error:
            self._do(self._lifecycle.cannot_place(task, str(error)))
            return
        if t.resume is not None:
            self._forks.want(task, t.definition.dbrps, sorted(layout.measurements))
        self._do(self._lifecycle.placed(task, layout, [process for process, _ in made]))
        self._zygote.fork([specs.encode(spec) for _, spec in made])

    def _open_fork(self, task: str, position: int | None, fence: int) -> None:
        t = self._lifecycle.tasks[task]
        assert t.layout is not None
        for path, kind in t.layout.roots:
            collector = ipc_collector(self._context, path, kind)  # type: ignore[arg-type]
            self._forks.open(task, collector, t.definition.dbrps, sorted(t.layout.measurements), position, fence)
            fork = self._forks.get(task)
            assert fork is not None
            self._lifecycle.opened(task, fork.given)
            self._resume.began(task, fork.given)
            for loss in self._retention.reopened(task, fork.given):
                self._say_loss(loss)
            self._touched = True

    # ------------------------------------------------------------------ questions

    def _on_router(self) -> None:
        while True:
            try:
                who, message = self._router.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            except ValueError:
                continue
            number, second, third = rpc.unpack(message)
            if isinstance(second, str):
                self._on_request(who, number, second, third)
            else:
                self._on_node_answer(number, ok=second, value=third)

    def _on_request(self, who: bytes, number: int, operation: str, arguments: dict[str, Any]) -> None:
        now = clock.monotonic()
        match operation:
            case "ready":
                self._do(self._lifecycle.ready(who.decode(), arguments["paths"], now))
            case "failed":
                self._do(self._lifecycle.failed(who.decode(), arguments["node"], arguments["error"]))
            case "ended":
                self._do(self._lifecycle.ended(who.decode()))
            case "start_task":
                definition = life.Definition(arguments["plan"], tuple((d["db"], d["rp"]) for d in arguments["dbrps"]))
                self._do(self._lifecycle.start((who, number), arguments["id"], definition, now))
            case "stop_task":
                self._do(self._lifecycle.stop((who, number), arguments["id"], now))
            case "task_states":
                states = self._states(arguments["ids"], brief=arguments.get("brief", False))
                self._reply(who, rpc.pack_answer(number, states))
            case "overview":
                chosen = select(self._lifecycle.tasks.values(), arguments.get("pattern", ""))
                seen = overview(chosen, self._forks, self._pages, self._ingest_log, self._ingress, self)
                self._reply(who, rpc.pack_answer(number, seen))
            case "out":
                self._out(who, number, arguments["task"], arguments["path"])
            case "sideloads":
                self._reply(who, rpc.pack_answer(number, self._processes_with("sideload")))
            case "reload":
                self._ask_node(who, number, arguments["process"], "reload", {}, _RELOAD_TIMEOUT_S)
            case "ping":
                self._reply(who, rpc.pack_answer(number, None))
            case _:
                self._reply(who, rpc.pack_failure(number, 400, f"unknown operation {operation!r}"))

    def _answer(self, request: Any, error: str) -> None:
        who, number = request
        self._reply(who, rpc.pack_failure(number, 500, error) if error else rpc.pack_answer(number, None))

    def _reply(self, who: bytes, message: bytes) -> None:
        try:
            self._router.send_multipart((who, message), zmq.DONTWAIT)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise

    def _out(self, who: bytes, number: int, task: str, path: str) -> None:
        t = self._lifecycle.tasks.get(task)
        if t is not None and t.executing:
            for p in t.processes:
                if path in p.paths and not p.exited:
                    self._ask_node(who, number, p.id, "out", {"path": path}, _OUT_TIMEOUT_S)
                    return
        self._reply(who, rpc.pack_failure(number, 404, "no task exists"))

    def _processes_with(self, kind: str) -> list[str]:
        """The running processes that have a node of this kind, by their identities."""
        found = []
        for t in self._lifecycle.tasks.values():
            kinds = {n["name"]: n["kind"] for n in t.definition.plan["nodes"]} if t.executing else {}
            found += [p.id for p in t.processes if not p.exited and any(kinds.get(name) == kind for name in p.nodes)]
        return found

    def _ask_node(
        self, who: bytes, number: int, process: str, operation: str, arguments: dict[str, Any], timeout: float
    ) -> None:
        """Pass a question on to a process; what it answers goes back to the asker."""
        p = self._lifecycle.processes.get(process)
        if p is None or p.exited:
            self._reply(who, rpc.pack_failure(number, 404, "no such process"))
            return
        mine = next(self._serial)
        self._asked[mine] = (who, number, clock.monotonic() + timeout, p.nodes[-1])
        self._reply(process.encode(), rpc.pack_request(mine, operation, arguments))

    def _on_node_answer(self, number: int, *, ok: bool, value: Any) -> None:
        asked = self._asked.pop(number, None)
        if asked is None:
            return
        who, theirs, _, node = asked
        if who == _NOBODY:
            if not ok:
                self._log.error("failed to reload", node=node, error=value["message"])
        elif ok:
            self._reply(who, rpc.pack_answer(theirs, value))
        else:
            self._reply(who, rpc.pack_failure(theirs, value["code"], value["message"]))

    def _states(self, ids: Sequence[str], *, brief: bool = False) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for task in ids:
            t = self._lifecycle.tasks.get(task)
            if t is None:
                continue
            state: dict[str, Any] = {
                "executing": t.executing,
                "error": t.error,
                "stats": None,
                "edges": [],
                "nodes": [],
                "health": self._health(t),
            }
            if t.executing and not brief:
                state["stats"] = {
                    "task-stats": {"throughput": self._throughput.rate(task)},
                    "node-stats": statistics.node_stats(t, self._pages),
                }
                state["edges"] = statistics.edge_counts(t, self._pages)
                state["nodes"] = [
                    {"name": n["name"], "kind": n["kind"], "children": n["children"]}
                    for n in t.definition.plan["nodes"]
                ]
            out[task] = state
        return out

    def lost(self, task: str) -> int:
        """Rows that the task has lost to retention since it was started."""
        return self._retention.lost(task)

    def stalled(self, task: str) -> Sequence[str]:
        """The nodes of the task that stand still although they have something to do."""
        return self._stalls.nodes(task)

    def _health(self, t: life.Task) -> dict[str, Any]:
        """How well a task keeps up, and what has gone wrong since it was started."""
        fork = self._forks.get(t.id)
        behind = fork is not None and not fork.live and not fork.drained
        return {
            "state": t.state.value,
            "stalled": self.stalled(t.id),
            "lag_bytes": self._ingest_log.bytes_behind(fork.cursor + 1) if fork is not None and behind else 0,
            "lag_episodes": fork.lag_episodes if fork is not None else 0,
            "lost": self.lost(t.id),
            "crashes": t.crashes,
        }

    # ------------------------------------------------------------------ store

    def _ask_enabled(self, after: str) -> None:
        """A store that dies meanwhile has forgotten the question: it is asked again."""
        self._enabled_after = after
        self._enabled_again = clock.monotonic() + _STORE_TIMEOUT_S
        self._store.forget(self._enabled_number)
        self._enabled_number = self._store.ask("enabled_tasks", self._start_enabled, after=after, limit=100)

    def _start_enabled(self, ok: bool, value: Any) -> None:
        """Start the tasks that were enabled when the server last ran, in the order of their ids."""
        if not ok:
            self._log.error("cannot read the enabled tasks", error=value["message"])
            return
        self._enabled_after = None
        for task in value:
            identity = task["id"]
            if task.get("error"):
                self._log.error("failed to start enabled task", task=identity, error=task["error"])
                continue
            definition = life.Definition(task["plan"], tuple((d["db"], d["rp"]) for d in task["dbrps"]))
            resume = self._resume.at_start(identity)
            self._do(self._lifecycle.start(None, identity, definition, clock.monotonic(), resume))
        if value:
            self._ask_enabled(value[-1]["id"])
        else:
            self._resume.only(self._lifecycle.tasks)

"""The supervisor's poll loop: the TaskMaster's I/O. It decides nothing and never waits for a disk, a node or a client.

It takes frames from the front ends, appends what a task wants to the ingest log, acknowledges, and hands frames to the
forks; it answers the front ends' questions, passes orders to the zygote, and carries out what the life cycle says.
"""

from __future__ import annotations

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
from engine.task_master.node_questions import NodeQuestions
from engine.task_master.orders import Orders
from engine.task_master.overview import overview, select, states
from engine.task_master.placement import PlacementError, place
from engine.task_master.resume import Resume
from engine.task_master.store_link import StoreLink
from engine.task_master.upkeep import Upkeep
from engine.task_master.zygote_link import ZygoteDied, ZygoteLink
from transports.context import new_context, socket_limit
from transports.paths import RunDirectory
from transports.zmq_edge import ipc_collector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.ingest_log.segment import Damage
    from engine.settings import Addresses, Settings

_FRAMES_A_TURN = 64
_FEW_ROWS = 64
_STORE_TIMEOUT_S = 5.0


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
        self._damages_told: set[Damage] = set()
        self._lifecycle = life.Lifecycle(
            in_work=self._resume.work,
            start_timeout_s=settings.engine.start_timeout_s,
            drain_timeout_s=settings.engine.drain_timeout_s,
        )
        self._upkeep = Upkeep(
            settings,
            self._log,
            self._lifecycle,
            self._ingest_log,
            self._helper,
            self._forks,
            self._resume,
            self._pages,
            self._zygote,
        )
        self._ingest = self._way_in(addresses.ingest)
        # Writers may be slowed; a task that feeds itself never is, or it could not catch up.
        self._loopback = self._way_in(addresses.loopback)
        self._router = rpc.router(self._context, f"ipc://{addresses.control}")
        self._questions = NodeQuestions(self._lifecycle, self._reply, self._log)
        self._store = StoreLink(self._context, f"ipc://{addresses.store}")
        self._orders = Orders(settings, addresses)
        self._enabled_after: str | None = None
        self._enabled_again = 0.0
        self._enabled_number = 0
        self._unsynced: deque[tuple[int, bytes, int]] = deque()
        self._ingress = Ingress()
        self._stopping = False
        self._reload = False
        self._log_failing = False
        self._poller = zmq.Poller()
        self._watched: set[Any] = set()
        self._taking = True

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
                self._questions.reload_all()
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
            self._by_the_clock()
            self._take_from_writers(not self._upkeep.slow_writers())
        self._suspend()
        return 0

    def _on_term(self, *_: Any) -> None:
        self._stopping = True

    def _on_hangup(self, *_: Any) -> None:
        self._reload = True

    def _next_timeout(self) -> int | None:
        """Milliseconds until something is due."""
        now = clock.monotonic()
        at = [self._lifecycle.next_deadline(), self._questions.next_deadline]
        if self._enabled_after is not None:
            at.append(self._enabled_again)
        due = [t - now for t in at if t is not None]
        sync_at = self._helper.turn()
        if sync_at is not None:
            due.append((sync_at - clock.now()) / 1e9)
        due += [s for s in (self._upkeep.due(), self._forks.patience) if s is not None]
        return int(max(0.0, min(due) * 1000 + 1)) if due else None

    def _by_the_clock(self) -> None:
        now = clock.monotonic()
        self._upkeep.turn(now, known=self._enabled_after is None)
        if (deadline := self._lifecycle.next_deadline()) is not None and deadline <= now:
            self._do(self._lifecycle.tick(now))
        self._questions.expire(now)
        if self._enabled_after is not None and self._enabled_again <= now:
            self._ask_enabled(self._enabled_after)

    def _take_from_writers(self, taking: bool) -> None:
        """Whether front ends are listened to; their writers wait meanwhile."""
        if taking != self._taking:
            self._taking = taking
            if taking:
                self._poller.register(self._ingest, zmq.POLLIN)
            else:
                self._poller.unregister(self._ingest)

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
        self._upkeep.close()
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
        if self._upkeep.refusing:
            self._refuse(who, number, self._upkeep.refusing)
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
        self._upkeep.touch()
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
                self._upkeep.damaged(fork.task, fork.damaged_rows)
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
                self._upkeep.paged_in(event.asked)
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
                case life.Abandon(abandoned, why, nodes):
                    self._upkeep.abandoned(abandoned, why, nodes)
                case life.CloseFork(task):
                    self._forks.close(task)
                    self._upkeep.closed(task)
                case life.Forget(task):
                    self._forks.unwant(task)
                    self._resume.forget(task)
                    self._upkeep.forget(task)
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
            self._upkeep.reopened(task, fork.given)

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
                self._questions.answered(number, ok=second, value=third)

    def _on_request(self, who: bytes, number: int, operation: str, arguments: dict[str, Any]) -> None:
        now = clock.monotonic()
        match operation:
            case "ready":
                self._do(self._lifecycle.ready(who.decode(), arguments["paths"], now))
            case "failed":
                self._do(self._lifecycle.failed(who.decode(), arguments["node"], arguments["error"]))
            case "ended":
                self._do(self._lifecycle.ended(who.decode(), now))
            case "start_task":
                definition = life.Definition(arguments["plan"], tuple((d["db"], d["rp"]) for d in arguments["dbrps"]))
                self._do(self._lifecycle.start((who, number), arguments["id"], definition, now))
            case "stop_task":
                self._do(self._lifecycle.stop((who, number), arguments["id"], now))
            case "task_states":
                found = [t for i in arguments["ids"] if (t := self._lifecycle.tasks.get(i)) is not None]
                brief = arguments.get("brief", False)
                seen = states(found, self._forks, self._pages, self._ingest_log, self._upkeep, brief=brief)
                self._reply(who, rpc.pack_answer(number, seen))
            case "overview":
                chosen = select(self._lifecycle.tasks.values(), arguments.get("pattern", ""))
                seen = overview(chosen, self._forks, self._pages, self._ingest_log, self._ingress, self._upkeep)
                self._reply(who, rpc.pack_answer(number, seen))
            case "out":
                self._questions.out(who, number, arguments["task"], arguments["path"])
            case "sideloads":
                self._reply(who, rpc.pack_answer(number, self._questions.processes_with("sideload")))
            case "reload":
                self._questions.reload(who, number, arguments["process"])
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

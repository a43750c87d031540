"""The supervisor's poll loop: the TaskMaster's I/O. It decides nothing and never waits for a disk, a node or a client.

It takes frames from the front ends, appends what a task wants to the ingest log, acknowledges, and hands frames to the
forks; it answers the front ends' questions, passes orders to the zygote, and carries out what the life cycle says.
"""

from __future__ import annotations

import itertools
import os
import signal
import socket
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import zmq

from engine import clock, logs, rpc
from engine.frames import header as wire
from engine.ingest_log.errors import LogError
from engine.ingest_log.log import IngestLog
from engine.ingest_log.sync import HelperDied, LogHelper, PagedIn, Synced, SyncFailed
from engine.process import fork_into
from engine.runner import spec as specs
from engine.status import StatusFile
from engine.task_master import lifecycle as life
from engine.task_master import statistics
from engine.task_master.forks import Forks
from engine.task_master.placement import PlacementError, place
from engine.zygote import PACKET
from transports.context import new_context
from transports.paths import RunDirectory
from transports.zmq_edge import ipc_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.settings import Addresses, Settings

_FRAMES_A_TURN = 64
_STORE_TIMEOUT_S = 30.0
_OUT_TIMEOUT_S = 2.0


class Supervisor:
    """One run of the TaskMaster, from `run` to SIGTERM."""

    def __init__(self, settings: Settings, addresses: Addresses) -> None:
        self._settings = settings
        self._addresses = addresses
        self._log = logs.get_logger(process="supervisor")
        self._zygote: socket.socket | None = None
        self._zygote_pid = 0
        self._zygote_queue: deque[bytes] = deque()
        self._start_zygote()
        # Contexts come after the first fork, so that the zygote never holds one.
        self._context = new_context(max_sockets=16384)
        self._run_dir = RunDirectory(Path(addresses.run_dir))
        self._pages = StatusFile.create(Path(addresses.status), settings.engine.max_nodes)
        log = settings.log
        self._ingest_log = IngestLog.open(
            Path(settings.data_dir) / "log",
            clock=clock.now,
            segment_bytes=log.segment_bytes,
            retention_bytes=log.retention_bytes,
            retention_age=log.retention_age_ns,
            tail_bytes=log.tail_bytes,
        )
        self._helper = LogHelper(
            self._ingest_log,
            policy=log.fsync,  # type: ignore[arg-type]
            interval=log.fsync_interval_ns,
            clock=clock.now,
        )
        self._forks = Forks(self._ingest_log)
        self._lifecycle = life.Lifecycle(
            resume_position=lambda t: statistics.resume_position(t, self._pages),
            start_timeout_s=settings.engine.start_timeout_s,
            drain_timeout_s=settings.engine.drain_timeout_s,
        )
        self._ingest: zmq.Socket[bytes] = self._context.socket(zmq.PULL)
        self._ingest.setsockopt(zmq.RCVHWM, 8)
        self._ingest.setsockopt(zmq.LINGER, 0)
        self._ingest.bind(f"ipc://{addresses.ingest}")
        self._router = rpc.router(self._context, f"ipc://{addresses.control}")
        self._store = rpc.dealer(self._context, f"ipc://{addresses.store}", b"supervisor")
        self._serial = itertools.count(1)
        self._store_waiting: dict[int, Callable[[bool, Any], None]] = {}
        self._asked: dict[int, tuple[bytes, int, float, str]] = {}
        self._unsynced: deque[tuple[int, bytes, int]] = deque()
        self._ingress: dict[tuple[str, str, str], int] = {}
        self._throughput: dict[str, tuple[float, int, float]] = {}
        self._stopping = False
        self._log_failing = False
        self._poller = zmq.Poller()
        self._watched: set[Any] = set()

    # ------------------------------------------------------------------ running

    def run(self) -> int:
        """Until SIGTERM; the exit status."""
        recovery = self._ingest_log.recovery
        self._log.info(
            "ingest log open", head=recovery.head, segments=recovery.segments, torn_bytes=recovery.torn_bytes
        )
        wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_term)
        poller = self._poller
        for s in (self._ingest, self._router, self._store):
            poller.register(s, zmq.POLLIN)
        for descriptor in (wake, self._helper.fileno()):
            poller.register(descriptor, zmq.POLLIN)
        self._watch_zygote()
        self._ask_enabled("")
        while not self._stopping:
            timeout = self._next_timeout()
            ready = dict(poller.poll(timeout))
            if wake in ready:
                os.read(wake, 4096)
            if self._router in ready:
                self._on_router()
            if self._store in ready:
                self._on_store()
            if self._zygote is not None and self._zygote.fileno() in ready:
                self._on_zygote()
            if self._helper.fileno() in ready:
                self._on_helper()
            if self._ingest in ready:
                self._on_ingest()
            self._pump_waiting()
            self._housekeeping()
        self._suspend()
        return 0

    def _on_term(self, *_: Any) -> None:
        self._stopping = True

    def _next_timeout(self) -> int | None:
        """Milliseconds until something is due."""
        due = []
        deadline = self._lifecycle.next_deadline()
        if deadline is not None:
            due.append(deadline - clock.monotonic())
        if self._asked:
            due.append(min(d for _, _, d, _ in self._asked.values()) - clock.monotonic())
        log_due = self._helper.turn()
        if log_due is not None:
            due.append((log_due - clock.now()) / 1e9)
        return int(max(0.0, min(due) * 1000 + 1)) if due else None

    def _housekeeping(self) -> None:
        for dropped in self._ingest_log.retain():
            self._log.debug("segment dropped", first=dropped.first, last=dropped.last, reason=dropped.reason)
        now = clock.monotonic()
        if (deadline := self._lifecycle.next_deadline()) is not None and deadline <= now:
            self._do(self._lifecycle.tick(now))
        for number in [n for n, (_, _, d, _) in self._asked.items() if d <= now]:
            who, theirs, _, node = self._asked.pop(number)
            self._reply(who, rpc.pack_failure(theirs, 503, f"node {node} does not answer"))

    def _suspend(self) -> None:
        """End at once: nothing is flushed; what was acknowledged and not processed is in the log."""
        self._log.info("supervisor stopping")
        for fork in list(self._forks):
            self._forks.close(fork.task)
        if self._zygote is not None:
            self._zygote.close()
        if self._zygote_pid:
            os.kill(self._zygote_pid, signal.SIGKILL)
            os.waitpid(self._zygote_pid, 0)
        self._helper.close()
        self._ingest_log.close()
        for s in (self._ingest, self._router, self._store):
            s.close(0)
        self._context.term()

    # ------------------------------------------------------------------ ingest

    def _on_ingest(self) -> None:
        receive = self._ingest.recv_multipart
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
        counts = self._ingress
        rows = 0
        for s in header.sections:
            key = (header.db, header.rp, s.name)
            counts[key] = counts.get(key, 0) + s.rows
            rows += s.rows
        wanted = self._forks.wanted(header)
        if not wanted:
            self._acknowledge(who, number)
            return
        if self._helper.failed and self._settings.log.fsync == "always":
            self._refuse(who, number, "the ingest log cannot be synced")
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
        if self._settings.log.fsync == "always":
            self._unsynced.append((position, who, number))
        else:
            self._acknowledge(who, number)
        self._forks.appended(position, header, parts, wanted)

    def _acknowledge(self, who: bytes, number: int) -> None:
        self._reply(who, rpc.pack_request(0, "ack", {"number": number}))

    def _refuse(self, who: bytes, number: int, error: str) -> None:
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
        self._watch_forks()

    def _watch_forks(self) -> None:
        """Poll for room in the edges of forks that wait for it, and only those."""
        want = {f.collector.writable_socket: f for f in self._forks.waiting.values() if f.asked is None and not f.dead}
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
            elif isinstance(event, HelperDied):
                self._log.warning("log helper died", reason=event.reason)

    # ------------------------------------------------------------------ zygote

    def _start_zygote(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for s in (ours, theirs):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PACKET)
        level = self._settings.log_level

        def body() -> int:
            from engine import zygote  # noqa: PLC0415 - what it loads belongs to the zygote

            return zygote.main(theirs, level)

        self._zygote_pid = fork_into("zygote", body, keep=[theirs.fileno()])
        theirs.close()
        ours.setblocking(False)
        self._zygote = ours

    def _watch_zygote(self) -> None:
        assert self._zygote is not None
        self._poller.register(self._zygote.fileno(), zmq.POLLIN)

    def _order(self, *what: Any) -> None:
        self._zygote_queue.append(msgspec.msgpack.encode(what))
        self._send_orders()

    def _send_orders(self) -> None:
        if self._zygote is None:
            return
        descriptor = self._zygote.fileno()
        while self._zygote_queue:
            try:
                self._zygote.send(self._zygote_queue[0])
            except BlockingIOError:
                self._poller.modify(descriptor, zmq.POLLIN | zmq.POLLOUT)
                return
            except OSError:
                return
            self._zygote_queue.popleft()
        if descriptor in dict(self._poller.sockets):
            self._poller.modify(descriptor, zmq.POLLIN)

    def _on_zygote(self) -> None:
        self._send_orders()
        assert self._zygote is not None
        while True:
            try:
                packet = self._zygote.recv(PACKET)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet:
                self._zygote_died()
                return
            match msgspec.msgpack.decode(packet):
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

    def _zygote_died(self) -> None:
        """All nodes died with it: start another and let the life cycle restart the tasks."""
        assert self._zygote is not None
        self._poller.unregister(self._zygote.fileno())
        self._zygote.close()
        _, status = os.waitpid(self._zygote_pid, 0)
        self._log.error("zygote died", status=os.waitstatus_to_exitcode(status))
        self._zygote_queue.clear()
        self._start_zygote()
        self._watch_zygote()
        now = clock.monotonic()
        for identity in list(self._lifecycle.processes):
            self._do(self._lifecycle.exited(identity, -signal.SIGKILL, now))

    # ------------------------------------------------------------------ life cycle

    def _do(self, instructions: Sequence[life.Instruction]) -> None:
        for i in instructions:
            match i:
                case life.Spawn(task):
                    self._spawn(task)
                case life.OpenFork(task, position):
                    self._open_fork(task, position)
                case life.DrainFork(task):
                    self._forks.drain(task)
                    if self._forks.get(task) is None:
                        self._log.warning("a task without a fork is drained", task=task)
                case life.CloseFork(task):
                    self._forks.close(task)
                    self._throughput.pop(task, None)
                case life.Kill(process):
                    self._order("kill", process)
                case life.Release(process):
                    for slot in process.slots:
                        self._pages.give_back(slot)
                case life.Answer(request, error):
                    self._answer(request, error)
                case life.KeepError(task, error):
                    self._tell_store("task_error", id=task, error=error)
                case life.Say(level, message, task, fields):
                    getattr(self._log, level)(message, task=task, **dict(fields))

    def _spawn(self, task: str) -> None:
        t = self._lifecycle.tasks[task]
        engine = self._settings.engine
        plan = t.definition.plan
        try:
            layout = place(plan, lambda: self._run_dir.new_path("e"))
            nodes = {n["name"]: n for n in plan["nodes"]}
            processes, orders = [], []
            for placed in layout.processes:
                identity = self._lifecycle.new_process_id(task, placed.nodes[-1])
                slots = tuple(self._pages.take() for _ in placed.nodes)
                processes.append(life.Process(identity, task, tuple(placed.nodes), slots, max(1, len(placed.parents))))
                members = [
                    specs.NodeSpec(
                        name,
                        nodes[name]["kind"],
                        slot,
                        nodes[name],
                        len(nodes[name]["children"]),
                        layout.keep[name],
                    )
                    for name, slot in zip(placed.nodes, slots, strict=True)
                ]
                orders.append(
                    specs.ProcessSpec(
                        identity,
                        task,
                        members,
                        placed.parents,
                        placed.children,
                        f"ipc://{self._addresses.control}",
                        self._addresses.status,
                        placed.outside,
                        engine.max_frame_rows,
                        engine.max_frame_bytes,
                        engine.zone,
                        {
                            "endpoints": self._settings.endpoints,
                            "hostname": self._settings.hostname,
                            "join_buffer_bytes": engine.join_buffer_bytes,
                            "alerts": f"ipc://{self._addresses.alerts}",
                        },
                    )
                )
        except (RuntimeError, PlacementError) as error:
            self._do(self._lifecycle.cannot_place(task, str(error)))
            return
        self._do(self._lifecycle.placed(task, layout, processes))
        for spec in orders:
            self._order("fork", specs.encode(spec))

    def _open_fork(self, task: str, position: int | None) -> None:
        t = self._lifecycle.tasks[task]
        assert t.layout is not None
        for path, kind in t.layout.roots:
            collector = ipc_collector(self._context, path, kind)  # type: ignore[arg-type]
            self._forks.open(task, collector, t.definition.dbrps, sorted(t.layout.measurements), position)

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
                self._do(self._lifecycle.ready(who.decode(), arguments["paths"]))
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
                self._reply(who, rpc.pack_answer(number, self._states(arguments["ids"])))
            case "out":
                self._out(who, number, arguments["task"], arguments["path"])
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
                    mine = next(self._serial)
                    deadline = clock.monotonic() + _OUT_TIMEOUT_S
                    self._asked[mine] = (who, number, deadline, p.nodes[-1])
                    self._reply(p.id.encode(), rpc.pack_request(mine, "out", {"path": path}))
                    return
        self._reply(who, rpc.pack_failure(number, 404, "no task exists"))

    def _on_node_answer(self, number: int, *, ok: bool, value: Any) -> None:
        asked = self._asked.pop(number, None)
        if asked is None:
            return
        who, theirs, _, _ = asked
        if ok:
            self._reply(who, rpc.pack_answer(theirs, value))
        else:
            self._reply(who, rpc.pack_failure(theirs, value["code"], value["message"]))

    def _states(self, ids: Sequence[str]) -> dict[str, Any]:
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
            }
            if t.executing:
                state["stats"] = {
                    "task-stats": {"throughput": self._rate(t)},
                    "node-stats": statistics.node_stats(t, self._pages),
                }
                state["edges"] = statistics.edge_counts(t, self._pages)
                state["nodes"] = [
                    {"name": n["name"], "kind": n["kind"], "children": n["children"]}
                    for n in t.definition.plan["nodes"]
                ]
            out[task] = state
        return out

    def _rate(self, t: life.Task) -> float:
        """Source messages a second, over the last second or longer."""
        now = clock.monotonic()
        count = statistics.source_count(t, self._pages)
        then, before, rate = self._throughput.get(t.id, (0.0, count, 0.0))
        if now - then >= 1.0:
            rate = (count - before) / (now - then) if then else 0.0
            self._throughput[t.id] = (now, count, rate)
        return rate

    # ------------------------------------------------------------------ store

    def _tell_store(self, operation: str, **arguments: Any) -> None:
        self._store.send(rpc.pack_request(0, operation, arguments), zmq.DONTWAIT)

    def _ask_store(self, operation: str, then: Callable[[bool, Any], None], **arguments: Any) -> None:
        number = next(self._serial)
        self._store_waiting[number] = then
        self._store.send(rpc.pack_request(number, operation, arguments), zmq.DONTWAIT)

    def _on_store(self) -> None:
        while True:
            try:
                message = self._store.recv(zmq.DONTWAIT)
            except zmq.Again:
                return
            number, ok, value = rpc.unpack(message)
            then = self._store_waiting.pop(number, None)
            if then is not None:
                then(ok, value)

    def _ask_enabled(self, after: str) -> None:
        self._ask_store("enabled_tasks", self._start_enabled, after=after, limit=100)

    def _start_enabled(self, ok: bool, value: Any) -> None:
        """Start the tasks that were enabled when the server last ran, in the order of their ids."""
        if not ok:
            self._log.error("cannot read the enabled tasks", error=value["message"])
            return
        for task in value:
            identity = task["id"]
            if task.get("error"):
                self._log.error("failed to start enabled task", task=identity, error=task["error"])
                continue
            definition = life.Definition(task["plan"], tuple((d["db"], d["rp"]) for d in task["dbrps"]))
            self._do(self._lifecycle.start(None, identity, definition, clock.monotonic()))
        if value:
            self._ask_enabled(value[-1]["id"])

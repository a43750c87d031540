"""`GET /metrics`: the server's figures as samples of the declared metrics (engine.metrics, docs/metrics.md).

Bound: series of nodes and forks are as many as run; of databases and topics at most `MOST`.
"""

from __future__ import annotations

import platform
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from engine import proc
from engine.api.conventions import VERSION, route
from engine.api.figures import ask
from engine.metrics import CONTENT_TYPE, Sample, render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import Route

    from engine.api.callers import Servers
    from engine.api.figures import Known
    from engine.board import Board
    from engine.logs.sessions import Hub
    from engine.proc import Usage

MOST: Final = 1000
_RESULTS: Final = {"accepted": "writes", "rejected": "writes_rejected", "failed": "writes_failed"}
_COMMON: Final = frozenset({"avg_exec_time_ns", "collected", "emitted", "errors", "working_cardinality"})
_NS: Final = 10**9
_LOG: Final = {
    "head": "log_head_position",
    "oldest": "log_oldest_position",
    "segments": "log_segments",
    "bytes": "log_bytes",
    "tail_bytes": "log_tail_bytes",
    "appended_rows": "log_appended_rows_total",
    "appended_bytes": "log_appended_bytes_total",
    "append_failures": "log_append_failures_total",
    "dropped_rows": "log_dropped_rows_total",
    "damages": "log_damages_total",
}
_FORK: Final = {
    "lag_frames": "fork_lag_frames",
    "lag_rows": "fork_lag_rows",
    "lost_rows": "fork_lost_rows_total",
    "episodes": "fork_episodes_total",
    "delivered": "fork_delivered_total",
}


class Metrics:
    """The resource. One instance a front end."""

    def __init__(self, servers: Servers, board: Board, hub: Hub) -> None:
        self._servers = servers
        self._board = board
        self._hub = hub

    def routes(self, _: str) -> list[Route]:
        return [route("/metrics", self.get, "GET")]

    async def get(self, _: Request) -> Response:
        known = await ask(self._servers)
        roles = self._board.pids()
        pids = [*roles.values(), *(p["pid"] for task in known.overview["tasks"] for p in task["processes"])]
        used = await proc.ask(pids)
        samples = [*self._own(), *of_server(known), *_of_processes(known, roles, used)]
        return Response(render(samples), headers={"content-type": CONTENT_TYPE})

    def _own(self) -> Iterator[Sample]:
        """What this process, or the board, knows."""
        yield Sample("build_info", 1, (VERSION, platform.python_version()))
        for result, counter in _RESULTS.items():
            yield Sample("writes_total", self._board.total(counter), (result,))
        for role, restarts in self._board.restarts().items():
            yield Sample("process_restarts_total", restarts, (role,))
        yield Sample("log_readers", self._hub.statistics()["sessions"])
        yield Sample("log_lines_lost_total", self._board.total("log_lines_lost"))


def of_server(known: Known) -> Iterator[Sample]:
    """Tasks, nodes, forks, what came in, the log, topics."""
    overview = known.overview
    enabled = known.counts["enabled"]
    yield Sample("tasks", enabled, ("enabled",))
    yield Sample("tasks", known.counts["tasks"] - enabled, ("disabled",))
    for state, count in sorted(Counter(task["state"] for task in overview["tasks"]).items()):
        yield Sample("tasks_executing", count, (state,))
    for task in overview["tasks"]:
        yield from _of_task(task)
    yield from _ingress(overview["ingress"])
    yield Sample("refused_frames_total", overview["refused"])
    for key, name in _LOG.items():
        yield Sample(name, overview["log"].get(key, 0))
    for topic in known.topics[:MOST]:
        yield Sample("topic_collected_total", topic["collected"], (topic["id"],))
        yield Sample("topic_level", topic["level"], (topic["id"],))


def _of_task(task: Mapping[str, Any]) -> Iterator[Sample]:
    identity = task["id"]
    yield Sample("task_restarts_total", task["restarts"], (identity,))
    if task["fork"] is not None:
        yield Sample("fork_live", int(task["fork"]["live"]), (identity,))
        for key, name in _FORK.items():
            yield Sample(name, task["fork"][key], (identity,))
    queues: Counter[str] = Counter()
    for _, child, collected, emitted in task["edges"]:
        queues[child] += collected - emitted
    for process in task["processes"]:
        for node in process["nodes"]:
            yield from _of_node((identity, node["name"], node["kind"]), node["stats"], queues[node["name"]])


def _of_node(labels: tuple[str, str, str], stats: Mapping[str, int], queue: int) -> Iterator[Sample]:
    yield Sample("node_collected_total", stats["collected"], labels)
    yield Sample("node_emitted_total", stats["emitted"], labels)
    yield Sample("node_errors_total", stats["errors"], labels)
    yield Sample("node_queue_messages", queue, labels)
    yield Sample("node_working_cardinality", stats["working_cardinality"], labels)
    yield Sample("node_exec_seconds", stats["avg_exec_time_ns"] / _NS, labels)
    for event in sorted(stats.keys() - _COMMON):
        yield Sample("node_events_total", stats[event], (*labels, event))


def _ingress(received: Sequence[Sequence[Any]]) -> Iterator[Sample]:
    points: Counter[tuple[str, str]] = Counter()
    for db, rp, _, count in received:
        pair = (db, rp) if (db, rp) in points or len(points) < MOST else ("", "")
        points[pair] += count
    for pair, count in points.items():
        yield Sample("ingress_points_total", count, pair)


def _of_processes(known: Known, roles: Mapping[str, int], used: Mapping[int, Usage]) -> Iterator[Sample]:
    labels = [((role, "", ""), pid) for role, pid in roles.items()]
    for task in known.overview["tasks"]:
        for process in task["processes"]:
            names = "+".join(node["name"] for node in process["nodes"])
            labels.append((("node", task["id"], names), process["pid"]))
    for of, pid in labels:
        usage = used.get(pid)
        if usage is not None:
            yield Sample("process_cpu_seconds_total", usage.cpu_s, of)
            yield Sample("process_resident_memory_bytes", usage.rss_bytes, of)

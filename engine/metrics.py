"""The metrics: what there is, how it is written down for Prometheus (text format 0.0.4), and its page of documentation.

Pure. Every metric is declared here once; the page docs/metrics.md is made of the declarations by
`python -m engine.metrics docs/metrics.md`, and a sample of a metric that is not declared is an error.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PREFIX: Final = "tickworks_"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
COUNTER: Final = "counter"
GAUGE: Final = "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name without the prefix, its kind, what its labels are, and one line of meaning."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One value; `labels` in the order of the metric's."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


_NODE: Final = ("task", "node", "kind")
_PROCESS: Final = ("process", "task", "node")

METRICS: Final[Sequence[Metric]] = (
    Metric("build_info", GAUGE, ("version", "python"), "Always 1; the labels tell what runs."),
    Metric("tasks", GAUGE, ("status",), "Tasks that are defined, by status: enabled, disabled."),
    Metric(
        "tasks_executing",
        GAUGE,
        ("state",),
        "Tasks that were started, by state, as in `starting`, `running`, `failed`.",
    ),
    Metric("task_restarts_total", COUNTER, ("task",), "How often a task's processes were started again after a crash."),
    Metric(
        "node_collected_total", COUNTER, _NODE, "Messages that a node has taken: points, or batches on batch edges."
    ),
    Metric("node_emitted_total", COUNTER, _NODE, "Messages that a node has emitted, once for each child."),
    Metric("node_errors_total", COUNTER, _NODE, "Points or batches that a node could not handle."),
    Metric("node_queue_messages", GAUGE, _NODE, "Messages that the parents have given and the node has not taken."),
    Metric("node_working_cardinality", GAUGE, _NODE, "Groups that a node holds state for."),
    Metric("node_exec_seconds", GAUGE, _NODE, "Highest moving average of the time a node spends on a message."),
    Metric(
        "node_events_total", COUNTER, (*_NODE, "event"), "What nodes of one kind count besides, as `points_written`."
    ),
    Metric("fork_live", GAUGE, ("task",), "1 while the task's fork of the stream is at its head."),
    Metric("fork_lag_frames", GAUGE, ("task",), "Positions of the ingest log that the task has still to be sent."),
    Metric("fork_lag_rows", GAUGE, ("task",), "Rows of the ingest log that the task has still to be sent."),
    Metric(
        "fork_lost_rows_total", COUNTER, ("task",), "Rows that the log's retention dropped before the task got them."
    ),
    Metric("fork_episodes_total", COUNTER, ("task",), "How often the task fell behind."),
    Metric("fork_delivered_total", COUNTER, ("task",), "Points that the fork has given to the task."),
    Metric(
        "ingress_points_total",
        COUNTER,
        ("database", "retention_policy"),
        "Points received. The first 1000 pairs by name have series of their own, the others one with empty labels.",
    ),
    Metric(
        "writes_total",
        COUNTER,
        ("result",),
        "Answered write requests: `accepted`, `rejected` (the client's fault), `failed` (overload, a full disk).",
    ),
    Metric("refused_frames_total", COUNTER, (), "Frames that the ingest log could not take."),
    Metric("log_head_position", GAUGE, (), "The last position of the ingest log."),
    Metric("log_oldest_position", GAUGE, (), "The first position that the ingest log still holds."),
    Metric("log_segments", GAUGE, (), "Files of the ingest log."),
    Metric("log_bytes", GAUGE, (), "Bytes of the ingest log on the disk."),
    Metric("log_tail_bytes", GAUGE, (), "Bytes of the ingest log's end that are held in memory."),
    Metric("log_appended_rows_total", COUNTER, (), "Rows appended to the ingest log."),
    Metric("log_appended_bytes_total", COUNTER, (), "Bytes appended to the ingest log."),
    Metric("log_append_failures_total", COUNTER, (), "Appends to the ingest log that failed."),
    Metric("log_dropped_rows_total", COUNTER, (), "Rows that retention removed from the ingest log."),
    Metric("log_damages_total", COUNTER, (), "Damaged places that were found in the ingest log."),
    Metric("topic_collected_total", COUNTER, ("topic",), "Events that a topic has collected. At most 1000 topics."),
    Metric("topic_level", GAUGE, ("topic",), "A topic's level: 0 OK, 1 INFO, 2 WARNING, 3 CRITICAL."),
    Metric(
        "process_cpu_seconds_total",
        COUNTER,
        _PROCESS,
        "Processor time of a process; `task` and `node` are empty for those that are no node.",
    ),
    Metric("process_resident_memory_bytes", GAUGE, _PROCESS, "Resident memory of a process, what it shares included."),
    Metric("process_restarts_total", COUNTER, ("process",), "How often a process of the server was started again."),
    Metric("log_readers", GAUGE, (), "Readers of the server's own log, at the front end that answers."),
    Metric("log_lines_lost_total", COUNTER, (), "Lines of the server's own log that a front end came too late for."),
)
_BY_NAME: Final = {m.name: m for m in METRICS}


def render(samples: Iterable[Sample]) -> bytes:
    """The exposition: for each metric that has samples HELP, TYPE and its samples. Raises KeyError for an undeclared one."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(_BY_NAME[sample.name].name, []).append(sample)
    lines: list[str] = []
    for metric in METRICS:
        if metric.name in found:
            name = PREFIX + metric.name
            lines += [f"# HELP {name} {_escape_help(metric.meaning)}", f"# TYPE {name} {metric.kind}"]
            lines += [f"{name}{_labels(metric.labels, s.labels)} {_number(s.value)}" for s in found[metric.name]]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    pairs = [f'{name}="{_escape(value)}"' for name, value in zip(names, values, strict=True)]
    return "{" + ",".join(pairs) + "}" if pairs else ""


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _escape_help(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))


_HEAD: Final = """<!-- Made by `python -m engine.metrics docs/metrics.md` from the declarations: do not edit. -->
# Metrics

`GET /metrics`, on the port of the API, answers in Prometheus's text format (0.0.4):

    scrape_configs:
      - job_name: tickworks
        static_configs:
          - targets: ["localhost:9092"]

Metrics of tasks that do not execute are absent. Counters of a task begin at zero when it is started. Whoever wants an alert for a
task that falls behind watches `tickworks_fork_lag_rows`, for one that lost points `tickworks_fork_lost_rows_total`, for a server
that cannot keep up `tickworks_writes_total{result="failed"}`.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def page() -> str:
    """docs/metrics.md."""
    rows = [
        f"| `{PREFIX}{m.name}` | {m.kind} | {', '.join(f'`{label}`' for label in m.labels)} | {m.meaning} |\n"
        for m in METRICS
    ]
    return _HEAD + "".join(rows)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")

"""What the server's processes need to know, as plain values; configuration files and the environment end up here."""

from __future__ import annotations

from typing import Any

import msgspec

MAX_SOCKETS = 16384
"""ZeroMQ sockets that the supervisor may have: one a running task, and a few of its own."""


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`max_body_bytes` counts after gunzip. `bad_lines`: reject-body, report or log."""

    host: str = ""
    port: int = 9092
    bad_lines: str = "reject-body"
    max_body_bytes: int = 256 << 20
    write_timeout_s: float = 30.0
    log_enabled: bool = False


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The ingest log: bounds in bytes and nanoseconds; `fsync`: always, interval or never.

    `on_retention`: drop (the oldest points of a task that is too far behind, counted) or refuse-writes.
    """

    fsync: str = "interval"
    fsync_interval_ns: int = 1_000_000_000
    segment_bytes: int = 64 << 20
    retention_bytes: int = 1 << 30
    retention_age_ns: int | None = None
    tail_bytes: int = 64 << 20
    on_retention: str = "drop"


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`max_frame_rows` cuts frames; `max_nodes` bounds the nodes of all tasks together. `join_buffer_bytes` bounds what a
    join or union holds of parents that are ahead.

    A node without a step for `stall_after_s` although it has input is shown as stalled, and killed after
    `stall_timeout_s` (None: never).
    """

    max_frame_rows: int = 8192
    max_frame_bytes: int = 1 << 20
    drain_timeout_s: float = 10.0
    start_timeout_s: float = 30.0
    max_nodes: int = 16384
    join_buffer_bytes: int = 256 << 20
    zone: str = "UTC"
    stall_after_s: float = 5.0
    stall_timeout_s: float | None = None


class AlertSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`persist_topics`: whether event states are stored. `topic_buffer_length`: events that may wait for a handler; a
    length below 1000 counts as 5000, as in the reference."""

    persist_topics: bool = True
    topic_buffer_length: int = 5000


class EyesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a front end remembers of the logs, for readers that ask for what was; and what it holds for a slow reader."""

    history_bytes: int = 1 << 20
    history_records: int = 10_000
    reader_records: int = 1000


class StatsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The server's own statistics as a stream."""

    enabled: bool = True
    interval_s: float = 10.0
    database: str = "_kapacitor"
    retention_policy: str = "autogen"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. `endpoints` are the `[[httppost]]` sections by name."""

    data_dir: str
    hostname: str = "localhost"
    default_retention_policy: str = ""
    log_level: str = "info"
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    engine: EngineSettings = EngineSettings()
    alert: AlertSettings = AlertSettings()
    eyes: EyesSettings = EyesSettings()
    stats: StatsSettings = StatsSettings()
    endpoints: dict[str, Any] = {}
    extra: dict[str, Any] = {}


class Addresses(msgspec.Struct, frozen=True):
    """The server's own sockets, in its run directory; new for every incarnation of the tree."""

    run_dir: str
    ingest: str
    control: str
    store: str
    status: str
    alerts: str = ""
    logs: str = ""
    loopback: str = ""

"""The sections that the server itself reads (spec "Configuration" §4), and our own, `[tickworks]`."""

from __future__ import annotations

from typing import Annotated

from engine.config.section import Section, doc
from engine.config.values import Duration, Size

_S = 10**9


class Http(Section, frozen=True):
    """The HTTP listener."""

    bind_address: Annotated[
        str, doc("Host and port to listen on; all interfaces without a host; port 0 lets the system choose.")
    ] = ":9092"
    auth_enabled: bool = False
    log_enabled: bool = True
    write_tracing: bool = False
    pprof_enabled: bool = False
    https_enabled: bool = False
    https_certificate: str = "/etc/ssl/kapacitor.pem"
    https_private_key: str = ""
    shutdown_timeout: Duration = Duration(10 * _S)
    shared_secret: str = ""
    bad_lines: Annotated[
        str,
        doc(
            "What happens to a body with lines that are no line protocol. `reject-body`: nothing of it is taken and the "
            "answer is 400; `report`: the good lines are taken, the answer is 400 and lists the others; `log`: the good "
            "lines are taken, the answer is 204, the others are counted and logged. Not a key of Kapacitor."
        ),
    ] = "reject-body"
    max_body_size: Annotated[
        Size, doc("A larger body is refused with 413; counted after it was decompressed. Not a key of Kapacitor.")
    ] = Size(256 << 20)
    write_timeout: Annotated[
        Duration,
        doc(
            "How long a write may wait to be taken, before it is answered with 503 (it may have been taken all the same). "
            "Not a key of Kapacitor."
        ),
    ] = Duration(30 * _S)


class Logging(Section, frozen=True):
    """What is logged, and where."""

    file: Annotated[
        str, doc("`STDERR`, `STDOUT`, or a path: its directory is made, and lines are appended to it (mode 0640).")
    ] = "STDERR"
    level: Annotated[
        str, doc("`DEBUG`, `INFO`, `WARN` or `ERROR`, in any letter case. Kapacitor's default is `DEBUG`.")
    ] = "INFO"


class Tickworks(Section, frozen=True):
    """What Kapacitor has no setting for."""

    max_frame_rows: Annotated[
        int, doc("Rows in one frame. Small values only cost speed; 1 sends each point alone, for tests.")
    ] = 8192
    max_frame_size: Annotated[Size, doc("A frame is closed when it is larger than this.")] = Size(1 << 20)
    drain_timeout: Annotated[
        Duration,
        doc(
            "How long a task that is disabled or deleted may take to work off what it was given, before it is ended; "
            "the log counts the points that are left then."
        ),
    ] = Duration(10 * _S)
    start_timeout: Annotated[Duration, doc("How long the nodes of a task may take to start.")] = Duration(30 * _S)
    stall_after: Annotated[
        Duration, doc("A node that has input and takes no step for so long is shown as stalled.")
    ] = Duration(5 * _S)
    stall_timeout: Annotated[
        Duration,
        doc(
            "A node that has taken no step for so long is killed, and its task begins again where it was; 0 for never. It "
            "bounds how long a node may compute for one frame, and wait for one answer of another system."
        ),
    ] = Duration(0)
    max_nodes: Annotated[int, doc("How many nodes all running tasks together may have.")] = 16384
    join_buffer_size: Annotated[
        Size,
        doc(
            "How much a `join` or `union` may hold of parents that are ahead of the others. A task that needs more stops with "
            "an error that says how far they are apart."
        ),
    ] = Size(256 << 20)
    zone: Annotated[
        str, doc("Time zone of the calendar functions of lambdas (`hour()`, `weekday()`, …), as in `Europe/Berlin`.")
    ] = "UTC"
    fsync: Annotated[
        str,
        doc(
            "When the ingest log is forced to the disk. `always`: before a write is answered; `interval`: every "
            "`fsync-interval`; `never`: when the system sees fit. A crash of Tickworks loses nothing in any case; this is "
            "about a crash of the machine."
        ),
    ] = "interval"
    fsync_interval: Annotated[Duration, doc("See `fsync`.")] = Duration(_S)
    segment_size: Annotated[Size, doc("The ingest log is kept in files of this size.")] = Size(64 << 20)
    retention_size: Annotated[
        Size,
        doc("The ingest log's bound: a task that falls behind by more loses its oldest points, counted and logged."),
    ] = Size(1 << 30)
    retention_age: Annotated[Duration, doc("What is older is dropped from the ingest log; 0 for no bound.")] = Duration(
        0
    )
    on_retention: Annotated[
        str,
        doc(
            "What happens when a task is behind by more than the ingest log may hold. `drop`: the task loses its oldest "
            "points, counted and logged; `refuse-writes`: writes are answered with 503 until the task has caught up."
        ),
    ] = "drop"
    tail_size: Annotated[Size, doc("How much of the ingest log's end is held in memory for tasks that keep up.")] = (
        Size(64 << 20)
    )
    log_history_size: Annotated[
        Size, doc("How much of the server's log lines is remembered for `tickworks logs --since`, in memory.")
    ] = Size(1 << 20)
    log_history_records: Annotated[int, doc("How many lines are remembered at most.")] = 10_000
    log_reader_records: Annotated[
        int, doc("How many lines wait for a reader of the logs that is slow; it is told how many it misses.")
    ] = 1000


class Auth(Section, frozen=True):
    """Users."""

    enabled: bool = False
    cache_expiration: Duration = Duration(0)
    bcrypt_cost: int = 0
    meta_addr: str = ""
    meta_username: str = ""
    meta_password: str = ""
    meta_internal_shared_secret: str = ""
    meta_use_tls: bool = False
    meta_ca: str = ""
    meta_cert: str = ""
    meta_key: str = ""
    meta_insecure_skip_verify: bool = False


class Replay(Section, frozen=True):
    """Recordings."""

    dir: str = "./replay"


class Storage(Section, frozen=True):
    """The reference's store. Ours is `tickworks.db` in the data directory."""

    boltdb: str = "./kapacitor.db"


class Task(Section, frozen=True):
    """Old stores and snapshots."""

    dir: str = "./tasks"
    snapshot_interval: Duration = Duration(60 * _S)


class Fluxtask(Section, frozen=True):
    """Flux tasks."""

    enabled: bool = False
    task_run_influxdb: str = ""
    task_run_bucket: str = "kapacitor_fluxtask_logs"
    task_run_org: str = ""
    task_run_orgid: str = ""
    task_run_measurement: str = "runs"
    default_influxdb: str = ""
    secrets: dict[str, str] = {}


class Load(Section, frozen=True):
    """The load directory."""

    enabled: bool = False
    dir: str = "./load"


class ConfigOverride(Section, frozen=True):
    """The configuration API."""

    enabled: bool = True


class Tls(Section, frozen=True):
    """The HTTPS listener."""

    ciphers: list[str] = []
    min_version: str = ""
    max_version: str = ""


class Alert(Section, frozen=True):
    """Topics of alerts and their handlers."""

    persist_topics: Annotated[
        bool, doc("Whether the last event of each ID is kept over restarts, unless its level is OK.")
    ] = True
    topic_buffer_length: Annotated[
        int,
        doc(
            "How many events may wait for a handler; of more the newest is dropped, which is logged. A length below 1000 "
            "counts as 5000, as in Kapacitor."
        ),
    ] = 5000


class Deadman(Section, frozen=True):
    """Defaults of `deadman`."""

    interval: Duration = Duration(10 * _S)
    threshold: float = 0.0
    id: str = "{{ .Group }}:NODE_NAME for task '{{ .TaskName }}'"
    message: str = (
        '{{ .ID }} is {{ if eq .Level "OK" }}alive{{ else }}dead{{ end }}: {{ index .Fields "emitted" | printf '
        '"%0.3f" }} points/INTERVAL.'
    )
    global_: bool = False


class Stats(Section, frozen=True):
    """The server's own statistics as a stream."""

    enabled: Annotated[
        bool,
        doc("Whether the server's statistics are points of its own stream, which tasks can work on as on any other."),
    ] = True
    stats_interval: Annotated[Duration, doc("How often.")] = Duration(10 * _S)
    database: Annotated[str, doc("The database of these points.")] = "_kapacitor"
    retention_policy: Annotated[str, doc("Their retention policy.")] = "autogen"
    timing_sample_rate: float = 0.1
    timing_movavg_size: int = 1000


class Reporting(Section, frozen=True):
    """Usage reports to the vendor of the reference. Tickworks sends none, whatever is set."""

    enabled: bool = False
    url: str = ""


class UdfFunction(Section, frozen=True):
    """One function."""

    prog: str = ""
    args: list[str] = []
    timeout: Duration = Duration(0)
    socket: str = ""
    env: dict[str, str] = {}


class Udf(Section, frozen=True):
    """User-defined functions."""

    functions: dict[str, UdfFunction] = {}

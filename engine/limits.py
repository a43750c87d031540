"""What the machine allows, looked at once at start: each limit that is lower than the server may need is one line of the log.

`read` looks, `shortages` decides. What cannot be read (no such file, no right to) is not guessed: it is left out. Limits that
stop the server from working at all are errors where they are met: a run directory that has no short path, a log that
cannot be written, a status page for which there is no room.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from transports.context import socket_limit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.settings import Settings

THREADS_A_NODE = 3
"""A node's process has its own thread and two of ZeroMQ's."""
USUAL_NODES = 300
"""With room for fewer the user is told."""
_NODE_BYTES = 8 << 20
_SERVER_BYTES = 512 << 20
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Readings:
    """None for what cannot be read. `threads`: by the name of what limits them, how many may be started from now on.

    `disk` is what is free for this user where the log lies, with what the log holds already; `sockets` is libzmq's limit.
    """

    threads: tuple[tuple[str, int], ...] = ()
    memory: int | None = None
    disk: int | None = None
    sockets: int | None = None


@dataclass(frozen=True, slots=True)
class Shortage:
    """Something that there is too little of: its name, and a text for the user."""

    what: str
    hint: str


def shortages(readings: Readings, settings: Settings, wanted_sockets: int) -> Sequence[Shortage]:
    """What is lower than the server may need."""
    found = []
    if readings.threads:
        name, room = min(readings.threads, key=lambda limit: limit[1])
        nodes = room // THREADS_A_NODE
        if nodes < USUAL_NODES:
            hint = f"{name} leaves room for {room} threads, which is {nodes} nodes: raise it where there are to be more"
            found.append(Shortage("threads", hint))
    if readings.memory is not None and readings.memory < _SERVER_BYTES + USUAL_NODES * _NODE_BYTES:
        nodes = max(0, readings.memory - _SERVER_BYTES) // _NODE_BYTES
        hint = f"{readings.memory // _MIB} MiB are free, which is enough for about {nodes} nodes"
        found.append(Shortage("memory", hint))
    needed = settings.log.retention_bytes + settings.log.segment_bytes
    if readings.disk is not None and readings.disk < needed:
        hint = (
            f"{readings.disk // _MIB} MiB are there for an ingest log that may hold {needed // _MIB} MiB: writes are refused "
            "when the disk is full; make room, or lower [tickworks] retention-size"
        )
        found.append(Shortage("disk", hint))
    if readings.sockets is not None and readings.sockets < wanted_sockets:
        hint = f"this libzmq allows {readings.sockets} sockets a process: no more tasks than that can run"
        found.append(Shortage("sockets", hint))
    return found


def read(data_dir: Path) -> Readings:
    """Look at this machine, and at the control group that this process is in."""
    return Readings(threads=tuple(_threads()), memory=_memory(), disk=_disk(data_dir), sockets=socket_limit())


def _threads() -> list[tuple[str, int]]:
    found = []
    running = _running_threads()
    for name, path in (("kernel.threads-max", "threads-max"), ("kernel.pid_max", "pid_max")):
        most = _number(Path("/proc/sys/kernel") / path)
        if most is not None and running is not None:
            found.append((name, max(0, most - running)))
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    # The kernel does not hold root to it.
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:
        found.append(("RLIMIT_NPROC", soft))
    group = _group()
    if group is not None:
        most, now = _number(group / "pids.max"), _number(group / "pids.current")
        if most is not None and now is not None:
            found.append(("pids.max of the control group", max(0, most - now)))
    return found


def _running_threads() -> int | None:
    try:
        # The fourth word is "runnable/all".
        return int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].split("/")[1])
    except (OSError, ValueError, IndexError):
        return None


def _memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError):
        found = []
    group = _group()
    if group is not None:
        most, now = _number(group / "memory.max"), _number(group / "memory.current")
        if most is not None and now is not None:
            found.append(max(0, most - now))
    return min(found, default=None)


def _disk(data_dir: Path) -> int | None:
    try:
        place = os.statvfs(data_dir)
        held = sum(path.stat().st_size for path in (data_dir / "log").glob("*.log"))
    except OSError:
        return None
    return place.f_bavail * place.f_frsize + held


def _group() -> Path | None:
    """The directory of this process's control group (version 2)."""
    try:
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            if line.startswith("0::"):
                return Path("/sys/fs/cgroup") / line[3:].lstrip("/")
    except OSError:
        return None
    return None


def _number(path: Path) -> int | None:
    """The number in a file; None where there is no file, or it says `max`."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None

"""This host's metrics as line protocol: cpu, mem, disk, net and process, from psutil.

Always: all points of one collection carry one time; what the system does not tell (a container's disks, say) is left out.
"""

from __future__ import annotations

import socket
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TAG_ESCAPES: Final = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ ", "\n": r"\ ", "\\": "/"})


def line(measurement: str, tags: Mapping[str, str], fields: Mapping[str, float], time_ns: int) -> str:
    """One point; integers keep their type, and a tag without a value is left out."""
    head = [measurement, *(f"{k}={v.translate(_TAG_ESCAPES)}" for k, v in sorted(tags.items()) if v)]
    values = [f"{k}={v}i" if isinstance(v, int) else f"{k}={v}" for k, v in fields.items()]
    return f"{','.join(head)} {','.join(values)} {time_ns}"


class Collector:
    """Collects when asked. Percentages are those of the time since the collection before; the first is made at the start."""

    def __init__(self) -> None:
        self._host = socket.gethostname()
        psutil.cpu_times_percent(percpu=True)
        for process in psutil.process_iter():
            try:
                process.cpu_percent()
            except psutil.Error:
                continue

    def collect(self) -> list[str]:
        """The lines of this moment."""
        now = time.time_ns()
        host = {"host": self._host}
        points = (*_cpu(), *_mem(), *_disk(), *_net(), *_processes())
        return [line(name, {**host, **tags}, fields, now) for name, tags, fields in points if fields]


_Point = tuple[str, dict[str, str], dict[str, float]]


def _cpu() -> Iterator[_Point]:
    for number, times in enumerate(psutil.cpu_times_percent(percpu=True)):
        fields: dict[str, float] = {"user": times.user, "system": times.system, "idle": times.idle}
        fields["busy"] = round(100.0 - times.idle, 2)
        yield "cpu", {"cpu": f"cpu{number}"}, fields


def _mem() -> Iterator[_Point]:
    memory = psutil.virtual_memory()
    fields = {"total": memory.total, "used": memory.used, "available": memory.available, "used_percent": memory.percent}
    yield "mem", {}, fields


def _disk() -> Iterator[_Point]:
    seen = set()
    for part in psutil.disk_partitions():
        if part.device in seen:
            continue
        seen.add(part.device)
        try:
            usage = psutil.disk_usage(part.mountpoint)
        except OSError:
            continue
        yield "disk", {"path": part.mountpoint}, {"total": usage.total, "used": usage.used, "free": usage.free}
    for name, counts in (psutil.disk_io_counters(perdisk=True) or {}).items():
        yield "diskio", {"name": name}, {"read_bytes": counts.read_bytes, "write_bytes": counts.write_bytes}


def _net() -> Iterator[_Point]:
    for name, counts in psutil.net_io_counters(pernic=True).items():
        yield "net", {"interface": name}, {"bytes_recv": counts.bytes_recv, "bytes_sent": counts.bytes_sent}


def _processes() -> Iterator[_Point]:
    """The processes of one name are one point."""
    found: dict[str, dict[str, float]] = defaultdict(
        lambda: {"count": 0, "cpu_percent": 0.0, "rss_bytes": 0, "threads": 0}
    )
    for process in psutil.process_iter(["name", "cpu_percent", "memory_info", "num_threads"]):
        info = process.info
        if None in (info["memory_info"], info["cpu_percent"], info["num_threads"]):
            continue
        program = found[info["name"] or "?"]
        program["count"] += 1
        program["cpu_percent"] = round(program["cpu_percent"] + info["cpu_percent"], 2)
        program["rss_bytes"] += info["memory_info"].rss
        program["threads"] += info["num_threads"]
    for name, fields in found.items():
        yield "process", {"name": name}, fields

"""What the kernel knows of a process: processor time and resident memory, from one read of /proc."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Fields of /proc/<pid>/stat behind the program's name, which may contain anything.
_UTIME, _STIME, _RSS = 11, 12, 21


class Usage(NamedTuple):
    """Seconds of processor time since it was started, and resident bytes (pages shared with others included)."""

    cpu_s: float
    rss_bytes: int


def parse(stat: str) -> Usage:
    """The text of /proc/<pid>/stat."""
    fields = stat[stat.rindex(")") + 2 :].split()
    return Usage((int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS, int(fields[_RSS]) * _PAGE)


_FEW = 64


async def ask(pids: Sequence[int]) -> dict[int, Usage]:
    """As `usages`, for an event loop: many processes are many small files, which are read in a thread."""
    return usages(pids) if len(pids) <= _FEW else await asyncio.to_thread(usages, pids)


def usages(pids: Iterable[int]) -> dict[int, Usage]:
    """Of those that live."""
    found = {}
    for pid in pids:
        try:
            found[pid] = parse(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace"))
        except (OSError, ValueError, IndexError):
            continue
    return found

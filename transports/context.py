"""The ZeroMQ context of a process, and the descriptors that its edges need.

Every process makes one context, after it was forked, and passes it to its edges; there is no global one. Linger is zero, so
that ending a context never waits: an edge that has drained has nothing left to send, any other is aborted.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import TypeAlias

import zmq

Context: TypeAlias = "zmq.Context[zmq.Socket[bytes]]"

FILES_AN_EDGE = 6
"""Descriptors that one end of an ipc edge holds at most: socket, listener, connection, lifeline with its listener and poll."""


def new_context(*, io_threads: int = 1, max_sockets: int = 4096) -> Context:
    """A context for this process. One I/O thread does 2 GB/s, more than a node can handle.

    Raises ValueError when libzmq cannot have `max_sockets` sockets (its limit is 65535 in usual builds).
    """
    context = zmq.Context(io_threads=io_threads)
    most = context.get(zmq.SOCKET_LIMIT)
    if not 0 < max_sockets <= most:
        context.term()
        raise ValueError(f"max_sockets is {max_sockets}, and this libzmq allows 1 to {most}")
    context.set(zmq.MAX_SOCKETS, max_sockets)
    # Sockets that are closed with something unsent do not hold the end of the context up.
    context.set(zmq.BLOCKY, 0)
    return context


def socket_limit() -> int:
    """How many sockets this libzmq allows a context at most."""
    context: Context = zmq.Context()
    try:
        return int(context.get(zmq.SOCKET_LIMIT))
    finally:
        context.term()


@dataclass(frozen=True, slots=True)
class FileLimit:
    """What became of a wish for descriptors: `soft` and `hard` as they are now, and a text when `wanted` was not reached."""

    wanted: int
    soft: int
    hard: int
    warning: str | None


def raise_file_limit(wanted: int) -> FileLimit:
    """Raise this process's limit of open files (`nofile`) to `wanted`; children inherit it. Never lowers it, never raises.

    An unprivileged process reaches its hard limit; the rest is said in `warning`, for the log at start.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _reaches(soft, wanted):
        return FileLimit(wanted, soft, hard, None)
    for attempt in ((wanted, wanted if not _reaches(hard, wanted) else hard), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, attempt)
        except (ValueError, OSError):
            continue
        break
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _reaches(soft, wanted):
        return FileLimit(wanted, soft, hard, None)
    warning = (
        f"this process may open {soft} files and wants {wanted}: large tasks may fail with 'too many open files'; "
        f"raise the limit with 'ulimit -n {wanted}' or LimitNOFILE={wanted} in the service unit"
    )
    return FileLimit(wanted, soft, hard, warning)


def _reaches(limit: int, wanted: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= wanted

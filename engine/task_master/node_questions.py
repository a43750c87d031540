"""Questions that are passed on to nodes: who asked, and until when an answer is waited for.

Every question is answered once: by the node, or with an error that names the node when it takes too long. Bound: one record a
question under way.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine import clock, rpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import FilteringBoundLogger

    from engine.task_master.lifecycle import Lifecycle

_OUT_TIMEOUT_S: Final = 2.0
_RELOAD_TIMEOUT_S: Final = 15.0
"""A web service has 10 seconds to answer a sideload node."""
_NOBODY: Final = b""
"""Asks in place of a client, for a signal."""


class _Asked(NamedTuple):
    who: bytes
    number: int
    deadline: float
    node: str


class NodeQuestions:
    """All that are under way. `send(peer, message)` goes to nodes and askers alike."""

    def __init__(self, lifecycle: Lifecycle, send: Callable[[bytes, bytes], None], say: FilteringBoundLogger) -> None:
        self._lifecycle = lifecycle
        self._send = send
        self._say = say
        self._serial = itertools.count(1)
        self._asked: dict[int, _Asked] = {}

    def processes_with(self, kind: str) -> list[str]:
        """The running processes that have a node of this kind, by their identities."""
        found = []
        for t in self._lifecycle.tasks.values():
            kinds = {n["name"]: n["kind"] for n in t.definition.plan["nodes"]} if t.executing else {}
            found += [p.id for p in t.processes if not p.exited and any(kinds.get(name) == kind for name in p.nodes)]
        return found

    def out(self, who: bytes, number: int, task: str, path: str) -> None:
        """What an httpOut node shows at its path."""
        t = self._lifecycle.tasks.get(task)
        if t is not None and t.executing:
            for p in t.processes:
                if path in p.paths and not p.exited:
                    self._ask(who, number, p.id, "out", {"path": path}, _OUT_TIMEOUT_S)
                    return
        self._send(who, rpc.pack_failure(number, 404, "no task exists"))

    def reload(self, who: bytes, number: int, process: str) -> None:
        """Have a process read its sideload files again."""
        self._ask(who, number, process, "reload", {}, _RELOAD_TIMEOUT_S)

    def reload_all(self) -> None:
        """Have every process do so; nobody waits for it."""
        for process in self.processes_with("sideload"):
            self.reload(_NOBODY, 0, process)

    def answered(self, number: int, *, ok: bool, value: Any) -> None:
        """A node's answer, for whoever asked; one that comes too late is nobody's."""
        asked = self._asked.pop(number, None)
        if asked is None:
            return
        if asked.who == _NOBODY:
            if not ok:
                self._say.error("failed to reload", node=asked.node, error=value["message"])
        elif ok:
            self._send(asked.who, rpc.pack_answer(asked.number, value))
        else:
            self._send(asked.who, rpc.pack_failure(asked.number, value["code"], value["message"]))

    def expire(self, now: float) -> None:
        """Answer for the nodes that have taken too long."""
        for number, asked in [(n, a) for n, a in self._asked.items() if a.deadline <= now]:
            self.answered(number, ok=False, value={"code": 503, "message": f"node {asked.node} does not answer"})

    @property
    def next_deadline(self) -> float | None:
        return min((a.deadline for a in self._asked.values()), default=None)

    def _ask(
        self, who: bytes, number: int, process: str, operation: str, arguments: dict[str, Any], timeout: float
    ) -> None:
        p = self._lifecycle.processes.get(process)
        if p is None or p.exited:
            self._send(who, rpc.pack_failure(number, 404, "no such process"))
            return
        mine = next(self._serial)
        self._asked[mine] = _Asked(who, number, clock.monotonic() + timeout, p.nodes[-1])
        self._send(process.encode(), rpc.pack_request(mine, operation, arguments))

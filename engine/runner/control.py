"""A node's side of the control protocol (docs/control-protocol.md): what it tells the supervisor and answers to it.

Notices to the supervisor: `ready`, `ended`, `failed` (node, error). Requests from it: `out` (the rows of a httpOut
node), `reload` (what a sideload node has loaded), `ping`. A request is answered between two frames, and while the node waits for room in its output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import rpc
from engine.operator import Answering, Reloading

if TYPE_CHECKING:
    from collections.abc import Sequence

    import zmq


class Control:
    """The socket and what it can answer."""

    def __init__(self, context: zmq.Context[Any], address: str, identity: str, operators: Sequence[Any]) -> None:
        self.socket = rpc.dealer(context, address, identity.encode())
        self._answering = {o.path: o for o in operators if isinstance(o, Answering)}
        self._reloading = [o for o in operators if isinstance(o, Reloading)]

    def ready(self) -> None:
        self._tell("ready", paths=sorted(self._answering))

    def ended(self) -> None:
        self._tell("ended")

    def failed(self, node: str, error: str) -> None:
        self._tell("failed", node=node, error=error)

    def answer(self) -> None:
        """Answer every request that is there."""
        for number, operation, arguments in rpc.arrived(self.socket):
            self.socket.send(self._answer(number, operation, arguments))

    def _answer(self, number: int, operation: str, arguments: dict[str, Any]) -> bytes:
        if operation == "out":
            operator = self._answering.get(arguments["path"])
            if operator is None:
                return rpc.pack_failure(number, 404, "no such path")
            code, body = operator.answer()
            return rpc.pack_answer(number, {"status": code, "body": body})
        if operation == "reload":
            try:
                for reloading in self._reloading:
                    reloading.reload()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
                return rpc.pack_failure(number, 500, str(error))
            return rpc.pack_answer(number, None)
        if operation == "ping":
            return rpc.pack_answer(number, None)
        return rpc.pack_failure(number, 400, f"unknown operation {operation!r}")

    def _tell(self, what: str, **arguments: Any) -> None:
        self.socket.send(rpc.pack_request(0, what, arguments))

    def close(self, linger_ms: int = 2000) -> None:
        """The last notices still leave."""
        self.socket.close(linger_ms)

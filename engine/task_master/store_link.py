"""What the supervisor tells and asks the store; answers come when they come, and nobody waits for them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import zmq

from engine import rpc

if TYPE_CHECKING:
    from collections.abc import Callable

    Then = Callable[[bool, Any], None]


class StoreLink:
    """The socket, and what is to be done with the answers that are out. Bound: one entry a question."""

    def __init__(self, context: zmq.Context[Any], address: str) -> None:
        self.socket = rpc.dealer(context, address, b"supervisor")
        self._serial = itertools.count(1)
        self._waiting: dict[int, Then] = {}

    def tell(self, operation: str, **arguments: Any) -> None:
        self.socket.send(rpc.pack_request(0, operation, arguments), zmq.DONTWAIT)

    def ask(self, operation: str, then: Then, **arguments: Any) -> int:
        """Have `then` called with (whether it went well, the value or the failure); the question's number."""
        number = next(self._serial)
        self._waiting[number] = then
        self.socket.send(rpc.pack_request(number, operation, arguments), zmq.DONTWAIT)
        return number

    def forget(self, number: int) -> None:
        """The answer is not wanted any more."""
        self._waiting.pop(number, None)

    def hear(self) -> None:
        """Take in every answer that is there."""
        for number, ok, value in rpc.arrived(self.socket):
            then = self._waiting.pop(number, None)
            if then is not None:
                then(ok, value)

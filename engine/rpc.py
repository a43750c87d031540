"""Questions and answers between the server's own processes: one ROUTER that answers, DEALERs that ask.

A request is one msgpack array `[number, operation, arguments]`, an answer `[number, ok, value]`, where `value` of a
failed request is `{"code": int, "message": str}` (an HTTP status and the text that a client may see). Numbers are
chosen by the asker and come back unchanged; answers may come in any order. A notice has number 0 and no answer.
docs/control-protocol.md lists the operations.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import zmq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

BACKLOG = 10_000
"""Messages that wait for a peer before sending to it fails: control messages are small and their askers wait."""


class RpcError(Exception):
    """The other side refused or failed: `code` is an HTTP status, str() the text."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class PeerUnavailableError(RpcError):
    """No answer came in time, or the other side is not there."""

    def __init__(self, message: str) -> None:
        super().__init__(503, message)


def pack_request(number: int, operation: str, arguments: dict[str, Any]) -> bytes:
    return _encode((number, operation, arguments))


def pack_answer(number: int, value: Any) -> bytes:
    return _encode((number, True, value))


def pack_failure(number: int, code: int, message: str) -> bytes:
    return _encode((number, False, {"code": code, "message": message}))


def unpack(message: bytes | memoryview) -> tuple[int, Any, Any]:
    """The three members of a request or an answer."""
    number, second, third = _decode(message)
    return number, second, third


def arrived(socket: zmq.Socket[Any]) -> Iterator[tuple[int, Any, Any]]:
    """Every message that is there, unpacked; never waits."""
    while True:
        try:
            message = socket.recv(zmq.DONTWAIT)
        except zmq.Again:
            return
        yield unpack(message)


def router(context: zmq.Context[Any], address: str) -> zmq.Socket[Any]:
    """The answering socket, bound; a peer that is gone is an error when sent to (EHOSTUNREACH), never a block."""
    socket: zmq.Socket[Any] = context.socket(zmq.ROUTER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, BACKLOG)
    socket.setsockopt(zmq.RCVHWM, BACKLOG)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
    socket.bind(address)
    return socket


def dealer(context: zmq.Context[Any], address: str, identity: bytes) -> zmq.Socket[Any]:
    """An asking socket, connected; it connects again by itself when the other side comes back."""
    socket: zmq.Socket[Any] = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, identity)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, BACKLOG)
    socket.setsockopt(zmq.RCVHWM, BACKLOG)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    socket.connect(address)
    return socket


class AsyncClient:
    """Asks a ROUTER from an asyncio loop, without threads: the loop watches the socket's descriptor.

    `on_notice(operation, arguments)` is called for messages that answer no request (acknowledgements, orders).
    At most `BACKLOG` requests are under way; each ends by its answer or by its time-out.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        address: str,
        identity: bytes,
        on_notice: Callable[[str, Any], None] | None = None,
    ) -> None:
        self._socket = dealer(context, address, identity)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next = 1
        self._on_notice = on_notice
        self._loop = asyncio.get_running_loop()
        self._fd = int(self._socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._fd, self._readable)

    async def call(self, operation: str, timeout: float = 30.0, **arguments: Any) -> Any:  # noqa: ASYNC109
        """The answer's value. Raises RpcError, or PeerUnavailableError after `timeout` seconds."""
        number = self._next
        self._next += 1
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting[number] = future
        try:
            self.send(pack_request(number, operation, arguments))
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise PeerUnavailableError(f"no answer to {operation} within {timeout:g}s") from None
        finally:
            self._waiting.pop(number, None)

    def notify(self, operation: str, **arguments: Any) -> None:
        """Send without an answer."""
        self.send(pack_request(0, operation, arguments))

    def send(self, message: bytes) -> None:
        try:
            self._socket.send(message, zmq.DONTWAIT)
        except zmq.Again:
            raise PeerUnavailableError("too many requests are waiting for the other side") from None
        # The descriptor is edge-triggered: a send can swallow the edge of a message that has come in meanwhile.
        self._loop.call_soon(self._readable)

    def _readable(self) -> None:
        if self._socket.closed:
            return
        while int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN:
            try:
                self._take(self._socket.recv(zmq.DONTWAIT))
            except Exception:
                # The descriptor does not tell a second time of what waits behind a message that makes trouble.
                self._loop.call_soon(self._readable)
                raise

    def _take(self, message: bytes) -> None:
        number, second, third = unpack(message)
        if number == 0:
            if self._on_notice is not None:
                self._on_notice(second, third)
            return
        future = self._waiting.get(number)
        if future is None or future.done():
            return
        if second:
            future.set_result(third)
        else:
            future.set_exception(RpcError(third["code"], third["message"]))

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        self._socket.close(0)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(PeerUnavailableError("the server is stopping"))

"""The way into the global stream, of front ends and loopbacks: frames out over PUSH, acknowledgements back as notices.

What always holds:

- Every frame gets a number. A write waits for the acknowledgement of each of its frames; it fails when one is refused,
  and sends none of its further frames then.
- Frames of one write are neighbours, and writes are sent in the order in which they were asked for.
- At most the socket's high-water mark of frames waits to be sent; then writers wait in order, each no longer than its
  time-out. `statistics()` tells how many frames are not answered yet.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import zmq

from engine import rpc
from engine.frames import codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.frames.model import Frame

_HWM = 8
_encode = msgspec.msgpack.Encoder().encode


class _Write:
    """What a write still waits for."""

    __slots__ = ("future", "left")

    def __init__(self, left: int, future: asyncio.Future[None]) -> None:
        self.left = left
        self.future = future


class Ingest:
    """Sends frames and knows which are acknowledged."""

    def __init__(self, context: zmq.Context[Any], address: str, identity: bytes) -> None:
        self._socket: zmq.Socket[bytes] = context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.SNDHWM, _HWM)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(address)
        self._identity = identity
        self._number = 0
        self._writes: dict[int, _Write] = {}
        self._loop = asyncio.get_running_loop()
        self._descriptor = int(self._socket.getsockopt(zmq.FD))
        self._room = asyncio.Event()
        self._turn = asyncio.Lock()
        self._loop.add_reader(self._descriptor, self._on_state)

    async def write(self, frames: Sequence[Frame], timeout: float | None) -> None:  # noqa: ASYNC109
        """Send the frames and wait for their acknowledgement. Raises RpcError (503) when refused or not answered in time."""
        await self.write_messages(map(codec.encode, frames), len(frames), timeout)

    async def write_messages(self, messages: Iterable[Sequence[bytes]], count: int, timeout: float | None) -> None:  # noqa: ASYNC109
        """As `write`, for `count` encoded frames."""
        write = _Write(count, self._loop.create_future())
        numbers: list[int] = []
        try:
            async with asyncio.timeout(timeout):
                async with self._turn:
                    for message in messages:
                        if write.future.done():
                            break
                        self._number += 1
                        numbers.append(self._number)
                        self._writes[self._number] = write
                        await self._send([_encode((self._identity, self._number)), *message])
                await write.future
        except TimeoutError:
            raise rpc.PeerUnavailableError("the server is overloaded, the points may have been taken") from None
        finally:
            for number in numbers:
                self._writes.pop(number, None)
            # A refusal that came in while the time ran out is nobody's any more, and no news either.
            if not write.future.cancel() and not write.future.cancelled():
                write.future.exception()

    async def _send(self, message: list[bytes]) -> None:
        while True:
            try:
                self._socket.send_multipart(message, zmq.DONTWAIT)
            except zmq.Again:
                self._room.clear()
                if not int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT:
                    await self._room.wait()
            else:
                return

    def _on_state(self) -> None:
        """The socket's state has changed: reading its events is what makes the descriptor quiet again.

        Nothing else reads them but a writer that then looks for room itself, so no room is ever missed.
        """
        if int(self._socket.getsockopt(zmq.EVENTS)) & zmq.POLLOUT:
            self._room.set()

    def on_notice(self, operation: str, arguments: Any) -> None:
        """An acknowledgement or a refusal has come in."""
        write = self._writes.pop(arguments["number"], None)
        if write is None or write.future.done():
            return
        if operation == "ack":
            write.left -= 1
            if write.left == 0:
                write.future.set_result(None)
        else:
            write.future.set_exception(rpc.RpcError(503, arguments["message"]))

    def statistics(self) -> dict[str, int]:
        return {"sent": self._number, "unanswered": len(self._writes)}

    def close(self) -> None:
        """The frames that wait to be sent are given up."""
        self._loop.remove_reader(self._descriptor)
        self._socket.close(0)

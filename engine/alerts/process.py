"""The alert service's process: one ROUTER for nodes and front ends, one asyncio loop for everything that is sent.

A node's messages are dealt with as they come, in order; a client's request is a task of its own. The end of a node's
process is seen by its descriptor, so that a node that crashed is not mourned for ever.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.service import AlertService
    from engine.settings import Addresses, Settings

_AT_ONCE: Final = 8
"""Messages, of up to 256 events each, before handlers have their turn."""
_PRESSED_S: Final = 0.002
_PATIENCE_S: Final = 3.0
_LEAST_QUEUE: Final = 1000
_DEFAULT_QUEUE: Final = 5000
_NODES: Final = frozenset({"hello", "events", "levels", "bye"})
_CLIENTS: Final = frozenset(
    {
        "topic_list", "topic_get", "topic_delete", "task_deleted", "event_list", "event_get", "handler_list",
        "handler_get", "handler_create", "handler_put", "handler_patch", "handler_delete",
    }
)  # fmt: skip


def main(settings: Settings, addresses: Addresses) -> int:
    """Serve until SIGTERM."""
    import uvloop  # noqa: PLC0415 - the launcher stays small

    from engine import logs  # noqa: PLC0415 - the launcher stays small

    logs.configure(settings.log_level)
    return uvloop.run(_serve(settings, addresses))


async def _serve(settings: Settings, addresses: Addresses) -> int:
    from engine import heap, logs, rpc  # noqa: PLC0415 - the launcher stays small
    from engine.alerts.service import AlertService, Options  # noqa: PLC0415 - the launcher stays small
    from transports.context import new_context  # noqa: PLC0415 - the launcher stays small

    log = logs.get_logger(process="alerts")
    context = new_context(max_sockets=4096)
    store = rpc.AsyncClient(context, f"ipc://{addresses.store}", f"alerts-{os.getpid()}".encode())
    alert = settings.alert
    queue = alert.topic_buffer_length if alert.topic_buffer_length >= _LEAST_QUEUE else _DEFAULT_QUEUE
    options = Options(settings.hostname, alert.persist_topics, queue, settings.endpoints)
    front = Front(log)
    heap.leave_alone()
    service = AlertService(store, options, log, front.acknowledge)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    opening = asyncio.create_task(_open(service, log))
    wanted = asyncio.create_task(stopping.wait())
    await asyncio.wait([opening, wanted], return_when=asyncio.FIRST_COMPLETED)
    if opening.done():
        opening.result()
        front.open(rpc.router(context, f"ipc://{addresses.alerts}"), service)
        log.info("alert service open")
        await asyncio.wait([wanted, service.committing], return_when=asyncio.FIRST_COMPLETED)
        if service.committing.done():
            # Nothing would be acknowledged any more: let the launcher start another one.
            service.committing.result()
        front.close()
        await service.close(_PATIENCE_S)
    else:
        opening.cancel()
    store.close()
    context.term()
    return 0


async def _open(service: AlertService, log: Any) -> None:
    """The store may still be on its way."""
    from engine.rpc import RpcError  # noqa: PLC0415 - the launcher stays small

    while True:
        try:
            await service.open()
        except RpcError as error:
            log.warning("the store does not answer yet", error=str(error))
        else:
            return


class Front:
    """The socket, and who is behind it."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._socket: Any = None
        self._service: AlertService | None = None
        self._held = False
        self._watched: dict[bytes, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, socket: Any, service: AlertService) -> None:
        import zmq  # noqa: PLC0415 - the launcher stays small

        self._socket = socket
        self._service = service
        self._descriptor = int(socket.getsockopt(zmq.FD))
        loop = asyncio.get_running_loop()
        loop.add_reader(self._descriptor, self._readable)
        loop.call_soon(self._readable)

    def close(self) -> None:
        """Take nothing more; what was taken is still answered by nobody, so that nodes say it again to the next one."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._descriptor)
        for task in self._tasks:
            task.cancel()
        for descriptor in self._watched.values():
            loop.remove_reader(descriptor)
            os.close(descriptor)
        self._watched.clear()
        self._socket.close(0)

    def acknowledge(self, who: bytes, seq: int, counts: Sequence[int]) -> None:
        from engine import rpc  # noqa: PLC0415 - the launcher stays small

        self._send(who, rpc.pack_request(0, "ack", {"seq": seq, "counts": list(counts)}))

    def _send(self, who: bytes, message: bytes) -> None:
        import zmq  # noqa: PLC0415 - the launcher stays small

        if self._socket.closed:
            return
        try:
            self._socket.send_multipart((who, message), zmq.DONTWAIT)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise
        # A send can swallow the edge of a message that has come in meanwhile.
        asyncio.get_running_loop().call_soon(self._readable)

    def _readable(self) -> None:
        import zmq  # noqa: PLC0415 - the launcher stays small

        if self._socket.closed:
            return
        assert self._service is not None
        if self._held:
            return
        if self._service.pressed():
            self._held = True
            asyncio.get_running_loop().call_later(_PRESSED_S, self._go_on)
            return
        for _ in range(_AT_ONCE):
            try:
                who, message = self._socket.recv_multipart(zmq.DONTWAIT)
            except zmq.Again:
                return
            try:
                self._take(who, message)
            except Exception:
                # The descriptor does not tell a second time of what waits behind a message that makes trouble.
                asyncio.get_running_loop().call_soon(self._readable)
                raise
        # Others have their turn, then the rest.
        asyncio.get_running_loop().call_soon(self._readable)

    def _go_on(self) -> None:
        self._held = False
        self._readable()

    def _take(self, who: bytes, message: bytes) -> None:
        from engine import rpc  # noqa: PLC0415 - the launcher stays small

        number, operation, arguments = rpc.unpack(message)
        assert self._service is not None
        if operation in _NODES:
            self._of_node(who, number, operation, arguments)
        elif operation in _CLIENTS:
            self._spawn(self._of_client(who, number, getattr(self._service, operation), arguments))
        else:
            self._send(who, rpc.pack_failure(number, 400, f"unknown operation {operation!r}"))

    def _of_node(self, who: bytes, number: int, operation: str, arguments: dict[str, Any]) -> None:
        from engine import rpc  # noqa: PLC0415 - the launcher stays small

        service = self._service
        assert service is not None
        match operation:
            case "hello":
                # A process may be gone before its word is heard: the next incarnation of its node may be there already.
                if self._watch(who, arguments.pop("pid")):
                    server = service.hello(who, **arguments)
                    if number:
                        self._send(who, rpc.pack_answer(number, server))
            case "events":
                if not service.events(who, **arguments):
                    self._send(who, rpc.pack_request(0, "hello", {}))
            case "levels":
                found = service.levels(who, **arguments)
                if found is not None:
                    self._send(who, rpc.pack_answer(number, found))
            case "bye":
                self._unwatch(who)
                self._spawn(self._of_client(who, number, service.bye, {"who": who}))

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _of_client(self, who: bytes, number: int, method: Any, arguments: dict[str, Any]) -> None:
        from engine import rpc  # noqa: PLC0415 - the launcher stays small
        from engine.definitions.bodies import RefusedError  # noqa: PLC0415 - the launcher stays small

        try:
            value = method(**arguments)
            if asyncio.iscoroutine(value):
                value = await value
            answer = rpc.pack_answer(number, value)
        except (RefusedError, rpc.RpcError) as refused:
            answer = rpc.pack_failure(number, refused.code, str(refused))
        if number:
            self._send(who, answer)

    def _watch(self, who: bytes, pid: int) -> bool:
        """Notice the end of a node's process; whether it is there."""
        if who in self._watched:
            return True
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        self._watched[who] = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._gone, who)
        return True

    def _unwatch(self, who: bytes) -> None:
        descriptor = self._watched.pop(who, None)
        if descriptor is not None:
            asyncio.get_running_loop().remove_reader(descriptor)
            with suppress(OSError):
                os.close(descriptor)

    def _gone(self, who: bytes) -> None:
        self._unwatch(who)
        # What it sent before its end is dealt with first.
        self._readable()
        assert self._service is not None
        self._service.gone(who)

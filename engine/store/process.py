"""The store's process: a poll loop that answers requests one after the other."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.settings import Addresses, Settings
    from engine.store.service import StoreService


def main(settings: Settings, addresses: Addresses) -> int:
    """Serve until SIGTERM."""
    import zmq  # noqa: PLC0415 - the launcher stays small

    from engine import clock, heap, logs, rpc  # noqa: PLC0415 - the launcher stays small
    from engine.store import Store, StoreError  # noqa: PLC0415 - the launcher stays small
    from engine.store.service import StoreService  # noqa: PLC0415 - the launcher stays small
    from transports.context import new_context  # noqa: PLC0415 - the launcher stays small

    logs.configure(settings.log_level)
    log = logs.get_logger(process="store")
    try:
        store = Store(Path(settings.data_dir) / "tickworks.db")
    except StoreError as error:
        log.critical("the store cannot be opened", error=str(error))
        return 1
    service = StoreService(store, clock.now)
    context = new_context(max_sockets=64)
    router = rpc.router(context, f"ipc://{addresses.store}")
    heap.leave_alone()
    log.info("store open")
    wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    poller = zmq.Poller()
    poller.register(router, zmq.POLLIN)
    poller.register(wake, zmq.POLLIN)
    while True:
        ready = dict(poller.poll())
        if router in ready:
            who, message = router.recv_multipart()
            number, operation, arguments = rpc.unpack(message)
            answer = answer_request(service, number, operation, arguments, log)
            if number:
                try:
                    router.send_multipart((who, answer), zmq.DONTWAIT)
                except zmq.ZMQError as error:
                    if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                        raise
        elif wake in ready:
            break
    router.close(500)
    context.term()
    store.close()
    return 0


def answer_request(service: StoreService, number: int, operation: str, arguments: dict[str, Any], log: Any) -> bytes:
    """The packed answer to one request; what is refused, and what fails, is an answer too."""
    from engine import rpc  # noqa: PLC0415 - the launcher stays small
    from engine.definitions.bodies import RefusedError  # noqa: PLC0415 - the launcher stays small
    from engine.store.errors import StoreError  # noqa: PLC0415 - the launcher stays small

    method = service.operations.get(operation)
    if method is None:
        return rpc.pack_failure(number, 400, f"unknown operation {operation!r}")
    try:
        return rpc.pack_answer(number, method(**arguments))
    except RefusedError as refused:
        return rpc.pack_failure(number, refused.code, str(refused))
    except StoreError as error:
        log.critical("store operation failed", operation=operation, error=str(error))
        return rpc.pack_failure(number, 500, str(error))

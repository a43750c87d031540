"""The front end's process: uvicorn on the listening sockets, `/write` on its own path, everything else the API app."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from engine.settings import Addresses, Settings

WRITE_PATHS = frozenset({"/write", "/kapacitor/v1/write", "/kapacitor/v1preview/write"})


class _ServerRecords(logging.Handler):
    """What uvicorn has to say, as our records; its warnings are about what clients do."""

    def __init__(self, log: Any) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        say = self._log.error if record.levelno >= logging.ERROR else self._log.debug
        say(record.getMessage().strip(), exc_info=record.exc_info)


def main(settings: Settings, addresses: Addresses, sockets: Sequence[socket.socket]) -> int:
    """Serve until SIGTERM."""
    import uvloop  # noqa: PLC0415 - the launcher stays small

    from engine import logs  # noqa: PLC0415 - the launcher stays small

    logs.configure(settings.log_level)
    return uvloop.run(_serve(settings, addresses, list(sockets)))


async def _serve(settings: Settings, addresses: Addresses, sockets: list[socket.socket]) -> int:
    import uvicorn  # noqa: PLC0415 - the launcher stays small

    from engine import heap, logs, rpc  # noqa: PLC0415 - the launcher stays small
    from engine.api.app import answer_headers, build_app  # noqa: PLC0415 - the launcher stays small
    from engine.api.callers import Servers  # noqa: PLC0415 - the launcher stays small
    from engine.api.connection import Connection  # noqa: PLC0415 - the launcher stays small
    from engine.api.log_reader import LogReader  # noqa: PLC0415 - the launcher stays small
    from engine.api.self_stats import SelfStats  # noqa: PLC0415 - the launcher stays small
    from engine.api.write import Write  # noqa: PLC0415 - the launcher stays small
    from engine.ingest import Ingest  # noqa: PLC0415 - the launcher stays small
    from transports.context import new_context  # noqa: PLC0415 - the launcher stays small

    log = logs.get_logger(process="frontend")
    context = new_context(max_sockets=64)
    identity = f"frontend-{os.getpid()}".encode()
    ingest = Ingest(context, f"ipc://{addresses.ingest}", identity)
    supervisor = rpc.AsyncClient(context, f"ipc://{addresses.control}", identity, ingest.on_notice)
    store = rpc.AsyncClient(context, f"ipc://{addresses.store}", identity)
    alerts = rpc.AsyncClient(context, f"ipc://{addresses.alerts}", identity)
    reader = LogReader(logs.board(), addresses.logs, settings.eyes)
    await asyncio.gather(supervisor.call("ping"), store.call("ping"))
    write = Write(ingest, settings, answer_headers, log, reader.write_answered)
    app = build_app(store, supervisor, settings, alerts, reader.hub)
    sending = None
    if settings.stats.enabled and reader.number == 0:
        servers = Servers(store, supervisor, settings, alerts=alerts)
        sending = asyncio.create_task(SelfStats(servers, ingest, logs.board().made, log).run())

    async def dispatch(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in WRITE_PATHS:
            await write(scope, receive, send)
        else:
            await app(scope, receive, send)

    config = uvicorn.Config(
        dispatch,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=300,
        timeout_graceful_shutdown=3,
    )

    class Server(uvicorn.Server):
        """Readers of logs would read for ever: their answers end when the server does."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            reader.hub.close()
            await super().shutdown(sockets)

    heap.leave_alone()
    server = Server(config)
    logging.getLogger("uvicorn").addHandler(_ServerRecords(log))
    log.info("listening", addresses=[f"{h}:{p}" for h, p, *_ in (s.getsockname() for s in sockets)])
    await server.serve(sockets=sockets)
    if sending is not None:
        sending.cancel()
    reader.close()
    ingest.close()
    supervisor.close()
    store.close()
    alerts.close()
    context.term()
    return 0

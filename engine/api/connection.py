"""One client's connection: uvicorn's protocol, with an end to what it leaves open.

- A head, a trailer or chunk sizes that go on for more than `MAX_SILENT` bytes end the connection (431): the parser below
  keeps them all, and at a cost that grows with the square.
- A method that HTTP does not know is answered as an unknown path (spec "HTTP API" §2).
- What follows a complete request and is no request ends the connection only when that request has been answered.
- A client that asks for another protocol gets HTTP, and a new connection for what follows.
- A connection on which nothing at all comes is closed after the keep-alive time.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from engine.api.conventions import failure

MAX_SILENT = 1 << 18


class Connection(HttpToolsProtocol):
    """What uvicorn makes for each client."""

    _silent = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        self._silent += len(data)
        super().data_received(data)
        if self._silent > MAX_SILENT and not self.transport.is_closing():
            self._end(431, f"what stands before or behind a body is limited to {MAX_SILENT} bytes")

    def on_headers_complete(self) -> None:
        self._silent = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._silent = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._silent = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """The bytes that came are no request; called while the parser's error is handled."""
        if self.cycle is not None and not (self.cycle.response_complete or self.cycle.more_body):
            self.cycle.keep_alive = False
            self.flow.pause_reading()
        elif isinstance(sys.exc_info()[1], httptools.HttpParserInvalidMethodError):
            self._end(404, "Not Found")
        else:
            self._end(400, msg)

    def _end(self, status: int, text: str) -> None:
        """Answer, unless an answer to somebody else is next, and close."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not (cycle.response_started or self.pipeline):
            body = bytes(failure(status, text).body)
            head = (
                f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json; charset=utf-8\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False
            self.flow.pause_reading()

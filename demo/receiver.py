"""Where the demo's alerts arrive: an HTTP server that a handler of the topic posts to."""

from __future__ import annotations

import http.server
import json
import threading
from collections import deque
from typing import Any, Final, NamedTuple

_KEPT: Final = 8


class Alert(NamedTuple):
    """One event, as it came in."""

    time: str
    level: str
    message: str


class Receiver:
    """Listens on a free port of this host from the start; `close` ends it. The latest alerts are kept, newest first."""

    def __init__(self) -> None:
        self.alerts: deque[Alert] = deque(maxlen=_KEPT)
        self.count = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.alerts.appendleft(Alert(data["time"], data["level"], data["message"]))
                outer.count += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

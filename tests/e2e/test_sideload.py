"""A sideload node's source, loaded anew at a running task."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.harness import Receiver, Server

if TYPE_CHECKING:
    from pathlib import Path


def test_a_reload_reaches_the_running_nodes_and_tells_what_failed(server: Server, tmp_path: Path) -> None:
    values = tmp_path / "all.yml"
    values.write_text("limit: 1")
    with Receiver() as receiver:
        server.define(
            "side",
            f"stream|from().measurement('m')|sideload().source('file://{tmp_path}').order('all.yml').field('limit', 0)"
            f"|httpPost('{receiver.url}/s')",
        )
        server.enable("side")
        server.write("m v=1 1")
        assert receiver.next("/s").json["series"][0]["values"][0][1] == 1
        values.write_text("limit: 2")
        answer = server.http.post("/kapacitor/v1/sideload/reload")
        assert (answer.status_code, answer.content) == (204, b"")
        server.write("m v=1 2")
        assert receiver.next("/s").json["series"][0]["values"][0][1] == 2
        values.write_text("limit: [")
        os.kill(server.pid, signal.SIGHUP)
        server.wait_log(lambda r: r.get("msg") == "failed to reload" and r["node"] == "sideload2")
        answer = server.http.post("/kapacitor/v1/sideload/reload")
        assert answer.status_code == 500
        assert answer.json()["error"].startswith(
            f'failed to update sideload cache for source file "{tmp_path}": all.yml'
        )
        server.write("m v=1 3")
        assert receiver.next("/s").json["series"][0]["values"][0][1] == 2
        server.disable("side")
        assert server.http.post("/kapacitor/v1/sideload/reload").status_code == 204

"""The example of docs/edges.md runs as it stands there."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from tests.transports.conformance import PATIENCE, message, take_all
from transports.zmq_edge import ipc_collector, ipc_emitter

PAGE = Path(__file__).parents[2] / "docs" / "edges.md"


def test_the_loop_of_the_page_passes_on_every_message_and_the_end(context, run_directory):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names = {}
    exec(compile(code, str(PAGE), "exec"), names)
    first, second = run_directory.new_path(), run_directory.new_path()

    def node():
        with ipc_emitter(context, first, "stream") as emitter, ipc_collector(context, second, "stream") as collector:
            names["copy_edge"](emitter, collector)

    with ipc_collector(context, first, "stream") as collector, ipc_emitter(context, second, "stream") as emitter:
        thread = threading.Thread(target=node)
        thread.start()
        for number in range(6):
            assert collector.collect_wait(message(number), 1, timeout=PATIENCE)
        collector.drain()
        assert take_all(emitter) == list(range(6))
        assert collector.drain_wait(PATIENCE)
        thread.join()

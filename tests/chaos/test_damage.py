"""What a crash or a disk does to the ingest log: a torn end is cut off, a flipped byte costs one frame and is named."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.chaos.loads import values
from tests.harness import Receiver, Server

if TYPE_CHECKING:
    from pathlib import Path


def _flip(path: Path, text: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(text)] ^= 1
    path.write_bytes(data)


def test_a_torn_end_and_a_flipped_byte_are_found_named_and_counted(tmp_path: Path, receiver: Receiver) -> None:
    with Server(data_dir=tmp_path) as killed:
        killed.define("t", f"stream|from().measurement('m')|where(lambda: TRUE)|httpPost('{receiver.url}/t')")
        killed.enable("t")
        os.kill(killed.node("t", "stream0+from1"), signal.SIGSTOP)
        for n in range(1, 31):
            killed.write(f'm v={n}i,text="number {n:03d}" {n}')
        killed.kill()
    (segment,) = (tmp_path / "log").glob("*.log")
    _flip(segment, b"number 017")
    with segment.open("ab") as file:
        file.write(b"half of a record")
    with Server(data_dir=tmp_path) as server:
        opened = server.wait_log(lambda r: r["msg"] == "ingest log open")
        assert (opened["head"], opened["torn_bytes"]) == (30, 16)
        damage = server.wait_log(lambda r: r["msg"] == "the ingest log is damaged")
        assert (damage["segment"], damage["position"]) == (segment.name, 17)
        assert damage["reason"] == "the body of a record is damaged"
        seen: list[int] = []
        while 30 not in seen:
            seen += values(receiver.next("/t"))
        assert seen == [n for n in range(1, 31) if n != 17]
        assert server.task("t")["lost"] == 1
        server.write('m v=31i,text="number 031" 31')
        assert values(receiver.next("/t")) == [31]

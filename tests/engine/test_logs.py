"""Records of the log as lines."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import structlog

from engine import logs

if TYPE_CHECKING:
    import pytest


def test_a_record_is_written_with_its_line_break_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes share the file: what is written in two goes can be torn apart."""
    written: list[bytes] = []

    def write(descriptor: int, data: bytes) -> int:
        assert descriptor == 2
        written.append(data)
        return len(data)

    monkeypatch.setattr(os, "write", write)
    try:
        logs.configure("info", colours=False)
        logs.get_logger(process="p").info("said", key="ä")
    finally:
        structlog.reset_defaults()
    [line] = written
    assert line.endswith(b"\n")
    assert json.loads(line)["msg"] == "said"

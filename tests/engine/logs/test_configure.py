"""The log of one process: what is written, from which level on, and that a change counts at once."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING

import pytest
import structlog

from engine import logs
from engine.logs.channel import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_board(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test configures ends with it."""
    monkeypatch.setattr(logs._Server, "board", logs._Server.board)
    monkeypatch.setattr(logs._Server, "sender", None)
    logs.open_board("info")
    logs.configure("info", colours=False)
    yield
    structlog.reset_defaults()


def _lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_a_record_is_one_line_of_json(capfd: pytest.CaptureFixture[str]) -> None:
    log = logs.get_logger(process="node", task="t").bind(node="log2")
    log.info("point", text="a\nb", half="\ud800")
    (line,) = _lines(capfd)
    assert line.pop("ts")
    expected = {"process": "node", "task": "t", "node": "log2", "text": "a\nb", "level": "info", "msg": "point"}
    assert line == {**expected, "half": "\ud800"}


def test_a_change_of_level_counts_at_once_for_loggers_that_there_are(capfd: pytest.CaptureFixture[str]) -> None:
    log = logs.get_logger(process="store")
    for level in (logging.INFO, logging.DEBUG, logging.ERROR):
        logs.board().level = level
        log.debug("d")
        log.info("i")
        log.warning("w")
        log.error("e")
    assert [line["msg"] for line in _lines(capfd)] == ["i", "w", "e", "d", "i", "w", "e", "e"]


def test_readers_get_what_they_want_whatever_is_written(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    base = str(tmp_path / "log")
    logs.open_channel(base)
    reader = Reader(logs.board(), base)
    log = logs.get_logger(process="store")
    reader.want(logging.DEBUG)
    log.debug("detail", count=3)
    log.error("trouble", exc_info=ValueError("broken"))
    first, second = reader.read()[0]
    assert (first["msg"], first["level"], first["count"], first["process"]) == ("detail", "debug", 3, "store")
    assert isinstance(first["ts"], int)
    assert "ValueError: broken" in second["exception"]
    assert [line["msg"] for line in _lines(capfd)] == ["trouble"]
    reader.close()
    log.debug("nobody wants this")
    assert _lines(capfd) == []
    os.close(logs._Server.sender._pipes.popitem()[1])  # type: ignore[union-attr]

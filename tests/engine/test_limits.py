"""What the machine allows: told when it is less than the server may need, in a line that says what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from engine import limits, status
from engine.limits import Readings, shortages
from engine.settings import LogSettings, Settings

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = Settings(data_dir="/d", log=LogSettings(retention_bytes=100 << 20, segment_bytes=10 << 20))
PLENTY = Readings(threads=(("a", 10_000), ("b", 20_000)), memory=8 << 30, disk=1 << 30, sockets=65535)


def told(readings: Readings) -> dict[str, str]:
    return {s.what: s.hint for s in shortages(readings, SETTINGS, 16384)}


def test_with_plenty_of_everything_nothing_is_said() -> None:
    assert told(PLENTY) == {}


def test_what_cannot_be_read_is_not_guessed() -> None:
    assert told(Readings()) == {}


def test_the_lowest_limit_of_threads_is_told_in_nodes() -> None:
    hints = told(Readings(threads=(("pids.max of the control group", 600), ("RLIMIT_NPROC", 4000))))
    assert hints["threads"].startswith("pids.max of the control group leaves room for 600 threads, which is 200 nodes")


def test_too_little_memory_disk_and_sockets_are_told() -> None:
    hints = told(Readings(memory=1 << 30, disk=50 << 20, sockets=1023))
    assert hints["memory"] == "1024 MiB are free, which is enough for about 64 nodes"
    assert hints["disk"].startswith("50 MiB are there for an ingest log that may hold 110 MiB")
    assert hints["sockets"].startswith("this libzmq allows 1023 sockets")


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    found = limits.read(tmp_path)
    assert found.memory is not None
    assert found.disk is not None
    assert found.threads
    assert found.sockets is not None
    assert min(found.memory, found.disk, found.sockets, *(room for _, room in found.threads)) > 0


def test_what_the_log_holds_already_counts_as_room_for_it(tmp_path: Path) -> None:
    before = limits.read(tmp_path).disk
    (tmp_path / "log").mkdir()
    with (tmp_path / "log" / f"{1:020d}.log").open("wb") as file:
        os.truncate(file.fileno(), 10 << 40)
    after = limits.read(tmp_path).disk
    assert before is not None
    assert after is not None
    assert after > 10 << 40


def test_status_pages_run_out_with_the_setting_that_bounds_them(tmp_path: Path) -> None:
    pages = status.StatusFile.create(tmp_path / "pages", 2)
    first = pages.take()
    pages.take()
    with pytest.raises(RuntimeError, match="max-nodes allows 2 nodes"):
        pages.take()
    pages.give_back(first)
    assert pages.take() == first
    pages.close()


def test_a_status_page_without_room_on_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = status.StatusFile.create(tmp_path / "pages", 2)

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RuntimeError, match="No space left on device: there is no room for a status page"):
        pages.take()
    monkeypatch.undo()
    assert pages.take() == 0
    pages.close()

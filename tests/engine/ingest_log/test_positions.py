"""Resume positions: written now and then, found again after any crash, never newer than what was set."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ingest_log import LogError, LogVersion, ResumePositions
from tests.engine.ingest_log.helpers import Clock

SECOND = 1_000_000_000


class Helper:
    """Notes what it is asked to sync; `tests/engine/ingest_log/test_sync.py` has the real one."""

    def __init__(self):
        self.asked = []

    def sync_file(self, path, token):
        self.asked.append((path.name, token))


def test_the_file_is_the_documented_one(tmp_path):
    positions = ResumePositions(tmp_path / "positions", clock=Clock())
    positions.set("cpu", 300)
    positions.write()
    body = bytes.fromhex("82") + b"\xa7version\x01" + b"\xa9positions\x81\xa3cpu" + bytes.fromhex("cd012c")
    assert (tmp_path / "positions").read_bytes() == b"\x89TWRP\r\n\x01" + bytes.fromhex("41bd1799") + body


def test_what_was_set_is_there_after_a_restart(tmp_path):
    positions = ResumePositions(tmp_path / "positions", clock=Clock())
    positions.set("a", 1)
    positions.set("b", 7)
    positions.set("c", 9)
    positions.discard("a")
    positions.discard("none")
    positions.write()
    again = ResumePositions(tmp_path / "positions", clock=Clock())
    assert again.items() == {"b": 7, "c": 9}
    assert (again["b"], again.get("a"), again.highest, again.damaged) == (7, None, 9, "")


def test_it_writes_at_most_once_an_interval_and_only_changes(tmp_path):
    clock = Clock()
    helper = Helper()
    positions = ResumePositions(tmp_path / "positions", clock=clock)
    assert positions.turn(helper) is None
    assert positions.highest == 0
    positions.set("a", 1)
    assert positions.turn(helper) is None
    assert helper.asked == [("positions", 1)]
    positions.set("a", 1)
    assert positions.turn(helper) is None
    positions.set("a", 2)
    clock.now += 10
    assert positions.turn(helper) == clock.now - 10 + SECOND
    assert ResumePositions(tmp_path / "positions", clock=clock)["a"] == 1
    clock.now += SECOND
    assert positions.turn(helper) is None
    assert ResumePositions(tmp_path / "positions", clock=clock)["a"] == 2
    assert helper.asked == [("positions", 1), ("positions", 2)]


def test_a_file_that_cannot_be_written_is_reported_and_tried_again(tmp_path):
    clock = Clock()
    directory = tmp_path / "gone"
    directory.mkdir()
    positions = ResumePositions(directory / "positions", clock=clock)
    shutil.rmtree(directory)
    positions.set("a", 1)
    with pytest.raises(LogError, match="cannot be written"):
        positions.turn()
    assert positions.turn() == clock.now + SECOND
    directory.mkdir()
    clock.now += SECOND
    assert positions.turn() is None
    assert ResumePositions(directory / "positions", clock=clock)["a"] == 1


def test_a_file_that_cannot_be_read_is_one_clear_error(tmp_path):
    (tmp_path / "positions").mkdir()
    with pytest.raises(LogError, match="cannot be read"):
        ResumePositions(tmp_path / "positions", clock=Clock())


def test_a_version_that_is_not_known_is_refused(tmp_path):
    (tmp_path / "positions").write_bytes(b"\x89TWRP\r\n\x02")
    with pytest.raises(LogVersion):
        ResumePositions(tmp_path / "positions", clock=Clock())


def test_a_damaged_file_without_another_means_no_positions_and_says_so(tmp_path):
    (tmp_path / "positions").write_bytes(b"")
    positions = ResumePositions(tmp_path / "positions", clock=Clock())
    assert positions.items() == {}
    assert str(tmp_path / "positions") in positions.damaged


@given(st.lists(st.tuples(st.integers(1, 99), st.booleans()), min_size=1, max_size=12), st.integers(0, 60))
@settings(deadline=None)
def test_power_lost_at_any_moment_finds_the_newest_synced_version_at_least(tmp_path_factory, writes, cut):
    """After the last write the file that was not synced is whole, cut short, or empty."""
    directory = tmp_path_factory.mktemp("positions")
    path = directory / "positions"
    positions = ResumePositions(path, clock=Clock())
    helper = Helper()
    synced = 0
    for number, (position, answered) in enumerate(writes, 1):
        positions.set("a", position)
        positions.set("number", number)
        positions.write(helper)
        assert helper.asked[-1] == ("positions", number)
        if answered:
            positions.synced(number)
            synced = number
    written = len(writes)
    if synced != written:
        os.truncate(path, min(cut, path.stat().st_size))
    again = ResumePositions(path, clock=Clock())
    found = again.get("number") or 0
    assert synced <= found <= written
    if found:
        assert again["a"] == writes[found - 1][0]
        again.set("a", 100)
        again.write()
        assert ResumePositions(path, clock=Clock())["a"] == 100


@pytest.mark.parametrize("missing", ["positions", "positions.new"])
def test_a_crash_between_the_two_renames_finds_the_version_before(tmp_path, missing):
    path = tmp_path / "positions"
    positions = ResumePositions(path, clock=Clock())
    positions.set("a", 1)
    positions.write()
    positions.synced(1)
    positions.set("a", 2)
    positions.write()
    (tmp_path / missing).unlink(missing_ok=True)
    assert ResumePositions(path, clock=Clock())["a"] == (1 if missing == "positions" else 2)

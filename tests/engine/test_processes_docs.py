"""docs/processes.md says what the code does: its numbers, settings, fields and log lines are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from engine.alerts import link
from engine.settings import EngineSettings
from engine.task_master import lifecycle, suspects
from engine.task_master.overload import ENOUGH

ROOT = Path(__file__).parents[2]
TEXT = re.sub(r"\s+", " ", (ROOT / "docs" / "processes.md").read_text(encoding="utf-8"))


def test_the_back_off_is_the_lifecycles() -> None:
    *first, last = (f"{s:g}" for s in lifecycle.BACKOFF_S)
    assert f"after {', '.join(first)}, then every {last} s; a task that has run for {lifecycle.HEALTHY_S:g} s" in TEXT


def test_the_numbers_are_those_of_the_code() -> None:
    assert suspects.MAX_EXITS == 3
    assert "A frame that was in hand at three exits stops the task" in TEXT
    assert ENOUGH == 0.5
    assert "behind by more than half of that" in TEXT
    assert f"when {link.MOST:,} events are under way" in TEXT
    assert f"`[tickworks] stall-after` ({EngineSettings().stall_after_s:g} s)" in TEXT


def test_every_setting_that_it_names_is_documented() -> None:
    settings = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for name in (
        "stall-after", "stall-timeout", "drain-timeout", "retention-size", "retention-age", "on-retention", "max-nodes",
        "fsync", "fsync-interval", "write-timeout",
    ):  # fmt: skip
        assert f"`{name}" in TEXT or f" {name}`" in TEXT, name
        assert f"| `{name}` |" in settings, name

"""Levels as words."""

from __future__ import annotations

import pytest

from engine.alerts.levels import CRITICAL, INFO, NAMES, OK, WARNING, parse_level


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("", OK), ("O", OK), ("ok", OK), ("OKI", OK), ("I", INFO), ("info", INFO), ("INFOW", INFO), ("W", WARNING),
        ("warn", WARNING), ("WaRnInG", WARNING), ("C", CRITICAL), ("crit", CRITICAL), ("CRITICAL", CRITICAL),
    ],
)  # fmt: skip
def test_a_level_is_read_from_its_beginning_in_any_case(text: str, level: int) -> None:
    assert parse_level(text) == level


@pytest.mark.parametrize("text", ["bad", "K", "NFO", "CRITICALLY", " ", "0"])
def test_anything_else_is_refused_in_upper_case(text: str) -> None:
    with pytest.raises(ValueError, match=f"unknown alert level '{text.upper()}'"):
        parse_level(text)


def test_levels_rise() -> None:
    assert [NAMES[level] for level in sorted([CRITICAL, OK, WARNING, INFO])] == ["OK", "INFO", "WARNING", "CRITICAL"]

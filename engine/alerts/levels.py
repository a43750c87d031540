"""The four levels of an alert, as numbers that compare and as words (alerts.md §1)."""

from __future__ import annotations

from typing import Final

OK, INFO, WARNING, CRITICAL = 0, 1, 2, 3
NAMES: Final = ("OK", "INFO", "WARNING", "CRITICAL")
_RUN: Final = "".join(NAMES)
_STARTS: Final = {_RUN.index(name): level for level, name in enumerate(NAMES)}


def parse_level(text: str) -> int:
    """The level of a word in any case, or of its beginning; empty is OK. Raises ValueError with the client's text."""
    wanted = text.upper()
    level = _STARTS.get(_RUN.find(wanted))
    if level is None:
        raise ValueError(f"unknown alert level '{wanted}'")
    return level

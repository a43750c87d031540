"""A place of a text as people see it at a terminal: its line, and carets below what is meant.

Always: the carets stand below their characters, whatever width those have; a line far longer than a terminal is wide is
shown about the place only.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_MARGIN: Final = 200  # characters of a line that are shown to either side of a place


def _width(text: str) -> int:
    """The columns of a terminal that a text takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def excerpt(text: str, line: int, char: int, length: int) -> list[str]:
    """The line of a place (1-based, `char` in bytes) and carets below its `length` characters; none beyond the text."""
    lines = text.split("\n")
    if line > len(lines):
        return []
    content = lines[line - 1].rstrip("\r")
    before = content.encode()[: char - 1].decode(errors="ignore")
    marked = content[len(before) : len(before) + length]
    left, right = max(0, len(before) - _MARGIN), len(before) + len(marked) + _MARGIN
    # Of a line that is longer than a terminal is wide, what lies about the place.
    ellipses = "…" if left else "", "…" if right < len(content) else ""
    shown, before = f"{ellipses[0]}{content[left:right]}{ellipses[1]}", ellipses[0] + before[left:]
    # A tab before the caret stays a tab, so that both lines are indented alike wherever the text is shown.
    padding = "".join("\t" if character == "\t" else " " * _width(character) for character in before)
    return [f"  {shown}", f"  {padding}{'^' * max(1, min(_width(marked), _width(shown) - _width(before)))}"]

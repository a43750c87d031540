"""The errors of the language: one base class, so that a caller catches one thing.

Always: `str(error)` is exactly the text that the API shows behind `invalid TICKscript: `. What only a person at a
terminal wants (where to put the caret, what may have been meant) stands in attributes and never in the text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class TickscriptError(Exception):
    """A script, expression or value that is not valid.

    `line` and `char` are 1-based (`char` counts bytes, as in the texts); `None` where the place is unknown.
    `length` is how many characters the fault covers, at least 1. `word` is the name that was not known and
    `candidates` the names that would have been, from which the CLI makes its hint; `hint` is a ready sentence.
    """

    name: ClassVar[str] = "tickscript.invalid"

    def __init__(
        self,
        message: str,
        *,
        line: int | None = None,
        char: int | None = None,
        length: int = 1,
        hint: str | None = None,
        word: str | None = None,
        candidates: Iterable[str] = (),
    ) -> None:
        super().__init__(message)
        self.line = line
        self.char = char
        self.length = max(1, length)
        self.hint = hint
        self.word = word
        self.candidates = tuple(candidates)

    def locate(self, line: int, char: int, length: int = 1) -> None:
        """Say where the fault is, unless that is known already."""
        if self.line is None and line > 0:
            self.line, self.char, self.length = line, char, max(1, length)


class ParseError(TickscriptError):
    """The text is not a TICKscript (spec 1.6, 2)."""

    name = "tickscript.parse"


class ScanError(ParseError):
    """A character sequence is no token (spec 1.2 to 1.5)."""

    name = "tickscript.scan"


class DepthError(ParseError):
    """The text nests deeper than this implementation follows (`parser.MAX_NESTING`, `parser.MAX_HEIGHT`)."""

    name = "tickscript.depth"


class DurationError(TickscriptError):
    """A duration is malformed or does not fit int64 nanoseconds (spec 1.3)."""

    name = "tickscript.duration"


class RegexError(TickscriptError):
    """A pattern is not RE2; the text begins with `error parsing regexp: `."""

    name = "tickscript.regex"


class EvaluationError(TickscriptError):
    """A script or lambda that parses cannot be evaluated (spec 3, 4)."""

    name = "tickscript.evaluation"

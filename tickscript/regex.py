"""The one place that compiles regular expressions: RE2, so that no pattern can take exponential time or memory.

Always: a pattern that compiles here has Go's syntax and leftmost-first meaning; texts of errors are Go's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import re2

from tickscript.errors import RegexError

# RE2 is one engine with two wordings: left its own, right that of Go's package.
_GO_WORDING: Final = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "invalid UTF-8": "invalid UTF-8",
}


# RE2 has one escape that Go has not: it matches a single byte, which may be a part of a character.
_ESCAPES: Final = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(.)", re.DOTALL)


def _has_byte_escape(pattern: str) -> bool:
    return "\\C" in pattern and any(escape[1] == "C" for escape in _ESCAPES.finditer(pattern))


@lru_cache(maxsize=1)
def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _go_text(message: str) -> str:
    if message.startswith("trailing \\"):
        return "error parsing regexp: trailing backslash at end of expression: ``"
    what, _, fragment = message.partition(": ")
    return f"error parsing regexp: {_GO_WORDING.get(what, what)}: `{fragment}`"


@lru_cache(maxsize=1024)
def compile_regex(pattern: str) -> Any:
    """The compiled pattern (an `re2` object: `search`, `match`, `sub`, …); recently used ones are kept (1,024).

    Raises `RegexError` with Go's text.
    """
    if _has_byte_escape(pattern):
        raise RegexError("error parsing regexp: invalid escape sequence: `\\C`")
    try:
        return re2.compile(pattern, _options())
    except re2.error as error:
        raw = error.args[0] if error.args else ""
        message = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
        raise RegexError(_go_text(message)) from None
    except UnicodeEncodeError:
        raise RegexError(f"error parsing regexp: invalid UTF-8: `{pattern!a}`") from None

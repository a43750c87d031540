"""What may have been meant by a name that is not known: for people at a terminal, never for the texts of the API.

Always: a suggestion is one of the candidates as they are spelled; a name that resembles none gets none.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from tickscript import ast
from tickscript.lambdas.library import LIBRARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tickscript.errors import TickscriptError

_LIMIT: Final = 3
_CUTOFF: Final = 0.6


def closest(word: str, candidates: Iterable[str]) -> list[str]:
    """At most three candidates that resemble the word, the nearest first; case counts for little."""
    spellings: dict[str, str] = {}
    for candidate in sorted(candidates):
        spellings.setdefault(candidate.lower(), candidate)
    found = difflib.get_close_matches(word.lower(), spellings, n=_LIMIT, cutoff=_CUTOFF)
    return [spellings[name] for name in found if spellings[name] != word]


def hint(error: TickscriptError) -> str | None:
    """The sentence to print below an error, or `None`."""
    if error.hint is not None:
        return error.hint
    return did_you_mean(error.word, error.candidates) if error.word else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """`did you mean "a" or "b"?`, or `None` when nothing resembles the word."""
    names = [f'"{name}"' for name in closest(word, candidates)]
    if not names:
        return None
    *others, last = names
    return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"


def unknown_functions(program: ast.Program) -> Iterator[ast.Function]:
    """The calls in lambdas and other operations of functions that do not exist.

    Defining such a script is no error: the lambda fails for each point (spec 4.2), so a checker says it ahead.
    """
    waiting: list[tuple[ast.Node, bool]] = [(program, False)]
    while waiting:
        node, inside = waiting.pop()
        inside = inside or isinstance(node, ast.Lambda | ast.Binary)
        if inside and isinstance(node, ast.Function) and node.name not in LIBRARY:
            yield node
        waiting.extend((child, inside) for child in reversed(ast.children(node)))

"""What all lists of the API share: shell globs on IDs, offset and limit (http-api.md §4)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    Token = Callable[[str], bool]

DEFAULT_LIMIT = 100


class Page(NamedTuple):
    """Which part of a list is wanted. A negative offset counts as 0; what a negative limit means is the list's own."""

    pattern: str = ""
    offset: int = 0
    limit: int = DEFAULT_LIMIT

    @property
    def window(self) -> tuple[int, int]:
        """LIMIT and OFFSET for SQL."""
        return max(0, self.limit), max(0, self.offset)


class BadPattern(ValueError):
    """The glob is malformed."""


def matches(pattern: str, name: str) -> bool:
    """Whether `name` matches a glob; a malformed glob matches nothing, an empty one everything.

    `*` and `?` do not match `/`; `[a-z]`, `[^a]` are classes of characters, a backslash takes the next character as it
    is. The first way to match what follows a `*` is taken, as in Go's path.Match.
    """
    if not pattern:
        return True
    try:
        chunks = compile_glob(pattern)
    except BadPattern:
        return False
    at = 0
    for number, (star, tokens) in enumerate(chunks):
        last = number == len(chunks) - 1
        if star and not tokens:
            return "/" not in name[at:]
        end = _match(tokens, name, at, last=last)
        while end is None and star and at < len(name) and name[at] != "/":
            at += 1
            end = _match(tokens, name, at, last=last)
        if end is None:
            return False
        at = end
    return at == len(name)


def _match(tokens: list[Token], name: str, at: int, *, last: bool) -> int | None:
    end = at + len(tokens)
    if end > len(name) or (last and end < len(name)):
        return None
    for token, character in zip(tokens, name[at:end], strict=True):
        if not token(character):
            return None
    return end


@lru_cache(maxsize=256)
def compile_glob(pattern: str) -> list[tuple[bool, list[Token]]]:
    """Chunks of a glob: whether a `*` stands before, and a test for each character. Raises BadPattern."""
    chunks: list[tuple[bool, list[Token]]] = []
    at = 0
    while at < len(pattern):
        star = False
        while at < len(pattern) and pattern[at] == "*":
            star = True
            at += 1
        tokens: list[Token] = []
        while at < len(pattern) and pattern[at] != "*":
            token, at = _token(pattern, at)
            tokens.append(token)
        chunks.append((star, tokens))
    return chunks


def _token(pattern: str, at: int) -> tuple[Token, int]:
    character = pattern[at]
    if character == "?":
        return _not_slash, at + 1
    if character == "[":
        return _character_class(pattern, at + 1)
    if character == "\\":
        at += 1
        if at == len(pattern):
            raise BadPattern("a backslash at the end of a pattern")
        character = pattern[at]
    return character.__eq__, at + 1


def _not_slash(character: str) -> bool:
    return character != "/"


def _character_class(pattern: str, at: int) -> tuple[Token, int]:
    negated = pattern[at : at + 1] == "^"
    at += negated
    ranges: list[tuple[str, str]] = []
    while not ranges or pattern[at : at + 1] != "]":
        low, at = _class_character(pattern, at)
        high = low
        if pattern[at] == "-":
            high, at = _class_character(pattern, at + 1)
        ranges.append((low, high))

    def test(character: str) -> bool:
        return any(low <= character <= high for low, high in ranges) != negated

    return test, at + 1


def _class_character(pattern: str, at: int) -> tuple[str, int]:
    if pattern[at : at + 1] in {"", "-", "]"}:
        raise BadPattern("a class of characters is not closed, or empty")
    if pattern[at] == "\\":
        at += 1
    # A class always goes on after a character: with a range, another one, or its end.
    if at + 1 >= len(pattern):
        raise BadPattern("a class of characters is not closed")
    return pattern[at], at + 1

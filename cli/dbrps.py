"""Pairs of database and retention policy as the command line writes them: `db.rp`, each perhaps in double quotes."""

from __future__ import annotations

from typing import Final

_FORM: Final = 'it must be in the form "dbname"."rpname" where the quotes are optional.'


def parse(text: str) -> tuple[str, str]:
    """The pair. An unquoted name ends at the first dot; `\\"` stands for a quote in a quoted one. Raises ValueError."""
    if not text:
        raise ValueError("dbrp cannot be empty")
    database, rest = _name(text)
    if not rest.startswith("."):
        raise ValueError(f"does not contain a '.', {_FORM}")
    rest = rest[1:]
    policy, rest = _name(rest) if rest.startswith('"') else (rest, "")
    if not policy or not database:
        raise ValueError("dbrp must specify retention policy, do you have a missing or extra '.'?")
    if rest:
        raise ValueError(f"cannot be read after the retention policy, {_FORM}")
    return database, policy


def _name(text: str) -> tuple[str, str]:
    """The first name and what follows it."""
    if not text.startswith('"'):
        database, dot, rest = text.partition(".")
        return database, dot + rest
    name, at = [], 1
    while at < len(text) and text[at] != '"':
        if text.startswith('\\"', at):
            at += 1
        name.append(text[at])
        at += 1
    if at == len(text):
        raise ValueError(f"has a quote that does not end, {_FORM}")
    return "".join(name), text[at + 1 :]


def show(pairs: list[dict[str, str]]) -> str:
    """As lists and `show` print them: `["d"."r" "e"."f g"]`."""
    return "[" + " ".join(f"{_quoted(pair['db'])}.{_quoted(pair['rp'])}" for pair in pairs) + "]"


def _quoted(text: str) -> str:
    import json  # noqa: PLC0415 - its escapes are Go's for all but control characters

    return json.dumps(text, ensure_ascii=False)

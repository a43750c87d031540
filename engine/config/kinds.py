"""The types that keys have, taken apart once for all that walk over a configuration: reading, environment, documentation."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec

from engine.config.section import Section
from engine.config.values import Duration, Size

NAMES: Final[dict[Any, str]] = {
    str: "string",
    bool: "bool",
    int: "int",
    float: "float",
    Duration: "duration",
    Size: "size",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section. `meaning` is empty when the key has no effect yet."""

    field: str
    name: str
    kind: Any
    meaning: str


@cache
def keys(section: type[Section]) -> dict[str, Key]:
    """The keys of a section by their names in a file, in the order of their declaration."""
    found = {}
    for field in msgspec.structs.fields(section):
        kind, meaning = field.type, ""
        if typing.get_origin(kind) is typing.Annotated:
            kind, *notes = typing.get_args(kind)
            meaning = next((note.description for note in notes if isinstance(note, msgspec.Meta)), "") or ""
        found[field.encode_name] = Key(field.name, field.encode_name, kind, meaning)
    return found


def is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def element(kind: Any) -> Any:
    """The kind of a list's elements, None when it is no list."""
    return typing.get_args(kind)[0] if typing.get_origin(kind) is list else None


def entry(kind: Any) -> Any:
    """The kind of a table's values, None when it is no table of free names."""
    return typing.get_args(kind)[1] if typing.get_origin(kind) is dict else None


def zero(kind: Any) -> Any:
    """The value that a key has where no default applies: empty, 0, false."""
    if is_section(kind):
        return kind(**{key.field: zero(key.kind) for key in keys(kind).values()})
    if element(kind) is not None:
        return []
    if entry(kind) is not None:
        return {}
    return None if kind is Any else kind()


def describe(kind: Any) -> str:
    """The type in words: `list of string`."""
    if element(kind) is not None:
        return f"list of {describe(element(kind))}"
    if entry(kind) is not None:
        return f"table of {describe(entry(kind))}"
    return "table" if is_section(kind) else NAMES.get(kind, "any")

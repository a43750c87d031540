"""What a section of the configuration is: a frozen structure whose keys carry their default and their meaning.

A key with a meaning (`doc`) is in effect. A key without one is known, checked for its type and accepted, so that a file
that was written for Kapacitor can be used; docs/configuration.md says so of each, and the server warns at start.
"""

from __future__ import annotations

from typing import Any

import msgspec


def key_name(field: str) -> str:
    """The key in a file: kebab case; a trailing underscore only avoids Python's own words."""
    return field.rstrip("_").replace("_", "-")


class Section(msgspec.Struct, frozen=True, kw_only=True, rename=key_name):
    """A table of the file."""


def doc(text: str) -> Any:
    """What a key that is in effect means: one sentence or two, for docs/configuration.md."""
    return msgspec.Meta(description=text)

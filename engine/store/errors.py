"""The errors of the store: what is not there, what is there already, and a database that cannot be used."""

from __future__ import annotations


class StoreError(Exception):
    """The database cannot be opened, read or written: str() names the file, what happened and what to do."""


class StoreVersion(StoreError):
    """The database was written by a newer program; nothing was changed."""


class NotFound(LookupError):
    """There is no such object: `kind` is what was looked for, `key` its identity."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"no {kind} exists: {key}")
        self.kind = kind
        self.key = key


class AlreadyExists(Exception):
    """There is such an object already."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"{kind} already exists: {key}")
        self.kind = kind
        self.key = key

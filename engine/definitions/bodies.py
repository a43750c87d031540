"""Request bodies as the reference reads them: unknown keys ignored, key case ignored, only the first JSON value."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from tickscript.gostrings import quote
from tickscript.vars import Var, VarsJsonError, decode_vars

ID_PATTERN = re.compile(r"[-._0-9]|[^\W\d_]", re.UNICODE)


class RefusedError(Exception):
    """A request that cannot be granted: HTTP status and the text for the client."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def read_object(body: bytes, known: tuple[str, ...]) -> dict[str, Any]:
    """The body's object with its `known` keys in lower case. Raises RefusedError 400 `invalid JSON`."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        value = _first_value(body)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RefusedError(400, "invalid JSON")
    out: dict[str, Any] = {}
    for key, item in value.items():
        name = key.lower()
        if name in known and item is not None:
            out[name] = item
    return out


def _first_value(body: bytes) -> Any:
    try:
        text = body.decode()
        value, _ = json.JSONDecoder().raw_decode(text, len(text) - len(text.lstrip()))
    except (ValueError, RecursionError):
        raise RefusedError(400, "invalid JSON") from None
    return value


def text_of(body: dict[str, Any], key: str) -> str:
    value = body.get(key, "")
    if not isinstance(value, str):
        raise RefusedError(400, "invalid JSON")
    return value


def dbrps_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    value = body.get("dbrps", [])
    if not isinstance(value, list):
        raise RefusedError(400, "invalid JSON")
    out = []
    for item in value:
        if not isinstance(item, dict):
            raise RefusedError(400, "invalid JSON")
        pair = {str(k).lower(): v for k, v in item.items()}
        db, rp = pair.get("db", ""), pair.get("rp", "")
        if not isinstance(db, str) or not isinstance(rp, str):
            raise RefusedError(400, "invalid JSON")
        out.append((db, rp))
    return out


def vars_of(body: dict[str, Any]) -> dict[str, Var]:
    try:
        return decode_vars(body.get("vars"))
    except VarsJsonError:
        raise RefusedError(400, "invalid JSON") from None


def check_id(kind: str, identity: str) -> None:
    """Raises RefusedError unless every character may stand in the ID of a `kind`."""
    if not identity or any(not ID_PATTERN.fullmatch(c) for c in identity):
        raise RefusedError(400, f"{kind} ID must contain only letters, numbers, '-', '.' and '_'. {quote(identity)}")

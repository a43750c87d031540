"""Request bodies as the reference reads them: unknown keys ignored, key case ignored, only the first JSON value."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import msgspec

from tickscript.gostrings import quote
from tickscript.vars import Var, VarsJsonError, decode_vars

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID_CHARACTER = re.compile(r"[-._0-9]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# What the reference calls the value of a var that has no type, by its JSON type.
_GO_TYPES = {
    type(None): "<nil>",
    bool: "bool",
    int: "json.Number",
    float: "json.Number",
    str: "string",
    list: "[]interface {}",
    dict: "map[string]interface {}",
}


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
    """The first value of a body that is not one value of clean JSON: what follows it is ignored, bad text replaced."""
    text = body.decode("utf-8", "replace")
    start = len(text) - len(text.lstrip(" \t\r\n"))
    try:
        value, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(text, start)
        return _clean(value)
    except (ValueError, RecursionError):
        raise RefusedError(400, "invalid JSON") from None


def _no_constant(word: str) -> Any:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(word)


def _clean(value: Any) -> Any:
    """Half of a surrogate pair is no character: it becomes U+FFFD, as in the reference."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_clean(v) for v in value]
    if isinstance(value, dict):
        return {_clean(k): _clean(v) for k, v in value.items()}
    return value


def text_of(body: dict[str, Any], key: str) -> str:
    value = body.get(key, "")
    if not isinstance(value, str):
        raise RefusedError(400, "invalid JSON")
    return value


def word_of(body: dict[str, Any], key: str, words: tuple[str, ...]) -> str:
    """One of `words`, or empty when the body does not have the key."""
    if key not in body:
        return ""
    if body[key] not in words:
        raise RefusedError(400, "invalid JSON")
    return str(body[key])


def dbrps_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    value = body.get("dbrps", [])
    if not isinstance(value, list):
        raise RefusedError(400, "invalid JSON")
    out = []
    for item in value:
        if not isinstance(item, dict):
            raise RefusedError(400, "invalid JSON")
        pair = {str(k).lower(): v for k, v in item.items()}
        db, rp = ("" if pair.get(key) is None else pair[key] for key in ("db", "rp"))
        if not isinstance(db, str) or not isinstance(rp, str):
            raise RefusedError(400, "invalid JSON")
        out.append((db, rp))
    return out


def vars_of(body: dict[str, Any]) -> dict[str, Var]:
    """The vars of a body. One without a type keeps the empty type: it is refused later (`check_typed`)."""
    value = body.get("vars", {})
    if not isinstance(value, dict):
        raise RefusedError(400, "invalid JSON")
    value = {n: {k.lower(): x for k, x in v.items()} if isinstance(v, dict) else v for n, v in value.items()}
    untyped = {n: v for n, v in value.items() if isinstance(v, dict) and v.get("type") in (None, "")}
    try:
        typed = decode_vars({n: v for n, v in value.items() if n not in untyped})
    except VarsJsonError:
        raise RefusedError(400, "invalid JSON") from None
    return {**typed, **{n: Var("", v.get("value")) for n, v in untyped.items()}}


def check_typed(supplied: Mapping[str, Var]) -> None:
    """Raises RefusedError for a var that came without a type."""
    for name, var in supplied.items():
        if not var.type:
            raise RefusedError(400, f"invalid var {name}: unsupported Var type {_GO_TYPES[type(var.value)]}.")


def check_id(kind: str, identity: str) -> None:
    """Raises RefusedError unless every character may stand in the ID of a `kind`."""
    if not identity or not all(_ID_CHARACTER.fullmatch(c) or unicodedata.category(c)[0] == "L" for c in identity):
        raise RefusedError(400, f"{kind} ID must contain only letters, numbers, '-', '.' and '_'. {quote(identity)}")

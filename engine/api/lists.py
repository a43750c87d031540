"""Parameters that all lists share (spec "HTTP API" §4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from engine.definitions.bodies import RefusedError
from tickscript.gostrings import quote

if TYPE_CHECKING:
    from starlette.requests import Request

_INT = re.compile(r"([+-]?)0*([0-9]+)")
_INT64 = 1 << 63
_MAX_DIGITS = 19


def integer(request: Request, name: str, default: int) -> int:
    """An integer parameter. Raises RefusedError with Go's text."""
    text = request.query_params.get(name, "")
    if text == "":
        return default
    shown = quote(text)
    found = _INT.fullmatch(text)
    if found is None:
        why = f"strconv.ParseInt: parsing {shown}: invalid syntax"
    elif len(found[2]) > _MAX_DIGITS or not -_INT64 <= int(found[1] + found[2]) < _INT64:
        why = f"strconv.ParseInt: parsing {shown}: value out of range"
    else:
        return int(found[1] + found[2])
    raise RefusedError(400, f"invalid {name} parameter {shown} must be an integer: {why}")


def fields(request: Request, default: tuple[str, ...]) -> list[str]:
    """The fields asked for, `id` and `link` always among them."""
    asked = [f for f in request.query_params.getlist("fields") if f]
    return [*asked, *(f for f in ("id", "link") if f not in asked)] if asked else list(default)


def project(item: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The item's fields by sorted name. Raises RefusedError for a field that there is not."""
    out = {}
    for name in sorted(names):
        if name not in item:
            raise RefusedError(400, f"unsupported field {quote(name)}")
        if item[name] is not _MISSING:
            out[name] = item[name]
    return out


class Missing:
    """Marks a field that exists but is left out of this item."""


_MISSING = Missing()
LEFT_OUT = _MISSING

"""Go's built-in template functions. `and` and `or` are not here: they do not evaluate what they need not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

import msgspec

from engine.rows import value_text
from engine.templates import formatting, values
from engine.templates.errors import CallFailed

Builtin = Callable[[Sequence[Any]], Any]
_encode = msgspec.json.Encoder().encode
_HTML = str.maketrans({'"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd"})


def _exactly(name: str, count: int, function: Callable[..., Any]) -> Builtin:
    def call(args: Sequence[Any]) -> Any:
        if len(args) != count:
            raise CallFailed(f"wrong number of args for {name}: want {count} got {len(args)}")
        return function(*args)

    return call


def _at_least(name: str, count: int, function: Callable[[Sequence[Any]], Any]) -> Builtin:
    def call(args: Sequence[Any]) -> Any:
        if len(args) < count:
            raise CallFailed(f"wrong number of args for {name}: want at least {count} got {len(args)}")
        return function(args)

    return call


def _eq(args: Sequence[Any]) -> bool:
    if len(args) < 2:
        raise CallFailed("missing argument for comparison")
    return any(values.equal(args[0], other) for other in args[1:])


def _printf(args: Sequence[Any]) -> str:
    if not isinstance(args[0], str):
        raise CallFailed(f"wrong type for value; expected string; got {values.type_word(args[0])}")
    return formatting.sprintf(args[0], args[1:])


def _slice(args: Sequence[Any]) -> Any:
    item, bounds = args[0], list(args[1:])
    if not isinstance(item, str | Sequence):
        raise CallFailed(f"can't slice item of type {values.type_word(item)}")
    if len(bounds) > 3 or (len(bounds) == 3 and isinstance(item, str)):
        raise CallFailed(f"too many slice indexes: {len(bounds)}")
    size = values.length(item)
    start = bounds[0] if bounds else 0
    stop = bounds[1] if len(bounds) > 1 else size
    for bound in (start, stop):
        if isinstance(bound, bool) or not isinstance(bound, int):
            raise CallFailed(f"cannot index slice/array with type {values.type_word(bound)}")
        if not 0 <= bound <= size:
            raise CallFailed(f"index out of range: {bound}")
    if start > stop:
        raise CallFailed(f"invalid slice index: {start} > {stop}")
    if isinstance(item, str):
        return item.encode("utf-8", "surrogateescape")[start:stop].decode("utf-8", "surrogateescape")
    return item[start:stop]


def escape_html(value: str) -> str:
    return value.translate(_HTML)


def escape_js(value: str) -> str:
    """`js`: the text inside a JavaScript string."""
    out = []
    for c in value:
        if c in "\\'\"":
            out.append("\\" + c)
        elif c in "<>&=" or ord(c) < 0x20 or not c.isprintable():
            out.append(f"\\u{ord(c):04X}")
        else:
            out.append(c)
    return "".join(out)


def go_json(value: Any) -> str:
    """Go's encoding/json of a value: sorted keys, `<>&` escaped."""
    # By the exact type first: an alert's details ask this of every tag and field.
    kind = type(value)
    if kind is str:
        return _string(value)
    if kind is dict or kind is values.TextMap:
        return "{" + ",".join([f"{_string(k)}:{go_json(value[k])}" for k in sorted(value)]) + "}"
    if kind is float or kind is int:
        return _number(value)
    if isinstance(value, values.Struct):
        return value.go_json()
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_string(k)}:{go_json(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(go_json, value)) + "]"
    return _number(value)


def _string(value: str) -> str:
    try:
        text = _encode(value).decode()
    except UnicodeEncodeError:
        text = _encode(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")).decode()
    if "<" in text or ">" in text or "&" in text or not text.isascii():
        for char in "<>&\u2028\u2029":
            text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _number(value: Any) -> str:
    try:
        return value_text(value)
    except ValueError as error:
        raise CallFailed(str(error)) from None


def _call(args: Sequence[Any]) -> Any:
    """No value here is a function."""
    if args[0] is None:
        raise CallFailed("call of nil")
    raise CallFailed(f"non-function of type {values.type_word(args[0])}")


BUILTINS: Mapping[str, Builtin] = {
    "call": _at_least("call", 1, _call),
    "not": _exactly("not", 1, lambda v: not values.truth(v)),
    "len": _exactly("len", 1, lambda v: values.Int(values.length(v))),
    "index": _at_least("index", 1, lambda args: values.index(args[0], args[1:])),
    "slice": _at_least("slice", 1, _slice),
    "print": formatting.sprint,
    "printf": _at_least("printf", 1, _printf),
    "println": formatting.sprintln,
    "html": lambda args: escape_html(formatting.sprint(args)),
    "js": lambda args: escape_js(formatting.sprint(args)),
    "urlquery": lambda args: quote_plus(formatting.sprint(args).encode("utf-8", "surrogateescape")),
    "eq": _eq,
    "ne": _exactly("ne", 2, lambda a, b: not values.equal(a, b)),
    "lt": _exactly("lt", 2, values.less),
    "le": _exactly("le", 2, lambda a, b: values.less(a, b) or values.equal(a, b)),
    "gt": _exactly("gt", 2, lambda a, b: not values.less(a, b) and not values.equal(a, b)),
    "ge": _exactly("ge", 2, lambda a, b: not values.less(a, b)),
}
SHORT_CIRCUIT = frozenset({"and", "or"})
JSON_FUNCTIONS: Mapping[str, Builtin] = {
    "json": _exactly("json", 1, lambda v: go_json(v) + "\n"),
    "jsonCompact": _exactly("jsonCompact", 1, go_json),
}
"""What httppost URLs and row templates have beside the built-ins."""

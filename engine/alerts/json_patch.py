"""JSON Patch (RFC 6902): a list of changes to a JSON document, all of them or none."""

from __future__ import annotations

import copy
from typing import Any


class PatchError(ValueError):
    """The patch is none, or does not fit the document."""


def apply_patch(document: Any, patch: Any) -> Any:
    """The document with the changes made; the one given stays as it is. Raises PatchError."""
    if not isinstance(patch, list):
        raise PatchError("a patch is a list of operations")
    root = [copy.deepcopy(document)]
    for operation in patch:
        if not isinstance(operation, dict):
            raise PatchError("an operation is an object")
        _apply(root, operation)
    return root[0]


def _apply(root: list[Any], operation: dict[str, Any]) -> None:
    name = operation.get("op")
    path = _pointer(operation, "path")
    if name in {"add", "replace", "test"} and "value" not in operation:
        raise PatchError(f"operation {name} needs a value")
    match name:
        case "add":
            _add(root, path, copy.deepcopy(operation["value"]))
        case "remove":
            _remove(root, path)
        case "replace":
            _get(root, path)
            holder, key = _holder(root, path)
            holder[_place(holder, key, len(holder))] = copy.deepcopy(operation["value"])
        case "move":
            source = _pointer(operation, "from")
            if path[: len(source)] == source and path != source:
                raise PatchError("a value cannot be moved into itself")
            value = _get(root, source)
            _remove(root, source)
            _add(root, path, value)
        case "copy":
            _add(root, path, copy.deepcopy(_get(root, _pointer(operation, "from"))))
        case "test":
            if not _same(_get(root, path), operation["value"]):
                raise PatchError(f"testing value {operation['path']} failed")
        case _:
            raise PatchError(f"unexpected kind: {name}")


def _pointer(operation: dict[str, Any], key: str) -> list[str]:
    """A JSON Pointer (RFC 6901) as its tokens."""
    text = operation.get(key)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchError(f"{key} must be a JSON Pointer")
    return [token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:]]


def _place(holder: Any, key: str, end: int) -> Any:
    """A token as the key of what holds the value; of a list, a number below `end`."""
    if isinstance(holder, dict):
        return key
    if not isinstance(holder, list):
        raise PatchError(f"doc is missing path: {key}")
    if not key.isascii() or not key.isdigit() or (len(key) > 1 and key[0] == "0") or int(key) >= end:
        raise PatchError(f"invalid index: {key}")
    return int(key)


def _get(root: list[Any], path: list[str]) -> Any:
    value = root[0]
    for token in path:
        place = _place(value, token, len(value) if isinstance(value, list) else 0)
        if isinstance(value, dict) and token not in value:
            raise PatchError(f"doc is missing key: {token}")
        value = value[place]
    return value


def _holder(root: list[Any], path: list[str]) -> tuple[Any, str]:
    return (_get(root, path[:-1]), path[-1]) if path else (root, "0")


def _add(root: list[Any], path: list[str], value: Any) -> None:
    holder, key = _holder(root, path)
    if holder is root:
        root[0] = value
    elif isinstance(holder, list):
        holder.insert(len(holder) if key == "-" else _place(holder, key, len(holder) + 1), value)
    else:
        holder[_place(holder, key, 0)] = value


def _remove(root: list[Any], path: list[str]) -> None:
    _get(root, path)
    holder, key = _holder(root, path)
    if holder is root:
        raise PatchError("the whole document cannot be removed")
    del holder[_place(holder, key, len(holder))]


def _same(a: Any, b: Any) -> bool:
    """Equality of JSON: a truth value is no number."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    return bool(a == b)

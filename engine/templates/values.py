"""The values that templates work on, and what Go would say of them: type, truth, fields, methods, order.

A template sees str, bool, int, float, Span (a duration), None (nil, or no value), lists, dicts (a `map[string]interface
{}`), `TextMap` (a `map[string]string`) and `Struct`. A struct decides itself what fields and methods it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.frames.model import Span
from engine.templates.errors import CallFailed


class TextMap(dict[str, str]):
    """A map of strings: a missing key reads as "" through `index`."""


class Int(int):
    """A number that Go has as another type than int64: `go_type`; `word` is how it prints, None as a number."""

    go_type = "int"
    word: str | None = None

    @classmethod
    def named(cls, value: int, go_type: str, word: str) -> Int:
        """One of a type whose values print as words, as months do."""
        out = cls(value)
        out.go_type = go_type
        out.word = word
        return out


class Struct:
    """A value with fixed fields. `go_type` is its type in error texts."""

    go_type = "struct"

    def go_field(self, name: str) -> Any:
        """The field's value; KeyError where there is no such field."""
        raise KeyError(name)

    def go_method(self, name: str, args: Sequence[Any]) -> Any:  # noqa: ARG002  (a struct has none by default)
        """What the method gives for the arguments; KeyError where there is no such method."""
        raise KeyError(name)

    def go_text(self) -> str:
        """How `print` shows it."""
        return "{}"

    def go_json(self) -> str:
        """How JSON shows it."""
        return "{}"


def type_word(value: Any) -> str:
    """The Go type of a value."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Span):
        return "time.Duration"
    if isinstance(value, Int):
        return value.go_type
    if isinstance(value, int):
        return "int64"
    if isinstance(value, float):
        return "float64"
    if isinstance(value, str):
        return "string"
    if isinstance(value, TextMap):
        return "map[string]string"
    if isinstance(value, Mapping):
        return "map[string]interface {}"
    if isinstance(value, Struct):
        return value.go_type
    return "[]interface {}"


def truth(value: Any) -> bool:
    """Whether a value counts as true: not empty, not zero, not nil; a struct always does."""
    return isinstance(value, Struct) or bool(value)


def field(value: Any, name: str) -> Any:
    """`.name` of a value: a struct's field or method without arguments, or a map's entry (None where it has none).

    What is not there has no fields either: None.
    """
    if isinstance(value, Struct):
        try:
            return value.go_field(name)
        except KeyError:
            return method(value, name, ())
    if isinstance(value, Mapping):
        return value.get(name)
    if isinstance(value, Span):
        return method(value, name, ())
    if value is None:
        return None
    return _no_method(value, name)


def method(value: Any, name: str, args: Sequence[Any]) -> Any:
    """`.name` of a value, called with arguments."""
    if isinstance(value, Struct):
        try:
            return value.go_method(name, args)
        except KeyError:
            raise CallFailed(f"can't evaluate field {name} in type {value.go_type}") from None
    if isinstance(value, Span):
        from engine.templates.times import duration_method  # noqa: PLC0415 - a circle otherwise, and seldom needed

        return duration_method(value, name, args)
    if isinstance(value, Mapping) and name in value:
        raise CallFailed(f"{name} is not a method but has arguments")
    return field(value, name) if not args else _no_method(value, name)


def _no_method(value: Any, name: str) -> Any:
    raise CallFailed(f"can't evaluate field {name} in type {type_word(value)}")


def _basic(value: Any) -> str:
    """The class within which Go compares."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    raise CallFailed("invalid type for comparison" if value is not None else "missing argument for comparison")


def equal(a: Any, b: Any) -> bool:
    """`eq` of two values; CallFailed where their types cannot be compared."""
    if a is None or b is None:
        return a is None and b is None
    if _basic(a) != _basic(b):
        raise CallFailed("incompatible types for comparison")
    return bool(a == b)


def less(a: Any, b: Any) -> bool:
    """`lt` of two values."""
    kind = _basic(a)
    if kind != _basic(b):
        raise CallFailed("incompatible types for comparison")
    if kind == "bool":
        raise CallFailed("invalid type for comparison")
    if kind == "string":
        return bool(a.encode("utf-8", "surrogateescape") < b.encode("utf-8", "surrogateescape"))
    return bool(a < b)


def index(value: Any, keys: Sequence[Any]) -> Any:
    """`index value key…`: entries of maps and lists."""
    if value is None:
        raise CallFailed("index of untyped nil")
    for key in keys:
        value = _entry(value, key)
    return value


def _entry(value: Any, key: Any) -> Any:
    if isinstance(value, Mapping):
        if not isinstance(key, str):
            wanted = "string"
            raise CallFailed(f"value has type {type_word(key)}; should be {wanted}")
        return value.get(key, "" if isinstance(value, TextMap) else None)
    if isinstance(value, str | Sequence):
        if isinstance(key, bool) or not isinstance(key, int):
            raise CallFailed(f"cannot index slice/array with type {type_word(key)}")
        if not 0 <= key < _size(value):
            raise CallFailed(f"index out of range: {key}")
        return value.encode("utf-8", "surrogateescape")[key] if isinstance(value, str) else value[key]
    if value is None:
        raise CallFailed("index of nil pointer")
    raise CallFailed(f"can't index item of type {type_word(value)}")


def _size(value: Any) -> int:
    return len(value.encode("utf-8", "surrogateescape")) if isinstance(value, str) else len(value)


def length(value: Any) -> int:
    """`len` of a value, bytes for a string."""
    if isinstance(value, str | Mapping | Sequence):
        return _size(value)
    raise CallFailed("len of nil pointer" if value is None else f"len of type {type_word(value)}")

"""The types of properties and parameters, each with every form its values take.

A type knows how a value looks in a script (accepts, convert, literal), in pipeline JSON (to_json, from_json; spec
"TICKscript" 8.3) and in the plan that node processes read (pack, unpack: plain msgpack values, lossless). Always:
`unpack(pack(v)) == v` for every attribute value `v`, and `convert(v)` is what the attribute of a declaration holds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tickscript import ast
from tickscript.ast_json import AstJsonError, from_json, to_json
from tickscript.durations import format_duration, parse_duration_text
from tickscript.errors import EvaluationError
from tickscript.scope import Nil, TimeDimension, go_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MISMATCH: Final = "value does not fit the property"


class Type:
    """A type; `go` is its word in error texts, `word` the one in the documentation."""

    go: ClassVar[str]
    word: ClassVar[str]
    zero: ClassVar[Any] = None

    def accepts(self, value: object) -> bool:
        return go_type(value) == self.go

    def convert(self, value: object) -> Any:
        """The attribute's value for a script's `value`, which the type accepts."""
        return value

    def literal(self, value: Any) -> ast.Expr:
        """The expression that gives `value` in a script."""
        raise NotImplementedError

    def to_json(self, value: Any) -> Any:
        return value

    def from_json(self, value: Any) -> Any:
        """The attribute's value; ValueError when the JSON does not fit. An absent value is the zero value."""
        return self.zero if value is None else self.convert(self._checked(value))

    def pack(self, value: Any) -> Any:
        return value

    def unpack(self, value: Any) -> Any:
        return value

    def _checked(self, value: Any) -> Any:
        if not self.accepts(value):
            raise ValueError(MISMATCH)
        return value


class _String(Type):
    go = word = "string"
    zero = ""

    def literal(self, value: str) -> ast.Expr:
        return ast.String(value)


class _Int(Type):
    go = "int64"
    word = "int"
    zero = 0

    def literal(self, value: int) -> ast.Expr:
        if value == -(2**63):
            # Its digits alone are beyond int64.
            return ast.Binary("-", ast.Unary("-", ast.Int(2**63 - 1)), ast.Int(1))
        return ast.Unary("-", ast.Int(-value)) if value < 0 else ast.Int(value)

    def _checked(self, value: Any) -> Any:
        # Writers of JSON that know only doubles print 3 as 3.0.
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return super()._checked(value)


class _Mode(_Int):
    """An int that people write in octal: the mode of a file."""

    def literal(self, value: int) -> ast.Expr:
        return ast.Int(value, base=8)


class _Float(Type):
    go = "float64"
    word = "float"
    zero = 0.0

    def literal(self, value: float) -> ast.Expr:
        if not math.isfinite(value):
            dividend = 0.0 if math.isnan(value) else math.copysign(1.0, value)
            return ast.Binary("/", self.literal(dividend), ast.Float(0.0))
        return ast.Unary("-", ast.Float(-value)) if math.copysign(1.0, value) < 0 else ast.Float(value)

    def _checked(self, value: Any) -> Any:
        return super()._checked(float(value) if type(value) is int else value)


class _Bool(Type):
    go = word = "bool"
    zero = False

    def literal(self, value: bool) -> ast.Expr:
        return ast.Bool(value)


class _Duration(Type):
    """Attributes hold nanoseconds as int, JSON the short text."""

    go = "time.Duration"
    word = "duration"
    zero = 0

    def convert(self, value: object) -> Any:
        assert isinstance(value, ast.Duration)
        return value.value

    def literal(self, value: int) -> ast.Expr:
        return duration_literal(value)

    def to_json(self, value: int) -> Any:
        return format_duration(value)

    def from_json(self, value: Any) -> Any:
        if not isinstance(value, str | None):
            raise ValueError(MISMATCH)  # noqa: TRY004  (one kind of error for all that JSON can get wrong)
        return parse_duration_text(value or "")


class _Nanoseconds(_Duration):
    """A duration that the JSON form writes as a number."""

    def to_json(self, value: int) -> Any:
        return value

    def from_json(self, value: Any) -> Any:
        return INT.from_json(value)


class _Lambda(Type):
    """Attributes hold `ast.Lambda`, or None where nothing is set."""

    go = "*ast.LambdaNode"
    word = "lambda"

    def convert(self, value: object) -> Any:
        return None if isinstance(value, Nil) else value

    def literal(self, value: ast.Lambda | None) -> ast.Expr:
        if value is None:
            raise EvaluationError("a lambda without a value has no form in a script")
        return value

    def to_json(self, value: ast.Lambda | None) -> Any:
        return None if value is None else to_json(value)

    def from_json(self, value: Any) -> Any:
        return None if value is None else self._checked(_expression(value))

    def pack(self, value: ast.Lambda | None) -> Any:
        return self.to_json(value)

    def unpack(self, value: Any) -> Any:
        return self.from_json(value)


class _Node(Type):
    """A node of the pipeline: takes part in signatures only. A handler stands for its alert, which it embeds."""

    go = "pipeline.Node"
    word = "node"

    def accepts(self, value: object) -> bool:
        return getattr(self.convert(value), "is_node", False)

    def convert(self, value: object) -> Any:
        return getattr(value, "alert", None) or value


class _Any(Type):
    """Whatever a script computes: bool, int, float, str, `ast.Duration`, Star, Lambda …"""

    go = "interface {}"
    word = "any"

    def accepts(self, value: object) -> bool:  # noqa: ARG002  (anything goes)
        return True

    def convert(self, value: object) -> Any:
        return ast.Star() if isinstance(value, Nil) and value.go_type == "*ast.StarNode" else value

    def literal(self, value: Any) -> ast.Expr:
        match value:
            case bool():
                return BOOL.literal(value)
            case int():
                return INT.literal(value)
            case float():
                return FLOAT.literal(value)
            case str():
                return STRING.literal(value)
            case ast.Duration():
                return duration_literal(value.value)
            case TimeDimension():
                args = (duration_literal(value.length), duration_literal(value.offset))
                return ast.Function("global", "time", args if value.offset else args[:1])
            case ast.Node():
                return value  # type: ignore[return-value]
            case _:
                raise EvaluationError(f"a value of type {go_type(value)} has no form in a script")

    def to_json(self, value: Any) -> Any:
        match value:
            case bool() | int() | float() | str() | None:
                return value
            case TimeDimension():
                return {
                    "typeOf": "time",
                    "length": format_duration(value.length),
                    "offset": format_duration(value.offset),
                }
            case tuple():
                return [self.to_json(item) for item in value]
            case ast.Node():
                return to_json(value)
            case _:
                return None

    def from_json(self, value: Any) -> Any:
        match value:
            case {"typeOf": "time", "length": str(length), "offset": str(offset)}:
                return TimeDimension(parse_duration_text(length), parse_duration_text(offset))
            case dict():
                return _expression(value)
            case list():
                return tuple(self.from_json(item) for item in value)
            case bool() | int() | float() | str() | None:
                return value
            case _:
                raise ValueError(MISMATCH)

    def pack(self, value: Any) -> Any:
        match value:
            case ast.Duration():
                return {"duration": value.value}
            case TimeDimension():
                return {"time": [value.length, value.offset]}
            case tuple():
                return [self.pack(item) for item in value]
            case ast.Node():
                return {"expression": to_json(value)}
            case bool() | int() | float() | str():
                return value
            case _:
                return None

    def unpack(self, value: Any) -> Any:
        match value:
            case {"duration": int(nanoseconds)}:
                return ast.Duration(nanoseconds)
            case {"time": [int(length), int(offset)]}:
                return TimeDimension(length, offset)
            case {"expression": dict(expression)}:
                return _expression(expression)
            case list():
                return tuple(self.unpack(item) for item in value)
            case _:
                return value


class RecordType(Type):
    """A frozen dataclass inside a property: `keys` maps its attributes to JSON keys."""

    go = "struct"
    word = "record"

    def __init__(self, record: Callable[..., Any], keys: Mapping[str, str]) -> None:
        self.record = record
        self.keys = dict(keys)

    def to_json(self, value: Any) -> Any:
        return {key: _plain(getattr(value, attribute)) for attribute, key in self.keys.items()}

    def from_json(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError(MISMATCH)  # noqa: TRY004  (one kind of error for all that JSON can get wrong)
        values = {attribute: value.get(key) for attribute, key in self.keys.items()}
        return self.record(
            **{name: tuple(item) if isinstance(item, list) else item or "" for name, item in values.items()}
        )

    def pack(self, value: Any) -> Any:
        return self.to_json(value)

    def unpack(self, value: Any) -> Any:
        return self.from_json(value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _expression(value: Any) -> ast.Expr:
    """The expression of its JSON form; ValueError when it is none."""
    try:
        return from_json(value)  # type: ignore[return-value]
    except AstJsonError as error:
        raise ValueError(MISMATCH) from error


def duration_literal(value: int) -> ast.Expr:
    """The literal of a duration; what is finer than a microsecond, which has no literal, becomes an expression."""
    if value < 0:
        return ast.Unary("-", duration_literal(-value))
    whole, rest = value - value % 1000, value % 1000
    literal = ast.Duration(whole, literal=format_duration(whole))
    if not rest:
        return literal
    fine = ast.Binary("/", ast.Duration(rest * 1000, literal=f"{rest}u"), ast.Int(1000))
    return ast.Binary("+", literal, fine) if whole else fine


STRING: Final = _String()
INT: Final = _Int()
MODE: Final = _Mode()
FLOAT: Final = _Float()
BOOL: Final = _Bool()
DURATION: Final = _Duration()
NANOSECONDS: Final = _Nanoseconds()
LAMBDA: Final = _Lambda()
NODE: Final = _Node()
ANY: Final = _Any()

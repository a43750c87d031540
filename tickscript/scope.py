"""The values that a script computes with, and the one flat scope that names them.

Spec "TICKscript and lambda expressions", 3.1 and 3.2. Always holds: a name is never shadowed and never removed; only a
declaration without a value (`var x TYPE`) may overwrite an older one, as in the reference.

Values are Python's bool, int, float and str, the literals of `tickscript.ast` that Python has no word for (Duration,
Regex, Star, Reference, Lambda), tuples for lists, nodes and handlers, and the classes below.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickscript import ast
from tickscript.durations import go_duration
from tickscript.errors import EvaluationError
from tickscript.formatter import format_expr
from tickscript.lambdas.numbers import short_float

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickscript.vars import Var


@dataclass(frozen=True, slots=True)
class Nil:
    """The zero value of a type that has no natural one: what `var x lambda` is in a template."""

    go_type: str


NIL_LAMBDA = Nil("*ast.LambdaNode")
NIL_REGEX = Nil("*regexp.Regexp")
NIL_STAR = Nil("*ast.StarNode")
NOTHING = Nil("<nil>")


@dataclass(frozen=True, slots=True)
class TimeDimension:
    """What `time(length, offset)` gives to a query's groupBy, in nanoseconds."""

    length: int
    offset: int = 0

    go_type = "kapacitor.TimeDimension"


@dataclass(frozen=True, slots=True)
class TimeFunction:
    """The predefined name `time`."""

    go_type = "func(time.Duration, ...time.Duration) (kapacitor.TimeDimension, error)"


@dataclass(frozen=True, slots=True)
class Unbound:
    """A call that has not been made: `var x = f(1)` stores this."""

    function: ast.Function
    args: tuple[object, ...]

    go_type = "tick.unboundFunc"


_GO_TYPES: Mapping[type, str] = {
    bool: "bool",
    int: "int64",
    float: "float64",
    str: "string",
    tuple: "[]interface {}",
    ast.Duration: "time.Duration",
    ast.Regex: "*regexp.Regexp",
    ast.Lambda: "*ast.LambdaNode",
    ast.Reference: "*ast.ReferenceNode",
    ast.Star: "*ast.StarNode",
}

_VAR_TYPES: Mapping[type, str] = {
    bool: "boolean",
    int: "int",
    float: "float",
    str: "string",
    tuple: "list",
    ast.Duration: "duration",
    ast.Regex: "regex",
    ast.Lambda: "lambda",
    ast.Star: "star",
}

_NIL_VAR_TYPES: Mapping[Nil, str] = {NIL_LAMBDA: "lambda", NIL_REGEX: "regex", NIL_STAR: "star"}


def go_type(value: object) -> str:
    """The word for the type of `value` in error texts, e.g. "time.Duration" (spec 3.4)."""
    word = _GO_TYPES.get(type(value))
    return word if word is not None else str(getattr(value, "go_type", "<nil>"))


def var_type(value: object) -> str:
    """The word for the type of a var in error texts: "boolean", "int" …, "invalid type" for what no var can hold."""
    if isinstance(value, Nil):
        return _NIL_VAR_TYPES.get(value, "invalid type")
    return _VAR_TYPES.get(type(value), "invalid type")


def is_pointer(value: object) -> bool:
    """Whether the reference holds `value` behind a pointer, so that a chain on it asks for a method (spec 3.4)."""
    return go_type(value).startswith("*")


def go_kind(value: object) -> str:
    """The kind word of the reference's reflection: "ptr", "int64", "slice" …, for calls of what is no function."""
    if is_pointer(value):
        return "ptr"
    kinds: Mapping[type, str] = {tuple: "slice", ast.Duration: "int64", TimeDimension: "struct", Unbound: "func"}
    return kinds.get(type(value)) or go_type(value)


def go_text(value: object) -> str:
    """`value` as the reference prints it inside an error text."""
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return short_float(value)
        case ast.Duration():
            return go_duration(value.value)
        case ast.Regex():
            return value.pattern
        case tuple():
            return "[" + " ".join(go_text(item) for item in value) + "]"
        case None | Nil():
            return "<nil>"
        case Unbound(function=function):
            return format_expr(function)
        case ast.Node():
            return format_expr(value)
        case str() | int():
            return str(value)
        case _:
            return go_type(value)


class Scope:
    """The names of one evaluation and the vars among them.

    `vars` holds, in order of declaration, what the API shows of a template: every name declared with a var type.
    """

    def __init__(self, names: Mapping[str, object]) -> None:
        self._names = dict(names)
        self.vars: dict[str, Var] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def lookup(self, name: str) -> object:
        """The value of `name`; EvaluationError, naming what is in scope, when there is none."""
        try:
            return self._names[name]
        except KeyError:
            in_scope = ",".join(self._names)
            raise EvaluationError(f'name "{name}" is undefined. Names in scope: {in_scope}') from None

    def check_free(self, name: str) -> None:
        """EvaluationError when `name` is taken (spec 3.2)."""
        if name in self._names:
            raise EvaluationError(f"attempted to redefine {name}, vars are immutable")

    def set(self, name: str, value: object) -> None:
        self._names[name] = value

    def replace(self, old: object, new: object) -> bool:
        """Let every name that denotes the very object `old` denote `new`; whether there was one."""
        names = [name for name, value in self._names.items() if value is old]
        for name in names:
            self._names[name] = new
        return bool(names)

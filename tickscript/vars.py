"""The vars of tasks and templates, in the form that the API has (spec "TICKscript" 6.1 and 6.2).

Supplied vars pass three layers, each with its own errors: the JSON (`decode_vars`, which the server answers with
`invalid JSON`), the values (`check_vars`, whose texts stand alone), and their meaning in a script (`script_value`,
whose texts follow `invalid TICKscript: `).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from tickscript import ast
from tickscript.durations import INT64_MAX, parse_duration_text
from tickscript.errors import DurationError, EvaluationError, ParseError, RegexError, TickscriptError
from tickscript.fold import rewrite
from tickscript.formatter import format_expr
from tickscript.parser import parse_lambda
from tickscript.regex import compile_regex
from tickscript.scope import NIL_LAMBDA, NIL_REGEX, NIL_STAR, Nil, go_text, var_type

TYPES: Final = ("bool", "int", "float", "string", "regex", "duration", "lambda", "list", "star")
_STAR_JSON: Final[Mapping[str, str]] = {"typeOf": "star"}
_ZERO: Final[Mapping[str, object]] = {
    "bool": False, "int": 0, "float": 0.0, "string": "", "duration": ast.Duration(0), "list": (),
    "regex": NIL_REGEX, "lambda": NIL_LAMBDA, "star": NIL_STAR,
}  # fmt: skip


class VarsJsonError(TickscriptError):
    """The JSON of vars is malformed."""

    name: ClassVar[str] = "vars.json"


class VarValueError(TickscriptError):
    """A supplied var has a value of the wrong kind; the text stands alone, without `invalid TICKscript: `."""

    name: ClassVar[str] = "vars.value"


@dataclass(frozen=True, slots=True)
class Var:
    """A var: its type word, its value and what the script says about it.

    Values: bool, int, float, str (for lambda: the expression, for regex: the pattern), duration in ns, a list as tuple
    of vars, a star as None or, from a script, `{"typeOf": "star"}`; None where there is none.
    """

    type: str
    value: Any = None
    description: str = ""

    def to_json(self) -> dict[str, Any]:
        value = self.value
        if isinstance(value, tuple):
            value = [item.to_json() for item in value]
        elif isinstance(value, Mapping):
            value = dict(value)
        return {"type": self.type, "value": value, "description": self.description}


def encode_vars(supplied: Mapping[str, Var]) -> dict[str, Any]:
    """The vars as the API answers with them."""
    return {name: var.to_json() for name, var in supplied.items()}


def decode_vars(data: Any) -> dict[str, Var]:
    """The vars of a request; VarsJsonError when the JSON is malformed.

    A fraction or exponent makes a JSON number a float: the reader must give int for integers and float for the rest.
    """
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise VarsJsonError("vars must be an object")
    return {name: _decode(entry) for name, entry in data.items()}


def _decode(data: Any) -> Var:
    if not isinstance(data, Mapping):
        raise VarsJsonError("a var must be an object")
    kind, value, description = data.get("type"), data.get("value"), data.get("description") or ""
    if kind is None:
        raise VarsJsonError("json: error calling MarshalText for type client.VarType: unknown VarType 0")
    if not isinstance(kind, str) or kind not in TYPES:
        raise VarsJsonError(f"unknown VarType {_shown(kind)}")
    if not isinstance(description, str):
        raise VarsJsonError("the description of a var must be a string")
    shown = f"{{{kind} {_shown(value)} {description}}}"
    if kind == "star":
        value = None
    elif value is None:
        pass
    elif kind == "int":
        value = _decode_int(value, shown, "int value")
    elif kind == "float":
        value = _decode_float(value, shown)
    elif kind == "duration":
        value = _decode_duration(value, shown)
    elif kind == "list":
        value = _decode_list(value, shown)
    return Var(kind, value, description)


def _shown(value: Any) -> str:
    """A value of JSON as error texts show it; a number as it was written, not as the language prints one."""
    match value:
        case float():
            return repr(value)
        case list():
            return "[" + " ".join(map(_shown, value)) + "]"
        case dict():
            return "map[" + " ".join(f"{key}:{_shown(value[key])}" for key in sorted(value)) + "]"
        case _:
            return go_text(value)


def _decode_int(value: Any, shown: str, expected: str) -> int:
    if type(value) is not int or not -INT64_MAX - 1 <= value <= INT64_MAX:
        raise VarsJsonError(f"invalid var {shown}: expected {expected}")
    return value


def _decode_float(value: Any, shown: str) -> float:
    if type(value) not in {int, float}:
        raise VarsJsonError(f"invalid var {shown}: expected float value")
    try:
        return float(value)
    except OverflowError:
        raise VarsJsonError(f"invalid var {shown}: expected float value") from None


def _decode_duration(value: Any, shown: str) -> int:
    if not isinstance(value, str):
        return _decode_int(value, shown, "int or string value")
    try:
        return parse_duration_text(value)
    except DurationError as error:
        raise VarsJsonError(f"invalid duration string for var {shown}: {error}") from None


def _decode_list(value: Any, shown: str) -> tuple[Var, ...]:
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise VarsJsonError(f"invalid var {shown}: expected list of vars")
    items = []
    for item in value:
        for key in ("type", "value"):
            if key not in item:
                raise VarsJsonError(f"invalid var {shown}: expected list {key} key in object")
        if item["type"] not in TYPES:
            raise VarsJsonError(f"unknown VarType {_shown(item['type'])}")
        items.append(
            Var(item["type"], None if item["type"] == "star" else item["value"], item.get("description") or "")
        )
    return tuple(items)


def check_vars(supplied: Mapping[str, Var]) -> None:
    """VarValueError unless every value is of the kind that its type asks for."""
    for name, var in supplied.items():
        for item in var.value if var.type == "list" and isinstance(var.value, tuple) else (var,):
            fault = _fault(item, inside_list=item is not var)
            if fault:
                raise VarValueError(f"invalid var {name}: {fault}")


def _fault(var: Var, *, inside_list: bool) -> str:
    match var.value:
        case _ if var.type == "star":
            return ""
        case bool():
            return "" if var.type == "bool" else f"mismatched type and value: bool {var.type}"
        case str():
            taken = var.type in {"string", "regex", "lambda"}
            return "" if taken else f"unexpected var type {var.type}, value is a string"
        case int() | float() if not inside_list and var.type in {"int", "float", "duration"}:
            return ""
        case int() | float():
            return "unsupported Var type json.Number."
        case None:
            return "unsupported Var type <nil>."
        case Mapping():
            return "unsupported Var type map[string]interface {}."
        case tuple() if var.type == "list" and not inside_list:
            return ""
        case _:
            return "unsupported Var type []interface {}."


def script_value(name: str, var: Var) -> object:
    """The value that a supplied var has in a script; EvaluationError for a lambda or regex that is none."""
    match var.type:
        case "duration":
            return ast.Duration(var.value)
        case "star":
            return ast.Star()
        case "list":
            return tuple(script_value(name, item) for item in var.value)
        case "regex":
            try:
                compile_regex(var.value)
            except RegexError as error:
                raise EvaluationError(f"invalid var {name}: invalid regex pattern: {error}") from None
            return ast.Regex(var.value)
        case "lambda":
            try:
                return parse_lambda(var.value)
            except ParseError as error:
                raise EvaluationError(f"invalid var {name}: invalid lambda expression: {error}") from None
        case _:
            return var.value


def zero_value(kind: str) -> object:
    """What `var x TYPE` stands for in a template; EvaluationError for an unknown type word."""
    if kind not in _ZERO:
        raise EvaluationError(f'invalid var type "{kind}"', word=kind, candidates=TYPES)
    return _ZERO[kind]


def type_word(kind: str) -> str:
    """The word that error texts have for a type word of the API."""
    return "boolean" if kind == "bool" else kind


def shown_var(value: object, description: str = "") -> Var | None:
    """The var that the API shows for a value that a script gives a name; None for what no var can hold."""
    match value:
        case bool():
            return Var("bool", value, description)
        case int():
            return Var("int", value, description)
        case float():
            return Var("float", value, description)
        case str():
            return Var("string", value, description)
        case ast.Duration():
            return Var("duration", value.value, description)
        case ast.Regex():
            return Var("regex", value.pattern, description)
        case ast.Lambda():
            return Var("lambda", lambda_text(value), description)
        case ast.Star():
            return Var("star", _STAR_JSON, description)
        case Nil() if var_type(value) != "invalid type":
            return Var(var_type(value), None, description)
        case tuple():
            items = tuple(shown_var(item) for item in value)
            return Var("list", tuple(item for item in items if item is not None), description)
        case _:
            return None


def lambda_text(expression: ast.Lambda) -> str:
    """The text of a lambda as vars show it: a regex that came from a var prints as `//`, as in the reference."""

    def leaf(node: ast.Expr) -> ast.Expr:
        return ast.Regex(node.pattern, "//") if isinstance(node, ast.Regex) and not node.literal else node

    return format_expr(rewrite(expression.expression, leaf))


def describe(comment: tuple[str, ...] | None) -> str:
    """The description that a comment in front of `var` gives; blocks are three newlines apart."""
    return "\n".join(comment or ())

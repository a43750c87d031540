"""The tree as JSON objects and back: the reference's form, with the keys added that it forgets.

Always: `from_json(to_json(node)) == node` for every tree that the parser makes, so that a lambda can travel to another
process; `OWN_KEYS` names what stands there beyond the reference's form, which writes neither the name of a call nor
parentheses. Positions and comments do not travel. Spec "TICKscript" section 8.3, Expressions.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final, TypeVar

from tickscript import ast
from tickscript.durations import INT64_MAX, format_duration, parse_duration_text
from tickscript.errors import DepthError, DurationError, TickscriptError
from tickscript.parser import MAX_HEIGHT, MAX_NESTING, PRECEDENCE

OWN_KEYS: Final = frozenset({"func", "parens", "multiline", "triple", "source"})
_FUNCTION_TYPES: Final = frozenset({"global", "chain", "property", "dynamic"})
_CHAIN_OPERATORS: Final = frozenset({"|", ".", "@"})
_UNARY_OPERATORS: Final = frozenset({"-", "!"})
_SPECIAL_FLOATS: Final = {"NaN": math.nan, "+Inf": math.inf, "-Inf": -math.inf}
# Vars embedded in a lambda can make it deeper than any one text.
_MAX_DEPTH: Final = 2 * MAX_NESTING

Object = dict[str, Any]
_T = TypeVar("_T")
_N = TypeVar("_N", bound=ast.Node)


class AstJsonError(TickscriptError):
    """An object is not a tree in JSON form."""

    name: ClassVar[str] = "tickscript.ast_json"


def _number(*, int64: int = 0, float64: float | str = 0.0, base: int = 0) -> Object:
    is_int = base != 0
    return {
        "typeOf": "number",
        "isint": is_int,
        "isfloat": not is_int,
        "int64": int64,
        "float64": float64,
        "base": base,
    }


def _float_value(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _flags(result: Object, **flags: bool) -> Object:
    return result | {name: True for name, flag in flags.items() if flag}


def to_json(node: ast.Node) -> Object:
    """The JSON form of a node; the value holds only dicts, lists, strings, numbers and booleans."""
    match node:
        case ast.Int(value=value, base=base):
            return _number(int64=value, base=base)
        case ast.Float(value=value):
            return _number(float64=_float_value(value))
        case ast.Duration(value=value, literal=literal):
            text = format_duration(value)
            result = {"typeOf": "duration", "duration": text}
            return result | {"source": literal} if literal not in ("", text) else result
        case ast.Bool(value=value):
            return {"typeOf": "bool", "bool": value}
        case ast.String(value=value, triple=triple):
            return _flags({"typeOf": "string", "literal": value}, triple=triple)
        case ast.Regex(pattern=pattern, literal=literal):
            result = {"typeOf": "regex", "regex": pattern}
            return result | {"source": literal} if literal else result
        case ast.Reference(name=name):
            return {"typeOf": "reference", "reference": name}
        case ast.Identifier(name=name):
            return {"typeOf": "identifier", "ident": name}
        case ast.Star():
            return {"typeOf": "star"}
        case ast.Unary(op=op, operand=operand):
            return {"typeOf": "unary", "operator": op, "node": to_json(operand)}
        case ast.Binary() | ast.Chain():
            return _links_to_json(node)
        case ast.List(items=items):
            return {"typeOf": "list", "nodes": [to_json(item) for item in items]}
        case ast.Lambda(expression=expression):
            return {"typeOf": "lambda", "expression": to_json(expression)}
        case ast.Function(kind=kind, name=name, args=args, multiline=multiline):
            call: Object = {"typeOf": "func", "functionType": kind, "func": name}
            return _flags(call | {"args": [to_json(arg) for arg in args]}, multiline=multiline)
        case _:
            return _statement_to_json(node)


def _statement_to_json(node: ast.Node) -> Object:
    match node:
        case ast.Declaration(name=name, value=value):
            return {"typeOf": "declaration", "left": to_json(name), "right": to_json(value)}
        case ast.TypeDeclaration(name=name, type=kind):
            return {"typeOf": "typeDeclaration", "node": to_json(name), "type": to_json(kind)}
        case ast.Dbrp(db=db, rp=rp):
            return {"typeOf": "dbrp", "db": to_json(db), "rp": to_json(rp)}
        case ast.Comment(comment=comment):
            return {"typeOf": "comment", "comments": list(comment or ())}
        case ast.Program(statements=statements):
            return {"typeOf": "program", "nodes": [to_json(statement) for statement in statements]}
    raise TypeError(f"{type(node).__name__} is no node of a TICKscript")


def _links_to_json(node: ast.Binary | ast.Chain) -> Object:
    first, links = ast.left_spine(node)
    result = to_json(first)
    for link in links:
        sides = {"operator": link.op, "left": result, "right": to_json(link.right)}
        if isinstance(link, ast.Binary):
            result = _flags({"typeOf": "binary"} | sides, parens=link.parens, multiline=link.multiline)
        else:
            result = {"typeOf": "chain"} | sides
    return result


def _get(value: Object, key: str, kind: type[_T]) -> _T:
    found = value.get(key)
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise AstJsonError(f"invalid {value.get('typeOf')} node: key {key!r} must be {kind.__name__}")
    return found


def _choice(value: Object, key: str, allowed: frozenset[str] | dict[str, int]) -> str:
    found = _get(value, key, str)
    if found not in allowed:
        raise AstJsonError(f"invalid {value['typeOf']} node: {key} cannot be {found!r}")
    return found


def from_json(value: Any) -> ast.Node:
    """The node of a JSON form, with or without our own keys (a call without its name is an error).

    Raises `AstJsonError` for anything else and `DepthError` where it nests twice as deep as the parser allows.
    """
    return _read(value, 0)


def _read(value: Any, depth: int) -> ast.Node:
    if depth > _MAX_DEPTH:
        raise DepthError(f"tree nested deeper than {_MAX_DEPTH} levels")
    if not isinstance(value, dict):
        raise AstJsonError(f"a node must be an object, not {type(value).__name__}")
    kind = _get(value, "typeOf", str)
    if kind in ("binary", "chain"):
        return _read_links(value, kind, depth)
    match kind:
        case "number":
            return _read_number(value)
        case "duration":
            return _read_duration(value)
        case "bool":
            return ast.Bool(_get(value, "bool", bool))
        case "string":
            return ast.String(_get(value, "literal", str), value.get("triple") is True)
        case "regex":
            source = value.get("source")
            return ast.Regex(_get(value, "regex", str), source if isinstance(source, str) else "")
        case "reference":
            return ast.Reference(_get(value, "reference", str))
        case "identifier":
            return ast.Identifier(_get(value, "ident", str))
        case "star":
            return ast.Star()
        case "unary":
            return ast.Unary(_choice(value, "operator", _UNARY_OPERATORS), _expr(value, "node", depth))
        case "list":
            return ast.List(_exprs(value, "nodes", depth))
        case "lambda":
            return ast.Lambda(_expr(value, "expression", depth))
        case "func":
            function_type = _choice(value, "functionType", _FUNCTION_TYPES)
            args = _exprs(value, "args", depth)
            return ast.Function(function_type, _get(value, "func", str), args, value.get("multiline") is True)
        case _:
            return _read_statement(value, kind, depth)


def _read_statement(value: Object, kind: str, depth: int) -> ast.Node:
    match kind:
        case "declaration":
            return ast.Declaration(_child(value, "left", depth, ast.Identifier), _expr(value, "right", depth))
        case "typeDeclaration":
            return ast.TypeDeclaration(
                _child(value, "node", depth, ast.Identifier), _child(value, "type", depth, ast.Identifier)
            )
        case "dbrp":
            return ast.Dbrp(_child(value, "db", depth, ast.Reference), _child(value, "rp", depth, ast.Reference))
        case "comment":
            comments = _get(value, "comments", list)
            if not all(isinstance(line, str) for line in comments):
                raise AstJsonError("invalid comment node: key 'comments' must be a list of texts")
            return ast.Comment(comment=tuple(comments))
        case "program":
            statements = (_read(item, depth + 1) for item in _get(value, "nodes", list))
            return ast.Program(tuple(_checked(statement, _STATEMENT, "statement") for statement in statements))
    raise AstJsonError(f"unknown type of node {kind!r}")


def _read_number(value: Object) -> ast.Int | ast.Float:
    if _get(value, "isint", bool):
        number = _get(value, "int64", int)
        base = _get(value, "base", int)
        if not -INT64_MAX - 1 <= number <= INT64_MAX:
            raise AstJsonError("invalid number node: int64 is out of range")
        if base not in (0, 8, 10):
            raise AstJsonError(f"invalid number node: base cannot be {base}")
        return ast.Int(number, base or 10)
    found = value.get("float64")
    if isinstance(found, str) and found in _SPECIAL_FLOATS:
        return ast.Float(_SPECIAL_FLOATS[found])
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise AstJsonError("invalid number node: key 'float64' must be float")
    try:
        return ast.Float(float(found))
    except OverflowError:
        raise AstJsonError("invalid number node: float64 is out of range") from None


def _read_duration(value: Object) -> ast.Duration:
    text = _get(value, "duration", str)
    try:
        nanoseconds = parse_duration_text(text)
    except DurationError as error:
        raise AstJsonError(f"invalid duration node: {error}") from None
    source = value.get("source")
    return ast.Duration(nanoseconds, source if isinstance(source, str) else text)


def _read_links(value: Object, kind: str, depth: int) -> ast.Expr:
    """Operations and chains, whose left sides are read in a loop."""
    links: list[Object] = []
    left: Any = value
    while isinstance(left, dict) and left.get("typeOf") == kind:
        links.append(left)
        left = left.get("left")
    if kind == "binary" and len(links) > MAX_HEIGHT:
        raise DepthError(f"tree with more than {MAX_HEIGHT} operators in a row")
    result: ast.Expr = _checked(_read(left, depth), _EXPRESSION, "expression")
    for link in reversed(links):
        if kind == "binary":
            operator = _choice(link, "operator", PRECEDENCE)
            parens, multiline = link.get("parens") is True, link.get("multiline") is True
            result = ast.Binary(operator, result, _expr(link, "right", depth), parens, multiline)
        else:
            operator = _choice(link, "operator", _CHAIN_OPERATORS)
            right = _read(link.get("right"), depth + 1)
            if not isinstance(right, ast.Function | ast.Identifier):
                raise AstJsonError("invalid chain node: the right side must be a call or a name")
            result = ast.Chain(operator, result, right)
    return result


_EXPRESSION: Final = (
    ast.Bool, ast.Int, ast.Float, ast.String, ast.Duration, ast.Regex, ast.Star, ast.Reference, ast.Identifier,
    ast.Unary, ast.Binary, ast.List, ast.Lambda, ast.Function, ast.Chain,
)  # fmt: skip
_STATEMENT: Final = (*_EXPRESSION, ast.Declaration, ast.TypeDeclaration, ast.Dbrp, ast.Comment)


def _checked(node: ast.Node, kinds: tuple[type, ...], word: str) -> Any:
    if not isinstance(node, kinds):
        raise AstJsonError(f"a {type(node).__name__.lower()} node cannot stand where an {word} is due")
    return node


def _child(value: Object, key: str, depth: int, kind: type[_N]) -> _N:
    node = _read(value.get(key), depth + 1)
    if not isinstance(node, kind):
        raise AstJsonError(f"invalid {value['typeOf']} node: key {key!r} must be a {kind.__name__.lower()}")
    return node


def _expr(value: Object, key: str, depth: int) -> ast.Expr:
    node: ast.Expr = _checked(_read(value.get(key), depth + 1), _EXPRESSION, "expression")
    return node


def _exprs(value: Object, key: str, depth: int) -> tuple[ast.Expr, ...]:
    items = (_read(item, depth + 1) for item in _get(value, key, list))
    return tuple(_checked(item, _EXPRESSION, "expression") for item in items)

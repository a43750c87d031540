"""Cases of the kinds parse, format and ast_json."""

from __future__ import annotations

from typing import Any

from tests.conformance.tickscript_compare import Mismatch, difference
from tickscript import ast
from tickscript.ast_json import OWN_KEYS, to_json
from tickscript.formatter import format_script
from tickscript.parser import parse


def _names(node: ast.Node) -> dict[str, Any]:
    """The keys of a node beside `node`, `at` and `comment`."""
    match node:
        case ast.Int(value=value, base=base):
            return {"value": value, "base": base}
        case ast.Regex(pattern=pattern, literal=literal):
            return {"value": pattern, "literal": literal[1:-1]}
        case ast.Duration(value=value, literal=literal):
            return {"value": value, "literal": literal}
        case ast.String(value=value, triple=triple):
            return {"value": value, "triple": triple}
        case ast.Bool(value=value) | ast.Float(value=value):
            return {"value": value}
        case ast.Reference(name=name) | ast.Identifier(name=name):
            return {"value": name}
        case ast.Unary(op=op, operand=operand):
            return {"op": op, "operand": tree(operand)}
        case ast.Binary(op=op, left=left, right=right, parens=parens, multiline=multiline):
            return {"op": op, "left": tree(left), "right": tree(right), "parens": parens, "multiline": multiline}
        case ast.List(items=items):
            return {"nodes": [tree(item) for item in items]}
        case ast.Lambda(expression=expression):
            return {"expression": tree(expression)}
        case ast.Function(kind=kind, name=name, args=args, multiline=multiline):
            return {"kind": kind, "name": name, "args": [tree(arg) for arg in args], "multiline": multiline}
        case ast.Chain(op=op, left=left, right=right):
            return {"op": op, "left": tree(left), "right": tree(right)}
        case ast.Declaration(name=name, value=value):
            return {"name": name.name, "value": tree(value)}
        case ast.TypeDeclaration(name=name, type=kind):
            return {"name": name.name, "type": kind.name}
        case ast.Dbrp(db=db, rp=rp):
            return {"db": db.name, "rp": rp.name}
    return {}


_KINDS = {ast.TypeDeclaration: "type_declaration"}
_FLAGS = ("parens", "multiline", "triple")


def tree(node: ast.Node) -> dict[str, Any]:
    """A node in the form of the parse cases: flags are left out when false."""
    kind = _KINDS.get(type(node), type(node).__name__.lower())
    result = {"node": kind, "at": [node.line, node.char]} | _names(node)
    if node.comment is not None:
        result["comment"] = list(node.comment)
    return {key: value for key, value in result.items() if not (key in _FLAGS and value is False)}


def run_parse(case: dict[str, Any]) -> Any:
    return {"node": "program", "nodes": [tree(node) for node in parse(case["input"]).statements]}


def run_format(case: dict[str, Any]) -> Any:
    text = format_script(case["input"])
    again = format_script(text)
    found = difference(case.get("second_pass", text), again)
    if found is not None and "expect" in case and text == case["expect"]:
        raise Mismatch(f"second pass: {found}")
    return text


def run_ast_json(case: dict[str, Any]) -> Any:
    return _without_own_keys(to_json(parse(case["input"])))


def _without_own_keys(value: Any) -> Any:
    """The JSON without the keys that we write beyond the reference's form."""
    if isinstance(value, dict):
        return {key: _without_own_keys(item) for key, item in value.items() if key not in OWN_KEYS}
    if isinstance(value, list):
        return [_without_own_keys(item) for item in value]
    return value


KINDS = {"parse": run_parse, "format": run_format, "ast_json": run_ast_json}

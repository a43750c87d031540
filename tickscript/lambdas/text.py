"""Expressions as they appear in error texts (spec 5.1); not the formatter's text, and not meant to be read back."""

from __future__ import annotations

from tickscript import ast
from tickscript.durations import go_duration
from tickscript.lambdas.numbers import short_float


def text_of(expression: ast.Expr) -> str:
    """References in quotes, strings bare, floats short, durations in Go's long form, operations without parentheses."""
    match expression:
        case ast.Reference(name=name):
            return f'"{name}"'
        case ast.String(value=text) | ast.Regex(pattern=text) | ast.Identifier(name=text):
            return text
        case ast.Bool(value=flag):
            return "true" if flag else "false"
        case ast.Int(value=number):
            return str(number)
        case ast.Float(value=real):
            return short_float(real)
        case ast.Duration(value=ns):
            return go_duration(ns)
        case ast.Unary(op=op, operand=operand):
            return f"{op}{text_of(operand)}"
        case ast.Binary():
            return _operation(expression)
        case ast.Function(name=name, args=args):
            return f"{name}({', '.join(text_of(a) for a in args)})"
        case ast.Lambda(expression=inner):
            return f"lambda: {text_of(inner)}"
        case ast.List(items=items):
            return f"[{', '.join(text_of(i) for i in items)}]"
        case ast.Star():
            return "*"
        case _:
            return type(expression).__name__


def _operation(expression: ast.Binary) -> str:
    """Chains nest to the left, and long ones far, so they are walked in a loop."""
    pieces: list[str] = []
    left: ast.Expr = expression
    while isinstance(left, ast.Binary):
        pieces.append(f" {left.op} {text_of(left.right)}")
        left = left.left
    return text_of(left) + "".join(reversed(pieces))

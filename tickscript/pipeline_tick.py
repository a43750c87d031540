"""A pipeline as the text of a script (spec "TICKscript" 8.5).

Always: without `as_reference` the text compiles to a pipeline with the same properties and edges (ids may differ, and
a lambda var that was embedded in another loses its separate state). With it the text is the reference's, holes
included; each of them stands in `_AsReference`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from tickscript import ast
from tickscript.declare import Form
from tickscript.errors import EvaluationError
from tickscript.fold import rewrite
from tickscript.formatter import format_program
from tickscript.nodes.autoscale import Ec2Autoscale, SwarmAutoscale
from tickscript.nodes.batch import Batch, Query
from tickscript.nodes.combining import Join, Union
from tickscript.nodes.expressions import Eval
from tickscript.nodes.handlers import KINDS, Handler, HandlerType
from tickscript.nodes.influxql import Function as InfluxQL
from tickscript.nodes.rows import Noop
from tickscript.nodes.stats import Stats
from tickscript.nodes.stream import Stream
from tickscript.nodes.types import FLOAT, INT, duration_literal
from tickscript.nodes.udf import Udf
from tickscript.parser import PRECEDENCE
from tickscript.pipeline import watched_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tickscript.declare import Declared, Property
    from tickscript.nodes.base import Node
    from tickscript.pipeline import Pipeline

Args = tuple[ast.Expr, ...]
_UNARY: Final = 6  # binds tighter than any operator
# Names of handlers that are also properties of other handlers: behind `.opsGenie()`, `.teams()` is OpsGenie's.
_HIDDEN: Final = frozenset(declared.name for kind in KINDS for declared in kind.declaration.by_name.values())


def to_tick(pipeline: Pipeline, *, as_reference: bool = False) -> str:
    """The canonical script of a pipeline; EvaluationError for what no script can say."""
    return format_program((_AsReference if as_reference else _Writer)(pipeline).program())


class _Writer:
    """Writes what reads back."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._watched = watched_by(pipeline.nodes)
        # By node id, the expression that the chains of its children go on from.
        self._ends: dict[int, ast.Expr] = {}

    def program(self) -> ast.Program:
        statements: list[ast.Statement] = [
            ast.Dbrp(ast.Reference(dbrp.db), ast.Reference(dbrp.rp)) for dbrp in self._pipeline.dbrps
        ]
        for node in self._pipeline.nodes:
            if isinstance(node, Noop):
                continue
            expression = self._node(node)
            children = [child for child in node.children if not isinstance(child, Noop)]
            if len(children) > 1 or node.id in self._watched or (children and self._head(children[0]) is not node):
                statements.append(ast.Declaration(ast.Identifier(node.name), expression))
                expression = ast.Identifier(node.name)
            elif not children:
                statements.append(expression)
            self._ends[node.id] = expression
        return ast.Program(tuple(statements))

    def _head_place(self, node: Node) -> int:
        """Which parent stands before the bar."""
        return len(node.parents) - 1 if isinstance(node, Union) else 0

    def _head(self, node: Node) -> Node:
        head: Node = node.watched if isinstance(node, Stats) else node.parents[self._head_place(node)]
        return head

    def _node(self, node: Node) -> ast.Expr:
        if isinstance(node, Stream | Batch):
            expression: ast.Expr = ast.Identifier(node.method)
        else:
            if isinstance(node, Udf):
                operator, function = "@", ast.Function("dynamic", node.udf_name)
            else:
                operator, function = "|", ast.Function("chain", node.method, self._arguments(node))
            expression = ast.Chain(operator, self._ends[self._head(node).id], function)
        for name, args in self._properties(node):
            call = ast.Function("property", name, tuple(map(self._readable, args)))
            expression = ast.Chain(".", expression, call)
        return expression

    def _arguments(self, node: Node) -> Args:
        if isinstance(node, Join | Union):
            head = self._head_place(node)
            others = (*node.parents[:head], *node.parents[head + 1 :])
            return tuple(ast.Identifier(parent.name) for parent in others)
        return tuple(map(self._readable, node.printed_args()))

    def _properties(self, owner: Declared) -> Iterator[tuple[str, Args]]:
        """The property calls, in order; those of a handler follow the call that makes it."""
        for declared in self._order(owner):
            if isinstance(declared.type, HandlerType):
                for handler in getattr(owner, declared.attribute):
                    yield from self._handler(handler)
            else:
                for args in self._calls(owner, declared):
                    yield declared.name, args
        if isinstance(owner, Udf):
            yield from owner.printed_options()

    def _order(self, owner: Declared) -> Sequence[Property]:
        """The properties as they are called: behind a handler its own come first, so what those hide stands before it."""
        return sorted(
            owner.declaration.properties,
            key=lambda declared: isinstance(declared.type, HandlerType) and declared.name not in _HIDDEN,
        )

    def _handler(self, handler: Handler) -> Iterator[tuple[str, Args]]:
        yield handler.method, handler.printed_args()
        yield from self._properties(handler)

    def _calls(self, owner: Declared, declared: Property) -> Iterator[Args]:
        return declared.printed(owner)

    def _readable(self, value: ast.Expr) -> ast.Expr:
        """The value in a form that reads back as what it is, without comments."""
        if isinstance(value, ast.Lambda):
            return ast.Lambda(_readable(value.expression))
        return value


def _readable(expression: ast.Expr) -> ast.Expr:
    match expression:
        case ast.Binary():
            first, links = ast.left_spine(expression)
            result = _readable(first)
            for link in links:
                assert isinstance(link, ast.Binary)
                binds = PRECEDENCE[link.op]
                left = _grouped(result, binds)
                result = ast.Binary(link.op, left, _grouped(_readable(link.right), binds + 1), parens=link.parens)
            return result
        case ast.Unary(op=op, operand=operand):
            return ast.Unary(op, _grouped(_readable(operand), _UNARY))
        case ast.Function(kind=kind, name=name, args=args):
            return ast.Function(kind, name, tuple(map(_readable, args)))
        case ast.Lambda(expression=inner):
            return _grouped(_readable(inner), _UNARY)
        case ast.Int(value=value) if value < 0:
            return _grouped(INT.literal(value), _UNARY)
        case ast.Float(value=value):
            return _grouped(FLOAT.literal(value), _UNARY)
        case ast.Duration(value=value):
            return _grouped(duration_literal(value), _UNARY)
        case _:
            return dataclasses.replace(expression, comment=None)


def _grouped(expression: ast.Expr, binds: int) -> ast.Expr:
    """The expression in parentheses if its operator binds less than that."""
    if isinstance(expression, ast.Binary) and PRECEDENCE[expression.op] < binds:
        return dataclasses.replace(expression, parens=True)
    return expression


class _AsReference(_Writer):
    """Writes what the reference writes: what it forgets or spoils is forgotten or spoilt here."""

    _EMPTY: Final = frozenset({"on", "tags", "exclude"})
    _FORGOTTEN: Final = frozenset({"category", "discord"})
    _SERVICE: Final = frozenset({"serviceName", "groupName"})

    def _head_place(self, node: Node) -> int:  # noqa: ARG002  (a union, too, is put behind its first parent)
        return 0

    def _arguments(self, node: Node) -> Args:
        args = super()._arguments(node)
        if isinstance(node, InfluxQL):
            return tuple(ast.String(arg.literal) if isinstance(arg, ast.Duration) else arg for arg in args)
        return args

    def _order(self, owner: Declared) -> Sequence[Property]:
        return owner.declaration.properties

    def _handler(self, handler: Handler) -> Iterator[tuple[str, Args]]:
        if handler.method not in self._FORGOTTEN:
            yield from super()._handler(handler)

    def _calls(self, owner: Declared, declared: Property) -> Iterator[Args]:
        name = declared.name
        if name in self._FORGOTTEN or (name == "quiet" and not isinstance(owner, Eval)):
            return
        if name in self._SERVICE and isinstance(owner, SwarmAutoscale | Ec2Autoscale):
            return
        if name == "fill" and not isinstance(fill := getattr(owner, "fill", None), str) and fill == 0:
            raise EvaluationError("runtime error: invalid memory address or nil pointer dereference")
        printed = [*super()._calls(owner, declared)]
        if not printed and name in self._EMPTY and isinstance(getattr(owner, declared.attribute), tuple):
            printed = [()]
        for args in printed:
            if (declared.form is Form.SLOT or name == "groupBy") and all(map(_is_zero, args)):
                continue
            if isinstance(owner, Query) and name == "groupBy":
                yield (ast.List(args),)
            elif name == "flapping":
                yield args
            else:
                yield tuple(arg for arg in args if not _is_zero(arg))

    def _readable(self, value: ast.Expr) -> ast.Expr:
        def leaf(node: ast.Expr) -> ast.Expr:
            return ast.Regex(node.pattern, "//") if isinstance(node, ast.Regex) and not node.literal else node

        return _ungrouped(rewrite(value, leaf))


def _ungrouped(expression: ast.Expr) -> ast.Expr:
    """What the text of the expression means when parentheses stand only where a script has put them."""
    match expression:
        case ast.Lambda(expression=inner):
            return dataclasses.replace(expression, expression=_ungrouped(inner))
        case ast.Binary():
            first, links = ast.left_spine(expression)
            result = _ungrouped(first)
            for link in links:
                assert isinstance(link, ast.Binary)
                result = _joined(link, result, _ungrouped(link.right))
            return result
        case _:
            return expression


def _joined(link: ast.Binary, left: ast.Expr, right: ast.Expr) -> ast.Binary:
    binds = PRECEDENCE[link.op]
    if isinstance(left, ast.Binary) and not left.parens and PRECEDENCE[left.op] < binds:
        return dataclasses.replace(left, right=_joined(link, left.right, right))
    if isinstance(right, ast.Binary) and not right.parens and PRECEDENCE[right.op] <= binds:
        return dataclasses.replace(right, left=_joined(link, left, right.left))
    return dataclasses.replace(link, left=left, right=right)


def _is_zero(expression: ast.Expr) -> bool:
    match expression:
        case ast.Bool(value=value) | ast.Int(value=value) | ast.Float(value=value) | ast.String(value=value):
            return not value
        case ast.Duration(value=value):
            return not value
        case _:
            return False

"""A compiled expression: the checks that need no values, then evaluation row by row (spec 4.2, 4.5).

Compiling types every sub-expression of literals and operators, refuses what is no expression, and collects the names
that are referred to. An `Expression` itself never changes: states belong to the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tickscript import ast
from tickscript.lambdas.environment import DEFAULT, Environment
from tickscript.lambdas.errors import CompileError, DepthError, LambdaError
from tickscript.lambdas.interpreter import (
    Binary,
    Embedded,
    Function,
    Literal,
    Logical,
    Math,
    Node,
    Reference,
    Unary,
    missing_reference,
    unexpected,
)
from tickscript.lambdas.library import STATEFUL
from tickscript.lambdas.operators import LOGICAL, MATH
from tickscript.lambdas.state import State
from tickscript.lambdas.values import Duration, Kind, Regex, Value, decode, encode, wrap

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH: Final = 150
"""Levels of nesting that the evaluators follow. A chain of operators (`a + b + c`) is one level."""
MAX_CHAIN: Final = 400
"""Operators that may follow each other at one level; a run of one logical operator counts once."""
_RESULTS: Final = frozenset((Kind.BOOL, Kind.INT, Kind.FLOAT, Kind.STRING, Kind.DURATION))


class _Compiler:
    """One pass over a tree. `shape` mirrors the embedded lambdas: a list for each, nested."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.names: list[str] = []
        self.called: set[str] = set()
        self.depth = 0

    def compile(self, expression: ast.Expr, shape: list[Any]) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DepthError(f"expression nests deeper than {MAX_DEPTH} levels")
        node = self._node(expression, shape)
        self.depth -= 1
        return node

    def _node(self, expression: ast.Expr, shape: list[Any]) -> Node:
        match expression:
            case ast.Bool(value=value) | ast.Float(value=value):
                return Literal(expression, value)
            case ast.Int(value=number):
                return Literal(expression, wrap(number))
            case ast.String(value=text):
                return Literal(expression, encode(text))
            case ast.Duration(value=ns):
                return Literal(expression, Duration(wrap(ns)))
            case ast.Regex(pattern=pattern):
                return Literal(expression, Regex(pattern))
            case ast.Reference(name=name):
                if name not in self.names:
                    self.names.append(name)
                return Reference(expression)
            case ast.Unary(operand=operand):
                return Unary(expression, self._child(operand, "node", shape))
            case ast.Binary():
                return self._operation(expression, shape)
            case ast.Function(kind="global", name=name, args=args):
                self.called.add(name)
                nodes = tuple(self._child(a, f"{i} argument", shape) for i, a in enumerate(args, 1))
                return Function(expression, nodes, self.names, self.environment)
            case ast.Lambda(expression=inner):
                inner_shape: list[Any] = []
                index = len(shape)
                shape.append(inner_shape)
                return Embedded(expression, self._child(inner, "node", inner_shape), index)
            case _:
                kind = type(expression).__name__
                raise CompileError(f"Given node type is not valid evaluation node: *ast.{kind}Node")

    def _child(self, expression: ast.Expr, place: str, shape: list[Any]) -> Node:
        try:
            return self.compile(expression, shape)
        except DepthError:
            raise
        except CompileError as error:
            raise CompileError(f"Failed to handle {place}: {error}") from None

    def _operation(self, top: ast.Binary, shape: list[Any]) -> Node:
        """Operations nest to the left, and long ones far: the spine is walked from its end upwards."""
        spine = [top]
        while isinstance(below := spine[-1].left, ast.Binary):
            spine.append(below)
        above = len(spine) - 1
        try:
            node = self._child(spine[-1].left, "left node", shape)
            for operation in reversed(spine):
                node = _join(operation, node, self._child(operation.right, "right node", shape))
                above -= 1
        except DepthError:
            raise
        except CompileError as error:
            # A fault below the top is reported once for each level above it.
            raise CompileError("Failed to handle left node: " * above + str(error)) from None
        if _chain(node) > MAX_CHAIN:
            raise DepthError(f"more than {MAX_CHAIN} operators follow each other")
        return node


def _chain(node: Node) -> int:
    """How many operations begin with this node's first operand."""
    length = 0
    while isinstance(node, Binary | Logical):
        node = node.left if isinstance(node, Binary) else node.operands[0]
        length += 1
    return length


def _join(expression: ast.Binary, left: Node, right: Node) -> Node:
    """One operation over compiled operands, typed at once when both are constant."""
    node: Binary | Logical
    if expression.op in LOGICAL:
        merge = isinstance(left, Logical) and left.op == expression.op
        operands = (*left.operands, right) if merge and isinstance(left, Logical) else (left, right)
        node = Logical(expression, operands)
    else:
        node = Math(expression, left, right) if expression.op in MATH else Binary(expression, left, right)
    if node.constant:
        try:
            if isinstance(node, Logical):
                node.check({})
            else:
                node.operation({})
        except LambdaError as error:
            raise CompileError(str(error)) from None
    return node


class Expression:
    """A lambda, or a bare expression, ready to be evaluated.

    `references` are the names it refers to, in order of appearance. `stateful`: it calls a function that remembers.
    `impure`: it reads the clock. Raises `CompileError` for what no values can make right.
    """

    def __init__(self, expression: ast.Expr, environment: Environment = DEFAULT) -> None:
        compiler = _Compiler(environment)
        self.shape: list[Any] = []
        self.source = expression
        inner = expression.expression if isinstance(expression, ast.Lambda) else expression
        self.node: Node = compiler.compile(inner, self.shape)
        self.references: tuple[str, ...] = tuple(compiler.names)
        self.calls: frozenset[str] = frozenset(compiler.called)
        self.stateful: bool = not STATEFUL.isdisjoint(compiler.called)
        self.impure: bool = "now" in compiler.called
        self.environment = environment

    def new_state(self, beside: State | None = None) -> State:
        """The state of a group before its first row. Groups share the states of embedded lambdas: those of `beside`."""
        embedded = self._embedded(self.shape) if beside is None else beside.embedded
        return State(seed=self._seed(), embedded=embedded)

    def _seed(self) -> int:
        return self.environment.seed() if "rand" in self.calls else 0

    def _embedded(self, shape: list[Any]) -> list[State]:
        return [State(seed=self._seed(), embedded=self._embedded(inner)) for inner in shape]

    def kind(self, scope: Mapping[str, Value]) -> Kind:
        """The typing pass alone; raises `LambdaError`."""
        return self.node.kind(scope)

    def evaluate(self, scope: Mapping[str, Value], state: State | None = None) -> Value:
        """The value on one row, as eval nodes take it: bool, int, float, str or `Duration`.

        Names that the scope lacks are missing. Without a state the row is the first of its group. Raises
        `LambdaError`.
        """
        kind = self.node.kind(scope)
        if kind not in _RESULTS:
            if kind is not Kind.MISSING:
                raise unexpected(kind)
            name = self.node.missing()
            if isinstance(self.node, Reference):
                raise LambdaError(f'missing value: "{name}"')
            raise missing_reference(name)
        value: Value = self.node.value(scope, self.new_state() if state is None else state)
        return decode(value) if isinstance(value, bytes) else value

    def predicate(self, scope: Mapping[str, Value], state: State | None = None) -> bool:
        """The truth on one row, as where, alert and state nodes take it. Raises `LambdaError`."""
        self.node.kind(scope)
        return self.node.boolean(scope, self.new_state() if state is None else state)


def evaluate(expression: ast.Expr, environment: Environment = DEFAULT) -> Value:
    """The value of an expression without names, as scripts fold their constants (spec 3.1).

    Raises `CompileError` or `LambdaError`.
    """
    return Expression(expression, environment).evaluate({})

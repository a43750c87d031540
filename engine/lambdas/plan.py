"""From an expression and the kinds of its names to one step over columns.

The typing pass of the interpreter is asked with a stand-in value of each kind, so that the errors of types, their
order and their texts have one origin. A type error becomes a step that fails the rows which reach it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.lambdas.calls import call
from engine.lambdas.operations import Unplanned, binary
from engine.lambdas.steps import Step, after, column, derive, failure, literal
from tickscript.lambdas.errors import LambdaError
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
    no_negation,
    not_boolean,
    not_boolean_math,
    unexpected,
)
from tickscript.lambdas.library import STATEFUL
from tickscript.lambdas.state import State
from tickscript.lambdas.values import MISSING, NULL, Duration, Kind, Time, Value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from engine.lambdas.run import Run
    from engine.lambdas.steps import Mask
    from tickscript.lambdas.expression import Expression

STAND_INS: Final[dict[Kind, Value]] = {
    Kind.BOOL: True,
    Kind.INT: 1,
    Kind.FLOAT: 1.0,
    Kind.STRING: b"",
    Kind.DURATION: Duration(1),
    Kind.TIME: Time(0),
    Kind.MISSING: MISSING,
    Kind.NULL: NULL,
}


def parts(node: Node) -> tuple[Node, ...]:
    """The nodes right below a node, in order of compilation."""
    if isinstance(node, Unary):
        return (node.operand,)
    if isinstance(node, Binary):
        return (node.left, node.right)
    if isinstance(node, Logical):
        return node.operands
    if isinstance(node, Function):
        return node.args
    return (node.inner,) if isinstance(node, Embedded) else ()


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it, each before what is below it."""
    pending = [node]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(parts(node)))


def sequential(root: Node) -> bool:
    """Whether two calls share a state, so that their order within a row matters and no column can be computed alone."""
    seen: set[tuple[int, str]] = set()
    pending: list[tuple[Node, int]] = [(root, 0)]
    while pending:
        node, scope = pending.pop()
        if isinstance(node, Function) and node.name in STATEFUL:
            if (scope, node.name) in seen:
                return True
            seen.add((scope, node.name))
        if isinstance(node, Embedded):
            scope = id(node)
        pending.extend((part, scope) for part in parts(node))
    return False


class Planner:
    """Plans one expression for one assignment of kinds. `kinds` has every reference; `TIME` has no zone of its own."""

    def __init__(self, expression: Expression, kinds: Mapping[str, Kind]) -> None:
        self._zone = expression.environment.zone
        self._columns = {name: i for i, name in enumerate(expression.references)}
        self._scope = {name: STAND_INS[kind] for name, kind in kinds.items()}
        self._kinds = kinds
        # Embedded lambdas are numbered in the order in which they were compiled, as their states are.
        embedded = [node for node in walk(expression.node) if isinstance(node, Embedded)]
        self._numbers = {id(node): i for i, node in enumerate(embedded)}
        self._inside: int | None = None
        self._expression = expression

    def result(self) -> Step:
        """The step of an eval node's expression; as `Expression.evaluate`. Raises `Unplanned`."""
        return self._root(predicate=False)

    def truth(self) -> Step:
        """The step of a predicate; as `Expression.predicate`. Raises `Unplanned`."""
        return self._root(predicate=True)

    def _root(self, *, predicate: bool) -> Step:
        node = self._expression.node
        try:
            kind = node.kind(self._scope)
        except LambdaError as error:
            return failure(Kind.BOOL, str(error))
        if predicate:
            return self._boolean(node)
        if kind is Kind.MISSING:
            name = node.missing()
            if isinstance(node, Reference):
                return failure(Kind.BOOL, f'missing value: "{name}"')
            return failure(Kind.BOOL, str(missing_reference(name)))
        if kind in (Kind.TIME, Kind.REGEX):
            return failure(Kind.BOOL, str(unexpected(kind)))
        return self._value(node)

    def _value(self, node: Node) -> Step:
        """As `Node.value`."""
        if isinstance(node, Literal):
            return literal(node.kind(self._scope), node.content)
        if node.constant:
            return self._constant(node)
        if isinstance(node, Reference):
            return self._reference(node)
        if isinstance(node, Unary):
            return self._unary(node)
        if isinstance(node, Logical):
            return self._logical(node)
        if isinstance(node, Binary):
            return self._binary(node)
        if isinstance(node, Function):
            return self._call(node)
        assert isinstance(node, Embedded)
        return self._embedded(node, self._value)

    def _constant(self, node: Node) -> Step:
        kind = node.kind({})
        try:
            return literal(kind, node.value({}, State()))
        except LambdaError as error:
            return failure(kind, str(error))

    def _reference(self, node: Reference) -> Step:
        kind = self._kinds[node.name]
        if kind is Kind.MISSING:
            return failure(kind, str(missing_reference(node.name)))
        index = self._columns[node.name]
        return Step(kind, lambda run, _active: run.columns[index])

    def _unary(self, node: Unary) -> Step:
        if node.op == "!":
            operand = self._boolean(node.operand)
            return derive(Kind.BOOL, lambda run, active: ~_whole(operand, run, active), operand)
        operand = self._value(node.operand)
        kind = operand.kind
        if kind is Kind.STRING:
            return after(operand, failure(kind, str(no_negation(constant=node.constant))))
        if kind in (Kind.TIME, Kind.REGEX):
            return after(operand, failure(kind, str(unexpected(kind))))
        if kind is Kind.MISSING:
            return operand
        if kind is Kind.BOOL:
            return derive(kind, lambda run, active: ~_whole(operand, run, active), operand)
        return derive(kind, lambda run, active: np.negative(_whole(operand, run, active)), operand)

    def _binary(self, node: Binary) -> Step:
        if isinstance(node, Math):
            nodes = node.spine()
            step = self._value(nodes[0].left)
            for part in nodes:
                step = binary(part.op, step, self._value(part.right))
            return step
        try:
            node.operation(self._scope)
        except LambdaError as error:
            return failure(Kind.BOOL, str(error))
        return binary(node.op, self._value(node.left), self._value(node.right))

    def _logical(self, node: Logical) -> Step:
        try:
            node.check(self._scope)
        except LambdaError as error:
            return failure(Kind.BOOL, str(error))
        decides = node.op == "OR"
        steps: list[Step] = []
        for operand in node.operands:
            step = self._value(operand)
            if step.fixed and step.constant is not decides:
                continue
            steps.append(step)
            if step.fixed:
                break
        if not steps:
            return literal(Kind.BOOL, not decides)
        if steps[-1].fixed and all(s.free for s in steps):
            return steps[-1]
        return steps[0] if len(steps) == 1 else _chain(steps, decides)

    def _call(self, node: Function) -> Step:
        kinds = tuple(arg.kind(self._scope) for arg in node.args)
        signature = node.signature(kinds)
        args = [
            literal(kind, MISSING) if kind is Kind.MISSING else self._value(arg)
            for arg, kind in zip(node.args, kinds, strict=True)
        ]
        return call(node.name, signature, args, self._inside, self._zone)

    def _embedded(self, node: Embedded, plan: Any) -> Step:
        outside, self._inside = self._inside, self._numbers[id(node)]
        step: Step = plan(node.inner)
        self._inside = outside
        return step

    def _boolean(self, node: Node) -> Step:
        """As `Node.boolean`."""
        if isinstance(node, Embedded):
            return self._embedded(node, self._boolean)
        try:
            kind = node.kind(self._scope)
        except LambdaError as error:
            return failure(Kind.BOOL, str(error))
        if isinstance(node, Math):
            return failure(Kind.BOOL, str(not_boolean_math(kind)))
        if kind is Kind.MISSING:
            return failure(Kind.BOOL, str(missing_reference(node.missing())))
        if kind is not Kind.BOOL:
            return failure(Kind.BOOL, str(not_boolean(kind)))
        return self._value(node)


def _whole(step: Step, run: Run, active: Mask) -> Any:
    return column(step, step.run(run, active), run.n)


def _chain(steps: list[Step], decides: bool) -> Step:
    """Operands of `AND` (`decides` is False) or `OR`, evaluated from left to right where they are not yet decided."""
    first, *others = [(s, s.free and not s.costly) for s in steps]

    def run(run: Run, active: Mask) -> Any:
        result = _whole(first[0], run, active)
        for step, anywhere in others:
            if anywhere:
                found = step.run(run, active)
            else:
                reached = ~result if decides else result
                if active is not None:
                    reached = reached & active
                if not reached.any():
                    continue
                found = step.run(run, reached)
            result = result | found if decides else result & found
        return result

    return derive(Kind.BOOL, run, *steps)


__all__ = ["Planner", "Unplanned", "parts", "sequential", "walk"]

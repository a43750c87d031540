"""`match`: a lambda that decides which events a topic handler gets (alerts.md §11).

What it may ask of the event is put in place of the calls before the expression is compiled, under names that no tag can
have, so the language of lambdas stays one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from engine.alerts.levels import CRITICAL, INFO, OK, WARNING
from tickscript import ast
from tickscript.errors import TickscriptError
from tickscript.lambdas.errors import CompileError, LambdaError
from tickscript.lambdas.expression import Expression
from tickscript.lambdas.values import Duration
from tickscript.parser import parse_lambda

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.alerts.events import Delivery

_LEVELS: Final = {"OK": OK, "INFO": INFO, "WARNING": WARNING, "CRITICAL": CRITICAL}
_ASKED: Final[dict[str, Callable[[Delivery], Any]]] = {
    "level": lambda d: d.event.level,
    "changed": lambda d: d.event.level != d.previous,
    "name": lambda d: d.event.name,
    "taskName": lambda d: d.event.task,
    "alertDuration": lambda d: Duration(d.event.duration),
}
_MARK: Final = "\0"


class MatchError(ValueError):
    """The expression is none; the text is the client's."""


class Match:
    """One expression. `holds` raises LambdaError for an event on which it cannot be evaluated."""

    def __init__(self, text: str) -> None:
        try:
            tree = parse_lambda(text)
        except TickscriptError as error:
            raise MatchError(str(error)) from error
        self._tags: list[str] = []
        self._asked: set[str] = set()
        try:
            self._expression: Expression | None = Expression(self._put_in(tree))
            self._reason = ""
        except CompileError as error:
            # Accepted all the same, as in the reference: it fails for each event.
            self._expression, self._reason = None, str(error).replace(_MARK, "")
        self._state = None if self._expression is None else self._expression.new_state()

    def _put_in(self, node: Any) -> Any:
        match node:
            case ast.Function(kind="global", name=name, args=()) if name in _ASKED:
                self._asked.add(name)
                return ast.Reference(_MARK + name)
            case ast.Identifier(name=name):
                if name not in _LEVELS:
                    raise MatchError(f'unknown identifier "{name}"')
                return ast.Int(_LEVELS[name])
            case ast.Reference(name=name):
                self._tags.append(name)
                return node
            case ast.Unary():
                return replace(node, operand=self._put_in(node.operand))
            case ast.Binary():
                return self._put_in_chain(node)
            case ast.Lambda():
                return replace(node, expression=self._put_in(node.expression))
            case ast.Function(args=args):
                return replace(node, args=tuple(self._put_in(a) for a in args))
        return node

    def _put_in_chain(self, node: ast.Binary) -> Any:
        first, links = ast.left_spine(node)
        left = self._put_in(first)
        for link in links:
            left = replace(link, left=left, right=self._put_in(link.right))
        return left

    def holds(self, delivery: Delivery) -> bool:
        if self._expression is None:
            raise LambdaError(self._reason)
        tags = delivery.event.tags
        for name in self._tags:
            if name not in tags:
                raise LambdaError(f"no tag exists for {name}")
        scope: dict[str, Any] = {name: tags[name] for name in self._tags}
        scope.update((_MARK + name, _ASKED[name](delivery)) for name in self._asked)
        try:
            return self._expression.predicate(scope, self._state)
        except LambdaError as error:
            raise LambdaError(str(error).replace(_MARK, "")) from error

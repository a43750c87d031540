"""The reference interpreter: one row at a time, with the exact meaning and errors of the language (spec 4.2 to 4.6).

An expression is a tree of nodes with three questions. `kind` is the typing pass: what would come out, from the kinds
of the actual values; comparisons and logical operators answer bool without looking at their operands. `value` is
asked only after `kind` of the same node has answered on the same scope; nodes whose kind is fixed type their operands
first. `boolean` is for predicates and `!`, where the wrong kind has texts of its own. Only `value` and `boolean` touch
state, and only where the call is really evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tickscript.lambdas.errors import CallError, LambdaError
from tickscript.lambdas.library import LIBRARY, Signature, Source, find
from tickscript.lambdas.operators import BINARY, Operation, lookup, negate
from tickscript.lambdas.text import text_of
from tickscript.lambdas.values import MISSING, NULL, Kind, Time, Value, encode, kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickscript import ast
    from tickscript.lambdas.environment import Environment
    from tickscript.lambdas.state import State

    Scope = Mapping[str, Value]

_PREDICATE_WORDS: Final = {Kind.INT: "int64", Kind.FLOAT: "float64"}


def unexpected(kind: Kind) -> LambdaError:
    """A value that is no result: time, regex."""
    return LambdaError(f"expression returned unexpected type {kind.word}")


def not_boolean(kind: Kind) -> LambdaError:
    """A reference, literal or call of another kind where bool is needed."""
    return LambdaError(f"TypeGuard: expression returned unexpected type {kind.word}, expected boolean")


def not_boolean_math(kind: Kind) -> LambdaError:
    """Arithmetic where bool is needed."""
    return LambdaError(f"expression returned unexpected type {_PREDICATE_WORDS.get(kind, '<nil>')}")


def null_reference(name: str) -> LambdaError:
    return LambdaError(f'referenced value "{name}" is nil.')


def missing_reference(name: str) -> LambdaError:
    return LambdaError(f'reference "{name}" is missing value')


def no_negation(*, constant: bool) -> LambdaError:
    """Unary minus of a string; the text differs with whether the kind was known from the start."""
    return LambdaError(
        f"TypeGuard: expression returned unexpected type {'string' if constant else 'invalid type'}, expected string"
    )


class Node:
    """A part of an expression. `constant`: literals and operators only. `name`: of the reference that may be missing."""

    __slots__ = ("constant", "expression")

    constant: bool
    expression: ast.Expr
    evaluator: str = ""

    def kind(self, scope: Scope) -> Kind:
        """The kind of the result; raises `LambdaError` as the typing pass does."""
        raise NotImplementedError

    def value(self, scope: Scope, state: State) -> Any:
        """The value, strings as bytes; raises `LambdaError`."""
        raise NotImplementedError

    def boolean(self, scope: Scope, state: State) -> bool:
        """The value where bool is needed; raises `LambdaError`."""
        kind = self.kind(scope)
        if kind is Kind.MISSING:
            raise missing_reference(self.missing())
        if kind is not Kind.BOOL:
            raise not_boolean(kind)
        return bool(self.value(scope, state))

    def missing(self) -> str:
        """The name of the reference that makes the kind of this node `MISSING`."""
        raise NotImplementedError


class Literal(Node):
    __slots__ = ("_kind", "content")

    def __init__(self, expression: ast.Expr, content: Any) -> None:
        self.expression, self.constant = expression, True
        self.content = content
        self._kind = kind_of(content)

    def kind(self, scope: Scope) -> Kind:  # noqa: ARG002
        return self._kind

    def value(self, scope: Scope, state: State) -> Any:  # noqa: ARG002
        return self.content


class Reference(Node):
    __slots__ = ("name",)

    def __init__(self, expression: ast.Reference) -> None:
        self.expression, self.constant = expression, False
        self.name = expression.name

    def kind(self, scope: Scope) -> Kind:
        value = scope.get(self.name, MISSING)
        if value is NULL:
            raise null_reference(self.name)
        return kind_of(value)

    def value(self, scope: Scope, state: State) -> Any:  # noqa: ARG002
        value = scope.get(self.name, MISSING)
        if value is MISSING:
            raise missing_reference(self.name)
        return encode(value) if isinstance(value, str) else value

    def missing(self) -> str:
        return self.name


class Unary(Node):
    __slots__ = ("op", "operand")
    evaluator = "EvalUnaryNode"

    def __init__(self, expression: ast.Unary, operand: Node) -> None:
        self.expression, self.constant = expression, operand.constant
        self.op, self.operand = expression.op, operand

    def kind(self, scope: Scope) -> Kind:
        return Kind.BOOL if self.op == "!" else self.operand.kind(scope)

    def value(self, scope: Scope, state: State) -> Any:
        if self.op == "!":
            return not self.operand.boolean(scope, state)
        value = self.operand.value(scope, state)
        kind = kind_of(value)
        if kind is Kind.STRING:
            raise no_negation(constant=self.constant)
        if kind in (Kind.TIME, Kind.REGEX):
            raise unexpected(kind)
        return negate(value, kind)

    def missing(self) -> str:
        return self.operand.missing()


def check(node: Binary | Logical, left_kind: Kind, right_kind: Kind, left: Node, right: Node) -> Operation:
    """The operation for typed operands; raises `LambdaError` in the order of spec 4.4."""
    for side, kind, operand in (("left", left_kind, left), ("right", right_kind, right)):
        if kind is Kind.MISSING:
            if isinstance(operand, Reference):
                raise LambdaError(f'{side} reference value "{operand.name}" is missing value')
            raise LambdaError(f"expected {side}Evaluator to be *EvalReferenceNode got *stateful.{operand.evaluator}")
    return lookup(node.op, left_kind, right_kind)


class Binary(Node):
    """A comparison, whose kind is fixed."""

    __slots__ = ("left", "op", "right")

    def __init__(self, expression: ast.Binary, left: Node, right: Node) -> None:
        self.expression, self.constant = expression, left.constant and right.constant
        self.op, self.left, self.right = expression.op, left, right

    def operation(self, scope: Scope) -> Operation:
        left, right = self.left.kind(scope), self.right.kind(scope)
        return check(self, left, right, self.left, self.right)

    def kind(self, scope: Scope) -> Kind:  # noqa: ARG002
        return Kind.BOOL

    def value(self, scope: Scope, state: State) -> Any:
        operation = self.operation(scope)
        left = self.left.value(scope, state)
        return operation.call(left, self.right.value(scope, state))


class Math(Binary):
    """Arithmetic, whose kind follows from its operands. Long chains nest to the left and are walked in a loop."""

    __slots__ = ()

    def spine(self) -> list[Math]:
        """This node and the arithmetic that its left operand begins with, the innermost first."""
        nodes = [self]
        while isinstance(left := nodes[-1].left, Math):
            nodes.append(left)
        nodes.reverse()
        return nodes

    def operation(self, scope: Scope) -> Operation:
        nodes = self.spine()
        kind = nodes[0].left.kind(scope)
        for node in nodes:
            found = lookup(node.op, kind, node.right.kind(scope))
            kind = found.result
        return found

    def kind(self, scope: Scope) -> Kind:
        return self.operation(scope).result

    def value(self, scope: Scope, state: State) -> Any:
        nodes = self.spine()
        value = nodes[0].left.value(scope, state)
        for node in nodes:
            right = node.right.value(scope, state)
            value = BINARY[node.op, kind_of(value), kind_of(right)].call(value, right)
        return value

    def boolean(self, scope: Scope, state: State) -> bool:  # noqa: ARG002
        raise not_boolean_math(self.kind(scope))


class Logical(Node):
    """`AND` or `OR` over two or more operands: `a OR b OR c` is one node, so that long chains do not nest."""

    __slots__ = ("op", "operands")

    def __init__(self, expression: ast.Binary, operands: tuple[Node, ...]) -> None:
        self.expression = expression
        self.constant = all(o.constant for o in operands)
        self.op, self.operands = expression.op, operands

    def check(self, scope: Scope) -> None:
        """Type the operands, in the order of the nested form: the last first, the first two together."""
        first, second, *others = self.operands
        for operand in reversed(others):
            check(self, Kind.BOOL, operand.kind(scope), first, operand)
        left = first.kind(scope)
        check(self, left, second.kind(scope), first, second)

    def kind(self, scope: Scope) -> Kind:  # noqa: ARG002
        return Kind.BOOL

    def value(self, scope: Scope, state: State) -> Any:
        self.check(scope)
        decides = self.op == "OR"
        for operand in self.operands:
            if operand.value(scope, state) is decides:
                return decides
        return not decides


class Function(Node):
    """A call. `names` are all references of the whole expression, filled while it is compiled."""

    __slots__ = ("args", "environment", "name", "names", "signatures")

    def __init__(
        self, expression: ast.Function, args: tuple[Node, ...], names: list[str], environment: Environment
    ) -> None:
        self.expression, self.constant = expression, False
        self.name, self.args, self.names = expression.name, args, names
        self.environment = environment
        # Few signatures are ever met, and each argument has one of nine kinds, so the bound is that of the library.
        self.signatures: dict[tuple[Kind, ...], Signature] = {}

    def kind(self, scope: Scope) -> Kind:
        if self.name not in LIBRARY:
            raise LambdaError(f'undefined function: "{self.name}"')
        kinds = []
        for number, arg in enumerate(self.args, 1):
            try:
                kinds.append(arg.kind(scope))
            except LambdaError as error:
                raise LambdaError(f"Failed to handle {number} argument: {error}") from None
        return self.signature(tuple(kinds)).result

    def signature(self, kinds: tuple[Kind, ...]) -> Signature:
        """The signature for these kinds; raises `LambdaError`."""
        known = self.signatures.get(kinds)
        if known is None:
            known = find(self.name, kinds)
            if known is None:
                raise self.refuse(kinds)
            self.signatures[kinds] = known
        return known

    def refuse(self, kinds: tuple[Kind, ...]) -> LambdaError:
        """The error of a call that no signature fits."""
        missing = [text_of(a.expression) for a, kind in zip(self.args, kinds, strict=True) if kind is Kind.MISSING]
        if missing:
            others = ", ".join(f'"{n}"' for n in self.names if f'"{n}"' not in missing)
            noun, verb = ("argument", "is") if len(missing) == 1 else ("arguments", "are")
            return LambdaError(
                f'Cannot call function "{self.name}" {noun} {", ".join(missing)} {verb} missing, '
                f"values in scope are [{others}]"
            )
        args = ",".join(f"{text_of(a.expression)}: {kind.word}" for a, kind in zip(self.args, kinds, strict=True))
        available = ", ".join(f"({','.join(k.word for k in s.args)})" for s in LIBRARY[self.name])
        return LambdaError(
            f'Cannot call function "{self.name}" with args ({args}), available signatures are [{available}].'
        )

    def value(self, scope: Scope, state: State) -> Any:
        args = []
        for arg in self.args:
            if arg.evaluator or isinstance(arg, Reference):
                args.append(MISSING if arg.kind(scope) is Kind.MISSING else arg.value(scope, state))
            else:
                args.append(arg.value(scope, state))
        signature = self.signature(tuple([kind_of(a) for a in args]))
        if signature.source is Source.STATE:
            return signature.call(state, *args)
        if signature.source is Source.CLOCK:
            return Time(self.environment.now(), self.environment.zone)
        try:
            return signature.call(*args)
        except CallError as error:
            raise LambdaError(f'error calling "{self.name}": {error}') from None


class Embedded(Node):
    """A lambda inside a lambda: a sub-expression with a state of its own, at `index` of the states embedded here."""

    __slots__ = ("index", "inner")
    evaluator = "EvalLambdaNode"

    def __init__(self, expression: ast.Lambda, inner: Node, index: int) -> None:
        self.expression, self.constant = expression, False
        self.inner, self.index = inner, index

    def kind(self, scope: Scope) -> Kind:
        return self.inner.kind(scope)

    def value(self, scope: Scope, state: State) -> Any:
        return self.inner.value(scope, state.embedded[self.index])

    def boolean(self, scope: Scope, state: State) -> bool:
        return self.inner.boolean(scope, state.embedded[self.index])

    def missing(self) -> str:
        return self.inner.missing()

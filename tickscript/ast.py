"""The syntax tree of a TICKscript.

Every node is frozen and carries its position (`line`, `char`: 1-based, char counts bytes) and the comment that
stands before it (`None`, or lines with a "\\n" entry between blocks). Positions and comments take no part in
equality, so `parse(format(x)) == parse(x)` can be said directly. Shape: spec "TICKscript and lambda expressions",
sections 2 and 11.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    line: int = field(default=0, compare=False)
    char: int = field(default=0, compare=False)
    comment: tuple[str, ...] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Bool(Node):
    value: bool


@dataclass(frozen=True, slots=True)
class Int(Node):
    """An integer literal; `base` is 10, or 8 when written with a leading zero."""

    value: int
    base: int = 10


@dataclass(frozen=True, slots=True)
class Float(Node):
    value: float


@dataclass(frozen=True, slots=True)
class String(Node):
    value: str
    triple: bool = False


@dataclass(frozen=True, slots=True)
class Duration(Node):
    """A duration in nanoseconds; `literal` is the source text ("" for a computed value)."""

    value: int
    literal: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Regex(Node):
    """A regular expression: `pattern` is unescaped (RE2 syntax), `literal` the source text with slashes."""

    pattern: str
    literal: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Star(Node):
    pass


@dataclass(frozen=True, slots=True)
class Reference(Node):
    """A field or tag name in double quotes."""

    name: str


@dataclass(frozen=True, slots=True)
class Identifier(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`op` is "-" or "!"."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`op` as written in the script; the position is that of the operator."""

    op: str
    left: Expr
    right: Expr
    parens: bool = field(default=False, compare=False)
    multiline: bool = field(default=False, compare=False)

    def __eq__(self, other: object) -> bool:
        return _equal_links(self, other)

    def __hash__(self) -> int:
        return _hash_links(self)


@dataclass(frozen=True, slots=True)
class List(Node):
    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Lambda(Node):
    expression: Expr


@dataclass(frozen=True, slots=True)
class Function(Node):
    """A call. `kind` is "global", "chain" (after `|`), "property" (after `.`) or "dynamic" (after `@`)."""

    kind: str
    name: str
    args: tuple[Expr, ...] = ()
    multiline: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """`op` is "|", "." or "@"; `right` is a Function, or an Identifier when a property is read."""

    op: str
    left: Expr
    right: Function | Identifier

    def __eq__(self, other: object) -> bool:
        return _equal_links(self, other)

    def __hash__(self) -> int:
        return _hash_links(self)


@dataclass(frozen=True, slots=True)
class Declaration(Node):
    name: Identifier
    value: Expr


@dataclass(frozen=True, slots=True)
class TypeDeclaration(Node):
    name: Identifier
    type: Identifier


@dataclass(frozen=True, slots=True)
class Dbrp(Node):
    db: Reference
    rp: Reference


@dataclass(frozen=True, slots=True)
class Comment(Node):
    """The comment behind the last statement; its text is in `comment`."""


@dataclass(frozen=True, slots=True)
class Program(Node):
    statements: tuple[Statement, ...]


Expr: TypeAlias = (
    Bool | Int | Float | String | Duration | Regex | Star | Reference | Identifier
    | Unary | Binary | List | Lambda | Function | Chain
)  # fmt: skip
Statement: TypeAlias = Expr | Declaration | TypeDeclaration | Dbrp | Comment


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below a node, in the order of the script."""
    match node:
        case Unary(operand=child) | Lambda(expression=child):
            return (child,)
        case Binary(left=left, right=right) | Chain(left=left, right=right):
            return (left, right)
        case List(items=items) | Function(args=items):
            return items
        case Declaration(name=name, value=value):
            return (name, value)
        case TypeDeclaration(name=name, type=kind):
            return (name, kind)
        case Dbrp(db=db, rp=rp):
            return (db, rp)
        case Program(statements=statements):
            return statements
        case _:
            return ()


def left_spine(node: Binary | Chain) -> tuple[Expr, list[Binary | Chain]]:
    """What an operation or chain begins with, and its links from there outwards: `a + b + c` is `a`, `[a + b, … + c]`.

    A chain may be thousands of links deep; whatever walks a tree recursively goes down its left side with this instead.
    All other nesting is bounded by the parser.
    """
    kind = type(node)
    links: list[Binary | Chain] = []
    left: Expr = node
    while isinstance(left, kind):
        links.append(left)
        left = left.left
    links.reverse()
    return left, links


def _equal_links(node: Binary | Chain, other: object) -> bool:
    """Equality in a loop down the left sides, which are too deep for recursion."""
    left: object = node
    while isinstance(left, Binary | Chain):
        if type(left) is not type(other) or not isinstance(other, Binary | Chain):
            return False
        if left is other:
            return True
        if left.op != other.op or left.right != other.right:
            return False
        left, other = left.left, other.left
    return left == other


def _hash_links(node: Binary | Chain) -> int:
    first, links = left_spine(node)
    return hash((type(node), first, tuple((link.op, link.right) for link in links)))

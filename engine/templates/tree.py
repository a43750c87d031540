"""The syntax tree of a template.

Every node has the place where it begins, for error texts. A pipeline's value is that of its last command; a command is
operands side by side, of which the first may be a function or method that takes the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`line` counts from 1, `column` from 0; `source` is the node as error texts show it."""

    line: int
    column: int
    source: str = ""


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """`constant`: an untyped number that fits an int or a float."""

    value: Any
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Dot(Node):
    pass


@dataclass(frozen=True, slots=True)
class Nil(Node):
    pass


@dataclass(frozen=True, slots=True)
class Variable(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Function(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Fields(Node):
    """`.A.B` of a base; the base is Dot for a field of the data."""

    base: Operand
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command(Node):
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipeline(Node):
    """`names` are declared (`:=`), or assigned where `assigns`."""

    commands: tuple[Command, ...]
    names: tuple[str, ...] = ()
    assigns: bool = False


Operand: TypeAlias = Literal | Dot | Nil | Variable | Function | Fields | Pipeline


@dataclass(frozen=True, slots=True)
class Text(Node):
    text: str


@dataclass(frozen=True, slots=True)
class Action(Node):
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch(Node):
    """`kind` is "if", "with" or "range"."""

    kind: str
    pipeline: Pipeline
    body: Body
    otherwise: Body


@dataclass(frozen=True, slots=True)
class Jump(Node):
    """`break` or `continue`."""

    kind: str


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`{{template "name" pipeline}}`; also what `block` leaves."""

    name: str
    pipeline: Pipeline | None


Statement: TypeAlias = Text | Action | Branch | Jump | Call
Body: TypeAlias = tuple[Statement, ...]

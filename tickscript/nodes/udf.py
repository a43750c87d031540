"""`@name()`: a node that a user's own process computes (nodes.md 20, udf.md 11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tickscript import ast
from tickscript.declare import Arguments, CallError, Shape, declare, state
from tickscript.durations import format_duration, parse_duration_text
from tickscript.errors import DurationError
from tickscript.nodes.base import Graph, Node
from tickscript.nodes.types import ANY, STRING, Type
from tickscript.scope import go_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OPTION_TYPES: Final[Mapping[str, str]] = {
    "bool": "BOOL",
    "int64": "INT",
    "float64": "DOUBLE",
    "string": "STRING",
    "time.Duration": "DURATION",
}


@dataclass(frozen=True, slots=True)
class UdfInfo:
    """What a configured UDF says of itself: its edges, and the value types of each option.

    `wants` and `provides` are "stream" or "batch"; types are BOOL, INT, DOUBLE, STRING or DURATION. Of an `opaque` one
    nobody has asked its process: it takes and gives what its parent provides, and any option with any arguments.
    """

    wants: str
    provides: str
    options: Mapping[str, tuple[str, ...]]
    opaque: bool = False

    def takes(self, option: str) -> bool:
        """Whether a property call of this name is an option."""
        return self.opaque or option in self.options


OPAQUE: Final = UdfInfo("", "", {}, opaque=True)
"""A UDF of which only the name is known, for checks without a server."""


class _OptionType(Type):
    """A call of an option: its name and its arguments."""

    go = "option"
    word = "option"

    def pack(self, value: tuple[str, tuple[object, ...]]) -> Any:
        return [value[0], [ANY.pack(argument) for argument in value[1]]]

    def unpack(self, value: Any) -> tuple[str, tuple[object, ...]]:
        return value[0], tuple(ANY.unpack(argument) for argument in value[1])


@declare
class Udf(Node):
    """A node whose work a process of the user's does: named, with its options, in `[udf.functions]`.

    The options that the process declares are properties of the node; one hides a property of the same name. Barriers
    stop here.
    """

    method: ClassVar[str] = "@"
    go_name: ClassVar[str] = "UDFNode"
    type_of: ClassVar[str] = "udf"
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('disk')\n    @scaleBy()\n        .field('used')\n        .factor(1.5)"
    )

    udf_name: str = state(STRING, "")
    options: tuple[tuple[str, tuple[object, ...]], ...] = state(_OptionType(), (), shape=Shape.MANY, json="")
    info: UdfInfo = UdfInfo("stream", "stream", {})

    @property
    def kind(self) -> str:
        return self.udf_name

    @classmethod
    def make(cls, graph: Graph, parent: Node, name: str, info: UdfInfo) -> Udf:
        """The node that `parent@name()` stands for."""
        return cls(udf_name=name, info=info).attach(graph, parent)

    def set_edges(self, incoming: str) -> None:
        self.wants = self.info.wants or incoming
        self.provides = self.info.provides or incoming

    def set_option(self, name: str, args: Arguments) -> None:
        """Append a call of an option; CallError unless the arguments are of the declared types."""
        if not self.info.opaque:
            self._check_option(name, args)
        self.options = (*self.options, (name, tuple(args)))

    def _check_option(self, name: str, args: Arguments) -> None:
        expected = self.info.options[name]
        if len(args) != len(expected):
            raise CallError(f"unexpected number of args to {name}, got {len(args)} expected {len(expected)}", bare=True)
        for value, word in zip(args, expected, strict=True):
            found = _OPTION_TYPES.get(go_type(value), go_type(value))
            if found != word:
                raise CallError(f"unexpected arg to {name}, got {found} expected {word}", bare=True)

    def printed_options(self) -> Iterator[tuple[str, tuple[ast.Expr, ...]]]:
        """The calls of options, in the canonical text."""
        for name, args in self.options:
            yield name, tuple(map(ANY.literal, args))

    def json_fields(self) -> dict[str, Any]:
        fields = super().json_fields()
        for name, args in self.options:
            fields[name] = [
                format_duration(argument.value) if isinstance(argument, ast.Duration) else argument for argument in args
            ]
        return fields

    @classmethod
    def from_json_fields(cls, data: Mapping[str, Any]) -> Udf:
        made = super().from_json_fields(data)
        known = {"typeOf", "id", "udfName", "quiet"}
        made.options = tuple(
            (name, tuple(map(_from_json, args)))
            for name, args in data.items()
            if name not in known and isinstance(args, list)
        )
        return made


def _from_json(value: Any) -> object:
    """JSON cannot tell a duration from its text: text that reads as one is one (udf.md 11)."""
    if isinstance(value, str):
        try:
            return ast.Duration(parse_duration_text(value))
        except DurationError:
            return value
    return ANY.from_json(value)

"""What a kind of handler is: its options, its checks, and how events are sent (alerts.md §2, §11).

A service is one module beside this one: it declares a `Kind`, which makes handlers for topic handlers' options and for
what a script says. Options are decoded strictly: no unknown keys, no conversion of types; the case of a key does not
count. Texts of errors are the reference's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.alerts.events import Delivery, Event
    from tickscript.nodes.handlers import Handler as Declared


class OptionsError(ValueError):
    """The options are none of this kind; the text is the client's."""


class Collect(Protocol):
    """Puts an event on a topic. `previous`: its level of before, where its ID is new there; `path`: topics that it was on."""

    def __call__(self, topic: str, event: Event, previous: int = 0, path: tuple[str, ...] = ()) -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What handlers may use; `log` is the service's.

    `endpoints`: the configured `[[httppost]]` sections by name.
    """

    log: Any
    collect: Collect
    endpoints: Mapping[str, Any] = field(default_factory=dict)


class Handler(ABC):
    """A sink of events. `internal`: it also takes events that must not leave the server."""

    internal: ClassVar[bool] = False

    def start(self) -> None:  # noqa: B027 - most have nothing to start
        """Called once, in the event loop, when the handler is registered."""

    @abstractmethod
    async def send(self, deliveries: Sequence[Delivery]) -> None:
        """Send them in order. A failure is logged here and forgotten."""

    async def close(self) -> None:  # noqa: B027 - nor anything to close
        """Let go of everything; nothing is sent afterwards."""


class Text:
    """A type of option: what Go calls it, and whether a JSON value is one."""

    def __init__(self, word: str, fits: Callable[[Any], bool], empty: Any) -> None:
        self.word = word
        self.fits = fits
        self.empty = empty


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


STRING: Final = Text("string", lambda v: isinstance(v, str), "")
BOOL: Final = Text("bool", lambda v: isinstance(v, bool), False)
INT: Final = Text("int", lambda v: _is_int(v) or (isinstance(v, float) and v.is_integer()), 0)
DURATION: Final = Text("int64", INT.fits, 0)
"""Nanoseconds, as a number."""
MODE: Final = Text("uint32", lambda v: INT.fits(v) and v >= 0, 0)
STRINGS: Final = Text("[]string", lambda v: isinstance(v, list) and all(isinstance(i, str) for i in v), ())
TABLE: Final = Text(
    "map[string]string", lambda v: isinstance(v, dict) and all(isinstance(i, str) for i in v.values()), None
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of handler. `config`: the name of its options in errors; `options`: their types by key.

    `make(options, surroundings)` may raise OptionsError. `inline(declared)` gives the options of what a script says.
    """

    name: str
    config: str
    options: Mapping[str, Text]
    make: Callable[[dict[str, Any], Surroundings], Handler]
    inline: Callable[[Any], dict[str, Any]] | None = None

    def decode(self, given: Mapping[str, Any] | None) -> dict[str, Any]:
        """All options with their values or the empty ones. Raises OptionsError."""
        names = {name.lower(): name for name in self.options}
        out: dict[str, Any] = {name: kind.empty for name, kind in self.options.items()}
        wrong: list[str] = []
        unknown: list[str] = []
        for key, value in (given or {}).items():
            name = names.get(key.lower())
            if name is None:
                unknown.append(key)
            elif value is not None:
                kind = self.options[name]
                if kind.fits(value):
                    out[name] = int(value) if isinstance(kind.empty, int) and kind is not BOOL else value
                else:
                    wrong.append(
                        f"'{key}' expected type '{kind.word}', got unconvertible type '{_go_type(value)}', "
                        f"value: '{_shown(value)}'"
                    )
        if unknown:
            wrong.append(f"'' has invalid keys: {', '.join(sorted(unknown))}")
        if wrong:
            listed = "\n".join(f"* {line}" for line in sorted(wrong))
            text = f"failed to decode options into {self.config}: {len(wrong)} error(s) decoding:\n\n{listed}"
            raise OptionsError(text)
        return out


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "float64"
    if isinstance(value, str):
        return "string"
    return "[]interface {}" if isinstance(value, list) else "map[string]interface {}"


def _shown(value: Any) -> str:
    from engine.templates.formatting import text  # noqa: PLC0415 - only for errors

    return text(value)


def declared_options(declared: Declared, kind: Kind) -> dict[str, Any]:
    """The options of a handler that a script names."""
    return {} if kind.inline is None else kind.inline(declared)

"""A configuration file becomes a `Config`: defaults with the file merged in, every key known and of its type.

Merging (spec "Configuration" §2): a table merges key by key; a list replaces the default's. Exactly one `[[influxdb]]`
merges into the built-in one, of several each starts empty. An element of discord, httppost, kafka, kubernetes, mqtt, slack
and swarm starts from zero values and may be written as a single table. Letter case of keys does not matter. Kapacitor
ignores unknown keys; here they are an error that names all of them, because a key that is ignored is a key mistyped.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.config import kinds
from engine.config.config import Config
from engine.config.errors import ConfigError
from engine.config.services import Influxdb
from engine.config.values import Duration, Size

if TYPE_CHECKING:
    from pathlib import Path

    from engine.config.section import Section

_FROM_ZERO: Final = frozenset({"discord", "httppost", "kafka", "kubernetes", "mqtt", "slack", "swarm"})
_INFLUXDB_KEEPS: Final = frozenset(
    {"udp_buffer", "startup_timeout", "subscription_protocol", "subscriptions_sync_interval", "compression"}
)
_MAX_NAMED: Final = 8


def read(path: Path) -> Config:
    """The configuration of a file. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"parse config: {path}: {error}") from None
    return merge(table, str(path))


def merge(table: dict[str, Any], name: str) -> Config:
    """The defaults with `table` merged in; `name` is the file's, for errors. Raises ConfigError."""
    reading = _Reading(name)
    config = reading.section(Config, table, Config(), "")
    if reading.unknown:
        shown = ", ".join(reading.unknown[:_MAX_NAMED])
        more = len(reading.unknown) - _MAX_NAMED
        raise ConfigError(
            f"parse config: {name}: unknown {'keys' if len(reading.unknown) > 1 else 'key'}: {shown}"
            + (f" and {more} more" if more > 0 else "")
        )
    assert isinstance(config, Config)
    return config


class _Reading:
    """One file. Collects the unknown keys, so that they can be named together."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.unknown: list[str] = []

    def section(self, cls: type[Section], table: dict[str, Any], start: Section, path: str) -> Section:
        known = kinds.keys(cls)
        folded = {name.lower(): key for name, key in known.items()}
        given = {}
        for name, raw in table.items():
            key = known.get(name) or folded.get(name.lower())
            where = f"{path}.{name}" if path else name
            if key is None:
                self.unknown.append(where)
            else:
                given[key.field] = self.value(key.kind, raw, getattr(start, key.field), where, top=not path)
        return msgspec.structs.replace(start, **given)

    def value(self, kind: Any, raw: Any, start: Any, path: str, *, top: bool = False) -> Any:
        if kinds.is_section(kind):
            return self.section(kind, self._typed(dict, raw, kind, path), start, path)
        if (of := kinds.element(kind)) is not None:
            name = path.lower()
            if top and name in _FROM_ZERO and isinstance(raw, dict):
                raw = [raw]
            items = self._typed(list, raw, kind, path)
            return [
                self.value(of, item, _start(of, name, len(items), start), f"{path}[{i}]")
                for i, item in enumerate(items)
            ]
        if (of := kinds.entry(kind)) is not None:
            table = self._typed(dict, raw, kind, path)
            return {
                name: self.value(of, item, of() if kinds.is_section(of) else None, f"{path}.{name}")
                for name, item in table.items()
            }
        return self._scalar(kind, raw, path)

    def _scalar(self, kind: Any, raw: Any, path: str) -> Any:
        if kind is Any:
            return raw
        try:
            if kind is Duration:
                return Duration.parse(self._typed(str, raw, kind, path))
            if kind is Size:
                return Size.parse(self._typed((str, int), raw, kind, path))
        except ValueError as error:
            raise ConfigError(f"parse config: {self._name}: {path}: {error}") from None
        value = self._typed((int, float) if kind is float else kind, raw, kind, path)
        return float(value) if kind is float else value

    def _typed(self, types: Any, raw: Any, kind: Any, path: str) -> Any:
        if not isinstance(raw, types) or (isinstance(raw, bool) and types is not bool):
            raise ConfigError(f"parse config: {self._name}: {path} must be a {kinds.describe(kind)}, not {_shown(raw)}")
        return raw


def _start(of: Any, name: str, count: int, defaults: list[Any]) -> Any:
    """What an element of a list starts from."""
    if not kinds.is_section(of):
        return None
    if name in _FROM_ZERO:
        return kinds.zero(of)
    if of is Influxdb:
        if count == 1:
            return defaults[0]
        usual = Influxdb()
        return msgspec.structs.replace(kinds.zero(of), **{field: getattr(usual, field) for field in _INFLUXDB_KEEPS})
    return of()


def _shown(raw: Any) -> str:
    if isinstance(raw, dict):
        return "a table"
    return "a list" if isinstance(raw, list) else repr(raw) if isinstance(raw, str) else str(raw).lower()

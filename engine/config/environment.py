"""Variables of the environment over a configuration (spec "Configuration" §3).

A variable is `KAPACITOR_` and the path of keys, in upper case, `-` as `_`, joined by `_`; elements of lists by their
index from 0. Only elements that exist can be set, an empty variable counts as not set, and unknown ones are ignored. In a
table of free names the rest of the variable's name, case kept, is the entry's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.config import kinds
from engine.config.errors import ConfigError
from engine.config.values import Duration, Size, parse_bool, parse_int

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.config.config import Config
    from engine.config.section import Section

PREFIX: Final = "KAPACITOR"
_WITHOUT_INDEX: Final = f"{PREFIX}_KUBERNETES"
_PARSERS: Final[dict[Any, Any]] = {
    str: str,
    bool: parse_bool,
    int: parse_int,
    float: float,
    Duration: Duration.parse,
    Size: lambda text: Size.parse(int(text) if text.isdigit() else text),
    Any: str,
}


def apply(config: Config, variables: Mapping[str, str]) -> Config:
    """`config` with what the variables set. Raises ConfigError for a value that does not fit its key."""
    relevant = {name: text for name, text in variables.items() if name.startswith(f"{PREFIX}_") and text}
    if not relevant:
        return config
    changed: Config = _section(config, PREFIX, relevant)
    return changed


def variable(path: str) -> str:
    """The variable of a path of keys, such as `http.bind-address`."""
    return f"{PREFIX}_" + path.upper().replace("-", "_").replace(".", "_")


def _section(section: Section, prefix: str, variables: Mapping[str, str]) -> Any:
    changed = {}
    for key in kinds.keys(type(section)).values():
        name = f"{prefix}_{key.name.upper().replace('-', '_')}"
        old = getattr(section, key.field)
        new = _value(key.kind, old, name, key.name, variables)
        if new is not old:
            changed[key.field] = new
    return msgspec.structs.replace(section, **changed) if changed else section


def _value(kind: Any, old: Any, name: str, key: str, variables: Mapping[str, str]) -> Any:
    if kinds.is_section(kind):
        return _section(old, name, variables)
    if (of := kinds.element(kind)) is not None:
        new = [_value(of, item, f"{name}_{i}", key, variables) for i, item in enumerate(old)]
        if name == _WITHOUT_INDEX and len(new) == 1:
            new = [_value(of, new[0], name, key, variables)]
        return new if any(a is not b for a, b in zip(new, old, strict=True)) else old
    if (of := kinds.entry(kind)) is not None:
        if of is not str:
            return old
        start = f"{name}_"
        added = {n.removeprefix(start): text for n, text in variables.items() if n.startswith(start) and n != start}
        return {**old, **added} if added else old
    text = variables.get(name)
    return old if text is None else _parse(kind, text, name, key)


def _parse(kind: Any, text: str, name: str, key: str) -> Any:
    try:
        return _PARSERS[kind](text)
    except ValueError as error:
        if kind is Duration:
            raise ConfigError(f"apply env config: {name}: failed to unmarshal env var: {error}") from None
        go = "".join(part.capitalize() for part in key.replace("_", "-").split("-"))
        raise ConfigError(
            f"apply env config: failed to apply {name} to {go} using type {kinds.describe(kind)} and value '{text}'"
        ) from None

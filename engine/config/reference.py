"""docs/configuration.md, made of the declarations: `python -m engine.config.reference docs/configuration.md`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from engine.config import kinds
from engine.config.config import Config
from engine.config.values import Duration, Size

_HEAD: Final = """<!-- Made by `python -m engine.config.reference docs/configuration.md` from the declarations: do not edit. -->
# Configuration

The file is TOML in the form of kapacitor.conf. `tickworks serve --config FILE` names it; otherwise it is
`$KAPACITOR_CONFIG_PATH`, `~/.tickworks/tickworks.conf` or `/etc/tickworks/tickworks.conf`, the first that is there; without any,
the defaults hold and the data lies in `~/.tickworks`. The environment wins over the file, and the command line over both.

A key that is not known is an error that names it, so that a key mistyped is noticed (Kapacitor ignores it). Letter case of keys
does not matter. Durations are written as in Go: `10s`, `1m30s`, `100ms`, not `1d`. Sizes are bytes, or have a unit: `64KiB`,
`256MiB`, `1GiB`, `10MB`.

A variable of the environment is `KAPACITOR_` and the path of keys in upper case, `-` as `_`, joined by `_`; elements of lists
by their index from 0: `KAPACITOR_HTTP_BIND_ADDRESS=:9093`, `KAPACITOR_HTTPPOST_0_URL=http://example.com`. Only elements that the
file (or the defaults) have can be set, and an empty variable counts as not set. Entries of a table are named by the rest of the
variable, case kept.

The least that is needed is nothing: `tickworks serve` starts without a file. With a file, `data_dir` (or `--data-dir`) is needed.
"""

_WITHOUT: Final = """
## Accepted, without effect yet

These sections and keys are known and checked for their types, so that a file written for Kapacitor can be used; this version
does not act on them. The server warns at start when one of them differs from its default.

| section | keys and defaults |
|---|---|
"""


def text() -> str:
    """The page."""
    top = [key for key in kinds.keys(Config).values() if not _section(key.kind)]
    parts = [_HEAD, "\n## Top level\n\n", _table([key for key in top if key.meaning], Config())]
    idle = [("(top level)", [key for key in top if not key.meaning], Config())]
    for key in kinds.keys(Config).values():
        section = _section(key.kind)
        if section is None:
            continue
        shown = f"[[{key.name}]]" if kinds.element(key.kind) else f"[{key.name}]"
        known = list(kinds.keys(section).values())
        if any(k.meaning for k in known):
            parts.append(f"\n## `{shown}`\n\n{(section.__doc__ or '').strip()}\n\n")
            parts.append(_table([k for k in known if k.meaning], section()))
        if not all(k.meaning for k in known):
            idle.append((f"`{shown}`", [k for k in known if not k.meaning], section()))
    parts.append(_WITHOUT)
    parts += [f"| {name} | {', '.join(_short(key, start) for key in keys)} |\n" for name, keys, start in idle]
    return "".join(parts)


def _section(kind: Any) -> Any:
    """The section that a key holds, one or a list of them; None for a value."""
    of = kinds.element(kind) or kind
    return of if kinds.is_section(of) else None


def _table(keys: list[kinds.Key], start: Any) -> str:
    rows = ["| key | type | default | meaning |\n", "|---|---|---|---|\n"]
    rows += [
        f"| `{key.name}` | {kinds.describe(key.kind)} | {_default(getattr(start, key.field))} | {key.meaning} |\n"
        for key in keys
    ]
    return "".join(rows)


def _short(key: kinds.Key, start: Any) -> str:
    value = getattr(start, key.field)
    if _section(key.kind) is not None or value in ("", [], {}, False, 0, 0.0):
        return f"`{key.name}`"
    return f"`{key.name}` {_default(value)}"


def _default(value: Any) -> str:
    if isinstance(value, Duration | Size):
        return f"`{value}`"
    if isinstance(value, msgspec.Struct):
        return ""
    shown = str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else _toml(value)
    return "" if shown in ("", "[]", "{}") else f"`{shown}`".replace("|", "\\|")


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")

"""The configuration: where each setting comes from, and how it becomes `engine.settings.Settings`.

Order, the later wins: defaults, file, environment, command line (spec "Configuration" §1). The file is what the command line
names, else $KAPACITOR_CONFIG_PATH, else the first that is there of ~/.tickworks/tickworks.conf and
/etc/tickworks/tickworks.conf, else none.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.config import environment, mapping, reader
from engine.config.config import Config
from engine.config.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.settings import Settings

__all__ = ["Config", "ConfigError", "Flags", "Loaded", "load"]


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says; None where it says nothing. `http` is ADDR:PORT."""

    data_dir: Path | None = None
    http: str | None = None
    log_level: str | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result: the settings, the file they come from, where the log goes, and what has no effect yet."""

    settings: Settings
    path: Path | None
    log_file: str
    without_effect: tuple[str, ...]


def load(path: Path | None, flags: Flags, variables: Mapping[str, str] | None = None) -> Loaded:
    """Find, read and check the configuration. `variables` are the environment's unless given. Raises ConfigError."""
    variables = os.environ if variables is None else variables
    path = path or _usual_path(variables)
    if path is None or path == Path(os.devnull):
        home = Path(variables.get("HOME") or Path.cwd())
        config = msgspec.structs.replace(Config(), data_dir=str(home / ".tickworks"))
    else:
        config = reader.read(path)
    config = _with_flags(environment.apply(config, variables), flags)
    return Loaded(mapping.to_settings(config), path, config.logging.file, tuple(mapping.without_effect(config)))


def _usual_path(variables: Mapping[str, str]) -> Path | None:
    named = variables.get("KAPACITOR_CONFIG_PATH")
    if named:
        return Path(named)
    places = [Path("/etc/tickworks/tickworks.conf")]
    if home := variables.get("HOME"):
        places.insert(0, Path(home) / ".tickworks" / "tickworks.conf")
    return next((place for place in places if place.is_file()), None)


def _with_flags(config: Config, flags: Flags) -> Config:
    replace = msgspec.structs.replace
    if flags.data_dir is not None:
        config = replace(config, data_dir=str(flags.data_dir))
    if flags.http is not None:
        config = replace(config, http=replace(config.http, bind_address=flags.http))
    if flags.log_level is not None:
        config = replace(config, logging=replace(config.logging, level=flags.log_level))
    return config

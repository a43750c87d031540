"""The configuration: where each setting comes from, and how it becomes `engine.settings.Settings`.

Order, the later wins: defaults, file, environment, command line (spec "Configuration" §1).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from engine.settings import HttpSettings, Settings


class ConfigError(Exception):
    """The configuration cannot be used; one line that says where and why."""


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says; None where it says nothing. `http` is ADDR:PORT."""

    data_dir: Path | None = None
    http: str | None = None
    log_level: str | None = None


def load(path: Path | None, flags: Flags) -> Settings:
    """The settings of a server. Raises ConfigError."""
    host, _, port = (flags.http or ":9092").rpartition(":")
    data_dir = str(flags.data_dir) if flags.data_dir else os.path.expanduser("~/.tickworks")
    return Settings(
        data_dir=data_dir, log_level=flags.log_level or "info", http=HttpSettings(host=host, port=int(port))
    )

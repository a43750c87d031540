"""The one error of the configuration."""

from __future__ import annotations


class ConfigError(Exception):
    """The configuration cannot be used; one line that says where and why."""

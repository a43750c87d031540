"""The kinds of handlers, and what makes a handler of a specification or of what a script says.

A further service is a module beside this one and a line in `KINDS`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from engine.alerts.handlers import aggregate, exec, log, post, publish, tcp  # noqa: A004 - kinds are named as in scripts
from engine.alerts.handlers.absent import AbsentHandler
from engine.alerts.handlers.base import Handler, Kind, OptionsError, Surroundings
from engine.alerts.way_out import Inline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickscript.nodes.handlers import Handler as Declared

__all__ = ["KINDS", "OptionsError", "Surroundings", "inline", "make"]

KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {module.KIND.name: module.KIND for module in (aggregate, exec, log, post, publish, tcp)}
)
ABSENT: Final = frozenset(
    {
        "alerta", "bigpanda", "discord", "hipchat", "kafka", "mqtt", "opsgenie", "opsgenie2", "pagerduty",
        "pagerduty2", "pushover", "sensu", "servicenow", "slack", "smtp", "snmptrap", "talk", "teams", "telegram",
        "victorops", "zenoss",
    }
)  # fmt: skip
"""Kinds that scripts and specifications may name but that send nothing."""


def make(kind: str, options: Mapping[str, Any] | None, surroundings: Surroundings) -> Handler:
    """Raises OptionsError with the client's text."""
    if kind in ABSENT:
        return AbsentHandler(kind, surroundings.log)
    found = KINDS.get(kind)
    if found is None:
        raise OptionsError(f'unsupported action kind "{kind}"')
    return found.make(found.decode(options), surroundings)


def inline(declared: Declared) -> Inline:
    """A handler of a script as a kind with its options."""
    name = "smtp" if declared.method == "email" else declared.method.lower()
    kind = KINDS.get(name)
    if kind is None or kind.inline is None:
        return Inline(name, {})
    return Inline(name, kind.inline(declared))

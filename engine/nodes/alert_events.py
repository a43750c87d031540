"""The events of a frame's units of one section: their texts rendered, by column where the templates allow it.

Units are asked for in order of arrival, so that a template that fails, which ends the task, does so behind everything that
was told before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.alerts.events import Event
from engine.alerts.text_columns import Verdicts, identities, text_columns
from engine.alerts.texts import Subject
from engine.frames.model import Span

if TYPE_CHECKING:
    from engine.alerts.texts import ServerInfo, Texts
    from engine.nodes.alert_rows import Triggers


@dataclass(frozen=True, slots=True)
class Teller:
    """What all events of a node have in common. `listened`: whether somebody hears them, so that they need their data."""

    task: str
    category: str
    texts: Texts
    server: ServerInfo
    listened: bool
    recoverable: bool


class SectionEvents:
    """The events of `triggers`; `ids` and `messages` of those that were told."""

    def __init__(self, teller: Teller, triggers: Triggers, verdicts: Verdicts) -> None:
        self.triggers = triggers
        self.verdicts = verdicts
        self.ids: list[str] = []
        self.messages: list[str] = []
        self._teller = teller
        self._series = triggers.series() if teller.listened else []
        self._known = text_columns(teller.texts, teller.task, teller.server, triggers, verdicts)

    @property
    def done(self) -> int:
        """How many were told."""
        return len(self.ids)

    def next(self) -> Event:
        """The event of the next unit. Raises ExecutionError."""
        unit, triggers, teller, known = len(self.ids), self.triggers, self._teller, self._known
        level, time, duration = self._verdict(unit)
        fields, tags = triggers.fields(unit), triggers.tags(unit)
        if known.ids is not None and known.messages is not None and known.details is not None:
            identity, message, details = known.ids[unit], known.messages[unit], known.details[unit]
        else:
            identity, message, details = self._rendered(unit, fields)
        series: tuple[str, ...] = ()
        failure = ""
        if teller.listened:
            row = self._series[unit]
            if isinstance(row, str):
                series = (row,)
            else:
                failure = str(row)
        self.ids.append(identity)
        self.messages.append(message)
        return Event(
            identity, level, time, duration, message, details, triggers.name, teller.task, triggers.groups[unit],
            teller.category, tags, fields, series, failure, teller.recoverable,
        )  # fmt: skip

    def _verdict(self, unit: int) -> tuple[int, int, int]:
        verdicts = self.verdicts
        return verdicts.levels[unit], verdicts.times[unit], verdicts.durations[unit]

    def _rendered(self, unit: int, fields: dict[str, Any]) -> tuple[str, str, str]:
        subject = subject_of(self._teller, self.triggers, unit)
        known, texts = self._known, self._teller.texts
        identity = known.ids[unit] if known.ids is not None else texts.identity.render(subject)
        level, time, duration = self._verdict(unit)
        subject.judge(identity, fields, level, time, Span(duration))
        message = known.messages[unit] if known.messages is not None else texts.message.render(subject)
        subject.say(message)
        return identity, message, texts.details.render(subject)


def subject_of(teller: Teller, triggers: Triggers, unit: int) -> Subject:
    """What the id's template sees of a unit."""
    tags, texts = triggers.tags(unit), triggers.texts(unit)
    return Subject(triggers.name, teller.task, triggers.group_names[unit], tags, teller.server, texts)


def identities_of(teller: Teller, triggers: Triggers) -> list[str]:
    """The id of every unit, before anything is known of its level. Raises ExecutionError."""
    known = identities(teller.texts, teller.task, teller.server, triggers)
    if known is not None:
        return known
    render = teller.texts.identity.render
    return [render(subject_of(teller, triggers, i)) for i in range(len(triggers.group_names))]

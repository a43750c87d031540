"""The texts of many alerts at once, for templates that are text and plain values: columns in, a text an alert out.

Each says exactly what rendering the template for each alert would; what is not plain is left to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from engine.alerts.events import go_text
from engine.alerts.levels import NAMES
from engine.frames.model import Span
from engine.rows import time_text
from engine.templates.formatting import printed
from engine.templates.html import escape_text
from engine.templates.times import GoTime
from tickscript.durations import go_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.alerts.texts import ServerInfo, Texts
    from engine.templates.plain import Parts, Value

_MAPS: Final = frozenset({"Tags", "Fields"})


class Units(Protocol):
    """What templates may tell of points or batches, a column of each. `group_names` are as templates see them."""

    name: str
    group_names: Sequence[str]

    def tag_column(self, key: str) -> Sequence[str | None]:
        """The tag of each alert, None where it is absent."""

    def field_column(self, key: str) -> Sequence[Any]:
        """The field of each alert, None where it is absent."""

    def json_columns(self) -> tuple[Sequence[str], Sequence[str]] | None:
        """Tags and fields of each alert as JSON; None where not all have it at hand."""


@dataclass(slots=True)
class TextColumns:
    """A text an alert; None for those whose template has to be rendered alert by alert."""

    ids: list[str] | None
    messages: list[str] | None = None
    details: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Level, time and duration (ns) of each alert."""

    levels: Sequence[int] = ()
    times: Sequence[int] = ()
    durations: Sequence[int] = ()


_OF_ID: Final = frozenset({"Name", "TaskName", "Group", "Tags"})
_OF_MESSAGE: Final = _OF_ID | {"ID", "Fields", "Level", "Time", "Duration"}
_OF_DETAILS: Final = _OF_MESSAGE | {"Message"}


def identities(texts: Texts, task: str, server: ServerInfo, units: Units) -> list[str] | None:
    """The id of each unit, where its template is plain."""
    return _Rendering(task, server, units, Verdicts()).rendered(texts.identity.plain, _OF_ID)


def text_columns(texts: Texts, task: str, server: ServerInfo, units: Units, verdicts: Verdicts) -> TextColumns:
    """All three texts, as far as templates are plain: a text is needed for those after it."""
    rendering = _Rendering(task, server, units, verdicts)
    out = TextColumns(rendering.rendered(texts.identity.plain, _OF_ID))
    if out.ids is None:
        return out
    rendering.known["ID"] = out.ids
    out.messages = rendering.rendered(texts.message.plain, _OF_MESSAGE)
    if out.messages is None:
        return out
    rendering.known["Message"] = out.messages
    out.details = rendering.rendered(texts.details.plain, _OF_DETAILS, html=True)
    return out


class _Rendering:
    """Makes each column once."""

    def __init__(self, task: str, server: ServerInfo, units: Units, verdicts: Verdicts) -> None:
        self._units = units
        self._verdicts = verdicts
        self._task = task
        self._server = server
        self._count = len(units.group_names)
        self.known: dict[str, Sequence[str]] = {}

    def rendered(self, parts: Parts | None, allowed: frozenset[str], *, html: bool = False) -> list[str] | None:
        """The template for each alert; None where a value is not at hand in columns."""
        if parts is None:
            return None
        shape, columns = "", []
        for part in parts:
            if isinstance(part, str):
                shape += part.replace("%", "%%")
                continue
            column = self._json(part.end) if part.json else self._column(part, allowed, html=html)
            if column is None:
                return None
            shape += "%s"
            columns.append([escape_text(t) for t in column] if html else column)
        if not columns:
            return [shape % ()] * self._count
        return [shape % row for row in zip(*columns, strict=True)]

    def _column(self, value: Value, allowed: frozenset[str], *, html: bool) -> Sequence[str] | None:
        if value.field not in allowed or (value.field in _MAPS) != (value.key is not None):
            return None
        if value.key is None:
            return self._field(value.field)
        column = self._units.tag_column if value.field == "Tags" else self._units.field_column
        missing = "" if html or (value.index and value.field == "Tags") else printed(None)
        return [missing if v is None else printed(v) for v in column(value.key)]

    def _field(self, name: str) -> Sequence[str]:
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = self._made(name)
        return found

    def _made(self, name: str) -> Sequence[str]:
        units, verdicts = self._units, self._verdicts
        match name:
            case "Name":
                return [units.name] * self._count
            case "TaskName":
                return [self._task] * self._count
            case "Group":
                return units.group_names
            case "Level":
                return [NAMES[level] for level in verdicts.levels]
            case "Time":
                return [GoTime(t).go_text() for t in verdicts.times]
        assert name == "Duration"
        return [go_duration(Span(d)) for d in verdicts.durations]

    def _json(self, end: str) -> list[str] | None:
        """The alerts as JSON, as `json .` of the details has them."""
        texts = self._units.json_columns()
        if texts is None:
            return None
        units, verdicts = self._units, self._verdicts
        head = f'{{"Name":{go_text(units.name)},"TaskName":{go_text(self._task)},"Group":'
        server = f',"ServerInfo":{self._server.go_json()},"ID":'
        often: Callable[[str], str] = {g: go_text(g) for g in set(units.group_names)}.__getitem__
        rows = zip(
            map(often, units.group_names), texts[0], self.known["ID"], texts[1], verdicts.levels, verdicts.times,
            verdicts.durations, self.known["Message"], strict=True,
        )  # fmt: skip
        return [
            f'{head}{group},"Tags":{tags}{server}{go_text(identity)},"Fields":{fields},"Level":"{NAMES[level]}",'
            f'"Time":"{time_text(time)}","Duration":{duration},"Message":{go_text(message)}}}{end}'
            for group, tags, identity, fields, level, time, duration, message in rows
        ]

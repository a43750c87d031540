"""The texts of an alert: id, message and details, each a template that is read once (alerts.md §4).

The three templates see the same alert, each with what the one before it made: the id template has no id, level, time or
fields yet. The details template is HTML; `json` there is what the default details consist of.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from engine.alerts.events import go_text
from engine.alerts.levels import NAMES
from engine.operator import TaskError
from engine.templates import ParseError, Struct, parse
from engine.templates.functions import go_json
from engine.templates.html import HTML_FUNCTIONS, parse_html
from engine.templates.times import GoTime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.frames.model import Span
    from engine.templates import Template, TextMap


_often = lru_cache(4096)(go_text)
"""For texts of which there are few: names and groups."""


class ServerInfo(Struct):
    """`.ServerInfo` of every template."""

    go_type = "kapacitor.serverInfo"

    def __init__(self, hostname: str, cluster: str, server: str) -> None:
        self._fields = {"Hostname": hostname, "ClusterID": cluster, "ServerID": server}
        self._text = "{" + " ".join(self._fields.values()) + "}"
        self._json = "{" + ",".join(f"{go_text(k)}:{go_text(v)}" for k, v in self._fields.items()) + "}"

    def go_field(self, name: str) -> Any:
        return self._fields[name]

    def go_text(self) -> str:
        return self._text

    def go_json(self) -> str:
        return self._json


_ORDER: Final = (
    "Name", "TaskName", "Group", "Tags", "ServerInfo", "ID", "Fields", "Level", "Time", "Duration", "Message",
)  # fmt: skip


class Subject(Struct):
    """What a template sees. The node makes one an event, renders the id, adds to it, and goes on.

    `texts`: the JSON of tags and fields where it is at hand.
    """

    go_type = "kapacitor.idInfo"

    def __init__(
        self, name: str, task: str, group: str, tags: TextMap, server: ServerInfo, texts: tuple[str, str] | None = None
    ) -> None:
        self.known: dict[str, Any] = {
            "Name": name, "TaskName": task, "Group": group, "Tags": tags, "ServerInfo": server,
        }  # fmt: skip
        self._texts = texts

    def judge(self, identity: str, fields: dict[str, Any], level: int, time: int, duration: Span) -> None:
        """Add what the message may tell."""
        known = self.known
        self.go_type = "kapacitor.messageInfo"
        known["ID"] = identity
        known["Fields"] = fields
        known["Level"] = NAMES[level]
        known["Time"] = GoTime(time)
        known["Duration"] = duration

    def say(self, message: str) -> None:
        """Add what the details may tell."""
        self.go_type = "kapacitor.detailsInfo"
        self.known["Message"] = message

    def go_field(self, name: str) -> Any:
        return self.known[name]

    def go_text(self) -> str:
        from engine.templates.formatting import text  # noqa: PLC0415 - only for a template that prints the whole alert

        out = ""
        for names in (_ORDER[:5], _ORDER[5:10], _ORDER[10:]):
            # Each kind of text sees a structure that begins with that of the one before.
            members = [text(self.known[k]) for k in names if k in self.known]
            out = "{" + " ".join([out, *members] if out else members) + "}" if members else out
        return out

    def go_json(self) -> str:
        known = self.known
        if self._texts is None or "Message" not in known:
            return "{" + ",".join([f'"{key}":{go_json(known[key])}' for key in _ORDER if key in known]) + "}"
        tags, fields = self._texts
        return (
            f'{{"Name":{_often(known["Name"])},"TaskName":{_often(known["TaskName"])},'
            f'"Group":{_often(known["Group"])},"Tags":{tags},"ServerInfo":{known["ServerInfo"].go_json()},'
            f'"ID":{go_text(known["ID"])},"Fields":{fields},"Level":"{known["Level"]}",'
            f'"Time":{known["Time"].go_json()},"Duration":{int(known["Duration"])},"Message":{go_text(known["Message"])}}}'
        )


@dataclass(frozen=True, slots=True)
class Texts:
    """The templates of one alert node."""

    identity: Template
    message: Template
    details: Template

    @classmethod
    def read(cls, identity: str, message: str, details: str) -> Texts:
        """Raises TaskError for the first that is no template."""
        try:
            return cls(parse(identity, "id"), parse(message, "message"), parse_html(details, "details", HTML_FUNCTIONS))
        except ParseError as error:
            raise TaskError(str(error)) from error

    def tell(self, subject: Subject) -> tuple[str, str]:
        """Message and details of a judged subject. Raises ExecutionError."""
        message = self.message.render(subject)
        subject.say(message)
        return message, self.details.render(subject)


def group_text(name: str, dims: Mapping[str, str], *, by_name: bool) -> str:
    """A group as the reference names it: its values by dimension, behind the measurement where it counts; "" for none."""
    text = ",".join([f"{k}={v}" for k, v in dims.items()])
    return f"{name}\n{text}" if by_name else text

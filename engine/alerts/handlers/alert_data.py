"""An alert as the templates of handlers see it: `ID, Message, Details, Time, Duration, Level, Data, PreviousLevel,
Recoverable` (alert-handlers.md §0, "AD")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.alerts.levels import NAMES
from engine.frames.model import Span
from engine.templates import TextMap
from engine.templates.formatting import text
from engine.templates.times import GoTime
from engine.templates.values import Struct

if TYPE_CHECKING:
    from engine.alerts.events import Delivery


class _Fields(Struct):
    """A struct of known fields that is JSON as `shown`."""

    def __init__(self, go_type: str, fields: dict[str, Any], shown: str) -> None:
        self.go_type = go_type
        self._fields = fields
        self._shown = shown

    def go_field(self, name: str) -> Any:
        return self._fields[name]

    def go_text(self) -> str:
        return "{" + " ".join(map(text, self._fields.values())) + "}"

    def go_json(self) -> str:
        return self._shown


def alert_data(delivery: Delivery) -> Struct:
    """Raises ValueError where the alert has no JSON."""
    event = delivery.event
    series = [_row(row) for row in event.series]
    fields = {
        "ID": event.id,
        "Message": event.message,
        "Details": event.details,
        "Time": GoTime(event.time),
        "Duration": Span(event.duration),
        "Level": NAMES[event.level],
        "Data": _Fields("models.Result", {"Series": series, "Messages": [], "Err": None}, delivery.data),
        "PreviousLevel": NAMES[delivery.previous],
        "Recoverable": event.recoverable,
    }
    return _Fields("alert.Data", fields, delivery.json.decode().rstrip("\n"))


def _row(row: str) -> Struct:
    read = msgspec.json.decode(row)
    fields = {
        "Name": read.get("name", ""),
        "Tags": TextMap(read.get("tags", {})),
        "Columns": read.get("columns", []),
        "Values": read.get("values", []),
    }
    return _Fields("models.Row", fields, row)

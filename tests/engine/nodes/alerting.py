"""Alert operators for tests, and what stands for the alert service that they talk to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.alerts.levels import NAMES
from engine.alerts.texts import Texts
from engine.alerts.way_out import Introduction, Server, Stored
from engine.nodes.alert import AlertOperator, Rules
from engine.nodes.alert_output import Annotations
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Message, Point
from tickscript.parser import parse_lambda

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.events import Event, Signal

THRESHOLDS = {"info": '"v" > 40', "warn": '"v" > 60', "crit": '"v" > 80'}


@dataclass
class Service:
    """Stands for the alert service: keeps what it is told, knows the levels of some ids."""

    stored: dict[str, Stored] = field(default_factory=dict)
    signals: list[Signal] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def put(self, signals: Sequence[Signal]) -> None:
        self.signals += signals

    def levels(self, ids: Sequence[str]) -> list[Stored | None]:
        self.asked += ids
        return [self.stored.get(i) for i in ids]

    @property
    def events(self) -> list[Event]:
        return [s.event for s in self.signals if s.event is not None]


PLAIN = Annotations()


def alert(
    lambdas: dict[str, str] = THRESHOLDS, *, service: Service | None = None, identity: str = "{{ .Name }}:{{ .Group }}",
    message: str = "{{ .ID }} {{ .Level }} {{ .Duration }}", details: str = "", category: str = "", topic: str = "t",
    inhibitors: Any = (), annotations: Annotations = PLAIN, **rules: Any,
) -> AlertOperator:  # fmt: skip
    names = ("info", "warn", "crit", "infoReset", "warnReset", "critReset")
    operator = AlertOperator(
        lambdas=[parse_lambda(lambdas[n]) if n in lambdas else None for n in names],
        texts=Texts.read(identity, message, details),
        rules=Rules(**rules),
        annotations=annotations,
        introduction=Introduction("task", "alert2", "main:task:alert2", topic, (), inhibitors),
        category=category,
    )
    operator.attach(service or Service(), Server("host", "cluster", "server"))
    return operator


def points(values: Sequence[float], **more: Any) -> list[Message]:
    """A point a second."""
    return [Point("m", i * S, {"v": float(v)}, **more) for i, v in enumerate(values)]


def told(service: Service) -> list[tuple[str, int]]:
    """Level and duration in seconds of every event."""
    return [(NAMES[e.level], e.duration // S) for e in service.events]

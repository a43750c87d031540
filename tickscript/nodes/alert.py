"""`|alert()`: levels, events and the handlers that send them (alerts.md 2 and 3)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tickscript import ast
from tickscript.declare import (
    Arguments,
    Declared,
    Form,
    Property,
    Shape,
    Signature,
    declare,
    flag,
    slot,
    special,
)
from tickscript.nodes import handlers
from tickscript.nodes.base import Node, StartError, compile_or_refuse
from tickscript.nodes.handlers import Handler, HandlerType
from tickscript.nodes.types import BOOL, DURATION, FLOAT, INT, LAMBDA, NANOSECONDS, STRING, RecordType

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Inhibitor:
    """While the alert is not OK it silences alerts of the category that have the same values of these tags."""

    category: str
    tags: tuple[str, ...] = ()


def _inhibit(alert: Alert, args: Arguments) -> Alert:
    category, *tags = map(str, args)
    alert.inhibitors = (*alert.inhibitors, Inhibitor(category, tuple(tags)))
    return alert


def _print_inhibitors(alert: Alert) -> list[tuple[ast.Expr, ...]]:
    return [tuple(map(ast.String, (item.category, *item.tags))) for item in alert.inhibitors]


def _state_changes_only(alert: Alert, args: Arguments) -> Alert:
    alert.state_changes_only = True
    if len(args) == 1:
        alert.state_changes_only_duration = DURATION.convert(args[0])
    return alert


def _print_state_changes_only(alert: Alert) -> Iterator[tuple[ast.Expr, ...]]:
    if alert.state_changes_only:
        duration = alert.state_changes_only_duration
        yield (DURATION.literal(duration),) if duration else ()


def _flapping(alert: Alert, args: Arguments) -> Alert:
    alert.use_flapping = True
    alert.flap_low, alert.flap_high = map(FLOAT.convert, args)
    return alert


def _print_flapping(alert: Alert) -> list[tuple[ast.Expr, ...]]:
    return [(FLOAT.literal(alert.flap_low), FLOAT.literal(alert.flap_high))] if alert.use_flapping else []


def _handlers(kind: type[Handler]) -> Any:
    """The list of handlers of one kind; each call of the property adds one, and goes on with it."""

    def add(alert: Alert, args: Arguments) -> Declared:
        handler = kind.make(args)
        handler.alert = alert
        attribute = ATTRIBUTES[kind.method]
        setattr(alert, attribute, (*getattr(alert, attribute), handler))
        return handler

    # The handler's own parameters are those of the property.
    declared = Property(
        form=Form.METHOD, type=HandlerType(kind), shape=Shape.MANY, doc=kind.declaration.doc, name=kind.method,
        signature=kind.declaration.signature, apply=add,
    )  # fmt: skip
    return dataclasses.field(default=(), metadata={"property": declared})


@declare
class Alert(Node):
    """Gives every point, or batch, a level, and sends an event when there is something to tell.

    The level is the highest of CRITICAL, WARNING and INFO whose lambda is true, else OK. Handlers named here get the
    alert's events themselves; with `.topic()` they also go to the handlers of that topic. All data pass on.
    """

    method: ClassVar[str] = "alert"
    description: ClassVar[str] = "alert"
    type_of: ClassVar[str] = "alert"
    json_quiet: ClassVar[bool] = True
    json_order: ClassVar[tuple[str, ...]] = (
        "category", "topic", "alertId", "message", "details", "info", "warn", "crit", "infoReset", "warnReset",
        "critReset", "useFlapping", "flapLow", "flapHigh", "history", "levelTag", "levelField", "messageField",
        "durationField", "idTag", "idField", "all", "noRecoveries", "stateChangesOnly", "stateChangesOnlyDuration",
        "inhibitors", "post", "tcp", "email", "exec", "log", "victorOps", "pagerDuty", "pagerDuty2", "pushover", "sensu",
        "slack", "discord", "bigPanda", "telegram", "hipChat", "alerta", "opsGenie", "opsGenie2", "talk", "mqtt",
        "snmpTrap", "kafka", "teams", "serviceNow", "zenoss",
    )  # fmt: skip
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n        .groupBy('host')\n    |alert()\n"
        '        .id(\'{{ index .Tags "host" }}/cpu\')\n        .warn(lambda: "usage_user" > 70.0)\n'
        '        .crit(lambda: "usage_user" > 90.0)\n        .critReset(lambda: "usage_user" < 85.0)\n'
        "        .stateChangesOnly(10m)\n        .slack()\n        .channel('#alerts')"
    )

    topic: str = slot(STRING, "", "The topic to publish events to.")
    category: str = slot(STRING, "", "The category that inhibitors of other alerts name.")
    alert_id: str = slot(STRING, "{{ .Name }}:{{ .Group }}", "Template of the event's id.", name="id", json="alertId")
    message: str = slot(STRING, "{{ .ID }} is {{ .Level }}", "Template of the event's message.")
    details: str = slot(STRING, "{{ json . }}", "HTML template of the event's details.")
    info: ast.Lambda | None = slot(LAMBDA, None, "The condition for level INFO.")
    warn: ast.Lambda | None = slot(LAMBDA, None, "The condition for level WARNING.")
    crit: ast.Lambda | None = slot(LAMBDA, None, "The condition for level CRITICAL.")
    info_reset: ast.Lambda | None = slot(LAMBDA, None, "The level INFO is not left downwards before this is true.")
    warn_reset: ast.Lambda | None = slot(LAMBDA, None, "The level WARNING is not left downwards before this is true.")
    crit_reset: ast.Lambda | None = slot(LAMBDA, None, "The level CRITICAL is not left downwards before this is true.")
    history: int = slot(INT, 21, "How many past levels decide whether the alert is flapping.")
    level_tag: str = slot(STRING, "", "Name of a tag to add: the level.")
    level_field: str = slot(STRING, "", "Name of a string field to add: the level.")
    message_field: str = slot(STRING, "", "Name of a string field to add: the message.")
    duration_field: str = slot(STRING, "", "Name of an int field to add: how long the alert has lasted, in ns.")
    id_tag: str = slot(STRING, "", "Name of a tag to add: the event's id.")
    id_field: str = slot(STRING, "", "Name of a string field to add: the event's id.")
    all: bool = flag("Let a batch have the lowest level of its points instead of the highest.")
    no_recoveries: bool = flag("Send no events of level OK.")
    inhibitors: tuple[Inhibitor, ...] = special(
        RecordType(Inhibitor, {"category": "category", "tags": "equalTags"}), Signature((STRING,), STRING), _inhibit,
        _print_inhibitors, "Silence alerts of a category that have the same values of these tags; repeatable.",
        default=(), shape=Shape.MANY, name="inhibit", json="inhibitors",
    )  # fmt: skip
    state_changes_only: bool = special(
        BOOL, Signature((), DURATION), _state_changes_only, _print_state_changes_only,
        "Send an event only when the level changes, and again whenever a duration given here has passed.", default=False,
    )  # fmt: skip
    state_changes_only_duration: int = slot(NANOSECONDS, 0, "Set by stateChangesOnly.", unprinted=True)
    use_flapping: bool = special(
        BOOL, Signature((FLOAT, FLOAT)), _flapping, _print_flapping,
        "Send nothing while the level changes too often: from the high share of changes until below the low one.",
        default=False, name="flapping", json="useFlapping",
    )  # fmt: skip
    flap_low: float = slot(FLOAT, 0.0, "Set by flapping.", unprinted=True)
    flap_high: float = slot(FLOAT, 0.0, "Set by flapping.", unprinted=True)
    post: tuple[handlers.PostHandler, ...] = _handlers(handlers.PostHandler)
    tcp: tuple[handlers.TcpHandler, ...] = _handlers(handlers.TcpHandler)
    email: tuple[handlers.EmailHandler, ...] = _handlers(handlers.EmailHandler)
    exec: tuple[handlers.ExecHandler, ...] = _handlers(handlers.ExecHandler)
    log: tuple[handlers.LogHandler, ...] = _handlers(handlers.LogHandler)
    victor_ops: tuple[handlers.VictorOpsHandler, ...] = _handlers(handlers.VictorOpsHandler)
    pager_duty: tuple[handlers.PagerDutyHandler, ...] = _handlers(handlers.PagerDutyHandler)
    pager_duty2: tuple[handlers.PagerDuty2Handler, ...] = _handlers(handlers.PagerDuty2Handler)
    pushover: tuple[handlers.PushoverHandler, ...] = _handlers(handlers.PushoverHandler)
    sensu: tuple[handlers.SensuHandler, ...] = _handlers(handlers.SensuHandler)
    service_now: tuple[handlers.ServiceNowHandler, ...] = _handlers(handlers.ServiceNowHandler)
    big_panda: tuple[handlers.BigPandaHandler, ...] = _handlers(handlers.BigPandaHandler)
    slack: tuple[handlers.SlackHandler, ...] = _handlers(handlers.SlackHandler)
    discord: tuple[handlers.DiscordHandler, ...] = _handlers(handlers.DiscordHandler)
    telegram: tuple[handlers.TelegramHandler, ...] = _handlers(handlers.TelegramHandler)
    hip_chat: tuple[handlers.HipChatHandler, ...] = _handlers(handlers.HipChatHandler)
    kafka: tuple[handlers.KafkaHandler, ...] = _handlers(handlers.KafkaHandler)
    alerta: tuple[handlers.AlertaHandler, ...] = _handlers(handlers.AlertaHandler)
    ops_genie: tuple[handlers.OpsGenieHandler, ...] = _handlers(handlers.OpsGenieHandler)
    ops_genie2: tuple[handlers.OpsGenie2Handler, ...] = _handlers(handlers.OpsGenie2Handler)
    talk: tuple[handlers.TalkHandler, ...] = _handlers(handlers.TalkHandler)
    mqtt: tuple[handlers.MqttHandler, ...] = _handlers(handlers.MqttHandler)
    snmp_trap: tuple[handlers.SnmpTrapHandler, ...] = _handlers(handlers.SnmpTrapHandler)
    zenoss: tuple[handlers.ZenossHandler, ...] = _handlers(handlers.ZenossHandler)
    teams: tuple[handlers.TeamsHandler, ...] = _handlers(handlers.TeamsHandler)

    def all_handlers(self) -> Iterator[Handler]:
        """All handlers, kind by kind in the order of declaration."""
        for attribute in ATTRIBUTES.values():
            yield from getattr(self, attribute)

    def check(self) -> None:
        for handler in self.all_handlers():
            handler.check()

    def check_start(self) -> None:
        for level in ("info", "warn", "crit"):
            condition = getattr(self, level)
            compile_or_refuse(condition, f"Failed to compile stateful expression for {level}: ")
            if condition is not None:
                reset = getattr(self, f"{level}_reset")
                compile_or_refuse(reset, f"Failed to compile stateful expression for {level}Reset: ")
        if self.use_flapping and max(self.flap_low, self.flap_high) > 1:
            raise StartError("alert flap thresholds are percentages and should be between 0 and 1")


ATTRIBUTES = {
    declared.name: declared.attribute
    for declared in Alert.declaration.properties
    if isinstance(declared.type, HandlerType)
}
"""For each kind of handler, by the property that makes one, the alert's attribute that lists them."""

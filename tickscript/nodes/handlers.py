"""The handlers of `|alert()`: what a notification is sent with (alerts.md 2, alert-handlers.md).

Each class is one kind; a call such as `.slack()` makes an object of it, on which the handler's own properties come
first, then those of the alert (`Handler.alert`). Attributes hold what the script says: templates are not rendered here,
and an empty value means the configured one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tickscript import ast
from tickscript.declare import (
    Arguments,
    Declared,
    Shape,
    Signature,
    argument,
    arguments,
    declare,
    flag,
    many,
    pairs,
    slot,
    special,
)
from tickscript.errors import EvaluationError
from tickscript.nodes.types import ANY, BOOL, INT, MODE, NANOSECONDS, STRING, RecordType, Type

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(eq=False, repr=False, kw_only=True)
class Handler(Declared):
    """Base of all handlers; `method` is the property of the alert that makes one, and its JSON key."""

    method: ClassVar[str] = ""

    # The alert that the handler belongs to while a script is evaluated.
    alert: Any = dataclasses.field(default=None, repr=False)

    @classmethod
    def make(cls, args: Arguments) -> Handler:
        """The handler that `.special(args)` stands for; CallError unless the arguments fit."""
        return cls(**cls.declaration.bind(args))

    def check(self) -> None:
        """EvaluationError (bare text) when the properties do not go together."""


class HandlerType(Type):
    """The type of a list of handlers of one kind."""

    go = "handler"
    word = "handler"

    def __init__(self, kind: type[Handler]) -> None:
        self.kind = kind

    def to_json(self, value: Handler) -> Any:
        return value.json_fields()

    def from_json(self, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("expected object")  # noqa: TRY004  (one kind of error for all that JSON can get wrong)
        return self.kind.from_json_fields(value)

    def pack(self, value: Handler) -> Any:
        return value.pack()

    def unpack(self, value: Mapping[str, Any]) -> Any:
        return self.kind.unpack(value)


@declare
class PostHandler(Handler):
    """Posts the alert as JSON to a URL or to a configured endpoint."""

    method: ClassVar[str] = "post"
    go_name: ClassVar[str] = "AlertHTTPPostHandler"
    json_order: ClassVar[tuple[str, ...]] = (
        "url", "endpoint", "headers", "captureResponse", "timeout", "skipSSLVerification",
    )  # fmt: skip
    example: ClassVar[str] = (
        "post('http://localhost:8080/alerts')\n        .header('X-Team', 'ops')\n        .timeout(5s)"
    )

    urls: tuple[str, ...] = arguments(STRING, "The URL, a template; only the first argument counts.", json="")
    url: str = slot(STRING, "", "The URL, a template.", name="URL", json="url", unprinted=True)
    endpoint: str = slot(STRING, "", "A configured httppost endpoint; wins over the URL.")
    headers: dict[str, str] = pairs(STRING, "A header; repeatable.", name="header", json="headers", null=True)
    capture_response: bool = flag("Log the body of an answer that is not 2xx.")
    timeout: int = slot(NANOSECONDS, 0, "The longest time a request may take; 0 means 30 s.")
    skip_ssl_verification: bool = flag("Accepted, without effect.", name="skipSSLVerification")

    @classmethod
    def make(cls, args: Arguments) -> Handler:
        cls.declaration.signature.check(args)
        return cls(url=str(args[0]) if args else "")

    def printed_args(self) -> tuple[ast.Expr, ...]:
        return (ast.String(self.url),) if self.url else ()

    def check(self) -> None:
        if any(name.upper() == "AUTHENTICATE" for name in self.headers):
            raise EvaluationError("invalid post: cannot set 'authenticate' header")


@declare
class TcpHandler(Handler):
    """Sends the alert as a line of JSON to a TCP address."""

    method: ClassVar[str] = "tcp"
    example: ClassVar[str] = "tcp('localhost:9000')"

    address: str = argument(STRING, "Host and port.", default="")


@declare
class EmailHandler(Handler):
    """Mails the alert: the message is the subject, the details are the text."""

    method: ClassVar[str] = "email"
    example: ClassVar[str] = "email('ops@example.com')"

    addresses: tuple[str, ...] = arguments(STRING, "Addresses to send to.", json="")
    to: tuple[str, ...] = many(STRING, "More addresses.", append=True)
    to_templates: tuple[str, ...] = many(STRING, "Templates that give addresses.", json="to-templates", append=True)

    @classmethod
    def make(cls, args: Arguments) -> Handler:
        cls.declaration.signature.check(args)
        return cls(to=tuple(map(str, args)), given={"to"})


@declare
class ExecHandler(Handler):
    """Runs a program with the alert as JSON on its standard input."""

    method: ClassVar[str] = "exec"
    json_order: ClassVar[tuple[str, ...]] = ("command",)
    example: ClassVar[str] = "exec('/usr/bin/notify', '--critical')"

    program: str = argument(STRING, "The program.", default="", json="")
    args: tuple[str, ...] = arguments(STRING, "Its arguments.", json="")

    @property
    def command(self) -> tuple[str, ...]:
        return (self.program, *self.args)

    def printed_args(self) -> tuple[ast.Expr, ...]:
        return tuple(map(ast.String, self.command))

    def json_fields(self) -> dict[str, Any]:
        return {"command": list(self.command)}

    @classmethod
    def from_json_fields(cls, data: Mapping[str, Any]) -> ExecHandler:
        command = [str(STRING.from_json(part)) for part in data.get("command") or ()]
        return cls(program=command[0] if command else "", args=tuple(command[1:]))


@declare
class LogHandler(Handler):
    """Appends the alert as a line of JSON to a file."""

    method: ClassVar[str] = "log"
    example: ClassVar[str] = "log('/var/log/alerts.log')\n        .mode(0644)"

    file_path: str = argument(STRING, "Absolute path of the file.", default="")
    mode: int = slot(MODE, 0, "Mode of a new file, in octal; 0 means 0600.")


@declare
class VictorOpsHandler(Handler):
    """Sends the alert to VictorOps."""

    method: ClassVar[str] = "victorOps"
    example: ClassVar[str] = "victorOps()\n        .routingKey('ops')"

    routing_key: str = slot(STRING, "", "The routing key.")


@declare
class PagerDutyHandler(Handler):
    """Sends the alert to PagerDuty, first version of its API."""

    method: ClassVar[str] = "pagerDuty"
    example: ClassVar[str] = "pagerDuty()\n        .serviceKey('key')"

    service_key: str = slot(STRING, "", "The service key.")


@dataclass(frozen=True, slots=True)
class Link:
    """A link of a PagerDuty event; both are templates."""

    href: str
    text: str = ""


def _routing_key(handler: PagerDuty2Handler, args: Arguments) -> PagerDuty2Handler:
    handler.routing_key = str(args[0])
    return handler


def _link(handler: PagerDuty2Handler, args: Arguments) -> PagerDuty2Handler:
    href, *text = map(str, args)
    handler.links = (*handler.links, Link(href, text[0] if text else ""))
    return handler


def _print_links(handler: PagerDuty2Handler) -> list[tuple[ast.Expr, ...]]:
    return [tuple(ast.String(part) for part in (link.href, link.text) if part) for link in handler.links]


@declare
class PagerDuty2Handler(Handler):
    """Sends the alert to PagerDuty, second version of its API."""

    method: ClassVar[str] = "pagerDuty2"
    go_name: ClassVar[str] = "PagerDuty2Handler"
    example: ClassVar[str] = "pagerDuty2()\n        .routingKey('key')\n        .link('http://wiki/cpu', 'runbook')"

    routing_key: str = slot(STRING, "", "The routing key.")
    service_key: None = special(STRING, Signature((STRING,)), _routing_key, None, "The same as routingKey.", json="")
    links: tuple[Link, ...] = special(
        RecordType(Link, {"href": "href", "text": "text"}), Signature((STRING,), STRING), _link, _print_links,
        "A link and its text; repeatable.", default=(), shape=Shape.MANY, name="link", json="links",
    )  # fmt: skip


@declare
class PushoverHandler(Handler):
    """Sends the alert to Pushover."""

    method: ClassVar[str] = "pushover"
    example: ClassVar[str] = "pushover()\n        .title('CPU')\n        .sound('siren')"

    user_key: str = slot(STRING, "", "The user or group.")
    device: str = slot(STRING, "", "Devices of the user; all if empty.")
    title: str = slot(STRING, "", "Title of the message.")
    url: str = slot(STRING, "", "A link to show.", name="URL", json="url")
    url_title: str = slot(STRING, "", "Title of the link.", name="URLTitle", json="urlTitle")
    sound: str = slot(STRING, "", "The sound to play.")


@declare
class SensuHandler(Handler):
    """Sends the alert to a Sensu client."""

    method: ClassVar[str] = "sensu"
    example: ClassVar[str] = "sensu()\n        .source('tickworks')\n        .handlers('mail', 'chat')"

    source: str = slot(STRING, "", "The source, a template.")
    handlers: tuple[str, ...] = many(STRING, "Sensu handlers.")
    metadata: dict[str, object] = pairs(ANY, "A key and value to add; repeatable.", name="metadata", null=True)


@declare
class SlackHandler(Handler):
    """Sends the alert to Slack."""

    method: ClassVar[str] = "slack"
    example: ClassVar[str] = "slack()\n        .channel('#alerts')"

    workspace: str = slot(STRING, "", "The configured workspace; the default one if empty.")
    channel: str = slot(STRING, "", "Channel or user to send to.")
    username: str = slot(STRING, "", "Name to send as.")
    icon_emoji: str = slot(STRING, "", "Emoji to send with, such as `:warning:`.")


@declare
class DiscordHandler(Handler):
    """Sends the alert to Discord."""

    method: ClassVar[str] = "discord"
    example: ClassVar[str] = "discord()\n        .embedTitle('{{ .TaskName }}')"

    workspace: str = slot(STRING, "", "The configured workspace; the default one if empty.")
    username: str = slot(STRING, "", "Name to send as.")
    avatar_url: str = slot(STRING, "", "Picture to send with.", name="avatarURL", json="avatarUrl")
    embed_title: str = slot(STRING, "", "Title of the embed, a template.")


@declare
class BigPandaHandler(Handler):
    """Sends the alert to BigPanda."""

    method: ClassVar[str] = "bigPanda"
    example: ClassVar[str] = (
        "bigPanda()\n        .host('{{ index .Tags \"host\" }}')\n        .attribute('team', 'ops')"
    )

    app_key: str = slot(STRING, "", "The app key.", json="app-key")
    host: str = slot(STRING, "", "The host, a template.")
    primary_property: str = slot(STRING, "", "Name of the primary property.", json="primary-property")
    secondary_property: str = slot(STRING, "", "Name of the secondary property.", json="secondary-property")
    attributes: dict[str, object] = pairs(
        ANY,
        "A key and value to add; strings are templates; repeatable.",
        name="attribute",
        json="attributes",
        null=True,
    )


@declare
class TelegramHandler(Handler):
    """Sends the alert to Telegram."""

    method: ClassVar[str] = "telegram"
    example: ClassVar[str] = "telegram()\n        .chatId('12345')\n        .disableNotification()"

    chat_id: str = slot(STRING, "", "The chat.")
    parse_mode: str = slot(STRING, "", "Markdown or HTML.")
    disable_web_page_preview: bool = flag("Show no preview of links.")
    disable_notification: bool = flag("Make no sound.")


@declare
class HipChatHandler(Handler):
    """Sends the alert to HipChat."""

    method: ClassVar[str] = "hipChat"
    example: ClassVar[str] = "hipChat()\n        .room('ops')"

    room: str = slot(STRING, "", "The room.")
    token: str = slot(STRING, "", "The access token.")


@declare
class AlertaHandler(Handler):
    """Sends the alert to Alerta."""

    method: ClassVar[str] = "alerta"
    json_order: ClassVar[tuple[str, ...]] = (
        "token", "resource", "event", "environment", "group", "value", "origin", "service", "correlate", "attributes",
        "timeout",
    )  # fmt: skip
    example: ClassVar[str] = (
        "alerta()\n        .resource('{{ index .Tags \"host\" }}')\n        .environment('Production')"
    )

    token: str = slot(STRING, "", "The access token.")
    resource: str = slot(STRING, "", "The resource, a template; `{{ .Name }}` if empty.")
    event: str = slot(STRING, "", "The event, a template; `{{ .ID }}` if empty.")
    environment: str = slot(STRING, "", "The environment, a template.")
    group: str = slot(STRING, "", "The group, a template; `{{ .Group }}` if empty.")
    value: str = slot(STRING, "", "The value, a template.")
    origin: str = slot(STRING, "", "The origin.")
    services: tuple[str, ...] = many(STRING, "Affected services, templates.", json="service")
    correlated: tuple[str, ...] = many(STRING, "Correlated events, templates.", json="correlate")
    attributes: dict[str, object] = pairs(
        ANY,
        "A key and value to add; strings are templates; repeatable.",
        name="attribute",
        json="attributes",
        null=True,
    )
    timeout: int = slot(NANOSECONDS, 0, "Time after which the alert expires; 0 means 24 h.")


@declare
class OpsGenieHandler(Handler):
    """Sends the alert to OpsGenie, first version of its API."""

    method: ClassVar[str] = "opsGenie"
    example: ClassVar[str] = "opsGenie()\n        .teams('ops')"

    teams: tuple[str, ...] = many(STRING, "Teams to tell.")
    recipients: tuple[str, ...] = many(STRING, "People to tell.")


@declare
class OpsGenie2Handler(Handler):
    """Sends the alert to OpsGenie, second version of its API."""

    method: ClassVar[str] = "opsGenie2"
    go_name: ClassVar[str] = "OpsGenie2Handler"
    example: ClassVar[str] = "opsGenie2()\n        .teams('ops')\n        .recoveryAction('close')"

    teams: tuple[str, ...] = many(STRING, "Teams to tell.")
    recipients: tuple[str, ...] = many(STRING, "People to tell.")
    recovery_action: str = slot(STRING, "", "What a recovery does: notes or close.", json="recovery_action")
    details: bool = flag("Accepted, without effect.")


@declare
class TalkHandler(Handler):
    """Sends the alert to Talk."""

    method: ClassVar[str] = "talk"
    example: ClassVar[str] = "talk()"


@declare
class MqttHandler(Handler):
    """Publishes the alert's message over MQTT."""

    method: ClassVar[str] = "mqtt"
    json_order: ClassVar[tuple[str, ...]] = ("brokerName", "topic", "qos", "retained")
    example: ClassVar[str] = "mqtt('alerts/cpu')\n        .qos(1)"

    topic: str = argument(STRING, "The topic, a template.", default="")
    broker_name: str = slot(STRING, "", "The configured broker; the default one if empty.")
    qos: int = slot(INT, 0, "Quality of service: 0, 1 or 2.")
    retained: bool = slot(BOOL, False, "Let the broker keep the message.")


@dataclass(frozen=True, slots=True)
class SnmpData:
    """A variable of an SNMP trap: type `c`, `i`, `n`, `s` or `t`; the value is a template."""

    oid: str
    type: str
    value: str


def _data(handler: SnmpTrapHandler, args: Arguments) -> SnmpTrapHandler:
    handler.data = (*handler.data, SnmpData(*map(str, args)))
    return handler


def _print_data(handler: SnmpTrapHandler) -> list[tuple[ast.Expr, ...]]:
    return [tuple(ast.String(part) for part in dataclasses.astuple(data)) for data in handler.data]


@declare
class SnmpTrapHandler(Handler):
    """Sends the alert as an SNMP trap."""

    method: ClassVar[str] = "snmpTrap"
    example: ClassVar[str] = "snmpTrap('1.3.6.1.4.1.1')\n        .data('1.3.6.1.4.1.1.5', 's', '{{ .Message }}')"

    trap_oid: str = argument(STRING, "OID of the trap.", default="")
    data: tuple[SnmpData, ...] = special(
        RecordType(SnmpData, {"oid": "oid", "type": "type", "value": "value"}), Signature((STRING, STRING, STRING)),
        _data, _print_data, "OID, type (c, i, n, s or t) and value of a variable; repeatable.", default=(),
        shape=Shape.MANY,
    )  # fmt: skip

    def check(self) -> None:
        prefix = f'invalid SNMP trap "{self.trap_oid}": '
        if not self.trap_oid:
            raise EvaluationError(f"{prefix}you must supply a trap Oid")
        for data in self.data:
            if data.type not in {"c", "i", "n", "s", "t"}:
                raise EvaluationError(f'{prefix}unsupported data type "{data.type}" for data entry "{data.oid}"')


@declare
class KafkaHandler(Handler):
    """Produces the alert to a Kafka topic."""

    method: ClassVar[str] = "kafka"
    json_order: ClassVar[tuple[str, ...]] = (
        "cluster", "kafka-topic", "disable-partition-by-id", "partition-hash-algorithm", "template",
    )  # fmt: skip
    example: ClassVar[str] = "kafka()\n        .cluster('default')\n        .kafkaTopic('alerts')"

    cluster: str = slot(STRING, "", "The configured cluster; mandatory.")
    kafka_topic: str = slot(STRING, "", "The topic; mandatory.", json="kafka-topic")
    template: str = slot(STRING, "", "Template of the message; the alert as JSON if empty.", absent=True)
    disable_partition_by_id: bool = flag(
        "Do not choose the partition by the alert's id.", json="disable-partition-by-id"
    )
    partition_hash_algorithm: str = slot(
        STRING, "", "crc32 (the default), murmur2 or fnv-1a.", json="partition-hash-algorithm", absent=True
    )


@declare
class TeamsHandler(Handler):
    """Sends the alert to Microsoft Teams."""

    method: ClassVar[str] = "teams"
    example: ClassVar[str] = "teams()\n        .channelURL('https://outlook.office.com/webhook/x')"

    channel_url: str = slot(STRING, "", "The webhook.", name="channelURL", json="channel_url")


@declare
class ServiceNowHandler(Handler):
    """Sends the alert to ServiceNow."""

    method: ClassVar[str] = "serviceNow"
    json_order: ClassVar[tuple[str, ...]] = (
        "url", "username", "password", "source", "node", "type", "resource", "metric_name", "message_key",
        "additional_info",
    )  # fmt: skip
    example: ClassVar[str] = "serviceNow()\n        .node('{{ index .Tags \"host\" }}')\n        .metricName('cpu')"

    url: str = slot(STRING, "", "The URL.", name="URL", json="url")
    username: str = slot(STRING, "", "Accepted, without effect.")
    password: str = slot(STRING, "", "Accepted, without effect.")
    source: str = slot(STRING, "", "The source.")
    node: str = slot(STRING, "", "The node, a template.")
    type: str = slot(STRING, "", "The type, a template.")
    resource: str = slot(STRING, "", "The resource, a template.")
    metric_name: str = slot(STRING, "", "The metric, a template.", json="metric_name")
    message_key: str = slot(STRING, "", "The message key, a template; the alert's id if empty.", json="message_key")
    additional_info: dict[str, object] = pairs(
        ANY, "A key and value to add; strings are templates; repeatable.", name="additionalInfo", json="additional_info",
        null=True,
    )  # fmt: skip


@declare
class ZenossHandler(Handler):
    """Sends the alert to Zenoss."""

    method: ClassVar[str] = "zenoss"
    json_order: ClassVar[tuple[str, ...]] = (
        "url", "username", "password", "action", "method", "type", "tid", "collector", "summary", "device", "component",
        "evclasskey", "evclass", "message", "customField",
    )  # fmt: skip
    example: ClassVar[str] = "zenoss()\n        .device('{{ index .Tags \"host\" }}')\n        .component('cpu')"

    url: str = slot(STRING, "", "Accepted, without effect.", name="URL", json="url")
    username: str = slot(STRING, "", "Accepted, without effect.")
    password: str = slot(STRING, "", "Accepted, without effect.")
    action: str = slot(STRING, "", "The router's action.")
    router_method: str = slot(STRING, "", "The router's method.", name="method")
    type: str = slot(STRING, "", "The event type.")
    tid: int = slot(INT, 0, "The transaction id.")
    collector: str = slot(STRING, "", "The collector, a template.")
    summary: str = slot(STRING, "{{ .Message }}", "The summary, a template.")
    device: str = slot(STRING, "", "The device, a template.")
    component: str = slot(STRING, "", "The component, a template.")
    event_class_key: str = slot(STRING, "", "The event class key, a template.", json="evclasskey")
    event_class: str = slot(STRING, "", "The event class, a template.", json="evclass")
    message: str = slot(STRING, "", "The message, a template.")
    custom_field: dict[str, object] = pairs(
        ANY, "A field and value to add; strings are templates; repeatable.", name="customField", null=True
    )


KINDS: Final[tuple[type[Handler], ...]] = (
    PostHandler, TcpHandler, EmailHandler, ExecHandler, LogHandler, VictorOpsHandler, PagerDutyHandler,
    PagerDuty2Handler, PushoverHandler, SensuHandler, ServiceNowHandler, BigPandaHandler, SlackHandler, DiscordHandler,
    TelegramHandler, HipChatHandler, KafkaHandler, AlertaHandler, OpsGenieHandler, OpsGenie2Handler, TalkHandler,
    MqttHandler, SnmpTrapHandler, ZenossHandler, TeamsHandler,
)  # fmt: skip

"""alert against the spec's vectors, and against a model that takes one message at a time (alerts.md §5-8, §16)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.alerts.handlers import inline
from engine.alerts.levels import NAMES
from engine.alerts.texts import Texts, group_text
from engine.alerts.way_out import Introduction, Server, Stored
from engine.frames.model import BATCH, STREAM
from engine.nodes import build
from engine.nodes.alert import AlertOperator, Rules
from engine.nodes.alert_output import Annotations
from engine.operator import Context, TaskError
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import (
    Barrier,
    Batch,
    Delete,
    Group,
    Message,
    Point,
    Row,
    frames_of,
    messages_of,
    through,
)
from tests.engine.nodes.row_models import Lambda
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, check, streams
from tickscript import plan
from tickscript.compile import compile_script
from tickscript.durations import go_duration
from tickscript.lambdas.errors import LambdaError
from tickscript.parser import parse_lambda

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.events import Event, Signal

THRESHOLDS = {"info": '"v" > 40', "warn": '"v" > 60', "crit": '"v" > 80'}
ALL_ANNOTATIONS = Annotations(level_field="level", message_field="message", id_field="id", duration_field="duration")


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


@pytest.mark.parametrize("cuts", [None, []])
@pytest.mark.parametrize(
    ("resets", "values", "levels", "durations"),
    [
        (
            {"infoReset": '"v" < 10', "warnReset": '"v" < 20', "critReset": '"v" < 30'},
            [45, 40, 30, 9, 45, 61, 30, 19, 45, 61, 81, 29],
            "I I I OK I W W OK I W C OK",
            [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3],
        ),
        (
            {"infoReset": '"v" < 30', "warnReset": '"v" < 50', "critReset": '"v" < 70'},
            [45, 40, 30, 29, 45, 61, 49, 29, 45, 61, 81, 69, 50, 41, 25],
            "I I I OK I W I OK I W C W W I OK",
            [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6],
        ),
    ],
)
def test_resets_gate_the_way_down_as_in_the_vectors_of_the_spec(
    resets: dict[str, str], values: list[int], levels: str, durations: list[int], cuts: Any
) -> None:
    service = Service()
    through(alert({**THRESHOLDS, **resets}, service=service), points(values), cuts=cuts)
    words = {"I": "INFO", "W": "WARNING", "C": "CRITICAL", "OK": "OK"}
    assert told(service) == list(zip([words[w] for w in levels.split()], durations, strict=True))


def test_without_recoveries_an_alert_still_begins_anew_after_one() -> None:
    service = Service()
    lambdas = {"info": '"v" >= 6', "warn": '"v" >= 7', "crit": '"v" >= 8'}
    through(alert(lambdas, service=service, no_recoveries=True), points([7, 2, 6, 7, 7, 8, 2, 6, 3]), cuts=[])
    assert told(service) == [("WARNING", 0), ("INFO", 0), ("WARNING", 1), ("WARNING", 2), ("CRITICAL", 3), ("INFO", 0)]
    assert {e.recoverable for e in service.events} == {False}


def test_state_changes_alone_are_told_with_the_duration_of_the_whole_alert() -> None:
    service = Service()
    lambdas = {"warn": '"v" > 7', "crit": '"v" > 8'}
    through(alert(lambdas, service=service, changes_only=True), points([9, 9, 8, 8, 6, 8, 8, 8, 6, 6]), cuts=[])
    assert told(service) == [("CRITICAL", 0), ("WARNING", 2), ("OK", 4), ("WARNING", 0), ("OK", 3)]


def test_an_unchanged_level_is_told_again_when_the_interval_has_passed() -> None:
    service = Service()
    operator = alert({"crit": '"v" > 7'}, service=service, changes_only=True, interval=2 * S)
    through(operator, points([0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0]), cuts=[])
    assert [(e.time // S, NAMES[e.level], e.duration // S) for e in service.events] == [
        (1, "CRITICAL", 0), (3, "CRITICAL", 2), (5, "CRITICAL", 4), (7, "CRITICAL", 6), (9, "CRITICAL", 8),
        (10, "OK", 9),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("history", "first_muted"), [(21, 10), (5, 2)]
)  # where the shares of the vectors first exceed a half
def test_flapping_mutes_points_when_the_share_of_changes_is_high(history: int, first_muted: int) -> None:
    service = Service()
    operator = alert({"crit": '"v" > 7'}, service=service, flapping=(0.1, 0.5), history=history)
    through(operator, points([9, 0] * 7), cuts=[])
    assert [e.time // S for e in service.events] == list(range(first_muted))


def test_flapping_ends_below_the_low_share_and_the_alert_goes_on() -> None:
    service = Service()
    operator = alert({"crit": '"v" > 7'}, service=service, flapping=(0.1, 0.6), history=5)
    through(operator, points([9, 0, 9, 9, 9, 9, 9]), cuts=[])
    # The shares of the spec's vectors: 0.425 0.2 0.7, then no change in the ring but the oldest.
    assert [(e.time // S, NAMES[e.level]) for e in service.events][:2] == [(0, "CRITICAL"), (1, "OK")]
    assert service.events[-1].time // S == 6


def test_a_recovery_of_a_batch_passes_while_flapping() -> None:
    values = [9.0, 0.0, 9.0, 0.0, 9.0, 0.0]
    sent: list[Message] = [Batch("m", i * S, (Row(i * S, {"v": v}),)) for i, v in enumerate(values)]
    service = Service()
    through(alert({"crit": '"v" > 7'}, service=service, flapping=(0.1, 0.3), history=5), sent, BATCH)
    assert [NAMES[e.level] for e in service.events][-1] == "OK"
    assert [e.time // S for e in service.events if e.level == 0] == [1, 3, 5]


def test_a_batch_has_the_level_and_time_of_its_first_worst_point() -> None:
    rows = tuple(Row(i * S, {"v": v}, {"x": "y"}) for i, v in enumerate([45.0, 85.0, 10.0, 90.0]))
    service = Service()
    operator = alert(service=service, message="{{ .Fields.v }} {{ .Tags }}")
    sent: list[Message] = [Batch("m", 9 * S, rows), Batch("m", 19 * S, rows[2:3]), Batch("m", 29 * S, ())]
    out = through(operator, sent, BATCH, [])
    assert [(NAMES[e.level], e.time // S, e.message) for e in service.events] == [
        ("CRITICAL", 1, "85 map[]"),
        ("OK", 19, "10 map[]"),
    ]
    rows = (
        '{"name":"m","columns":["time","v","x"],"values":[["1970-01-01T00:00:00Z",45,"y"],["1970-01-01T00:00:01Z",85,"y"],'
        '["1970-01-01T00:00:02Z",10,"y"],["1970-01-01T00:00:03Z",90,"y"]]}'
    )
    assert service.events[0].series == (rows,)
    assert out == sent[:2]


def test_all_points_of_a_batch_must_agree_where_that_is_asked() -> None:
    rows = tuple(Row(i * S, {"v": v}) for i, v in enumerate([45.0, 85.0, 90.0]))
    service = Service()
    through(alert(service=service, every=True), [Batch("m", 9 * S, rows)], BATCH)
    [event] = service.events
    assert (NAMES[event.level], event.time // S, event.fields) == ("INFO", 9, {"v": 85.0})


def test_tags_and_fields_are_added_to_what_passes() -> None:
    everything = Annotations("lt", "it", "lf", "mf", "if", "df")
    group = Group(("h",), ("a",))
    added = {"lf": "INFO", "mf": "m:h=a INFO 0s", "if": "m:h=a", "df": 0}
    out = through(alert(annotations=everything), [Point("m", 0, {"v": 45.0}, {"h": "a"}, ("h",))])
    assert out == [Point("m", 0, {"v": 45.0, **added}, {"h": "a", "lt": "INFO", "it": "m:h=a"}, ("h",))]
    batch = Batch("m", 5, (Row(0, {"v": 45.0}, {"h": "a"}), Row(1, {"v": 1.0}, {"h": "a"})), group)
    [frame] = alert(annotations=everything).collect(frames_of([batch], BATCH, [])[0], 0)
    [section] = frame.sections
    before = frames_of([batch], BATCH, [])[0].sections[0].groups
    assert section.groups.tags(0) == {"h": "a", "it": "m:h=a", "lt": "INFO"}
    assert section.groups.hashes.tolist() == before.hashes.tolist(), "the group stays what it was"
    assert section.fields["df"].data.tolist() == [0, 0]
    assert [section.tags["lt"].at(i) for i in (0, 1)] == ["INFO", "INFO"]


def test_default_details_are_escaped_json_with_the_members_in_order() -> None:
    service = Service()
    operator = alert(service=service, details="{{ json . }}", message="{{ .ID }} is {{ .Level }}")
    through(operator, [Point("m", 1_500_000_000, {"v": 90.0, "s": "<a&b>"}, {"h": "a+b"})])
    text = (
        '{"Name":"m","TaskName":"task","Group":"nil","Tags":{"h":"a+b"},"ServerInfo":{"Hostname":"host","ClusterID":'
        '"cluster","ServerID":"server"},"ID":"m:nil","Fields":{"s":"\\u003ca\\u0026b\\u003e","v":90},"Level":"CRITICAL",'
        '"Time":"1970-01-01T00:00:01.5Z","Duration":0,"Message":"m:nil is CRITICAL"}\n'
    )
    assert service.events[0].details == text.replace('"', "&#34;").replace("+", "&#43;")


def test_a_template_that_fails_ends_the_task_behind_what_was_told_before() -> None:
    service = Service()
    operator = alert(service=service, message='{{ if gt .Fields.v 85.0 }}{{ index .Fields.v "x" }}{{ end }}ok')
    sent = points([45, 50, 90, 95])
    with pytest.raises(TaskError, match="can't index item of type float64") as failed:
        operator.collect(frames_of(sent, STREAM, [])[0], 0)
    assert messages_of(failed.value.frames) == sent[:2]
    assert [e.message for e in service.events] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        (
            {"identity": "{{ .ID }}"},
            'id:1:3: executing "id" at <.ID>: can\'t evaluate field ID in type kapacitor.idInfo',
        ),
        (
            {"message": "a {{ .Message }}"},
            'message:1:5: executing "message" at <.Message>: can\'t evaluate field Message in type kapacitor.messageInfo',
        ),
        (
            {"details": "{{ .Nope }}"},
            'details:1:3: executing "details" at <.Nope>: can\'t evaluate field Nope in type kapacitor.detailsInfo',
        ),
        (
            {"message": "{{ if gt .Fields.v 5 }}x{{ end }}"},
            'message:1:6: executing "message" at <gt .Fields.v 5>: error calling gt: incompatible types for comparison',
        ),
    ],
)
def test_the_error_of_a_template_says_which_and_where(texts: dict[str, str], error: str) -> None:
    with pytest.raises(TaskError) as failed:
        through(alert(**texts), [Point("m", 0, {"v": 90.0})])
    assert str(failed.value) == f"template: {error}"


def test_the_whole_alert_prints_as_the_structures_that_it_consists_of() -> None:
    service = Service()
    operator = alert(service=service, identity="x{{ . }}", message="{{ . }}", details="{{ . }}")
    through(operator, [Point("m", S, {"v": 90.0}, {"h": "a"}, ("h",))])
    first = "{m task h=a map[h:a] {host cluster server}}"
    message = "{" + first + f" x{first} map[v:90] CRITICAL 1970-01-01 00:00:01 +0000 UTC 0s}}"
    [event] = service.events
    assert (event.id, event.message) == (f"x{first}", message)
    assert event.details == "{" + f"{message} {message}".replace("+", "&#43;") + "}"


def test_a_group_begins_with_the_level_that_the_service_has_stored() -> None:
    service = Service({"m:h=a": Stored(3, 5 * S), "m:h=b": Stored(0, 5 * S)})
    sent = [Point("m", (10 + i) * S, {"v": 1.0}, {"h": h}, ("h",)) for i, h in enumerate("abca")]
    through(alert(service=service), list(sent), cuts=[])
    assert sorted(service.asked) == ["m:h=a", "m:h=b", "m:h=c"]
    assert [(e.id, NAMES[e.level], e.duration // S) for e in service.events] == [("m:h=a", "OK", 5)]


def test_a_group_that_was_deleted_asks_again() -> None:
    service = Service()
    point = Point("m", S, {"v": 90.0}, {"h": "a"}, ("h",))
    through(alert(service=service), [point, Delete(point.group), point])
    assert service.asked == ["m:h=a", "m:h=a"]
    assert told(service) == [("CRITICAL", 0), ("CRITICAL", 0)]


def test_an_alert_that_nobody_hears_asks_and_tells_nothing_but_counts() -> None:
    service = Service()
    operator = alert(service=service, topic="")
    through(operator, points([45, 90, 1]), cuts=[])
    assert (service.asked, service.signals) == ([], [])
    assert operator.report.counters == {
        "alerts_triggered": 3, "alerts_inhibited": 0, "oks_triggered": 1, "infos_triggered": 1, "warns_triggered": 0,
        "crits_triggered": 1,
    }  # fmt: skip


def test_counters_follow_what_the_service_has_dealt_with() -> None:
    operator = alert()
    through(operator, points([45, 90, 1]), cuts=[])
    assert not any(operator.report.counters.values())
    operator.dealt([1, 0, 1, 0, 2])
    assert Counter(operator.report.counters) == Counter(
        alerts_triggered=3, alerts_inhibited=1, infos_triggered=1, crits_triggered=2
    )


def test_inhibitors_switch_with_the_alert_of_their_group_and_end_with_it() -> None:
    service = Service()
    inhibitors = (("cat", ("h", "other")), ("all", ()))
    operator = alert({"crit": '"v" > 7'}, service=service, inhibitors=inhibitors, no_recoveries=True, changes_only=True)
    sent: list[Message] = [
        Point("m", i * S, {"v": float(v)}, {"h": "a", "other": "no dimension"}, ("h",))
        for i, v in enumerate([9, 9, 0, 9])
    ]
    through(operator, [*sent, Delete(Group(("h",), ("a",)))], cuts=[])
    switches = [(s.switch, s.values, s.event is not None) for s in service.signals]
    values = (("a", ""), ())
    assert switches == [(1, values, True), (0, values, False), (1, values, True), (-2, (), False)]


def test_a_restored_alert_inhibits_from_its_first_point_on() -> None:
    service = Service({"m:h=a": Stored(2, 0)})
    operator = alert(service=service, inhibitors=(("cat", ("h",)),), changes_only=True)
    through(operator, [Point("m", S, {"v": 70.0}, {"h": "a"}, ("h",))])
    assert [(s.switch, s.values, s.event) for s in service.signals] == [(1, (("a",),), None)]


def test_a_lambda_that_fails_is_skipped_and_counted_each_time_it_is_passed() -> None:
    operator = alert()
    sent: list[Message] = [Point("m", 0, {"v": 90.0}), Point("m", 1, {"v": "x"})]
    through(operator, sent, cuts=[])
    # CRITICAL on the way up, then all three on the way down.
    assert operator.report.errors == 4
    assert {r.message for r in operator.report.records} == {
        f"error evaluating expression for level {level}" for level in ("INFO", "WARNING", "CRITICAL")
    }


@pytest.mark.parametrize(
    ("properties", "error"),
    [
        (".message('{{ .Level ')", "template: message:1: unclosed action"),
        (".id('{{ json . }}')", 'template: id:1: function "json" not defined'),
        (".details('<a href=\"{{ .ID }}')", "template: details:1: ends in a non-text context"),
        (".post()", "Either URL or endpoint must be non-empty"),
        (".post().endpoint('x')", "An appropriately formatted url must be specified if an endpoint is not specified"),
        (".log('alerts.log')", "log path must be absolute: alerts.log is not absolute"),
        (".log('/tmp/alerts.log').mode(0444)", "invalid file mode -r--r--r--, must be user writable"),
        (
            ".critReset(lambda: 'a' - 'b').warn(lambda: TRUE).warnReset(lambda: 1 > 'a')",
            (
                "Failed to compile stateful expression for warnReset: mismatched type to binary operator. got int > string. "
                "see bool(), int(), float(), string(), duration()"
            ),
        ),
        (
            ".info(lambda: 'a' - 'b')",
            "Failed to compile stateful expression for info: invalid math operator - for type string",
        ),
        (".flapping(0.1, 1.1)", "alert flap thresholds are percentages and should be between 0 and 1"),
        (".flapping(1.1, 0.1)", "alert flap thresholds are percentages and should be between 0 and 1"),
    ],
)
def test_what_cannot_start_is_refused_with_the_reference_s_words(properties: str, error: str) -> None:
    script = f'stream|from()|alert().crit(lambda: "v" > 1.0){properties}'
    node = plan.encode(compile_script(script))["nodes"][-1]
    with pytest.raises(TaskError) as failed:
        build(plan.decode_node(node), Context("task", node["name"], lambda: 0))
    assert str(failed.value) == error


def test_any_share_up_to_one_is_a_bound_of_flapping_and_so_is_one_below_none() -> None:
    for low, high in [(0.0, 1.0), (0.5, 0.25), (-1.0, -2.0)]:
        alert(flapping=(low, high))


def test_handlers_of_a_script_become_kinds_with_options() -> None:
    script = "stream|from()|alert().exec('p', 'a').slack().email('x@y').post('http://u').header('k', 'v').timeout(1s)"
    declared = compile_script(script).nodes[-1]
    assert [(h.kind, h.options) for h in map(inline, declared.all_handlers())] == [
        ("post", {"url": "http://u", "endpoint": "", "headers": {"k": "v"}, "capture-response": False, "timeout": S}),
        ("smtp", {}),
        ("exec", {"prog": "p", "args": ["a"]}),
        ("slack", {}),
    ]


# ------------------------------------------------------------------ the model


@dataclass
class _Group:
    level: int = 0
    ring: list[int] = field(default_factory=list)
    flapping: bool = False
    first: int | None = None
    last: int | None = None
    known: bool = False


class Model:
    """Alerts as the spec tells them, one message at a time."""

    def __init__(self, lambdas: dict[str, str], stored: dict[str, Stored], rules: Rules) -> None:
        self.lambdas = {k: Lambda(v) for k, v in lambdas.items()}
        self.stored = stored
        self.rules = rules
        self.groups: dict[Group, _Group] = {}
        self.errors = 0

    def handle(self, message: Message) -> list[Message]:
        if isinstance(message, Barrier):
            self._group(message.group)
            return [message]
        if isinstance(message, Delete):
            return [message] if self.groups.pop(message.group, None) is not None else []
        group = self._group(message.group)
        identity = f"{message.name}:{_named(message)}"
        if not group.known:
            group.known = True
            stored = self.stored.get(identity)
            if stored is not None and stored.level:
                group.level = group.ring[-1] = stored.level
                group.first = group.last = stored.time
        if isinstance(message, Point):
            level, time = self._level(group.level, message), message.time
        elif not message.rows:
            return []
        else:
            found = [self._level(group.level, row) for row in message.rows]
            level = min(found) if self.rules.every else max(found)
            plain = self.rules.every or level == 0
            time = message.time if plain else message.rows[found.index(max(found))].time
        return self._record(group, message, identity, level, time)

    def _group(self, key: Group) -> _Group:
        if key not in self.groups:
            self.groups[key] = _Group(ring=[0] * max(2, self.rules.history))
        return self.groups[key]

    def _holds(self, name: str, row: Any) -> bool | None:
        if name not in self.lambdas:
            return None
        try:
            return self.lambdas[name].predicate("shared", row)
        except LambdaError:
            self.errors += 1
            return None

    def _level(self, current: int, row: Any) -> int:
        names = ("", "info", "warn", "crit")
        for level in range(3, max(current, 1) - 1, -1):
            if self._holds(names[level], row):
                return level
        if current:
            if names[current] in self.lambdas and self._holds(f"{names[current]}Reset", row) is False:
                return current
            for level in range(current, 0, -1):
                if self._holds(names[level], row):
                    return level
        return 0

    def _flaps(self, group: _Group) -> bool:
        if self.rules.flapping is None:
            return False
        low, high = self.rules.flapping
        size = len(group.ring)
        # The newest level is the last; counting goes on from it round the ring.
        turned = group.ring[-1:] + group.ring[:-1]
        changes, weight = 0.0, 0.8
        for k in range(size - 1):
            changes += weight if turned[k] != turned[k - 1] else 0.0
            weight += 0.4 / (size - 1)
        share = changes / (size - 1)
        if group.flapping:
            group.flapping = share >= low
        else:
            group.flapping = share > high
        return group.flapping

    def _record(self, group: _Group, message: Point | Batch, identity: str, level: int, time: int) -> list[Message]:
        rules, before = self.rules, group.level
        changed = before != level
        group.level = level
        group.ring = [*group.ring[1:], level]
        flapping = self._flaps(group)
        quiet = not changed and (rules.interval == 0 or (group.last is not None and time - group.last < rules.interval))
        muted = flapping or (rules.changes_only and quiet)
        passes = not muted
        if level == 0:
            passes = changed and (passes or isinstance(message, Batch))
        if not passes:
            return []
        group.last = time
        if before == 0:
            group.first = time
        if rules.no_recoveries and level == 0:
            return []
        duration = 2**63 - 1 if group.first is None else group.last - group.first
        text = f"{identity} {NAMES[level]} {go_duration(duration)}"
        added = {"level": NAMES[level], "message": text, "id": identity, "duration": duration}
        if isinstance(message, Point):
            return [replace(message, fields={**message.fields, **added})]
        rows = tuple(replace(r, fields={**r.fields, **added}) for r in message.rows)
        return [replace(message, rows=rows)]


def _named(message: Point | Batch) -> str:
    group = message.group
    if not group.dims and not group.by_name:
        return "nil"
    return group_text(message.name, group.tags, by_name=group.by_name)


LAMBDAS = st.fixed_dictionaries(
    {},
    optional={
        "info": st.sampled_from(['"v" > 0.5', '"v" > -50', "count() % 2 == 0"]),
        "warn": st.sampled_from(['"v" > 1.5', '"x" =~ /a/', "\"h\" == 'a'"]),
        "crit": st.sampled_from(['"v" >= 2', '"w" > 0', 'sigma("v") > 0.5', "TRUE"]),
        "infoReset": st.sampled_from(['"v" < 0', "FALSE"]),
        "warnReset": st.sampled_from(['"v" < 1', '"w" < 1', "count() > 3"]),
        "critReset": st.sampled_from(['"v" < 1', "FALSE", "TRUE"]),
    },
)
RULES = st.builds(
    Rules,
    changes_only=st.booleans(),
    interval=st.sampled_from([0, 0, S, 3 * S]),
    no_recoveries=st.booleans(),
    flapping=st.sampled_from([None, None, (0.2, 0.5), (0.5, 0.3)]),
    history=st.sampled_from([21, 0, 2, 4]),
    every=st.booleans(),
)
STORED = st.dictionaries(
    st.sampled_from(["m:h=a", "m:nil", "n:h=b", "m:h=a,r=x"]), st.builds(Stored, st.integers(0, 3), st.just(900 * S))
)


@SOME
@given(LAMBDAS, RULES, STORED, streams(ODD_VALUES), st.data())
def test_points_are_told_of_as_by_the_model(
    lambdas: dict[str, str], rules: Rules, stored: dict[str, Stored], messages: list[Message], data: Any
) -> None:
    _check(lambdas, rules, stored, messages, data, STREAM)


@SOME
@given(LAMBDAS, RULES, STORED, batches(ODD_VALUES), st.data())
def test_batches_are_told_of_as_by_the_model(
    lambdas: dict[str, str], rules: Rules, stored: dict[str, Stored], messages: list[Message], data: Any
) -> None:
    _check(lambdas, rules, stored, messages, data, BATCH)


def _check(
    lambdas: dict[str, str], rules: Rules, stored: dict[str, Stored], messages: list[Message], data: Any, edge: str
) -> None:
    given_rules = {name: getattr(rules, name) for name in Rules.__slots__}

    def make() -> AlertOperator:
        return alert(lambdas, service=Service(stored), annotations=ALL_ANNOTATIONS, **given_rules)

    check(make, Model(lambdas, stored, rules), messages, data, edge)


PIECES = st.sampled_from(
    [
        "{{ .Name }}", "{{ .TaskName }}", "{{ .Group }}", '{{ index .Tags "h" }}', "{{ .Tags.h }}", "{{ .Tags.none }}", "%s&'",
    ]
)  # fmt: skip
LATER = PIECES | st.sampled_from(
    [
        "{{ .ID }}", "{{ .Level }}", "{{ .Time }}", "{{ .Duration }}", '{{ index .Fields "v" }}', "{{ .Fields.x }}",
        "{{ .Fields.none }}", "{{ .Tags }}",
    ]
)  # fmt: skip
DETAILS = LATER | st.sampled_from(
    ["{{ json . }}", "{{ jsonCompact . }}", "{{ .Message }}", "<b a='{{ .ID }}'>", "<!-- x -->"]
)


@SOME
@given(
    st.lists(PIECES, max_size=3).map("".join), st.lists(LATER, max_size=4).map("".join),
    st.lists(DETAILS, max_size=4).map("".join), streams(ODD_VALUES), batches(ODD_VALUES),
)  # fmt: skip
def test_texts_made_by_column_are_those_that_the_templates_render(
    identity: str, message: str, details: str, points: list[Message], batched: list[Message]
) -> None:
    """A template within an action that is always taken says the same, but is rendered alert by alert."""
    for edge, messages in ((STREAM, points), (BATCH, batched)):
        told = []
        for around in ("{}", "{{{{ if true }}}}{}{{{{ end }}}}"):
            service = Service()
            texts = (around.format(t) for t in (identity, message, details))
            operator = alert(
                {"crit": "TRUE"}, service=service, **dict(zip(("identity", "message", "details"), texts, strict=True))
            )
            try:
                through(operator, messages, edge, [])
            except TaskError as error:
                service.asked.append(str(error).partition("executing")[2])
            told.append((service.events, service.asked))
        assert told[0] == told[1]

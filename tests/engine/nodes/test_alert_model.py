"""alert against a model that takes one message at a time (alerts.md §5-8, §16)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.alerts.levels import NAMES
from engine.alerts.texts import group_text
from engine.alerts.way_out import Stored
from engine.frames.model import BATCH, STREAM
from engine.nodes.alert import AlertOperator, Rules
from engine.nodes.alert_output import Annotations
from tests.engine.nodes.alerting import Service, alert
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Barrier, Batch, Delete, Group, Message, Point
from tests.engine.nodes.row_models import Lambda
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, check, streams
from tickscript.durations import go_duration
from tickscript.lambdas.errors import LambdaError

ALL_ANNOTATIONS = Annotations(level_field="level", message_field="message", id_field="id", duration_field="duration")


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

"""Models of the nodes that look at each point by itself, or at the one before it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.frames.model import Span
from tests.engine.nodes.messages import NIL, Barrier, Batch, Delete, Group, Message, Point, Row
from tests.engine.nodes.models import Known, kind, regrouped, round_half_up, truncate
from tickscript.lambdas.errors import LambdaError
from tickscript.lambdas.expression import Expression
from tickscript.lambdas.values import NULL, Duration, Time
from tickscript.parser import parse_lambda

if TYPE_CHECKING:
    from tickscript.lambdas.state import State


def value_of(value: Any) -> Any:
    """A field value as the language has it."""
    return NULL if value == NIL else Duration(value) if isinstance(value, Span) else value


class Lambda:
    """An expression with a state a group."""

    def __init__(self, text: str) -> None:
        self.expression = Expression(parse_lambda(text))
        self.states: dict[Any, State] = {}

    def scope(self, time: int, fields: dict[str, Any], tags: dict[str, str], extra: dict[str, Any]) -> dict[str, Any]:
        scope: dict[str, Any] = {}
        for name in self.expression.references:
            if name == "time":
                scope[name] = Time(time)
            elif name in fields and name in tags:
                raise LambdaError("both")
            elif name in fields:
                scope[name] = value_of(fields[name])
            elif name in tags:
                scope[name] = tags[name]
            elif name in extra:
                scope[name] = value_of(extra[name])
        return scope

    def state(self, key: Any) -> State:
        if key not in self.states:
            self.states[key] = self.expression.new_state()
        return self.states[key]

    def predicate(self, key: Any, row: Any) -> bool:
        return self.expression.predicate(self.scope(row.time, row.fields, row.tags, {}), self.state(key))

    def evaluate(self, key: Any, row: Any, extra: dict[str, Any]) -> Any:
        found = self.expression.evaluate(self.scope(row.time, row.fields, row.tags, extra), self.state(key))
        return Span(found) if isinstance(found, Duration) else found


class From:
    errors = 0
    cardinality = 0

    def __init__(
        self, *, measurement: str = "", truncate: int = 0, round_to: int = 0, group_by: tuple[str, ...] = (),
        group_all: bool = False, group_by_measurement: bool = False, where: str = "",
    ) -> None:  # fmt: skip
        self.measurement, self.truncate, self.round = measurement, truncate, round_to
        self.dims, self.by_name = (None if group_all else group_by), group_by_measurement
        self.where = Lambda(where) if where else None

    def handle(self, message: Message) -> list[Message]:
        if not isinstance(message, Point):
            return [message]
        if self.measurement and message.name != self.measurement:
            return []
        if self.where is not None:
            try:
                if not self.where.predicate("all", message):
                    return []
            except LambdaError:
                self.errors += 1
                return []
        time = round_half_up(truncate(message.time, self.truncate), self.round)
        return [replace(regrouped(message, self.dims, (), self.by_name), time=time)]


class GroupBy:
    errors = 0
    cardinality = 0

    def __init__(self, *, dims: tuple[str, ...] | None, exclude: tuple[str, ...] = (), by_name: bool = False) -> None:
        self.dims, self.exclude, self.by_name = dims, exclude, by_name

    def handle(self, message: Message) -> list[Message]:
        if not isinstance(message, Point):
            return [message]
        return [regrouped(message, self.dims, self.exclude, self.by_name or message.by_name)]


class Rows(Known):
    """A node that keeps or drops points, or the points of batches; `row` gives what a point becomes, or None."""

    def data(self, message: Any) -> list[Message]:
        state = self.of(message.group)
        if isinstance(message, Point):
            row = self.row(message.group, state, Row(message.time, message.fields, message.tags), begins=False)
            if row is None:
                return []
            return [replace(message, time=row.time, fields=row.fields, tags=row.tags)]
        kept = [
            self.row(message.group, self.batch_state(state), row, begins=i == 0) for i, row in enumerate(message.rows)
        ]
        return [replace(message, rows=tuple(row for row in kept if row is not None))]

    batch: Any = None

    def batch_state(self, state: Any) -> Any:
        return state

    def row(self, group: Group, state: Any, row: Row, *, begins: bool) -> Row | None:
        raise NotImplementedError


class Where(Rows):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.condition = Lambda(text)

    def handle(self, message: Message) -> list[Message]:
        if isinstance(message, Delete):
            self.condition.states.pop(message.group, None)
        return super().handle(message)

    def row(self, group: Group, state: Any, row: Row, *, begins: bool) -> Row | None:
        del state, begins
        try:
            return row if self.condition.predicate(group, row) else None
        except LambdaError:
            self.errors += 1
            return None


class Eval(Rows):
    def __init__(
        self, texts: list[str], names: list[str], *, tags: tuple[str, ...] = (), keep: tuple[str, ...] | None = None
    ) -> None:
        super().__init__()
        self.lambdas = [Lambda(text) for text in texts]
        self.names, self.tags, self.keep = names, tags, keep
        self.references = {r for part in self.lambdas for r in part.expression.references}

    def handle(self, message: Message) -> list[Message]:
        if isinstance(message, Delete):
            for part in self.lambdas:
                part.states.pop(message.group, None)
        return super().handle(message)

    def row(self, group: Group, state: Any, row: Row, *, begins: bool) -> Row | None:
        del state, begins
        try:
            return self.evaluated(group, row)
        except LambdaError:
            self.errors += 1
            return None

    def evaluated(self, group: Group, row: Row) -> Row:
        results: dict[str, Any] = {}
        for part, name in zip(self.lambdas, self.names, strict=True):
            for reference in part.expression.references:
                # References are loaded from the point for every lambda, over earlier results.
                if reference in results and (reference in row.fields or reference in row.tags):
                    results[reference] = row.fields.get(reference, row.tags.get(reference))
            results[name] = part.evaluate(group, row, results)
        tags = dict(row.tags)
        for name in self.tags:
            if not isinstance(results[name], str) or results[name] == NIL:
                raise LambdaError("no string")
            tags[name] = results[name]
        return Row(row.time, self.fields(row, results), tags)

    def fields(self, row: Row, results: dict[str, Any]) -> dict[str, Any]:
        if self.keep is None:
            return {k: v for k, v in results.items() if k not in self.tags}
        if not self.keep:
            return {**row.fields, **results}
        out = {}
        for name in self.keep:
            if name in results:
                out[name] = results[name]
            elif name in row.fields:
                out[name] = row.fields[name]
            elif name in self.references and name in row.tags:
                out[name] = row.tags[name]
            else:
                raise LambdaError("no such field")
        return out


class Restarting(Rows):
    """A state that begins anew with every batch."""

    def fresh(self) -> dict[str, Any]:
        return {}

    def batch_state(self, state: Any) -> Any:
        del state
        if self.batch is None:
            self.batch = {}
        return self.batch

    def data(self, message: Any) -> list[Message]:
        self.batch = None
        return super().data(message)


class Derivative(Restarting):
    def __init__(self, *, unit: int, non_negative: bool, as_: str) -> None:
        super().__init__()
        self.unit, self.positive, self.as_ = unit, non_negative, as_

    def row(self, group: Group, state: Any, row: Row, *, begins: bool) -> Row | None:
        del group, begins
        value = row.fields.get("v")
        if kind(value) not in {"float", "int"}:
            self.errors += 1
            return None
        before, state["last"] = state.get("last"), (row.time, float(value))
        if before is None:
            return None
        elapsed = row.time - before[0]
        if elapsed == 0:
            self.errors += 1
            return None
        difference = float(value) - before[1]
        if self.positive and difference < 0:
            return None
        return replace(row, fields={**row.fields, self.as_: difference / (elapsed / self.unit)})


class ChangeDetect(Restarting):
    def __init__(self, *fields: str) -> None:
        super().__init__()
        self.fields = fields

    @staticmethod
    def sort(value: Any) -> Any:
        if value is None or value == NIL:
            return None
        return (kind(value), "never" if isinstance(value, float) and math.isnan(value) else value)

    def row(self, group: Group, state: Any, row: Row, *, begins: bool) -> Row | None:
        del group, begins
        last = state.get("last", {})
        changed = False
        for name in self.fields:
            if name not in row.fields:
                self.errors += 1
                continue
            new, old = self.sort(row.fields[name]), self.sort(last.get(name))
            changed = changed or new != old or (new is not None and new[1] == "never")
        if not changed:
            return None
        state["last"] = row.fields
        return row


class States(Restarting):
    def __init__(self, text: str, *, as_: str, unit: int | None) -> None:
        super().__init__()
        self.condition = Lambda(text)
        self.as_, self.unit = as_, unit

    def handle(self, message: Message) -> list[Message]:
        if isinstance(message, Delete):
            self.condition.states.pop(message.group, None)
        return super().handle(message)

    def row(self, group: Group, state: Any, row: Row, *, begins: bool) -> Row | None:
        del begins
        try:
            true = self.condition.predicate(group, row)
        except LambdaError:
            self.errors += 1
            return None
        value: float = -1
        if true:
            state["count"] = state.get("count", 0) + 1
            if state["count"] == 1:
                state["since"] = row.time
            value = state["count"] if self.unit is None else (row.time - state["since"]) / self.unit
        else:
            state["count"] = 0
        return replace(row, fields={**row.fields, self.as_: value if self.unit is None else float(value)})


class Sample(Restarting):
    def __init__(self, *, n: int = 0, duration: int = 0) -> None:
        super().__init__()
        self.n, self.duration = n, duration

    def row(self, group: Group, state: Any, row: Row, *, begins: bool) -> Row | None:
        del group, begins
        if not self.n:
            return row if truncate(row.time, self.duration) == row.time else None
        count = state["count"] = state.get("count", -1) + 1
        return row if count % self.n == 0 else None


class Plain:
    """A node without groups: events pass."""

    cardinality = 0
    errors = 0

    def handle(self, message: Message) -> list[Message]:
        return [message] if isinstance(message, Barrier | Delete) else self.data(message)

    def data(self, message: Any) -> list[Message]:
        raise NotImplementedError


class Shift(Plain):
    def __init__(self, by: int) -> None:
        self.by = by

    def data(self, message: Any) -> list[Message]:
        if isinstance(message, Point):
            return [replace(message, time=message.time + self.by)]
        rows = tuple(replace(row, time=row.time + self.by) for row in message.rows)
        return [replace(message, time=message.time + self.by, rows=rows)]


class Trickle(Plain):
    def data(self, message: Any) -> list[Message]:
        group = message.group
        return [Point(message.name, r.time, r.fields, r.tags, group.dims, group.by_name) for r in message.rows]


class Default(Plain):
    def __init__(self, fields: dict[str, Any], tags: dict[str, str]) -> None:
        self.fields, self.tags = fields, tags
        self.counters = {"fields_defaulted": 0, "tags_defaulted": 0}

    def row(self, row: Any) -> Any:
        fields, tags = dict(row.fields), self.tagged(row.tags)
        for name, value in self.fields.items():
            if fields.get(name, NIL) == NIL:
                fields[name] = value
                self.counters["fields_defaulted"] += 1
        return replace(row, fields=fields, tags=tags)

    def tagged(self, tags: dict[str, str]) -> dict[str, str]:
        out = dict(tags)
        for name, value in self.tags.items():
            if not out.get(name):
                out[name] = value
                self.counters["tags_defaulted"] += 1
        return out

    def data(self, message: Any) -> list[Message]:
        if isinstance(message, Point):
            return [self.row(message)]
        group = message.group
        tags = self.tagged(group.tags)
        dims = tuple(sorted(tags)) if self.tags else group.dims
        new = Group(dims, tuple(tags[d] for d in dims), group.by_name, group.name)
        return [Batch(message.name, message.time, tuple(map(self.row, message.rows)), new)]


class Remove(Plain):
    def __init__(self, fields: tuple[str, ...], tags: tuple[str, ...]) -> None:
        self.fields, self.tags = fields, tags
        self.counters = {"fields_deleted": 0, "tags_deleted": 0}

    def row(self, row: Any) -> Any:
        fields = {k: v for k, v in row.fields.items() if k not in self.fields}
        tags = {k: v for k, v in row.tags.items() if k not in self.tags}
        self.counters["fields_deleted"] += len(row.fields) - len(fields)
        self.counters["tags_deleted"] += len(row.tags) - len(tags)
        return replace(row, fields=fields, tags=tags)

    def data(self, message: Any) -> list[Message]:
        if isinstance(message, Point):
            made = self.row(message)
            return [replace(made, dims=tuple(d for d in message.dims if d not in self.tags))]
        group = message.group
        dims = tuple(d for d in group.dims if d not in self.tags)
        self.counters["tags_deleted"] += len(group.dims) - len(dims)
        new = Group(dims, tuple(group.tags[d] for d in dims), group.by_name, group.name)
        return [Batch(message.name, message.time, tuple(map(self.row, message.rows)), new)]

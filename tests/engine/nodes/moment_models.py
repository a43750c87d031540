"""Models of the nodes that make something of all points of one rounded time: combine and flatten (nodes.md §14, §15)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from tests.engine.nodes.messages import Barrier, Batch, Delete, Group, Message, Point, Row
from tests.engine.nodes.models import Known, round_half_up
from tests.engine.nodes.row_models import Lambda
from tickscript.lambdas.errors import LambdaError


@dataclass
class Moment:
    """What a group gathers; `time` is the latest rounded one where late points do not set it back."""

    name: str = ""
    time: int | None = None
    rows: list[Row] = field(default_factory=list)


class Combine(Known):
    def __init__(self, *, lambdas: list[str], as_: list[str], delimiter: str = ".", tolerance: int = 0) -> None:
        super().__init__()
        self.lambdas = [Lambda(text) for text in lambdas]
        self.as_, self.delimiter, self.tolerance = as_, delimiter, tolerance

    def fresh(self) -> Moment:
        return Moment()

    def handle(self, message: Message) -> list[Message]:
        if isinstance(message, Delete):
            for each in self.lambdas:
                each.states.pop(message.group, None)
        return super().handle(message)

    def data(self, message: Any) -> list[Message]:
        state = self.of(message.group)
        if isinstance(message, Point):
            state.name = state.name or message.name
            return self.gather(state, message.group, Row(message.time, message.fields, message.tags))
        state.name = message.name
        out = [m for row in message.rows for m in self.gather(state, message.group, row)]
        out += self.process(state, message.group)
        return out

    def gather(self, state: Moment, group: Group, row: Row) -> list[Message]:
        time = round_half_up(row.time, self.tolerance)
        out = self.process(state, group) if time != state.time else []
        state.time = time
        state.rows.append(row)
        return out

    def process(self, state: Moment, group: Group) -> list[Message]:
        rows, state.rows = state.rows, []
        true = [[self.holds(each, group, row) for row in rows] for each in self.lambdas]
        out: list[Message] = []
        for chosen in combinations(range(len(rows)), len(self.lambdas)):
            left = list(chosen)
            for mine in true:
                found = next((i for i in left if mine[i]), None)
                if found is None:
                    break
                left.remove(found)
            if not left:
                out.append(self.point(state, group, rows, chosen, true))
        return out

    def holds(self, each: Lambda, group: Group, row: Row) -> bool:
        try:
            return each.predicate(group, row)
        except LambdaError:
            self.errors += 1
            return False

    def point(
        self, state: Moment, group: Group, rows: list[Row], chosen: tuple[int, ...], true: list[list[bool]]
    ) -> Message:
        fields: dict[str, Any] = {}
        tags = dict(group.tags)
        left = list(chosen)
        for name, mine in zip(self.as_, true, strict=True):
            i = next(i for i in left if mine[i])
            left.remove(i)
            fields.update({name + self.delimiter + k: v for k, v in rows[i].fields.items()})
            tags.update({name + self.delimiter + k: v for k, v in rows[i].tags.items() if k not in group.dims})
        assert state.time is not None
        return Point(state.name, state.time, fields, tags, group.dims, group.by_name)


class Flatten(Known):
    def __init__(self, *, on: tuple[str, ...], delimiter: str = ".", tolerance: int = 0, bare: bool = False) -> None:
        super().__init__()
        self.on, self.delimiter, self.tolerance, self.bare = on, delimiter, tolerance, bare

    def fresh(self) -> Moment:
        return Moment()

    def handle(self, message: Message) -> list[Message]:
        if not isinstance(message, Barrier):
            return super().handle(message)
        state = self.of(message.group)
        out: list[Message] = []
        if state.rows and state.time is not None and message.time > state.time:
            out = self.points(state, message.group, self.process(state, message.group, closing=True))
        return [*out, message]

    def data(self, message: Any) -> list[Message]:
        state = self.of(message.group)
        group = message.group
        if isinstance(message, Point):
            state.name = state.name or message.name
            return self.points(state, group, self.gather(state, group, Row(message.time, message.fields, message.tags)))
        state.time = None
        out = [r for row in message.rows for r in self.gather(state, group, row)]
        out += self.process(state, group, closing=True)
        return [Batch(message.name, message.time, tuple(out), group)]

    def points(self, state: Moment, group: Group, rows: list[Row]) -> list[Message]:
        return [Point(state.name, r.time, r.fields, r.tags, group.dims, group.by_name) for r in rows]

    def gather(self, state: Moment, group: Group, row: Row) -> list[Row]:
        time = round_half_up(row.time, self.tolerance)
        out: list[Row] = []
        if time != state.time:
            out = self.process(state, group, closing=False)
            state.time = time if state.time is None else max(state.time, time)
        state.rows.append(row)
        return out

    def process(self, state: Moment, group: Group, *, closing: bool) -> list[Row]:
        rows, state.rows = state.rows, []
        fields: dict[str, Any] = {}
        for row in rows:
            if any(tag not in row.tags for tag in self.on):
                self.errors += 1
                continue
            prefix = self.delimiter.join(row.tags[tag] for tag in self.on)
            for k in sorted(row.fields):
                name = prefix if self.bare else f"{prefix}{self.delimiter}{k}" if prefix else k
                fields[name] = row.fields[k]
        if not rows or not (fields or closing):
            return []
        assert state.time is not None
        return [Row(state.time, fields, group.tags)]

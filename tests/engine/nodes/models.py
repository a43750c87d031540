"""Plain-Python models of operators: the spec "Pipeline nodes", one message at a time, as slow and plain as can be."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from engine.frames.model import Span
from tests.engine.nodes.messages import NIL, Barrier, Batch, Delete, Group, Message, Point, Row

if TYPE_CHECKING:
    from collections.abc import Callable

YEAR_ONE = 62_135_596_800 * 10**9


def truncate(t: int, d: int) -> int:
    return t if d <= 0 else (t + YEAR_ONE) // d * d - YEAR_ONE


def round_half_up(t: int, d: int) -> int:
    if d <= 0:
        return t
    low = truncate(t, d)
    return low if (t - low) * 2 < d else low + d


class Known:
    """Which groups have been seen; a delete-group of another is swallowed."""

    errors = 0

    def __init__(self) -> None:
        self.groups: dict[Group, Any] = {}

    @property
    def cardinality(self) -> int:
        return len(self.groups)

    def fresh(self) -> Any:
        return None

    def of(self, group: Group) -> Any:
        return self.groups.setdefault(group, self.fresh())

    def handle(self, message: Message) -> list[Message]:
        if isinstance(message, Barrier):
            self.of(message.group)
            return [message]
        if isinstance(message, Delete):
            if message.group not in self.groups:
                return []
            del self.groups[message.group]
            return [message]
        return self.data(message)

    def data(self, message: Any) -> list[Message]:
        self.of(message.group)
        return [message]


class Ring:
    """The reference's ring buffer of a window by time (the case window/late_point_inside shows that it matters)."""

    def __init__(self) -> None:
        self.cells: list[Row] = []
        self.capacity = self.start = self.stop = self.size = 0

    def insert(self, row: Row) -> None:
        if self.size == self.capacity:
            self.cells = self.points()
            self.capacity = 2 * (self.size + 1)
            self.cells.append(row)
            self.start, self.stop = 0, self.size
        if len(self.cells) == self.capacity and self.stop == len(self.cells):
            self.stop = 0
            if self.start == len(self.cells):
                self.start = 0
        if self.stop == len(self.cells):
            self.cells.append(row)
        else:
            self.cells[self.stop] = row
        self.size += 1
        self.stop += 1

    def purge(self, oldest: int) -> None:
        length = len(self.cells)
        if length == 0 or self.size == 0:
            return
        if self.start >= self.stop:
            if self.cells[length - 1].time >= oldest:
                while self.cells[self.start].time < oldest:
                    self.start += 1
                self.size = length - self.start + self.stop
                return
            self.start = 0
        while self.start < self.stop and self.cells[self.start].time < oldest:
            self.start += 1
        self.size = self.stop - self.start

    def points(self) -> list[Row]:
        if self.size == 0:
            return []
        if self.start < self.stop:
            return self.cells[self.start : self.stop]
        return self.cells[self.start :] + self.cells[: self.stop]


@dataclass
class WindowState:
    name: str = ""
    due: int | None = None
    ring: Ring = field(default_factory=Ring)
    rows: list[Row] = field(default_factory=list)
    count: int = 0


class TimeWindow(Known):
    def __init__(self, *, period: int = 0, every: int = 0, align: bool = False, fill_period: bool = False) -> None:
        super().__init__()
        self.period, self.every, self.align, self.fill = period, every, align, fill_period

    def fresh(self) -> WindowState:
        return WindowState()

    def handle(self, message: Message) -> list[Message]:
        if isinstance(message, Delete):
            return super().handle(message)
        state = self.of(message.group)
        t = message.time
        if state.due is None:
            first = t + (self.period if self.fill else self.every)
            state.due = truncate(first, self.every) if self.align else first
            if self.align and self.fill:
                state.due += self.every
        row = None
        if isinstance(message, Point):
            row = Row(t, message.fields, message.tags)
            state.name = state.name or message.name
        out: list[Message] = []
        if self.every == 0:
            if row:
                state.ring.insert(row)
            if t >= state.due:
                state.ring.purge(t - self.period + 1)
                out = self.emit(state, message.group, t)
                state.due = t
            return out
        if t >= state.due:
            state.ring.purge(state.due - self.period)
            out = self.emit(state, message.group, state.due)
            state.due = truncate(t + self.every, self.every) if self.align else t + self.every
        if row:
            state.ring.insert(row)
        return out

    def emit(self, state: WindowState, group: Group, time: int) -> list[Message]:
        return [Batch(state.name, time, tuple(state.ring.points()), group)] if state.name else []


class CountWindow(Known):
    def __init__(self, *, period_count: int, every_count: int, fill_period: bool = False) -> None:
        super().__init__()
        self.period, self.every = period_count, every_count
        self.first = period_count if fill_period else every_count

    def fresh(self) -> WindowState:
        return WindowState(due=self.first)

    def handle(self, message: Message) -> list[Message]:
        # A window by count passes barriers on and does not learn of groups from them.
        return [message] if isinstance(message, Barrier) else super().handle(message)

    def data(self, message: Point) -> list[Message]:
        state = self.of(message.group)
        state.name = state.name or message.name
        state.rows = [*state.rows, Row(message.time, message.fields, message.tags)][-self.period :]
        state.count += 1
        if state.count != state.due:
            return []
        state.due += self.every
        return [Batch(state.name, message.time, tuple(state.rows), message.group)]


def regrouped(
    point: Point, dims: tuple[str, ...] | None, exclude: tuple[str, ...] = (), by_name: bool = False
) -> Point:
    """`dims` None is `*`."""
    keys = tuple(k for k in sorted(point.tags) if k not in exclude) if dims is None else dims
    return replace(point, dims=keys, by_name=by_name)


class BatchGroupBy(Known):
    def __init__(self, *, dims: tuple[str, ...] | None, exclude: tuple[str, ...] = (), by_name: bool = False) -> None:
        super().__init__()
        self.dims, self.exclude, self.by_name = dims, exclude, by_name
        self.time: int | None = None

    def handle(self, message: Message) -> list[Message]:
        if isinstance(message, Delete):
            self.groups.pop(message.group, None)
            return [message]
        out = self.turn(message.time)
        if isinstance(message, Barrier):
            return [*out, message]
        for row in message.rows:
            point = Point(message.name, row.time, row.fields, row.tags, (), message.group.by_name)
            point = regrouped(point, self.dims, self.exclude, self.by_name or message.group.by_name)
            self.groups.setdefault(point.group, (message.name, []))[1].append(row)
        return out

    def turn(self, time: int) -> list[Message]:
        if time == self.time:
            return []
        out: list[Message] = [
            Batch(name, self.time, tuple(sorted(rows, key=lambda r: r.time)), group)
            for group, (name, rows) in self.groups.items()
        ]
        self.groups, self.time = {}, time
        return out


def kind(value: Any) -> str:
    if value is None:
        return "missing"
    if value == NIL:
        return "nil"
    if isinstance(value, Span):
        return "duration"
    return {bool: "bool", int: "int", float: "float", str: "string"}[type(value)]


def wrap(value: int) -> int:
    return (value + 2**63) % 2**64 - 2**63


def group_tags(group: Group) -> dict[str, str]:
    return dict(group.tags)


@dataclass
class Run:
    """What a reduction sees: usable rows and their values, all of one kind."""

    kind: str
    rows: list[Row]
    values: list[Any]


class Reduce(Known):
    """Runs of points to results; `reduce` takes a run (None where nothing was usable) and gives the results."""

    kinds = frozenset({"float", "int"})

    def __init__(self, *, field: str, as_: str, stream: bool, use_point_times: bool = False) -> None:
        super().__init__()
        self.field, self.as_, self.stream, self.point_times = field, as_, stream, use_point_times

    def fresh(self) -> dict[str, Any]:
        return {"name": "", "time": None, "rows": []}

    def data(self, message: Any) -> list[Message]:
        state = self.of(message.group)
        if not self.stream:
            state["name"] = state["name"] or message.name
            return self.result(state["name"], message.group, message.time, list(message.rows))
        out: list[Message] = []
        if state["rows"] and state["time"] != message.time:
            out = self.result(state["name"], message.group, state["time"], state["rows"])
            state["rows"] = []
        if not state["rows"]:
            state["name"], state["time"] = message.name, message.time
        state["rows"] = [*state["rows"], Row(message.time, message.fields, message.tags)]
        return out

    def result(self, name: str, group: Group, time: int, rows: list[Row]) -> list[Message]:
        known, usable = "", []
        for row in rows:
            found = kind(row.fields.get(self.field))
            if found == known or (not known and found in self.kinds):
                known = found
                usable.append(row)
            else:
                self.errors += 1
        values = [row.fields[self.field] for row in usable]
        return self.reduce(name, group, time, Run(known, usable, values) if usable else None)

    def point(self, name: str, group: Group, time: int, value: Any) -> list[Message]:
        return [Point(name, time, {self.as_: value}, group_tags(group), group.dims, group.by_name)]

    def reduce(self, name: str, group: Group, time: int, run: Run | None) -> list[Message]:
        raise NotImplementedError


def mode(run: Run) -> Any:
    pairs = sorted(zip(run.values, [r.time for r in run.rows], strict=True), key=lambda p: p[0])
    current, since = pairs[0]
    winner, last, best, seen = current, since, 0, 0
    for value, time in pairs:
        if value != current:
            current, since, seen = value, time, 1
            continue
        seen += 1
        if best > seen or (best == seen and since > last):
            continue
        best, winner, last = seen, value, time
    return winner


def total(run: Run) -> Any:
    out = run.values[0]
    for value in run.values[1:]:
        out += value
    return wrap(out) if run.kind == "int" else out


def stddev(run: Run) -> float:
    values = [float(v) for v in run.values]
    if len(values) < 2:
        return math.nan
    mean = 0.0
    for i, v in enumerate(values, 1):
        mean += (v - mean) / i
    squares = 0.0
    for v in values:
        squares += (v - mean) * (v - mean)
    return math.sqrt(squares / (len(values) - 1))


def median(run: Run) -> float:
    ordered = sorted(run.values)
    n = len(ordered)
    if n % 2:
        return float(ordered[n // 2])
    low, high = ordered[n // 2 - 1], ordered[n // 2]
    return float(low) + float(wrap(high - low) if run.kind == "int" else high - low) / 2


AGGREGATES: dict[str, Callable[[Run], Any]] = {
    "sum": total,
    "mean": lambda run: float(total(run)) / len(run.values),
    "spread": lambda run: (
        wrap(max(run.values) - min(run.values)) if run.kind == "int" else max(run.values) - min(run.values)
    ),
    "stddev": stddev,
    "median": median,
    "mode": mode,
}


class Aggregate(Reduce):
    def __init__(self, *, function: str, **properties: Any) -> None:
        super().__init__(**properties)
        self.function = function

    def reduce(self, name: str, group: Group, time: int, run: Run | None) -> list[Message]:
        if self.function == "sum" and self.point_times:
            time = 0
        if run is None:
            return self.point(name, group, time, 0.0) if self.function == "sum" and not self.stream else []
        single = len(run.rows) == 1 and run.kind == "float" and self.function in {"median", "mode"}
        at = run.rows[0].time if single and self.point_times else time
        return self.point(name, group, at, AGGREGATES[self.function](run))


class Count(Reduce):
    kinds = frozenset({"float", "int", "string", "bool"})

    def reduce(self, name: str, group: Group, time: int, run: Run | None) -> list[Message]:
        if run is None:
            return [] if self.stream else self.point(name, group, 0 if self.point_times else time, 0)
        return self.point(name, group, time, len(run.values))


def text_order(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def _first_last(run: Run, function: str, _: float) -> int:
    best = 0
    for i in range(1, len(run.rows)):
        t, u = run.rows[i].time, run.rows[best].time
        v, w = text_order(run.values[i]), text_order(run.values[best])
        larger = w > v if run.kind == "bool" and function == "first" else v > w
        earlier = t < u if function == "first" else t > u
        if earlier or (t == u and larger):
            best = i
    return best


def _min_max(run: Run, function: str, _: float) -> int:
    best = 0
    for i in range(1, len(run.rows)):
        v, w = run.values[i], run.values[best]
        better = v > w if function == "max" else v < w
        if better or (v == w and run.rows[i].time < run.rows[best].time):
            best = i
    return best


def _percentile(run: Run, _: str, percent: float) -> int:
    n = len(run.values)
    at = math.floor(n * percent / 100 + 0.5) - 1
    return sorted(range(n), key=lambda i: run.values[i])[at] if 0 <= at < n else -1


PICKS: dict[str, Callable[[Run, str, float], int]] = {
    "first": _first_last,
    "last": _first_last,
    "min": _min_max,
    "max": _min_max,
    "percentile": _percentile,
}


class Select(Reduce):
    def __init__(self, *, function: str, percentile: float = 0.0, **properties: Any) -> None:
        super().__init__(**properties)
        self.function, self.percentile = function, percentile
        if function in {"first", "last"}:
            self.kinds = Count.kinds

    def reduce(self, name: str, group: Group, time: int, run: Run | None) -> list[Message]:
        if run is None:
            return []
        at = PICKS[self.function](run, self.function, self.percentile)
        if at < 0:
            return []
        row = run.rows[at]
        fields = {k: v for k, v in row.fields.items() if k != self.field} | {self.as_: run.values[at]}
        return [Point(name, row.time if self.point_times else time, fields, row.tags, group.dims, group.by_name)]


class Listed(Reduce):
    """distinct, top and bottom."""

    def __init__(self, *, function: str, n: int = 0, **properties: Any) -> None:
        super().__init__(**properties)
        self.function, self.n = function, n
        if function == "distinct":
            self.kinds = Count.kinds

    def reduce(self, name: str, group: Group, time: int, run: Run | None) -> list[Message]:
        if run is None:
            return []
        rows = []
        for i in self.chosen(run):
            at = run.rows[i].time if self.point_times else time
            tags = group_tags(group) if self.function == "distinct" else run.rows[i].tags
            rows.append(Row(at, {self.as_: run.values[i]}, tags))
        latest = max([time, *[r.time for r in rows]]) if self.point_times else time
        return [Batch(name, latest, tuple(rows), group)]

    def chosen(self, run: Run) -> list[int]:
        indices = range(len(run.values))
        if self.function != "distinct":
            sign = -1 if self.function == "top" else 1
            return sorted(indices, key=lambda i: (sign * run.values[i], run.rows[i].time))[: self.n]
        first: dict[Any, int] = {}
        for i in indices:
            first.setdefault(run.values[i], i)
        return sorted(first.values(), key=lambda i: (run.rows[i].time, text_order(run.values[i])))


class Transform(Known):
    def __init__(self, *, function: str, field: str, as_: str, stream: bool, unit: int = 1, n: int = 1) -> None:
        super().__init__()
        self.function, self.field, self.as_, self.stream, self.unit, self.n = function, field, as_, stream, unit, n
        self.kinds = Count.kinds if function == "elapsed" else Reduce.kinds

    def fresh(self) -> dict[str, Any]:
        return {"name": "", "run": self.begin()}

    @staticmethod
    def begin() -> dict[str, Any]:
        return {"kind": "", "time": None, "last": None, "sum": None, "ring": [], "at": 0, "said": None}

    def data(self, message: Any) -> list[Message]:
        state = self.of(message.group)
        state["name"] = state["name"] or message.name
        group = message.group
        if self.stream:
            found = self.step(state["run"], message.time, message.fields)
            if found is None:
                return []
            return [Point(state["name"], found[0], {self.as_: found[1]}, group_tags(group), group.dims, group.by_name)]
        run = self.begin()
        rows = []
        for row in message.rows:
            found = self.step(run, row.time, row.fields)
            if found is not None:
                rows.append(Row(found[0], {self.as_: found[1]}, group_tags(group)))
        return [Batch(state["name"], message.time, tuple(rows), group)]

    def step(self, run: dict[str, Any], time: int, fields: dict[str, Any]) -> tuple[int, Any] | None:
        value = fields.get(self.field)
        found = kind(value)
        if found != run["kind"] and (run["kind"] or found not in self.kinds):
            self.errors += 1
            return None if self.function == "difference" else run["said"]
        run["kind"] = found
        before, last = run["time"], run["last"]
        if self.function == "difference" and before == time:
            return None
        run["time"], run["last"] = time, value
        whole = found == "int"
        result: Any = None
        if self.function == "elapsed":
            if before is not None:
                quotient = abs(time - before) // self.unit
                result = quotient if time >= before else -quotient
        elif self.function == "difference":
            if before is not None:
                result = wrap(value - last) if whole else value - last
        elif self.function == "cumulativeSum":
            run["sum"] = value if run["sum"] is None else wrap(run["sum"] + value) if whole else run["sum"] + value
            result = run["sum"]
        else:
            result = self.average(run, value, whole)
        if result is None:
            return None
        run["said"] = (time, result)
        return run["said"]

    def average(self, run: dict[str, Any], value: Any, whole: bool) -> float | None:
        ring = run["ring"]
        run["sum"] = (0 if whole else 0.0) if run["sum"] is None else run["sum"]
        if len(ring) == self.n:
            run["sum"] -= ring.pop(0)
        ring.append(value)
        run["sum"] += value
        if whole:
            run["sum"] = wrap(run["sum"])
        return float(run["sum"]) / self.n if len(ring) == self.n else None

"""Join and union as plain-Python models, straight from the spec's pseudo code, and the check of operators against them.

A model takes (parent, message) one at a time. `check_fan_in` cuts the same sequence into frames in several ways (a frame
has messages of one parent that follow each other), snapshots and restores in between, and compares what comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import msgpack
from hypothesis import strategies as st

from engine.frames.codec import decode, encode
from engine.frames.model import STREAM
from tests.engine.nodes.messages import NIL, Barrier, Batch, Delete, Group, Message, Point, Row, frames_of, messages_of
from tests.engine.nodes.models import round_half_up
from tests.engine.nodes.strategies import plain

if TYPE_CHECKING:
    from collections.abc import Callable

Sent = tuple[int, Message]
NEVER = -(2**70)


class FanIn(Protocol):
    """A model of an operator with several parents."""

    def handle(self, src: int, message: Message) -> list[Message]: ...

    def finish(self) -> list[Message]: ...


@dataclass
class Buckets:
    """The state of one group (nodes.md §12.2)."""

    sources: int
    sets: dict[int, list[list[Any]]] = field(default_factory=dict)
    head: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.head = [NEVER] * self.sources


class JoinModel:
    """nodes.md §12, with the intended meaning of barriers."""

    def __init__(
        self, *, as_: tuple[str, ...], on: tuple[str, ...] = (), delimiter: str = ".", tolerance: int = 0, fill: Any = None,
        stream_name: str = "", delete_all: bool = False,
    ) -> None:  # fmt: skip
        self.as_, self.on, self.delimiter, self.tolerance = as_, on, delimiter, tolerance
        self.fill, self.stream_name, self.delete_all = fill, stream_name, delete_all
        self.n = len(as_)
        self.groups: dict[Group, Buckets] = {}
        self.marks: dict[tuple[int, Group], int] = {}
        self.heard: set[int] = set()
        self.matches: dict[Group, list[tuple[int, Any]]] = {}
        self.specifics: dict[Group, list[tuple[int, Any]]] = {}

    @property
    def cardinality(self) -> int:
        return len(self.groups)

    def bucket(self, time: int) -> int:
        return round_half_up(time, self.tolerance)

    def of(self, group: Group) -> Buckets:
        return self.groups.setdefault(group, Buckets(self.n))

    def handle(self, src: int, message: Message) -> list[Message]:
        if isinstance(message, Barrier):
            state = self.of(message.group)
            state.head[src] = self.bucket(message.time)
            return [*self.settle(message.group), message]
        if isinstance(message, Delete):
            self.groups.pop(message.group, None)
            self.matches.pop(message.group, None)
            self.specifics.pop(message.group, None)
            self.marks.pop((src, message.group), None)
            if self.delete_all:
                self.marks.clear()
            return [message]
        return self.by_key(src, message) if self.on else self.send(src, message.group, message)

    def send(self, src: int, group: Group, message: Any) -> list[Message]:
        state = self.of(group)
        t = self.bucket(message.time)
        bucket = state.sets.setdefault(t, [])
        free = next((s for s in bucket if s[src] is None), None)
        if free is None:
            free = [None] * self.n
            bucket.append(free)
        free[src] = message
        state.head[src] = t
        return self.settle(group)

    def settle(self, group: Group) -> list[Message]:
        state = self.groups[group]
        out: list[Message] = []
        while state.sets:
            oldest = min(state.sets)
            only_ready = any(h <= oldest for h in state.head)
            bucket = state.sets[oldest]
            while bucket and (not only_ready or None not in bucket[0]):
                out += self.output(group, oldest, bucket.pop(0))
            if not bucket:
                del state.sets[oldest]
            if only_ready:
                break
        return out

    def by_key(self, src: int, message: Any) -> list[Message]:
        tags = message.group.tags
        key = Group(self.on, tuple(tags.get(d, "") for d in self.on), message.group.by_name, message.group.name)
        t = self.bucket(message.time)
        self.heard.add(src)
        self.marks[src, key] = t
        all_heard = len(self.heard) == self.n
        low = NEVER
        if all_heard:
            for s in range(self.n):
                mark = self.marks.get((s, key))
                low = NEVER if mark is None else mark if low == NEVER else min(low, mark)
        out: list[Message] = []
        specifics, matches = self.specifics.setdefault(key, []), self.matches.setdefault(key, [])
        while specifics and self.bucket(specifics[0][1].time) < low:
            s, old = specifics.pop(0)
            out += self.send(s, old.group, old)
        if len(message.group.dims) > len(self.on):
            paired, passed = False, 0
            for s, match in matches:
                m = self.bucket(match.time)
                if m == t:
                    out += self.pair((src, message), (s, match))
                    paired = True
                if m >= low:
                    break
                passed += 1
            if all_heard:
                del matches[:passed]
            if not paired:
                if t < low:
                    out += self.send(src, message.group, message)
                else:
                    specifics.append((src, message))
        else:
            matches.append((src, message))
            while specifics and self.bucket(specifics[0][1].time) == t:
                out += self.pair(specifics.pop(0), (src, message))
        return out

    def pair(self, specific: tuple[int, Any], match: tuple[int, Any]) -> list[Message]:
        group = specific[1].group
        return [*self.send(specific[0], group, specific[1]), *self.send(match[0], group, match[1])]

    def fields(self, members: list[Any], names: list[str]) -> dict[str, Any] | None:
        """Prefixed fields; None where something misses and nothing fills it."""
        out: dict[str, Any] = {}
        for prefix, member in zip(self.as_, members, strict=True):
            if member is not None:
                out.update({prefix + self.delimiter + k: v for k, v in member.fields.items()})
            elif self.fill in (None, "none"):
                return None
            else:
                value = NIL if self.fill == "null" else self.fill
                out.update({prefix + self.delimiter + k: value for k in names})
        return out

    def output(self, group: Group, time: int, members: list[Any]) -> list[Message]:
        first = next(m for m in members if m is not None)
        name = self.stream_name or first.name
        out_group = replace(group, name=name) if group.by_name else group
        if isinstance(first, Point):
            fields = self.fields(members, list(first.fields))
            return [] if fields is None else [Point(name, time, fields, group.tags, group.dims, group.by_name)]
        return [Batch(name, time, tuple(self.rows(members, group)), out_group)]

    def rows(self, members: list[Any], group: Group) -> list[Row]:
        unread = [list(m.rows) if m is not None else [] for m in members]
        names = next((list(rows[0].fields) for rows in unread if rows), [])
        out = []
        while any(unread):
            time = min(self.bucket(rows[0].time) for rows in unread if rows)
            taken = [rows.pop(0) if rows and self.bucket(rows[0].time) == time else None for rows in unread]
            fields = self.fields(taken, names)
            if fields is not None:
                out.append(Row(time, fields, group.tags))
        return out

    def finish(self) -> list[Message]:
        out: list[Message] = []
        for group, state in self.groups.items():
            for time in sorted(state.sets):
                for members in state.sets[time]:
                    out += self.output(group, time, members)
        return out


class UnionModel:
    """nodes.md §13."""

    cardinality = 0

    def __init__(self, *, parents: int, rename: str = "") -> None:
        self.rename = rename
        self.queues: list[list[Any]] = [[] for _ in range(parents)]
        self.marks: list[int | None] = [None] * parents

    def handle(self, src: int, message: Message) -> list[Message]:
        if isinstance(message, Delete):
            return [message]
        self.queues[src].append(self.renamed(message))
        out: list[Message] = []
        while True:
            for i, queue in enumerate(self.queues):
                if queue:
                    self.marks[i] = queue[0].time
            known = [m for m in self.marks if m is not None]
            if len(known) < len(self.marks):
                return out
            more = self.release(min(known))
            if not more:
                return out
            out += more

    def release(self, low: int) -> list[Message]:
        out: list[Message] = []
        for queue in self.queues:
            while queue and queue[0].time <= low:
                out.append(queue.pop(0))
        return out

    def renamed(self, message: Any) -> Any:
        if not self.rename or isinstance(message, Barrier):
            return message
        if isinstance(message, Batch) and message.group.by_name:
            message = replace(message, group=replace(message.group, name=self.rename))
        return replace(message, name=self.rename)

    def finish(self) -> list[Message]:
        out: list[Message] = []
        while any(self.queues):
            out += self.release(min(queue[0].time for queue in self.queues if queue))
        return out


def interleaved(data: st.DataObject, parents: list[list[Message]]) -> list[Sent]:
    """The messages of all parents in a random interleaving, often several of one parent in a row."""
    left = [list(messages) for messages in parents]
    out: list[Sent] = []
    while any(left):
        src = data.draw(st.sampled_from([i for i, messages in enumerate(left) if messages]), label="parent")
        count = data.draw(st.sampled_from([1, 1, 2, 3, 8, 100]), label="run")
        out += [(src, m) for m in left[src][:count]]
        del left[src][:count]
    return out


def frames_by_parent(sent: list[Sent], edge: str, cuts: list[int]) -> list[tuple[int, Any]]:
    """Frames of messages that follow each other and come from one parent, cut before those in `cuts` too."""
    out: list[tuple[int, Any]] = []
    start = 0
    for i in range(1, len(sent) + 1):
        if i == len(sent) or sent[i][0] != sent[start][0]:
            messages = [m for _, m in sent[start:i]]
            out += [(sent[start][0], f) for f in frames_of(messages, edge, [c - start for c in cuts])]
            start = i
    return out


def by_group(messages: list[Message], *, mixed: bool) -> dict[Any, list[Any]]:
    """What comes out of a group in order; the order of groups is free at the end of the data.

    `mixed`: several groups may have become one, so that its order is free, too.
    """
    out: dict[Any, list[Any]] = {}
    for m in messages:
        out.setdefault(m.group, []).append(plain(m))
    return {group: sorted(said, key=repr) for group, said in out.items()} if mixed else out


def check_fan_in(
    make: Callable[[], Any], model: FanIn, sent: list[Sent], data: st.DataObject, edge: str = STREAM, *,
    logged: bool = True,
) -> None:  # fmt: skip
    """See the module's text; `data` is hypothesis's. `logged`: frames say how far in the log they go."""
    wanted = [plain(m) for src, message in sent for m in model.handle(src, message)]
    cardinality = model.cardinality  # type: ignore[attr-defined]
    mixed = bool(getattr(model, "stream_name", ""))
    end = by_group(model.finish(), mixed=mixed)
    cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=8), label="cuts")
    rests = data.draw(st.lists(st.booleans(), min_size=1, max_size=5), label="restored")
    for ends in ([], list(range(len(sent))), cuts):
        operator = make()
        out = []
        for i, (src, frame) in enumerate(frames_by_parent(sent, edge, ends)):
            came = decode([bytes(part) for part in encode(frame.with_(position=i + 1 if logged else 0))])
            out += operator.collect(came, src)
            if rests[i % len(rests)]:
                state = msgpack.unpackb(msgpack.packb(operator.snapshot()), strict_map_key=False)
                operator = make()
                operator.restore(state)
        # Through the wire, as children get it.
        got = [plain(m) for m in messages_of([decode([bytes(p) for p in encode(f)]) for f in out])]
        assert got == wanted
        assert operator.cardinality == cardinality
        assert by_group(messages_of(operator.finish()), mixed=mixed) == end
        assert operator.report.errors == 0

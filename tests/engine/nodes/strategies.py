"""Random messages for operators, and the check that every operator passes.

`check` holds an operator against a model that takes one message at a time: whatever way the messages are cut into frames,
and wherever the operator is snapshotted and restored, the output and the number of errors are the model's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import msgpack
from hypothesis import settings
from hypothesis import strategies as st

from engine.frames.codec import decode, encode
from engine.frames.model import STREAM, Span
from tests.engine.nodes.messages import (
    NIL,
    SECOND,
    Barrier,
    Batch,
    Delete,
    Group,
    Message,
    Point,
    Row,
    frames_of,
    messages_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SOME = settings(max_examples=min(40, settings.default.max_examples))  # type: ignore[union-attr]
"""For properties that are checked of many operators."""
NUMBERS = st.one_of(st.sampled_from([0.0, 1.0, 2.0, -1.5, 1e6]), st.floats(-100, 100))
INTS = st.one_of(st.integers(-3, 3), st.sampled_from([2**63 - 1, -(2**63), 10**12]))
VALUES = st.one_of(NUMBERS, NUMBERS, INTS, st.sampled_from(["", "a", "ab", "b"]), st.booleans())
ODD_VALUES = st.one_of(VALUES, st.just(NIL), st.sampled_from([Span(5), Span(-1)]))
TAGS = st.sampled_from([{}, {"h": "a"}, {"h": "b"}, {"h": ""}, {"h": "a", "r": "x"}, {"r": "y"}, {"h": "c", "r": "x"}])
NAMES = st.sampled_from(["m", "m", "m", "n"])
DIMS = st.sampled_from([(), ("h",), ("h", "r"), ("r",)])


def fields(values: Any = VALUES) -> Any:
    """Few names, so that they come, go and change their type."""
    return st.dictionaries(st.sampled_from(["v", "v", "w", "x"]), values, max_size=3)


@st.composite
def times(draw: Any, count: int) -> list[int]:
    """Mostly forward, in steps that often are none, sometimes back, sometimes far."""
    steps = st.sampled_from([0, 0, 1, 1, 1, 2, 3, -1, -3, 20])
    at, out = 1_000, []
    for _ in range(count):
        at += draw(steps)
        out.append(at * SECOND + draw(st.sampled_from([0, 0, 0, 500_000_000])))
    return out


@st.composite
def streams(draw: Any, values: Any = VALUES, *, events: bool = True, most: int = 30) -> list[Message]:
    """Points of one grouping, with barriers and delete-groups of their groups, and of a group without a point."""
    count = draw(st.integers(0, most))
    dims, by_name = draw(DIMS), draw(st.booleans())
    out: list[Message] = []
    for time in draw(times(count)):
        point = Point(draw(NAMES), time, draw(fields(values)), draw(TAGS), dims, by_name)
        kind = draw(st.integers(0, 11)) if events else 2
        if kind == 0:
            out.append(Barrier(point.group, time))
        elif kind == 1:
            out.append(Delete(point.group))
        else:
            out.append(point)
    return out


@st.composite
def batches(draw: Any, values: Any = VALUES, *, most: int = 12) -> list[Message]:
    """Batches of one grouping; batch tags are the group's, and rows agree with them."""
    dims, by_name = draw(DIMS), draw(st.booleans())
    out: list[Message] = []
    for time in draw(times(draw(st.integers(0, most)))):
        tags, name = draw(TAGS), draw(NAMES)
        group = Group(dims, tuple(tags.get(d, "") for d in dims), by_name, name if by_name else "")
        kind = draw(st.integers(0, 11))
        if kind == 0:
            out.append(Barrier(group, time))
        elif kind == 1:
            out.append(Delete(group))
        else:
            size = draw(st.integers(0, 6))
            rows = tuple(Row(t, draw(fields(values)), {**draw(TAGS), **group.tags}) for t in draw(times(size)))
            out.append(Batch(name, time, rows, group))
    return out


class Model(Protocol):
    """A plain-Python meaning of an operator."""

    errors: int

    def handle(self, message: Message) -> list[Message]: ...


def plain(message: Any) -> Any:
    """For comparison: floats by their text, so that NaN equals itself and 1.0 differs from 1."""
    if isinstance(message, float):
        return "NaN" if math.isnan(message) else repr(message)
    if isinstance(message, bool):
        return f"bool {message}"
    if isinstance(message, Span):
        return f"span {int(message)}"
    if isinstance(message, dict):
        return {k: plain(v) for k, v in message.items()}
    if isinstance(message, Point):
        return (message.name, message.time, plain(message.fields), message.tags, message.dims, message.by_name)
    if isinstance(message, Batch):
        rows = [(r.time, plain(r.fields), r.tags) for r in message.rows]
        return (message.name, message.time, rows, message.group)
    return message


def check(make: Callable[[], Any], model: Model, messages: list[Message], data: Any, edge: str = STREAM) -> None:
    """See the module's text; `data` is hypothesis's."""
    wanted = [plain(m) for message in messages for m in model.handle(message)]
    cuts = data.draw(st.lists(st.integers(0, len(messages)), max_size=8), label="cuts")
    rests = data.draw(st.lists(st.booleans(), min_size=1, max_size=5), label="restored")
    for ends in ([], list(range(len(messages))), cuts):
        operator = make()
        errors, out = 0, []
        for i, frame in enumerate(frames_of(messages, edge, ends)):
            sent = decode([bytes(part) for part in encode(frame.with_(position=i + 1))])
            out += operator.collect(sent, 0)
            if rests[i % len(rests)]:
                state = msgpack.unpackb(msgpack.packb(operator.snapshot()), strict_map_key=False)
                errors += operator.report.errors
                operator = make()
                operator.restore(state)
        assert not list(operator.finish())
        got = [plain(m) for m in messages_of(out)]
        assert got == wanted
        assert errors + operator.report.errors == model.errors
        if not any(rests):
            assert operator.cardinality == getattr(model, "cardinality", operator.cardinality)

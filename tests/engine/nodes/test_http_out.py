"""httpOut: the latest row of every group as JSON, rendered anew only where it changed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM
from engine.nodes import http_out
from engine.nodes.http_out import HttpOutOperator
from tests.engine.nodes.messages import NIL, Barrier, Batch, Delete, Group, Message, Point, Row, frames_of, messages_of
from tests.engine.nodes.models import Known
from tests.engine.nodes.strategies import SOME, VALUES, batches, plain, streams


def row_of(message: Point | Batch) -> dict[str, Any]:
    """The row form, §1.4."""
    row: dict[str, Any] = {"name": message.name}
    tags = message.tags if isinstance(message, Point) else message.group.tags
    if tags:
        row["tags"] = tags
    if isinstance(message, Point):
        columns = sorted(message.fields)
        rows = [Row(message.time, message.fields)]
    elif not message.rows:
        return row
    else:
        first = message.rows[0]
        columns = sorted({*first.fields, *(k for k in first.tags if k not in tags)})
        rows = list(message.rows)
    row["columns"] = ["time", *columns]
    row["values"] = [[time_of(r.time), *(cell(r, k) for k in columns)] for r in rows]
    return row


def cell(row: Row, name: str) -> Any:
    value = row.fields.get(name, row.tags.get(name))
    return None if value == NIL else value


def time_of(nanoseconds: int) -> str:
    text = datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    rest = f".{nanoseconds % 10**9:09d}".rstrip("0").rstrip(".")
    return f"{text}{rest}Z"


class Model(Known):
    def fresh(self) -> list[Any]:
        return [None]

    def data(self, message: Any) -> list[Message]:
        self.of(message.group)[0] = row_of(message)
        return [message]

    def answer(self) -> Any:
        return {"series": [state[0] for state in self.groups.values()] or None}


def collect(operator: HttpOutOperator, messages: list[Message], edge: str, cuts: list[int]) -> list[Message]:
    out = []
    for frame in frames_of(messages, edge, cuts):
        out += operator.collect(frame, 0)
    return messages_of(out)


def served(operator: HttpOutOperator) -> Any:
    status, body = operator.answer()
    assert status == 200
    return json.loads(body)


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(data=st.data())
def test_httpout_serves_the_latest_row_of_each_group_in_order_of_appearance(edge: str, data: st.DataObject) -> None:
    messages = data.draw(streams(VALUES) if edge == STREAM else batches(VALUES))
    cuts = data.draw(st.lists(st.integers(0, len(messages)), max_size=6))
    parts = [messages[a:z] for a, z in zip([0, *sorted(cuts)], [*sorted(cuts), len(messages)], strict=True)]
    operator, model = HttpOutOperator(endpoint="out", batch=edge == BATCH), Model()
    for part in parts:
        wanted = [m for message in part for m in model.handle(message)]
        got = collect(operator, part, edge, [])
        assert [plain(m) for m in got] == [plain(m) for m in wanted]
        assert same(served(operator), model.answer())
        state = msgpack.unpackb(msgpack.packb(operator.snapshot()), strict_map_key=False)
        restored = HttpOutOperator(endpoint="out", batch=edge == BATCH)
        restored.restore(state)
        assert restored.answer() == operator.answer()
        assert operator.cardinality == model.cardinality
        if data.draw(st.booleans()):
            operator = restored


def same(a: Any, b: Any) -> bool:
    """Equal documents; 1 and 1.0 are one number in JSON."""
    return json.loads(json.dumps(a)) == json.loads(json.dumps(b))


def test_nothing_is_null() -> None:
    assert HttpOutOperator(endpoint="x").answer() == (200, b'{"series":null}')


def test_a_group_known_by_a_barrier_is_null_and_a_deleted_one_gone() -> None:
    operator = HttpOutOperator(endpoint="x")
    a, b = Group(("h",), ("a",)), Group(("h",), ("b",))
    collect(operator, [Barrier(a, 1), Barrier(b, 1)], STREAM, [])
    assert served(operator) == {"series": [None, None]}
    collect(operator, [Point("m", 0, {"v": 1.5}, {"h": "b"}, ("h",)), Delete(a)], STREAM, [])
    assert operator.answer() == (
        200,
        b'{"series":[{"name":"m","tags":{"h":"b"},"columns":["time","v"],"values":[["1970-01-01T00:00:00Z",1.5]]}]}',
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_does_not_have_makes_the_answer_an_error(value: float) -> None:
    operator = HttpOutOperator(endpoint="x")
    collect(operator, [Point("m", 0, {"v": value})], STREAM, [])
    word = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(value)]
    assert operator.answer() == (500, f'{{"error":"json: unsupported value: {word}"}}'.encode())


def test_only_what_changed_is_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[int] = []
    real = http_out.point_rows

    def counting(section: Any, names: Any = None) -> Any:
        rendered.append(section.rows)
        return real(section, names)

    monkeypatch.setattr(http_out, "point_rows", counting)
    operator = HttpOutOperator(endpoint="x")
    points: list[Message] = [Point("m", i, {"v": 1.0}, {"h": str(i)}, ("h",)) for i in range(10)]
    collect(operator, points, STREAM, [])
    served(operator)
    collect(operator, [replace(points[3], fields={"v": 2.0})], STREAM, [])  # type: ignore[type-var]
    assert served(operator)["series"][3]["values"] == [["1970-01-01T00:00:00.000000003Z", 2]]
    served(operator)
    assert rendered == [10, 1]


def test_superseded_rows_are_dropped() -> None:
    operator = HttpOutOperator(endpoint="x")
    for t in range(20):
        points: list[Message] = [
            Point("m", t * 1000 + i, {"v": "x" * 20}, {"h": str(i % 50)}, ("h",)) for i in range(1000)
        ]
        collect(operator, points, STREAM, list(range(0, 1000, 50)))
    assert len(served(operator)["series"]) == 50
    assert sum(pool.used for pool in operator._pools) <= http_out._SLACK + 1000

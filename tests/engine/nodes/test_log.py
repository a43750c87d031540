"""log: every point and batch as records with their keys."""

from __future__ import annotations

from engine.frames.model import BATCH
from engine.nodes.log import LogOperator
from engine.operator import Report
from tests.engine.nodes.messages import Batch, Group, Message, Point, Row, frames_of, through


def test_a_point_is_one_record() -> None:
    operator = LogOperator(level="debug", prefix="p")
    point = Point("m", 0, {"v": 1.5}, {"h": "a"}, ("h",), by_name=True)
    [frame] = frames_of([point], "stream", [])
    operator.collect(frame.with_(db="d", rp="r"), 0)
    [record] = operator.report.records
    assert (record.level, record.message) == ("debug", "point")
    assert record.fields == {
        "prefix": "p", "name": "m", "db": "d", "rp": "r", "group": "m\nh=a", "dimension": "h", "tag_h": "a",
        "field_v": 1.5, "time": "1970-01-01T00:00:00Z",
    }  # fmt: skip


def test_a_batch_is_a_record_for_its_begin_each_point_and_its_end() -> None:
    operator = LogOperator(level="warn")
    batch = Batch("m", 10**9, (Row(0, {"v": 1}, {"h": "a"}), Row(1, {"v": 2}, {"h": "a"})), Group(("h",), ("a",)))
    assert through(operator, [batch], BATCH) == [batch]
    records = list(operator.report.records)
    assert [r.message for r in records] == ["begin batch", "batch point", "batch point", "end batch"]
    assert {r.level for r in records} == {"info"}
    assert records[0].fields == {"name": "m", "group": "h=a", "tag_h": "a", "time": "1970-01-01T00:00:01Z"}
    assert records[2].fields == {"tag_h": "a", "field_v": 2, "time": "1970-01-01T00:00:00.000000001Z"}


def test_what_is_too_much_is_only_counted() -> None:
    operator = LogOperator()
    points: list[Message] = [Point("m", i, {"v": 1}) for i in range(Report.LIMIT + 50)]
    assert through(operator, points, cuts=[]) == points
    assert len(operator.report.records) == Report.LIMIT
    assert operator.report.suppressed == 50

"""Records as clients of the API see them; the lines are those that were recorded of the reference."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.logs.presentation import json_line, logfmt, present

_TS = 1_795_477_392_455_999_999


def _shown(**record: Any) -> str:
    return logfmt(present({"ts": _TS, **record})).decode()


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            {"level": "debug", "msg": "task starting", "process": "supervisor", "task": "lg"},
            'lvl=debug msg="starting task" service=kapacitor task_master=main task=lg',
        ),
        (
            {"level": "info", "msg": "task started", "process": "supervisor", "task": "lg"},
            'lvl=info msg="started task" service=kapacitor task_master=main task=lg',
        ),
        (
            {
                "level": "error",
                "msg": "point",
                "process": "node",
                "task": "lg",
                "node": "log2",
                "prefix": "P",
                "name": "m",
                "db": "d",
                "rp": "r",
                "group": "",
                "dimension": "",
                "tag_h": "a",
                "field_v": 1.0,
                "time": "1970-01-01T00:00:00.000000001Z",
            },
            (
                "lvl=error msg=point service=kapacitor task_master=main task=lg node=log2 prefix=P name=m db=d rp=r group="
                "  tag_h=a field_v=1 time=1970-01-01T00:00:00.000000001Z"
            ),
        ),
        (
            {
                "level": "debug",
                "msg": "edge closed",
                "process": "node",
                "task": "lg",
                "parent": "stream0",
                "child": "from1",
                "collected": 1,
                "emitted": 1,
            },
            (
                'lvl=debug msg="closing edge" service=kapacitor task_master=main task=lg parent=stream0 child=from1 '
                "collected=1 emitted=1"
            ),
        ),
        (
            {"level": "info", "msg": "task stopped", "process": "supervisor", "task": "lg"},
            'lvl=info msg="stopped task" service=kapacitor task_master=main task=lg',
        ),
    ],
)
def test_the_reference_transcript_is_reproduced(record: dict[str, Any], line: str) -> None:
    assert _shown(**record) == f"ts=2026-11-23T23:43:12.455Z {line}\n"


def test_values_are_quoted_where_they_would_be_torn() -> None:
    line = _shown(
        level="warning", msg="a", process="frontend", error='x "y"\n=', empty="", ok=True, none=None, list=[1, "b"]
    )
    assert line == (
        "ts=2026-11-23T23:43:12.455Z lvl=error msg=a service=http "
        r'err="x \"y\"\n=" empty= ok=true none= list="[1,\"b\"]"' + "\n"
    )


def test_json_nests_the_tags_and_fields_of_points_alone() -> None:
    point = {"ts": _TS, "level": "info", "msg": "point", "process": "node", "task": "t", "node": "log1"}
    shown = json.loads(json_line(present({**point, "tag_h": "a", "field_v": 1.0, "field_b": float("inf")})))
    assert shown == {
        "ts": "2026-11-23T23:43:12.455Z",
        "lvl": "info",
        "msg": "point",
        "service": "kapacitor",
        "task_master": "main",
        "task": "t",
        "node": "log1",
        "prefix": "",
        "tag": {"h": "a"},
        "field": {"v": 1, "b": "+Inf"},
    }
    other = json.loads(json_line(present({"ts": 0, "level": "info", "msg": "x", "process": "store", "field_v": 1})))
    assert other["field_v"] == 1


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=5))
def test_a_record_is_always_one_line(fields: dict[str, str]) -> None:
    shown = present({"ts": 1, "level": "info", "process": "node", **fields})
    assert logfmt(shown).count(b"\n") == 1
    assert json.loads(json_line(shown))["lvl"] in ("debug", "info", "error")
    assert json_line(shown).count(b"\n") == 1

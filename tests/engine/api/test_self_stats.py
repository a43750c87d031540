"""The internal statistics stream: figures as points of frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.api.callers import Servers
from engine.api.figures import Figure, ask
from engine.api.self_stats import SelfStats, frames
from engine.frames.codec import decode, encode
from engine.settings import EngineSettings, Settings, StatsSettings

if TYPE_CHECKING:
    from engine.frames.model import Frame
    from tests.engine.api.servers import Api

_NOW = 1_700_000_000 * 10**9


def _rows(found: list[Frame]) -> list[tuple[str, dict[str, str], dict[str, Any], int]]:
    """Every point: name, tags, fields, time."""
    out = []
    for frame in found:
        (section,) = decode([bytes(part) for part in encode(frame)]).sections
        for i in range(section.rows):
            tags = {k: v for k, c in section.tags.items() if (v := c.at(i)) is not None}
            out.append((section.name, tags, {k: c.at(i) for k, c in section.fields.items()}, int(section.time[i])))
    return out


def test_points_keep_names_tags_and_types_and_frames_their_bound() -> None:
    points = [
        Figure("edges", {"task": "t", "parent": "a,b=c d\n\\"}, {"collected": 3, "emitted": 2}),
        Figure("edges", {"task": "", "parent": "ä"}, {"collected": 4, "emitted": 1}),
        Figure("edges", {"task": "t", "parent": "x"}, {"collected": 5, "emitted": 0}),
        Figure("kapacitor", {}, {"num_tasks": 1, "uptime": 2.0}),
    ]
    found = frames(points, "db", "rp", _NOW, 2)
    assert [(f.db, f.rp, f.rows) for f in found] == [("db", "rp", 2), ("db", "rp", 1), ("db", "rp", 1)]
    assert _rows(found) == [
        ("edges", {"task": "t", "parent": "a,b=c d\n\\"}, {"collected": 3, "emitted": 2}, _NOW),
        ("edges", {"parent": "ä"}, {"collected": 4, "emitted": 1}, _NOW),
        ("edges", {"task": "t", "parent": "x"}, {"collected": 5, "emitted": 0}, _NOW),
        ("kapacitor", {}, {"num_tasks": 1, "uptime": 2.0}, _NOW),
    ]


@pytest.mark.parametrize("most", [1, 8192])
def test_every_statistic_of_the_server_is_a_point(api: Api, most: int) -> None:
    api.define("on", status="enabled")
    settings = Settings(
        data_dir="/d",
        hostname="box",
        engine=EngineSettings(max_frame_rows=most),
        stats=StatsSettings(database="own", retention_policy="short"),
    )
    servers = Servers(api.store_calls, api.task_master, settings, alerts=api.topics)
    known = api.run(ask(servers))
    found = SelfStats(servers, None, 0, None)._frames(known)  # type: ignore[arg-type]
    assert {(f.db, f.rp) for f in found} == {("own", "short")}
    assert max(f.rows for f in found) <= most
    common = {"cluster_id", "server_id", "host"}
    tags: dict[str, set[frozenset[str]]] = {}
    fields: dict[str, set[frozenset[str]]] = {}
    for name, own, values, _ in _rows(found):
        tags.setdefault(name, set()).add(frozenset(own.keys() - common))
        fields.setdefault(name, set()).add(frozenset(values))
        assert common <= own.keys() or name == "kapacitor"
    assert tags == {
        "ingress": {frozenset({"task_master", "database", "retention_policy", "measurement"})},
        "edges": {frozenset({"task", "parent", "child", "type"})},
        "nodes": {frozenset({"task", "node", "type", "kind"})},
        "topics": {frozenset({"topic"})},
        "load": {frozenset()},
        "kapacitor": {frozenset()},
    }
    assert fields["nodes"] == {frozenset({"avg_exec_time_ns", "errors", "working_cardinality"})}
    assert fields["kapacitor"] == {frozenset({"num_tasks", "num_enabled_tasks", "num_subscriptions", "uptime"})}

"""Logs, levels, processes and metrics of the API, without a server around them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine import logs
from engine.api.logs import parse_since
from engine.api.metrics import MOST, _ingress
from engine.definitions.bodies import RefusedError
from engine.metrics import METRICS, PREFIX

if TYPE_CHECKING:
    from tests.engine.api.servers import Api

_S = 10**9


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "invalid json: EOF"),
        ("x", "invalid json: invalid character 'x' looking for beginning of value"),
        ("{}", "invalid log level"),
        ('{"level": "WARN"}', "invalid log level"),
        ('{"level": 7}', "invalid log level"),
    ],
)
def test_a_level_that_is_none_is_refused(api: Api, body: str, text: str) -> None:
    assert api.error("POST", "loglevel", content=body) == (400, text)


def test_the_level_is_that_of_the_board(api: Api) -> None:
    before = logs.board().level
    for word, level in (("DEBUG", 10), ("error", 40), ("Info", 20)):
        assert api.call("POST", "loglevel", {"LEVEL": word}).status_code == 204
        assert logs.board().level == level
    logs.board().level = before


def test_log_sessions_exist_under_the_preview_base_alone(api: Api) -> None:
    assert api.error("GET", "logs") == (404, "Not Found")
    assert "/kapacitor/v1preview/logs" in api.ok("GET", ":routes")
    assert api.error("GET", "/kapacitor/v1preview/logs?a=1&a=2") == (
        400,
        "query params cannot contain duplicate params",
    )


def test_a_session_of_ours_that_does_not_follow_ends_and_has_a_type(api: Api) -> None:
    answer = api.call("GET", "tickworks/logs")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/logfmt", b"")
    answer = api.call("GET", "tickworks/logs", headers={"accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    assert api.error("GET", "tickworks/logs?tsk=a")[1].startswith('unknown parameter "tsk": there are follow')
    assert api.error("GET", "tickworks/logs?match=a") == (400, "bad keyvalue pair: 'a'")
    assert api.error("GET", "tickworks/logs?level=loud") == (400, "invalid log level")


def test_moments_are_durations_before_now_or_times() -> None:
    now = 1_000_000 * _S
    assert parse_since("10m", now) == now - 600 * _S
    assert parse_since("1970-01-01T00:00:01.5Z", now) == 1_500_000_000
    assert parse_since("1970-01-01T01:00:00+01:00", now) == 0
    with pytest.raises(RefusedError, match="since must be a duration"):
        parse_since("yesterday", now)


def test_processes_have_queues_and_what_the_kernel_knows(api: Api) -> None:
    api.define("on", status="enabled")
    api.define("off")
    answer = api.ok("GET", "tickworks/processes")
    assert answer["log"]["segments"] == 1
    (task,) = answer["tasks"]
    assert (task["id"], task["state"], task["fork"]["lag_rows"]) == ("on", "running", 6)
    (process,) = task["processes"]
    assert process["pid"] == os.getpid()
    assert process["rss_bytes"] > 0
    nodes = {n["name"]: (n["queue"], n["collected"]) for n in process["nodes"]}
    assert nodes == {"stream0": (0, 3), "from1": (1, 3), "http_out2": (1, 3)}


def test_metrics_are_declared_ones_in_the_text_format(api: Api) -> None:
    api.define("on", status="enabled")
    answer = api.call("GET", "/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    assert 'tickworks_node_queue_messages{task="on",node="from1",kind="from"} 1' in lines
    assert 'tickworks_fork_lost_rows_total{task="on"} 1' in lines
    assert 'tickworks_ingress_points_total{database="d",retention_policy="r"} 7' in lines
    assert 'tickworks_topic_level{topic="tp"} 3' in lines
    assert 'tickworks_tasks{status="enabled"} 1' in lines
    shown = {m[1] for line in lines if (m := re.match(r"# TYPE tickworks_(\w+) ", line))}
    # Every metric that is declared is given, but for those of a node kind that this task does not have.
    assert shown == {m.name for m in METRICS} - {"node_events_total"}
    documented = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert [name for name in shown if f"`{PREFIX}{name}`" not in documented] == []


def test_databases_beyond_the_bound_share_a_series() -> None:
    samples = list(_ingress([(f"d{i}", "r", "m", 1) for i in range(MOST + 10)]))
    assert len(samples) == MOST + 1
    assert samples[-1].labels == ("", "")
    assert sum(s.value for s in samples) == MOST + 10


def test_what_is_below_our_own_prefix_is_documented(api: Api) -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    ours = [path for path in api.ok("GET", ":routes") if path.startswith("/kapacitor/v1/tickworks/")]
    assert ours
    assert [path for path in ours if f"`GET {path}`" not in page] == []

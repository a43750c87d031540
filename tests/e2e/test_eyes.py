"""A running server looked at from the command line: top, stats, vars, metrics."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING, Any

import pytest

from engine.metrics import METRICS, PREFIX
from tests.harness import PATIENCE_S, ROOT, Receiver, Server, clean_environment, tickworks

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCRIPT = """stream
    |from().measurement('m')
    |where(lambda: "v" > 0)
        .quiet()
    |default().field('w', 1.0)
    |alert().id('a').crit(lambda: "v" > 50).topic('tp')
    |httpOut('last')
"""
_NODES = ["stream0", "from1", "where2", "default3", "alert4", "http_out5"]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(config='hostname = "box"\n[stats]\nenabled = false\n') as started:
        started.define("t", _SCRIPT)
        started.define("idle", _SCRIPT)
        started.enable("t")
        started.write("\n".join(f"m v={i} {i + 1}" for i in range(100)))
        started.write("n v=1 1", db="other", rp="r")
        started.wait_endpoint("t", "last", lambda a: a["series"] and a["series"][0]["values"][0][1] == 99)
        yield started


def _ok(server: Server, *arguments: str) -> str:
    ended = tickworks(*arguments, env={"KAPACITOR_URL": server.url})
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_top_shows_every_node_once_as_json(server: Server) -> None:
    nodes = json.loads(_ok(server, "top", "--once", "--json", "--interval", "10ms"))["nodes"]
    assert [n["node"] for n in nodes] == _NODES
    assert {n["task"] for n in nodes} == {"t"}
    by_title = server.processes()
    assert nodes[0]["pid"] == nodes[1]["pid"] == by_title["tickworks: task t node stream0+from1"]
    assert nodes[4]["pid"] == by_title["tickworks: task t node alert4"]
    for n in nodes:
        assert (n["queue"], n["lag"], n["lost"], n["rows_in"], n["rows_out"]) == (0, 0, 0, 0, 0)
        assert n["memory"] > 0
        assert n["cpu"] >= 0
    # The row of zero is filtered out, which is no error.
    assert [n["errors"] for n in nodes] == [0] * 6


def test_top_is_a_plain_table_where_nobody_watches(server: Server) -> None:
    lines = _ok(server, "top", "--once", "--interval", "10ms", "--sort", "memory", "--task", "t*").splitlines()
    heading, *rows = [line.split() for line in lines]
    assert heading[:4] == ["TASK", "NODE", "PID", "STATE"]
    assert {row[1] for row in rows} == set(_NODES)
    memory = [int(row[-1]) for row in rows]
    assert memory == sorted(memory, reverse=True)
    assert len(_ok(server, "top", "--once", "--interval", "1ms", "--task", "nosuch").splitlines()) == 1
    ended = tickworks("top", "--sort", "beauty", env={"KAPACITOR_URL": server.url})
    assert ended.returncode == 2
    assert ended.stderr.startswith('cannot sort by "beauty": there are task, in, out, queue')


def test_stats_and_vars_are_the_references(server: Server) -> None:
    general = dict(
        re.split(r":\s+", line.rstrip(), maxsplit=1) for line in _ok(server, "stats", "general").splitlines()
    )
    assert (general["Host"], general["Tasks"], general["Enabled Tasks"], general["Platform"]) == (
        "box",
        "2",
        "1",
        "OSS",
    )
    ingress = [line for line in _ok(server, "stats", "ingress").splitlines() if not line.startswith("two")]
    assert ingress == [
        "Database Retention Policy Measurement Points Received",
        "db       rp               m                       100",
        "other    r                n                         1",
    ]
    assert _ok(server, "stats", "nothing") == ""
    ended = tickworks("stats", env={"KAPACITOR_URL": server.url})
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (3, "Error: must provide a stats category")
    assert json.loads(_ok(server, "vars"))["server_id"] == general["ServerID"]
    assert re.fullmatch(r"Tickworks OSS \S+ \(git: \S+ \S+\)\n", _ok(server, "version"))


def test_vars_hold_every_statistic_of_a_running_task(server: Server) -> None:
    figures = list(server.call("GET", "/debug/vars")["kapacitor"].values())

    def found(name: str, *tags: str) -> dict[tuple[str, ...], dict[str, Any]]:
        return {tuple(f["tags"][t] for t in tags): f["values"] for f in figures if f["name"] == name}

    assert {f["tags"]["host"] for f in figures} == {"box"}
    received = sum(values["points_received"] for values in found("ingress", "database", "measurement").values())
    links = [("write_points", "stream", received), ("stream", "stream0", 100)]
    # The alert node passes on what is an alert.
    passed = {"from1": 100, "where2": 100, "default3": 99, "alert4": 99, "http_out5": 49}
    links += [(a, b, passed[b]) for a, b in itertools.pairwise(_NODES)]
    edges = found("edges", "parent", "child")
    assert {key: (e["collected"], e["emitted"]) for key, e in edges.items()} == {(a, b): (n, n) for a, b, n in links}
    assert found("edges", "task").keys() == {("task_master:main",), ("t",)}
    nodes = found("nodes", "task", "node", "type", "kind")
    assert set(nodes) == {("t", n, "stream", n.rstrip("0123456789")) for n in _NODES}
    assert nodes["t", "default3", "stream", "default"]["fields_defaulted"] == 99
    assert re.fullmatch(r"[0-9.]+(ns|µs|ms|s)", nodes["t", "where2", "stream", "where"]["avg_exec_time_ns"])
    assert found("topics", "id")[("tp",)] == {"collected": 49}
    assert found("load") == {(): {"errors": 0}}
    ingress = found("ingress", "task_master", "database", "retention_policy", "measurement")
    assert {key: values for key, values in ingress.items() if key[1] != "two"} == {
        ("main", "db", "rp", "m"): {"points_received": 100},
        ("main", "other", "r", "n"): {"points_received": 1},
    }


def test_a_task_shows_the_statistics_of_its_nodes(server: Server) -> None:
    task = server.task("t")
    stats = task["stats"]["node-stats"]
    assert [(n, stats[n]["collected"], stats[n]["emitted"]) for n in _NODES] == [
        *(("stream0", 100, 100), ("from1", 100, 100), ("where2", 100, 99)),
        *(("default3", 99, 99), ("alert4", 99, 49), ("http_out5", 49, 0)),
    ]
    assert 'where2 -> default3 [processed="99"];' in task["dot"]


def test_a_node_counts_what_it_emits_once_for_each_child(server: Server) -> None:
    server.define(
        "two",
        "var a = stream|from().measurement('k')\na|where(lambda: TRUE)|log()\na|httpOut('x')",
        db="two",
    )
    server.enable("two")
    server.write("k v=1 1\nk v=2 2\nk v=3 3", db="two")
    server.wait_endpoint("two", "x", lambda a: a["series"] and a["series"][0]["values"][0][1] == 3)
    stats = server.task("two")["stats"]["node-stats"]
    assert (stats["from1"]["collected"], stats["from1"]["emitted"]) == (3, 6)
    server.delete("two")


def test_every_metric_that_is_shown_is_documented(server: Server) -> None:
    answer = server.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    lines = answer.text.splitlines()
    kinds = {m[1]: m[2] for line in lines if (m := re.match(r"# TYPE (\S+) (\S+)$", line))}
    helped = {line.split(" ")[2] for line in lines if line.startswith("# HELP ")}
    sampled = {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}
    assert sampled == set(kinds) == helped == {PREFIX + m.name for m in METRICS}
    assert [name for name, kind in kinds.items() if f"| `{name}` | {kind} |" not in page] == []
    assert 'tickworks_writes_total{result="accepted"} 0' not in lines
    processes = {
        m[1] for line in lines if (m := re.match(r'tickworks_process_cpu_seconds_total\{process="(\w+)"', line))
    }
    assert processes == {"launcher", "supervisor", "zygote", "store", "alerts", "frontend", "node"}


def test_refused_writes_and_restarts_are_counted() -> None:
    with Server() as server:
        before = server.http.get("/metrics").text
        assert 'tickworks_writes_total{result="rejected"} 0' in before.splitlines()
        assert server.write("nonsense", ok=False).status_code == 400
        os.kill(server.processes()["tickworks: store"], 9)
        server.wait_log(lambda r: r["msg"] == "process died" and r["died"] == "store")
        after = server.wait_until(lambda: server.http.get("/metrics"), lambda a: a.status_code == 200).text.splitlines()
        assert 'tickworks_writes_total{result="rejected"} 1' in after
        assert 'tickworks_process_restarts_total{process="store"} 1' in after


def test_a_task_that_cannot_keep_up_is_seen_in_all_its_figures() -> None:
    """Its first node is stopped: what is written waits in the log, and the task's lag is exactly that."""
    with Server() as server, Receiver() as receiver:
        server.define("slow", f"stream|from().measurement('m')|httpPost('{receiver.url}/x')")
        server.enable("slow")
        pid = server.processes()["tickworks: task slow node stream0+from1"]
        os.kill(pid, 19)
        written = 0

        def lag() -> int:
            nonlocal written
            server.write("\n".join(f'm s="{"x" * 1000}" {written + i + 1}' for i in range(1000)))
            written += 1000
            (task,) = server.call("GET", "/tickworks/processes")["tasks"]
            return task["fork"]["lag_rows"]

        server.wait_until(lag, lambda n: n >= 1000)
        (task,) = server.call("GET", "/tickworks/processes")["tasks"]
        fork, stream0 = task["fork"], task["processes"][0]["nodes"][0]
        assert fork["live"] is False
        assert fork["episodes"] == 1
        assert fork["lag_rows"] + fork["delivered"] == written
        assert stream0["queue"] == fork["delivered"] - stream0["collected"]
        metrics = server.http.get("/metrics").text.splitlines()
        assert f'tickworks_fork_lag_rows{{task="slow"}} {fork["lag_rows"]}' in metrics
        os.kill(pid, 18)
        server.delete("slow")


def test_tasks_can_work_on_the_servers_own_statistics() -> None:
    with Server(config="[stats]\nstats-interval = '50ms'\n") as server:
        server.define(
            "own",
            "stream|from().measurement('nodes').where(lambda: \"node\" == 'from1').groupBy('task', 'node', 'kind')"
            "|httpOut('x')",
            db="_kapacitor",
            rp="autogen",
        )
        server.enable("own")
        shown = server.wait_endpoint("own", "x", lambda a: a["series"])
        (series,) = shown["series"]
        assert {"task": "own", "node": "from1", "kind": "from"}.items() <= series["tags"].items()
        assert {"cluster_id", "server_id", "host"} <= series["tags"].keys()
        assert {"errors", "avg_exec_time_ns", "working_cardinality"} <= set(series["columns"])


def test_tasks_of_the_server_are_completed(server: Server) -> None:
    def offered(line: str, url: str) -> list[str]:
        asked = {"_TICKWORKS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
        return tickworks(env={"KAPACITOR_URL": url, **asked}).stdout.split()

    assert offered("tickworks enable i", server.url) == ["idle"]
    assert offered("tickworks logs -task ", server.url) == ["idle", "t"]
    assert offered(f"tickworks -url {server.url} show t", "http://127.0.0.1:1") == ["t"]


def test_the_live_table_renews_itself_sorts_by_keys_and_ends_by_one(server: Server) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
    top = subprocess.Popen(
        [sys.executable, "-m", "cli", "top", "--interval", "20ms"],
        cwd=ROOT,
        env=clean_environment(KAPACITOR_URL=server.url, TERM="xterm"),
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    seen = b""
    for key, wanted in (("", b"6 nodes, by task"), ("m", b"6 nodes, by memory"), ("q", b"\x1b[?1049l")):
        os.write(ours, key.encode())
        while wanted not in seen:
            seen += os.read(ours, 1 << 16)
    assert b"http_out5" in seen
    _, errors = top.communicate(timeout=PATIENCE_S)
    assert (top.returncode, errors) == (0, b"")
    os.close(ours)

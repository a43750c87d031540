"""The recorded conversations with the HTTP API, against a real server, scenario by scenario."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness import ROOT, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
_CASES = _HERE / "http-cases.json"
_CHECKER = _HERE / "check_http.py"
_ORIGINALS = ROOT.parent / "shared" / "spec"
_FAILED = re.compile(r"^FAIL (\S+) #(\d+) ", re.MULTILINE)

# Scenarios about resources that this version does not have, each with one of its paths.
_LATER = {
    "config-list-section": "GET /kapacitor/v1/config/slack",
    "config-read": "GET /kapacitor/v1/config",
    "config-update": "POST /kapacitor/v1/config/slack/",
    "config-validation": "POST /kapacitor/v1/config/smtp/",
    "recording-replay-errors": "POST /kapacitor/v1/recordings/stream",
    "recording-stream": "GET /kapacitor/v1/recordings",
    "service-tests": "GET /kapacitor/v1/service-tests",
    "storage": "GET /kapacitor/v1/storage/stores",
}
# Steps of other scenarios that need such a resource, or an operator that there is none of yet (queries).
_STEPS_LATER = {
    "log-level-and-others": {9},
    "server-basics": {15, 16, 19, 20, 23},
    "task-batch-without-influxdb": {2, 3, 7, 8, 9, 10, 11},
}
_SCENARIOS = {s["scenario"]: s for s in json.loads(_CASES.read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(config='hostname = "localhost"\n[stats]\nenabled = false\n') as started:
        yield started


@pytest.mark.parametrize("scenario", sorted(_SCENARIOS.keys() - _LATER))
def test_the_server_answers_as_recorded(server: Server, tmp_path: Path, scenario: str) -> None:
    alone = tmp_path / "cases.json"
    alone.write_text(json.dumps([_SCENARIOS[scenario]]), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, str(_CHECKER), "--url", server.url, str(alone)],
        capture_output=True,
        text=True,
        check=False,
    )
    failed = {int(step) for _, step in _FAILED.findall(ran.stdout)}
    expected = _STEPS_LATER.get(scenario, set())
    assert failed == expected, f"{ran.stdout}\n{ran.stderr}\n{server.story()}"
    assert ran.returncode == (1 if expected else 0)
    assert f"{len(_SCENARIOS[scenario]['steps']) - len(expected)} passed, {len(expected)} failed" in ran.stdout


@pytest.mark.parametrize("scenario", sorted(_LATER))
def test_a_scenario_is_left_out_only_while_its_resource_is_missing(server: Server, scenario: str) -> None:
    method, path = _LATER[scenario].split(" ")
    answer = server.http.request(method, path)
    assert (answer.status_code, answer.json()["error"]) == (404, "Not Found")


def test_the_copies_are_what_they_were_copied_from() -> None:
    """Where the originals lie beside the checkout; elsewhere there is nothing to compare."""
    for ours in (_CASES, _CHECKER):
        theirs = _ORIGINALS / ours.name
        assert not theirs.exists() or ours.read_bytes() == theirs.read_bytes()

"""The commands on topics and their handlers, against a real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.harness import Server, tickworks

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


def run(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return tickworks(*arguments, env={"KAPACITOR_URL": server.url, "TZ": "UTC"})


def said(server: Server, *arguments: str) -> str:
    """What a command that succeeds prints."""
    ended = run(server, *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def failed(server: Server, *arguments: str) -> str:
    """What a command that fails says."""
    ended = run(server, *arguments)
    assert (ended.returncode, ended.stdout) == (3, "")
    return ended.stderr


def test_a_handler_is_defined_from_a_file_shown_replaced_listed_and_deleted(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "h.yaml"
    file.write_text("topic: cpu\nid: logit\nkind: log\nmatch: level() == CRITICAL\noptions:\n  path: /dev/null\n")
    assert said(server, "define-topic-handler", str(file)) == ""
    shown = 'ID: logit\nTopic: cpu\nKind: log\nMatch: level() == CRITICAL\nOptions: {"path":"/dev/null"}\n'
    assert said(server, "show-topic-handler", "cpu", "logit") == shown
    other = tmp_path / "h.json"
    other.write_text(json.dumps({"topic": "cpu", "id": "logit", "kind": "publish", "options": {"topics": ["all"]}}))
    assert said(server, "define-topic-handler", str(other)) == ""
    shown = 'ID: logit\nTopic: cpu\nKind: publish\nMatch: \nOptions: {"topics":["all"]}\n'
    assert said(server, "show-topic-handler", "cpu", "logit") == shown
    heading = "Topic      ID         Kind       \n"
    assert said(server, "list", "topic-handlers", "c*", "log*") == heading + "cpu        logit      publish    \n"
    assert said(server, "list", "topic-handlers", "nosuch") == heading
    assert said(server, "delete", "topic-handlers", "cpu") == "", "no pattern, nothing to delete"
    assert said(server, "list", "topic-handlers", "cpu") == heading + "cpu        logit      publish    \n"
    assert said(server, "delete", "topic-handlers", "cpu", "l*") == ""
    assert said(server, "list", "topic-handlers", "cpu") == heading
    assert failed(server, "show-topic-handler", "cpu", "logit") == 'Error: unknown handler: "logit"\n'


def test_a_topic_is_shown_with_its_events_by_time_listed_and_deleted(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "h.yml"
    file.write_text("{topic: tp, id: logit, kind: log, options: {path: /dev/null}}")
    said(server, "define-topic-handler", str(file))
    file.write_text("{topic: tp, id: also, kind: log, options: {path: /dev/null}}")
    said(server, "define-topic-handler", str(file))
    script = (
        "stream|from().measurement('m').groupBy('h')|alert().id('{{ .Group }}').crit(lambda: \"v\" > 1).topic('tp')"
    )
    server.define("shown", script)
    server.enable("shown")
    server.write("m,h=b v=2i 20\nm,h=b v=0i 90000000000\nm,h=a v=2i 30")
    server.disable("shown")
    shown = (
        "ID: tp\nLevel: CRITICAL\nCollected: 3\nHandlers: [also, logit]\nEvents:\n"
        "Event Level    Message         Date                   \n"
        "h=a   CRITICAL h=a is CRITICAL 01 Jan 70 00:00 UTC    \n"
        "h=b   OK       h=b is OK       01 Jan 70 00:01 UTC    \n"
    )
    assert said(server, "show-topic", "tp") == shown
    assert said(server, "list", "topics", "t*") == "ID Level     Collected\ntp CRITICAL          3\n"
    assert said(server, "list", "topics", "nosuch") == "ID Level     Collected\n"
    assert said(server, "delete", "topics", "t*", "nosuch") == ""
    assert said(server, "list", "topics", "tp") == "ID Level     Collected\n"
    assert failed(server, "show-topic", "tp") == 'Error: unknown topic: "tp"\n'


def test_files_that_are_no_specification_are_refused(server: Server, tmp_path: Path) -> None:
    text = 'Error: failed to open handler spec file "nosuch.yaml": open nosuch.yaml: no such file or directory\n'
    assert failed(server, "define-topic-handler", "nosuch.yaml") == text
    file = tmp_path / "h.toml"
    file.write_text("topic = 'x'")
    assert failed(server, "define-topic-handler", str(file)) == "Error: bad file extension. Must be YAML or JSON\n"
    file = tmp_path / "h.json"
    file.write_text("[1]")
    expected = f'Error: failed to unmarshal json handler spec file "{file}": expected an object\n'
    assert failed(server, "define-topic-handler", str(file)) == expected
    file.write_text('{"topic": "x", "kind": "log"}')
    expected = f'Error: failed to unmarshal json handler spec file "{file}": topic and id must not be empty\n'
    assert failed(server, "define-topic-handler", str(file)) == expected
    file.write_text('{"topic": "x", "id": "y", "kind": "nosuch"}')
    expected = 'Error: failed to create handler: unsupported action kind "nosuch"\n'
    assert failed(server, "define-topic-handler", str(file)) == expected

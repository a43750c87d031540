"""A question that is passed on to a node is answered once, to whoever asked it, by the node or for it."""

from __future__ import annotations

from typing import Any

import pytest

from engine import clock, rpc
from engine.task_master import lifecycle as life
from engine.task_master.node_questions import NodeQuestions
from engine.task_master.suspects import Work

_PLAN = {"nodes": [{"name": "from1", "kind": "from"}, {"name": "sideload2", "kind": "sideload"}]}


class Said:
    """A logger that remembers errors."""

    def __init__(self) -> None:
        self.errors: list[dict[str, Any]] = []

    def error(self, _: str, **fields: Any) -> None:
        self.errors.append(fields)


class Scene:
    """A task that runs; what is sent to whom."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, list[Any]]] = []
        self.said: Any = Said()
        machine = life.Lifecycle(in_work=lambda _: Work(None))
        machine.start(None, "t", life.Definition(_PLAN, ()), 0.0)
        self.processes = [
            life.Process(machine.new_process_id("t", n), "t", (n,), (i,), 1)
            for i, n in enumerate(("from1", "sideload2"))
        ]
        machine.placed("t", None, self.processes)  # type: ignore[arg-type]
        machine.ready(self.processes[0].id, ["top"], 0.0)
        self.questions = NodeQuestions(machine, self._send, self.said)

    def _send(self, who: bytes, message: bytes) -> None:
        self.sent.append((who, list(rpc.unpack(message))))

    def take(self) -> list[tuple[bytes, list[Any]]]:
        taken, self.sent = self.sent, []
        return taken


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(clock, "monotonic", lambda: 100.0)
    return Scene()


def test_an_answer_goes_to_the_asker_under_its_own_number(scene: Scene) -> None:
    scene.questions.out(b"client", 7, "t", "top")
    ((node, (number, operation, arguments)),) = scene.take()
    assert (node, operation, arguments) == (scene.processes[0].id.encode(), "out", {"path": "top"})
    scene.questions.answered(number, ok=True, value={"series": []})
    assert scene.take() == [(b"client", [7, True, {"series": []}])]
    scene.questions.answered(number, ok=True, value={"series": []})
    assert scene.take() == []
    assert scene.questions.next_deadline is None


def test_what_the_node_refuses_is_refused_to_the_asker(scene: Scene) -> None:
    scene.questions.reload(b"client", 8, scene.processes[1].id)
    ((_, (number, *_)),) = scene.take()
    scene.questions.answered(number, ok=False, value={"code": 500, "message": "no such file"})
    assert scene.take() == [(b"client", [8, False, {"code": 500, "message": "no such file"}])]


def test_a_node_that_takes_too_long_is_named_and_heard_no_more(scene: Scene) -> None:
    scene.questions.out(b"client", 7, "t", "top")
    ((_, (number, *_)),) = scene.take()
    assert scene.questions.next_deadline == 102.0
    scene.questions.expire(101.9)
    assert scene.take() == []
    scene.questions.expire(102.0)
    assert scene.take() == [(b"client", [7, False, {"code": 503, "message": "node from1 does not answer"}])]
    scene.questions.answered(number, ok=True, value=None)
    assert scene.take() == []


def test_what_nobody_can_answer_is_said_at_once(scene: Scene) -> None:
    scene.questions.out(b"client", 1, "t", "other")
    scene.questions.out(b"client", 2, "none", "top")
    scene.questions.reload(b"client", 3, "none")
    assert [(number, ok, value["code"]) for _, (number, ok, value) in scene.take()] == [
        (1, False, 404),
        (2, False, 404),
        (3, False, 404),
    ]


def test_a_signal_reloads_every_sideload_node_and_failures_are_logged(scene: Scene) -> None:
    scene.questions.reload_all()
    ((node, (number, operation, _)),) = scene.take()
    assert (node, operation) == (scene.processes[1].id.encode(), "reload")
    scene.questions.answered(number, ok=False, value={"code": 500, "message": "no such file"})
    assert scene.take() == []
    assert scene.said.errors == [{"node": "sideload2", "error": "no such file"}]

"""A node that has nothing to emit still tells its children how far it is: when its input is drained, and under load."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import status
from engine.frames.codec import decode, encode
from engine.frames.model import FieldColumn, Frame, Kind, Section, nil_groups
from engine.operator import Stateless
from engine.runner import loop as loops
from engine.runner.chain import Chain, Counted
from engine.runner.control import Control
from engine.runner.diagnostics import Diagnostics
from engine.runner.loop import Loop
from engine.runner.output import Output
from engine.runner.spec import NodeSpec, ProcessSpec
from engine.status import StatusFile
from tests.harness import PATIENCE_S
from transports.context import new_context
from transports.errors import EdgeClosed
from transports.paths import open_run_directory
from transports.zmq_edge import ipc_collector, ipc_emitter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest


class Drops(Stateless):
    """Emits nothing; waits at each frame until the test lets it go on."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Semaphore(0)

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:  # noqa: ARG002 - an operator's interface
        self.gate.acquire()
        return ()


def frame(position: int) -> Frame:
    fields = {"v": FieldColumn(Kind.INT, np.array([position], np.int64))}
    section = Section("m", np.zeros(1, np.int64), {}, fields, nil_groups())
    return Frame("stream", "d", f"rp{position}", (section,), None, position=position)


class Node:
    """A loop in a thread of its own between two edges."""

    def __init__(self, tmp_path: Path, progress_ms: int) -> None:
        self.context = new_context()
        self.run = open_run_directory(tmp_path, memory=())
        self.pages = StatusFile.create(tmp_path / "pages", 1)
        self.page = self.pages.page(self.pages.take())
        self.operator = Drops()
        paths = self.run.new_path(), self.run.new_path()
        node = NodeSpec("drops1", "drops", 0, {}, 1)
        spec = ProcessSpec(
            "t/drops1#1", "t", [node], [(paths[0], "stream")], [(paths[1], "stream")], "", "", progress_ms=progress_ms
        )
        self.parent = ipc_collector(self.context, paths[0], "stream")
        self.child = ipc_emitter(self.context, paths[1], "stream")
        self.thread = threading.Thread(target=self._run, args=(spec,))
        self.thread.start()

    def _run(self, spec: ProcessSpec) -> None:
        ends: list[Any] = [
            ipc_emitter(self.context, spec.parents[0][0], "stream"),
            ipc_collector(self.context, spec.children[0][0], "stream"),
        ]
        control = Control(self.context, f"ipc://{self.run.new_path()}", "t/drops1#1", [])
        output = Output([ends[1]], 8192, 1 << 20)
        chain = Chain([self.operator], [Counted(spec.nodes[0], self.page)])
        loop = Loop(spec, chain, [ends[0]], [ends[1]], output, control, Diagnostics("t", [], []))
        loop.run()
        for end in ends:
            end.close()
        control.close(0)

    def close(self) -> None:
        self.parent.drain()
        self.operator.gate.release(100)
        while True:
            try:
                self.child.emit_wait(PATIENCE_S)
            except EdgeClosed:
                break
        assert self.parent.drain_wait(PATIENCE_S)
        self.thread.join(PATIENCE_S)
        for end in (self.parent, self.child):
            end.close()
        self.context.term()
        self.run.remove()
        self.pages.close()

    def give(self, *positions: int) -> None:
        for position in positions:
            assert self.parent.collect_wait(encode(frame(position)), 1, timeout=PATIENCE_S)

    def told(self) -> Frame:
        parts = self.child.emit_wait(PATIENCE_S)
        assert parts is not None
        return decode(parts)


def test_a_drained_input_is_followed_by_a_progress_frame(tmp_path: Path) -> None:
    node = Node(tmp_path, progress_ms=0)
    node.give(7)
    node.operator.gate.release()
    progress = node.told()
    node.close()
    assert (progress.position, progress.sections, progress.events) == (7, (), ())
    assert node.page.words[status.DEALT] == 7
    assert (node.page.taken(0), node.page.sent(0)) == (1, 1)


def test_under_load_progress_is_told_although_input_keeps_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "PROGRESS_S", 0.0)
    # As good as never by itself: only being late can make it tell.
    node = Node(tmp_path, progress_ms=3_600_000)
    node.give(1)
    while node.page.taken(0) != 1:
        pass
    node.operator.gate.release()
    node.give(2)
    node.operator.gate.release()
    progress = node.told()
    node.close()
    assert progress.position == 2

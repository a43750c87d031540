"""A rehearsal before the first fork: frames of the usual types through every common operator, and the start of a process.

The first call of a kernel with some types makes Numba look for the compiled version that fits, and CPython looks up and
specialises what it meets for the first time; done once in the zygote, no node has to do it again, so a node's first frame
costs what the next ones do. Nothing of it is kept but that.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from engine import clock, rpc
from engine.frames.codec import decode, encode
from engine.frames.model import Columns
from engine.inputs.line_protocol import LineParser
from engine.nodes import build
from engine.operator import Context
from engine.process import fork_into
from engine.runner.loop import Loop
from engine.runner.main import opened
from engine.runner.prepared import prepare_early
from engine.runner.project import project
from engine.runner.spec import NodeSpec, ProcessSpec
from engine.status import StatusFile
from tickscript import plan
from transports.context import new_context
from transports.paths import RunDirectory
from transports.zmq_edge import ipc_collector, ipc_emitter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Frame
    from transports.context import Context as ZmqContext

_STARTS = 4
"""CPython specialises a function at its eighth call or so."""
_INPUT = ""

_GROUPED = "stream|from().measurement('m').where(lambda: \"t\" == 'a' OR \"f\" > 0.5).groupBy('t')"
_WINDOW = "|window().period(4s).every(4s)"
SCRIPTS = (
    f'{_GROUPED}|where(lambda: "f" >= 0.0 AND "i" < 1000)|eval(lambda: "f" + 1.0).as(\'x\').keep()|httpOut(\'o\')',
    f"{_GROUPED}{_WINDOW}|mean('f')|where(lambda: \"mean\" > -1.0)|httpOut('o')",
    f"{_GROUPED}{_WINDOW}|max('f')|httpOut('o')",
    f"{_GROUPED}{_WINDOW}|sum('i')|log()",
    f"{_GROUPED}{_WINDOW}|count('f')|httpOut('o')",
    f"{_GROUPED}{_WINDOW}|last('f')|httpOut('o')",
    f"{_GROUPED}|window().periodCount(4).everyCount(2)|percentile('f', 90.0)|httpOut('o')",
    f"var a = {_GROUPED}\nvar b = {_GROUPED}\na|join(b).as('a', 'b').tolerance(1s)|eval(lambda: \"a.f\" - \"b.f\").as('d')|httpOut('o')",
    f"var a = {_GROUPED}{_WINDOW}\nvar b = {_GROUPED}{_WINDOW}\na|join(b).as('a', 'b').fill('null')|httpOut('o')",
    f"var a = {_GROUPED}\nvar b = {_GROUPED}\na|union(b)|httpOut('o')",
    "stream|from()|groupBy('t', 'u')|derivative('f')|stateCount(lambda: \"f\" > 0.0)|httpOut('o')",
    "stream|from()|where(lambda: \"f\" >= 0.0)|eval(lambda: \"f\" * 2.0).as('x')|window().period(4s).every(4s)|mean('x')|log()",
    f'{_GROUPED}|alert().warn(lambda: "f" > 2.0).crit(lambda: "f" > 4.0).stateChangesOnly()|log()',
)


def plans() -> list[dict[str, Any]]:
    """The plans of the scripts, from a child that compiles them: the parser's tables are of no use to nodes."""
    read, write = os.pipe()

    def compile_all() -> int:
        from tickscript.compile import compile_script  # noqa: PLC0415 - stays in this child

        with os.fdopen(write, "wb") as pipe:
            pipe.write(msgspec.msgpack.encode([plan.encode(compile_script(script)) for script in SCRIPTS]))
        return 0

    pid = fork_into("zygote compiling", compile_all, keep=[write])
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        raw = pipe.read()
    os.waitpid(pid, 0)
    return msgspec.msgpack.decode(raw, type=list[dict[str, Any]])


def rehearse(tasks: Sequence[dict[str, Any]]) -> None:
    """Run plans over a few small frames, as node processes would: encoded and decoded between any two nodes."""
    frames = _frames()
    for task in tasks:
        run(task, frames)


def rehearse_processes(run_dir: str, task: dict[str, Any]) -> None:
    """Start the processes of a task one after the other, as children of the zygote do, and let a few frames through each."""
    directory = RunDirectory(Path(run_dir))
    page, control = directory.new_path("r"), directory.new_path("r")
    address = f"ipc://{control}"
    pages = StatusFile.create(Path(page), 1)
    messages = run(task, _frames())
    try:
        with new_context() as context, rpc.router(context, address):
            for node in task["nodes"] * _STARTS:
                member = NodeSpec(node["name"], node["kind"], 0, node, len(node["children"]))
                above, below = ([(directory.new_path("r"), "stream")] for _ in range(2))
                spec = ProcessSpec(
                    "rehearsal", "rehearsal", [member], above, below if node["children"] else [], address, page
                )
                pages.page(0).clear()
                _perform(context, spec, messages[(node["parents"] or [_INPUT])[0]])
    finally:
        pages.close()
        for path in (page, control):
            Path(path).unlink(missing_ok=True)


def _perform(context: ZmqContext, spec: ProcessSpec, messages: list[list[bytes]]) -> None:
    """One process, without an end: it takes the messages, and what comes of them is taken from it."""
    prepared = prepare_early(spec)
    assert prepared is not None
    page = prepared.counted[0].page
    with contextlib.ExitStack() as stack:
        parent = stack.enter_context(ipc_collector(context, spec.parents[0][0], "stream"))
        loop = stack.enter_context(opened(prepared))
        children = [stack.enter_context(ipc_emitter(context, path, "stream")) for path, _ in spec.children]
        assert isinstance(loop, Loop)
        loop.begin()
        for number, message in enumerate(messages, 1):
            parent.collect_wait(message, 1, timeout=None)
            while (page.taken(0) or 0) < number:
                loop.turn()
            for child in children:
                while child.messages < (page.sent(0) or 0):
                    child.emit_wait(None)


def _frames() -> list[Frame]:
    lines = b"\n".join(
        b'm,t=%s,u=x%d f=%d.25,i=%di,s="v%d",b=t %d' % (b"ab"[k % 2 : k % 2 + 1], k % 3, k % 7, k, k % 2, k * 10**9)
        for k in range(48)
    )
    parser = LineParser(16)
    parser.begin(db="d", rp="r", precision="n", now=0)
    parser.feed(lines)
    return list(parser.finish().frames)


def run(task: dict[str, Any], frames: list[Frame]) -> dict[str, list[list[bytes]]]:
    """What each node has emitted, encoded, by its name; what the source was given as that of `_INPUT`."""
    given: dict[str, list[list[bytes]]] = {_INPUT: [encode(f) for f in frames]}
    for node in task["nodes"]:
        operator: Any = build(plan.decode_node(node), Context("rehearsal", node["name"], clock.now))
        out: list[Frame] = []
        for slot, parent in enumerate(node["parents"] or [_INPUT]):
            for message in given[parent]:
                out.extend(operator.collect(decode(message), slot))
        project(out, Columns.of((), ()))
        given[node["name"]] = [encode(f) for f in out]
    return given

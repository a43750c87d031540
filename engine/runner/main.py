"""The body of a node process, after the zygote has forked it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from engine import logs
from engine.alerts.link import Link
from engine.alerts.way_out import Alerting
from engine.nodes.loopback import LoopbackOperator
from engine.runner.chain import Chain
from engine.runner.control import Control
from engine.runner.diagnostics import Diagnostics
from engine.runner.edges import open_children, open_parents
from engine.runner.loop import Loop
from engine.runner.output import Output
from engine.runner.outside import OutsideLoop
from engine.runner.stream_way import StreamWay
from transports.context import new_context

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.runner.chain import Counted
    from engine.runner.prepared import Prepared
    from engine.runner.spec import ProcessSpec


def run(prepared: Prepared) -> int:
    """Open the edges, run until the input ends. The process's exit status."""
    with opened(prepared) as loop:
        if loop is None:
            return 0
        try:
            return loop.run()
        finally:
            say_edges_closed(prepared.spec, prepared.counted)


@contextlib.contextmanager
def opened(prepared: Prepared) -> Iterator[Loop | OutsideLoop | None]:
    """The loop with everything that it needs open; None for a node that cannot start, which is then said."""
    spec, operators, counted = prepared.spec, prepared.operators, prepared.counted
    zmq_context = new_context(max_sockets=1023)
    control = Control(zmq_context, spec.control, spec.id, operators)
    if prepared.failure is not None:
        control.failed(*prepared.failure)
        control.ended()
        control.close()
        zmq_context.term()
        yield None
        return
    address = spec.settings.get("alerts", "")
    links = [
        Link(zmq_context, address, f"{spec.id}/{o.name}", o, control.socket, control.answer)
        for o in operators
        if isinstance(o, Alerting)
    ]
    for operator in operators:
        if isinstance(operator, LoopbackOperator):
            operator.way = StreamWay(zmq_context, spec)
    parents = open_parents(zmq_context, spec)
    children = open_children(zmq_context, spec)
    output = Output(children, spec.max_rows, spec.max_bytes)
    diagnostics = Diagnostics(spec.task, [n.name for n in spec.nodes], [o.report for o in operators])
    if spec.outside:
        loop: Loop | OutsideLoop = OutsideLoop(
            spec, operators[0], counted[0], parents, children, output, control, diagnostics
        )
    else:
        loop = Loop(spec, Chain(operators, counted), parents, children, output, control, diagnostics, links)
    try:
        for link in links:
            link.open()
        yield loop
    finally:
        for end in [*parents, *children]:
            end.close()
        for link in links:
            link.close()
        control.close()
        zmq_context.term()


def say_edges_closed(spec: ProcessSpec, counted: Sequence[Counted]) -> None:
    """A line for every edge that ends here, as the reference has it; what was taken out of it is all there was."""
    log = logs.get_logger(process="node", task=spec.task)
    for node, counts in zip(spec.nodes, counted, strict=True):
        parents = node.plan["parents"]
        for parent, taken in zip(parents, counts.page.parent_emitted(len(parents)), strict=False):
            log.debug("edge closed", parent=parent, child=node.name, collected=taken, emitted=taken)

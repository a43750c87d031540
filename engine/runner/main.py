"""The body of a node process, after the zygote has forked it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine import clock, logs, status
from engine.alerts.link import Link
from engine.alerts.way_out import Alerting
from engine.nodes import build
from engine.nodes.loopback import LoopbackOperator
from engine.operator import Context, TaskError
from engine.runner.chain import Chain, Counted
from engine.runner.control import Control
from engine.runner.diagnostics import Diagnostics
from engine.runner.edges import open_children, open_parents
from engine.runner.loop import Loop
from engine.runner.output import Output
from engine.runner.outside import OutsideLoop
from engine.runner.stream_way import StreamWay
from tickscript.plan import decode_node
from transports.context import new_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.runner.spec import ProcessSpec


def run(spec: ProcessSpec) -> int:
    """Build the operators, open the edges, run until the input ends. The process's exit status."""
    log = logs.get_logger(process="node", task=spec.task)
    zmq_context = new_context(max_sockets=1023)
    operators: list[Any] = []
    counted = [Counted(n, status.open_page(spec.status, n.slot)) for n in spec.nodes]
    failure: tuple[str, str] | None = None
    for node in spec.nodes:
        context = Context(spec.task, node.name, clock.now, spec.zone, settings=spec.settings, step=counted[0].page.step)
        try:
            operators.append(build(decode_node(node.plan), context))
        except TaskError as error:
            failure = (node.name, str(error))
            break
    control = Control(zmq_context, spec.control, spec.id, operators)
    if failure is not None:
        control.failed(*failure)
        control.ended()
        control.close()
        zmq_context.term()
        return 0
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
    diagnostics = Diagnostics(log, [n.name for n in spec.nodes], [o.report for o in operators])
    if spec.outside:
        loop: Loop | OutsideLoop = OutsideLoop(
            spec, operators[0], counted[0], parents, children, output, control, diagnostics
        )
    else:
        loop = Loop(spec, Chain(operators, counted), parents, children, output, control, diagnostics, links)
    try:
        for link in links:
            link.open()
        return loop.run()
    finally:
        say_edges_closed(log, spec, counted)
        for end in [*parents, *children]:
            end.close()
        for link in links:
            link.close()
        control.close()
        zmq_context.term()


def say_edges_closed(log: Any, spec: ProcessSpec, counted: Sequence[Counted]) -> None:
    """A line for every edge that ends here, as the reference has it; what was taken out of it is all there was."""
    for node, counts in zip(spec.nodes, counted, strict=True):
        parents = node.plan["parents"]
        for parent, taken in zip(parents, counts.page.parent_emitted(len(parents)), strict=False):
            log.debug("edge closed", parent=parent, child=node.name, collected=taken, emitted=taken)

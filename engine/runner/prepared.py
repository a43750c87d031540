"""What of a node process is made before it is forked: its operators and counters, from its spec.

The zygote prepares the processes of a task together and forks them then. What they touch in common is so written once and
shared by all of them, instead of once in each. Only what asks nobody is made there: an operator whose making reads from
outside is made by its own process, so that the zygote never waits and nothing but a plan's size decides how long it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine import clock, status
from engine.nodes import build, reads_outside
from engine.operator import Context, TaskError
from engine.runner.chain import Counted
from tickscript.plan import decode_node

if TYPE_CHECKING:
    from engine.runner.spec import ProcessSpec


@dataclass(slots=True)
class Prepared:
    """`operators` of the nodes of `spec` in order, up to the one that `failure` (node, text) tells of."""

    spec: ProcessSpec
    counted: list[Counted]
    operators: list[Any]
    failure: tuple[str, str] | None = None


def prepare(spec: ProcessSpec) -> Prepared:
    """Make everything. Raises OSError where the status page cannot be opened."""
    prepared = Prepared(spec, [Counted(n, status.open_page(spec.status, n.slot)) for n in spec.nodes], [])
    step = prepared.counted[0].page.step
    for node in spec.nodes:
        context = Context(spec.task, node.name, clock.now, spec.zone, settings=spec.settings, step=step)
        try:
            prepared.operators.append(build(decode_node(node.plan), context))
        except TaskError as error:
            prepared.failure = (node.name, str(error))
            break
    return prepared


def prepare_early(spec: ProcessSpec) -> Prepared | None:
    """As `prepare`, in the zygote; None for a process that has to do it itself, be it to fail by itself."""
    if not spec.early or any(reads_outside(node.plan["method"]) for node in spec.nodes):
        return None
    try:
        return prepare(spec)
    except Exception:  # noqa: BLE001 - the process meets it again, and dies of it instead of the zygote
        return None

"""Pipelines as DOT text: the plain graph, and that of an executing task with its figures (spec "TICKscript" 8.1, 8.2).

Always: nodes in walk order, links in the order in which they were made; nothing is quoted. The batch source has no
block and no links of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from tickscript.durations import go_duration
from tickscript.nodes.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickscript.nodes.base import Node
    from tickscript.pipeline import Pipeline

VIEWS: Final = ("attributes", "labels")
View = Literal["attributes", "labels"]
_TIMES: Final = frozenset({"avg_exec_time_ns"})


@dataclass(frozen=True, slots=True)
class LiveStats:
    """The figures of an executing task.

    `throughput`: source messages a second. `nodes`: by name of node, its statistics by name; `avg_exec_time_ns` in ns.
    `processed`: messages that the child of a link has taken out, by the parent's name and the link's place among the
    parent's links (a node can be linked twice to another). What is missing counts as 0, or is left out.
    """

    throughput: float = 0.0
    nodes: Mapping[str, Mapping[str, int | float]] = field(default_factory=dict)
    processed: Mapping[tuple[str, int], int] = field(default_factory=dict)


def static_dot(pipeline: Pipeline, id: str) -> str:  # noqa: A002  (the word of the API)
    """The DOT text of a task that does not execute, or of a template."""
    lines = [f"digraph {id} {{"]
    lines += [f"{node.name} -> {child.name};" for node in _drawn(pipeline) for child in node.children]
    return "\n".join([*lines, "}"])


def live_dot(pipeline: Pipeline, id: str, stats: LiveStats, view: View = "attributes") -> str:  # noqa: A002  (as above)
    """The DOT text of an executing task."""
    unit = "points/s" if pipeline.type == "stream" else "batches/s"
    throughput = f"{stats.throughput:.2f} {unit}"
    lines = [f"digraph {id} {{"]
    if view == "attributes":
        lines.append(f'graph [throughput="{throughput}"];')
    else:
        lines.append(f'graph [label="Throughput: {throughput}" forcelabels=true pad="0.8,0.5"];')
    for node in _drawn(pipeline):
        lines += ["", _statistics(node.name, stats.nodes.get(node.name, {}), view)]
        for place, child in enumerate(node.children):
            count = stats.processed.get((node.name, place), 0)
            label = f'processed="{count}"' if view == "attributes" else f'label="processed={count}"'
            lines.append(f"{node.name} -> {child.name} [{label}];")
    return "\n".join([*lines, "}"])


def _drawn(pipeline: Pipeline) -> Iterator[Node]:
    return (node for node in pipeline.nodes if not isinstance(node, Batch))


def _statistics(name: str, figures: Mapping[str, int | float], view: View) -> str:
    texts = {key: go_duration(int(value)) if key in _TIMES else str(value) for key, value in sorted(figures.items())}
    if view == "attributes":
        return f"{name} [{''.join(f'{key}={quoted} ' for key, quoted in _quoted(texts))}];"
    joined = "\\r".join(f"{key}={text}" for key, text in texts.items())
    return f'{name} [xlabel="{joined}"];'


def _quoted(texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((key, f'"{text}"') for key, text in texts.items())

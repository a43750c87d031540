"""What a node process is told when it is forked: plain values, as msgpack."""

from __future__ import annotations

from typing import Any

import msgspec

Names = tuple[list[str] | None, list[str] | None]
"""Fields and tags that somebody can refer to, as in `frames.model.Columns`."""


class NodeSpec(msgspec.Struct, frozen=True):
    """One node of the process: its name, kind, status page, its declaration in plan form, and how many children it has.

    `keep`: what later nodes can refer to.
    """

    name: str
    kind: str
    slot: int
    plan: dict[str, Any]
    children: int
    keep: Names = (None, None)


class ProcessSpec(msgspec.Struct, frozen=True):
    """A chain of nodes in one process (one node, unless it is fused) and everything that they need.

    `parents` and `children` are the paths of the edges in slot order, with their kinds. `max_rows` cuts frames.
    `columns`: what of the input anybody here or behind can refer to. `progress_ms`: how long a position may stay unsaid to
    the children when nothing else is sent. `early`: whether its operators may be made before it is forked.
    """

    id: str
    task: str
    nodes: list[NodeSpec]
    parents: list[tuple[str, str]]
    children: list[tuple[str, str]]
    control: str
    status: str
    outside: bool = False
    max_rows: int = 8192
    max_bytes: int = 1 << 20
    zone: str = "UTC"
    settings: dict[str, Any] = {}
    columns: Names = (None, None)
    progress_ms: int = 250
    early: bool = True

    @property
    def title(self) -> str:
        names = "+".join(n.name for n in self.nodes)
        return f"task {self.task} node {names}"


def encode(spec: ProcessSpec) -> bytes:
    return msgspec.msgpack.encode(spec)


def decode(raw: bytes) -> ProcessSpec:
    return msgspec.msgpack.decode(raw, type=ProcessSpec)

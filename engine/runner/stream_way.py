"""A node's way into the global stream: frames cut to size, then pushed and acknowledged as a front end's are.

Bound: what one input frame came to. The TaskMaster takes frames without waiting for any task, so the wait for its
acknowledgement ends whatever other tasks do, and has no time-out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import rpc
from engine.ingest import Ingest
from engine.runner.output import messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.frames.model import Frame
    from engine.runner.spec import ProcessSpec
    from transports.context import Context


class StreamWay:
    """Of the one node of a process; `settings["ingest"]` of the process's spec is the TaskMaster's address."""

    def __init__(self, context: Context, spec: ProcessSpec) -> None:
        self._context = context
        self._spec = spec
        self._identity = f"{spec.id}/stream".encode()
        self._ingest: Ingest | None = None
        self._client: rpc.AsyncClient | None = None

    async def open(self) -> None:
        """Connect, and wait until the TaskMaster can answer: an acknowledgement to a peer that it does not know is lost."""
        self._ingest = Ingest(self._context, self._spec.settings["ingest"], self._identity)
        self._client = rpc.AsyncClient(self._context, self._spec.control, self._identity, self._ingest.on_notice)
        await self._client.call("ping")

    async def write(self, frames: Sequence[Frame]) -> None:
        """Returns when all are acknowledged. Raises RpcError."""
        assert self._ingest is not None
        sized = [parts for f in frames for parts, _ in messages(f, self._spec.max_rows, self._spec.max_bytes)]
        await self._ingest.write_messages(sized, len(sized), None)

    async def close(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._ingest is not None:
            self._ingest.close()

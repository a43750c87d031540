"""The plain poll loop of a node process: read when nothing waits to be sent, answer control always.

Whoever reads input has an empty output; whoever waits for room in a child's edge reads no parent. Waiting for output
points only down the DAG, so no cycle of waiting can form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import zmq

from engine import clock, status
from engine.frames.header import WireError
from engine.frames.model import ALL_COLUMNS, Columns, Frame
from engine.operator import TaskError
from engine.runner.edges import Input
from engine.runner.project import project
from transports.errors import EdgeAborted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.link import Link
    from engine.runner.chain import Chain
    from engine.runner.control import Control
    from engine.runner.diagnostics import Diagnostics
    from engine.runner.output import Output
    from engine.runner.spec import ProcessSpec
    from transports.edge import Collector, Emitter

PROGRESS_S = 1.0
"""How long a position may stay unsaid to the children while input keeps coming of which nothing is sent on."""


class Positions:
    """How far a process has come: the lowest position over its parents, and what its children know of it."""

    def __init__(self, parents: int) -> None:
        self._seen = [0] * parents
        self.told = 0

    def saw(self, parent: int, position: int) -> None:
        if position:
            self._seen[parent] = position

    def end(self, parent: int) -> None:
        self._seen[parent] = 1 << 62

    @property
    def contained(self) -> int:
        lowest = self._seen[0] if len(self._seen) == 1 else min(self._seen, default=0)
        return lowest if lowest < 1 << 62 else 0


def positioned(frames: Sequence[Frame], position: int) -> list[Frame]:
    """The frames that follow from one input, of which the last alone says how far they go."""
    out = [f.at(0) for f in frames]
    out[-1] = frames[-1].at(position)
    return out


class Loop:
    """One run of a process: from its first frame to its end. `run` gives the exit status."""

    def __init__(
        self,
        spec: ProcessSpec,
        chain: Chain,
        parents: Sequence[Emitter],
        children: Sequence[Collector],
        output: Output,
        control: Control,
        diagnostics: Diagnostics,
        links: Sequence[Link] = (),
    ) -> None:
        """`links`: those of alert operators to the alert service."""
        self._spec = spec
        self._chain = chain
        self._links = list(links)
        self._parents = list(parents)
        self._inputs = [Input(p, Columns.of(*spec.columns)) for p in parents]
        self._children = list(children)
        self._open = set(range(len(parents)))
        self._output = output
        self._control = control
        self._diagnostics = diagnostics
        self._keep = Columns.of(*spec.nodes[-1].keep)
        self._positions = Positions(len(parents))
        self._page = chain.counted[0].page
        self._words = [c.page.words for c in chain.counted]
        self._data = {p.sockets[0] for p in parents}
        self._reading = self._poller()
        self._told_at = 0.0

    def _poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        poller.register(self._control.socket, zmq.POLLIN)
        for i in self._open:
            for s in self._parents[i].sockets:
                poller.register(s, zmq.POLLIN)
        for c in self._children:
            for s in c.sockets:
                poller.register(s, zmq.POLLIN)
        for link in self._links:
            for s in link.sockets:
                poller.register(s, zmq.POLLIN)
        return poller

    def begin(self) -> None:
        """Say that all is ready, with counters of their own there from the start."""
        for words in self._words:
            words[status.STATE] = status.RUNNING
        self._chain.publish()
        self._control.ready()

    def run(self) -> int:
        self.begin()
        try:
            while self._open:
                self.turn()
            self._send(self._chain.finish())
            self._diagnostics.write()
            self._flush()
            for link in self._links:
                link.begin_close()
            # Nothing is in hand any more: what is left behind by a drain that times out is its children's.
            self._words[0][status.WAITING] = 0
            self._drain()
            self._close_links()
        except TaskError as error:
            self._send(error.frames)
            return self._fail(self._chain.counted[self._chain.failing].name, str(error))
        except WireError as error:
            return self._fail(self._chain.counted[0].name, f"bad frame: {error}")
        except EdgeAborted:
            self._abort()
            self._control.ended()
            return 0
        self._control.ended()
        for words in self._words:
            words[status.STATE] = status.ENDED
        return 0

    def turn(self) -> None:
        """Wait for input, take what is there, and send what follows from it."""
        words = self._words[0]
        words[status.TICK] += 1
        behind = self._positions.contained > self._positions.told and bool(self._children)
        words[status.WAITING] = 0
        events = self._reading.poll(self._spec.progress_ms if behind else None)
        words[status.WAITING] = 1
        if not events:
            self._progress()
            return
        if len(events) > 1 or events[0][0] not in self._data:
            self._control.answer()
            self._hear_children()
            self._hear_links()
        for i in sorted(self._open):
            frames, ended = self._inputs[i].take(self._spec.max_rows)
            self._page.note_taken(i, self._parents[i].messages)
            for frame in frames:
                words[status.TICK] += 1
                if frame.position:
                    words[status.LAST_IN_WORK] = frame.position
                for link in self._links:
                    link.mark(self._positions.contained, frame.position)
                out = self._chain.collect(frame, i)
                self._positions.saw(i, frame.position)
                self._diagnostics.write()
                self._send(out)
                if self._output.pending:
                    self._flush()
                if self._links:
                    self._wait_for_links()
                words[status.DEALT] = self._dealt()
            if ended:
                self._open.discard(i)
                self._positions.end(i)
                self._parents[i].close()
                self._reading = self._poller()
        if behind and self._positions.contained > self._positions.told and self._is_late():
            self._progress()

    def _is_late(self) -> bool:
        return clock.monotonic() - self._told_at >= PROGRESS_S

    def _hear_children(self) -> None:
        """Take in what the children's ends have to say, so that their descriptors are quiet again. Raises EdgeAborted."""
        for child in self._children:
            hear(child)

    def _dealt(self) -> int:
        """The position up to which everything is contained, and what alerts tell of it committed."""
        contained = self._positions.contained
        return min([link.dealt(contained) for link in self._links]) if self._links else contained

    def _hear_links(self) -> None:
        """Take in what the alert service has to say."""
        for link in self._links:
            link.hear()
        if self._links:
            self._words[0][status.DEALT] = self._dealt()
            self._chain.publish()

    def _wait_for_links(self) -> None:
        """Read no more input while too much waits for the alert service."""
        words = self._words[0]
        for link in self._links:
            while link.full:
                words[status.STATE] = status.BLOCKED
                link.wait(status.BEAT_MS)
                words[status.TICK] += 1
                self._hear_children()
        words[status.STATE] = status.RUNNING

    def _close_links(self, deadline: float | None = None) -> None:
        """Wait until the alert service has dealt with everything, or until the deadline."""
        for link in self._links:
            link.begin_close()
            while not link.closed:
                left = None if deadline is None else deadline - clock.monotonic()
                if left is not None and left <= 0:
                    return
                link.wait(status.BEAT_MS if left is None else int(left * 1000) + 1)
                self._words[0][status.TICK] += 1
        self._chain.publish()

    def _send(self, frames: Sequence[Frame]) -> None:
        if not frames or not self._children:
            return
        if self._keep != ALL_COLUMNS:
            frames = project(frames, self._keep)
        contained = self._positions.contained
        self._told(contained)
        self._output.put(positioned(frames, contained))

    def _progress(self) -> None:
        """Tell the children how far this node has come although it had nothing to emit."""
        self._told(self._positions.contained)
        edge = self._spec.children[0][1]
        self._output.put([Frame(edge, position=self._positions.contained)])
        self._flush()

    def _told(self, position: int) -> None:
        self._positions.told = position
        self._told_at = clock.monotonic()

    def _flush(self) -> None:
        """Wait until every child has taken everything; control is answered meanwhile. Raises EdgeAborted."""
        if self._sent():
            return
        words = self._words[0]
        words[status.STATE] = status.BLOCKED
        while not self._sent():
            poller = zmq.Poller()
            poller.register(self._control.socket, zmq.POLLIN)
            for c in self._children:
                for s in c.sockets:
                    poller.register(s, zmq.POLLIN)
            for c in self._output.full():
                if c.writable_socket is not None:
                    poller.register(c.writable_socket, zmq.POLLOUT)
            poller.poll(status.BEAT_MS)
            words[status.TICK] += 1
            self._control.answer()
            self._hear_children()
        words[status.STATE] = status.RUNNING

    def _sent(self) -> bool:
        """Hand over what the children have room for; whether that was all. Raises EdgeAborted."""
        all_gone = self._output.flush()
        for i, child in enumerate(self._children):
            self._page.note_sent(i, child.messages)
        return all_gone

    def _drain(self) -> None:
        """Tell the children that no more comes, and wait until they have taken everything."""
        for c in self._children:
            c.drain()
        left = [c for c in self._children if not c.drained]
        while left:
            poller = zmq.Poller()
            poller.register(self._control.socket, zmq.POLLIN)
            for c in left:
                for s in c.sockets:
                    poller.register(s, zmq.POLLIN)
            poller.poll(status.BEAT_MS)
            self._words[0][status.TICK] += 1
            self._control.answer()
            left = [c for c in left if not c.drained]

    def _fail(self, node: str, error: str) -> int:
        """A definite error: the parents are aborted, what was emitted still reaches the children."""
        self._diagnostics.write()
        self._diagnostics.failed(node, error)
        for words in self._words:
            words[status.STATE] = status.FAILED
        self._control.failed(node, error)
        self._abort()
        self._control.ended()
        return 0

    def _abort(self) -> None:
        """End the parents' edges at once; let the children have what is on their edges already."""
        for i in self._open:
            self._parents[i].abort()
        self._output.flush_rest()
        deadline = clock.monotonic() + 5.0
        left = []
        for c in self._children:
            try:
                c.drain()
                left.append(c)
            except EdgeAborted:
                continue
        while left and (wait := deadline - clock.monotonic()) > 0:
            poller = zmq.Poller()
            for c in left:
                for s in c.sockets:
                    poller.register(s, zmq.POLLIN)
            poller.poll(int(wait * 1000) + 1)
            left = [c for c in left if not _gone(c)]
        self._close_links(deadline)


def hear(collector: Collector) -> bool:
    """Let an edge take in its news; whether it has ended. Raises EdgeAborted."""
    return collector.drained


def _gone(collector: Collector) -> bool:
    try:
        return collector.drained
    except EdgeAborted:
        return True

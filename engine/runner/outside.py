"""The asyncio loop of a node that talks to the outside while it handles a frame (httpPost, influxDBOut).

One frame at a time, order kept, exactly as the plain loop; but control is answered while a request is under way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import uvloop
import zmq

from engine import clock, status
from engine.frames.header import WireError
from engine.frames.model import Columns, Frame
from engine.operator import TaskError
from engine.runner.edges import Input
from engine.runner.loop import Positions, hear, positioned
from engine.runner.output import row_cuts
from transports.errors import EdgeAborted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.operator import Outside
    from engine.runner.chain import Counted
    from engine.runner.control import Control
    from engine.runner.diagnostics import Diagnostics
    from engine.runner.output import Output
    from engine.runner.spec import ProcessSpec
    from transports.edge import Collector, Emitter


class OutsideLoop:
    """As engine.runner.loop.Loop, for one Outside operator."""

    def __init__(
        self,
        spec: ProcessSpec,
        operator: Outside,
        counted: Counted,
        parents: Sequence[Emitter],
        children: Sequence[Collector],
        output: Output,
        control: Control,
        diagnostics: Diagnostics,
    ) -> None:
        self._spec = spec
        self._operator = operator
        self._counted = counted
        self._parents = list(parents)
        self._inputs = [Input(p, Columns.of(*spec.columns)) for p in parents]
        self._children = list(children)
        self._open = set(range(len(parents)))
        self._output = output
        self._control = control
        self._diagnostics = diagnostics
        self._positions = Positions(len(parents))
        self._woken = asyncio.Event()
        self._watched: list[int] = []

    def run(self) -> int:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._run())

    async def _run(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_reader(_descriptor(self._control.socket), self._on_control)
        for end in [*self._parents, *self._children]:
            self._watch(end.sockets)
        for child in self._children:
            if child.writable_socket is not None:
                self._watch((child.writable_socket,))
        words = self._counted.page.words
        words[status.STATE] = status.RUNNING
        await self._operator.open()
        self._control.ready()
        loop.call_soon(self._on_control)
        try:
            while self._open:
                await self._turn()
            await self._emit(await self._operator.finish())
            words[status.WAITING] = 0
            await self._drain()
            words[status.STATE] = status.ENDED
        except TaskError as error:
            self._diagnostics.write()
            words[status.STATE] = status.FAILED
            self._diagnostics.failed(self._counted.name, str(error))
            self._control.failed(self._counted.name, str(error))
            await self._abort()
        except WireError as error:
            self._control.failed(self._counted.name, f"bad frame: {error}")
            await self._abort()
        except EdgeAborted:
            await self._abort()
        finally:
            for descriptor in self._watched:
                loop.remove_reader(descriptor)
            await self._operator.close()
        self._control.ended()
        return 0

    def _watch(self, pollables: Sequence[Any]) -> None:
        loop = asyncio.get_running_loop()
        for p in pollables:
            descriptor = _descriptor(p)
            loop.add_reader(descriptor, self._woken.set)
            self._watched.append(descriptor)

    def _unwatch(self, pollables: Sequence[Any]) -> None:
        loop = asyncio.get_running_loop()
        for p in pollables:
            descriptor = _descriptor(p)
            loop.remove_reader(descriptor)
            self._watched.remove(descriptor)

    def _on_control(self) -> None:
        self._counted.page.words[status.TICK] += 1
        self._control.answer()

    async def _wait(self, seconds: float | None = None) -> bool:
        """Sleep until a socket has news; False when the time is over first."""
        if seconds is None:
            await self._woken.wait()
        else:
            try:
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
            except TimeoutError:
                return False
        self._woken.clear()
        for child in self._children:
            hear(child)
        return True

    async def _turn(self) -> None:
        words = self._counted.page.words
        words[status.TICK] += 1
        idle = True
        for i in sorted(self._open):
            frames, ended = self._inputs[i].take(self._spec.max_rows)
            self._counted.page.note_taken(i, self._parents[i].messages)
            for frame in frames:
                idle = False
                await self._handle(frame, i)
            if ended:
                idle = False
                self._open.discard(i)
                self._positions.end(i)
                self._unwatch(self._parents[i].sockets)
                self._parents[i].close()
        if idle:
            words[status.WAITING] = 0
            behind = self._positions.contained > self._positions.told and bool(self._children)
            if not await self._wait(self._spec.progress_ms / 1000 if behind else None):
                self._positions.told = self._positions.contained
                self._output.put([Frame(self._spec.children[0][1], position=self._positions.contained)])
                await self._flush()
            words[status.WAITING] = 1

    async def _handle(self, frame: Frame, parent: int) -> None:
        words = self._counted.page.words
        if frame.position:
            words[status.LAST_IN_WORK] = frame.position
        for piece in row_cuts(frame, 64) if self._children else [frame]:
            count = piece.count
            self._counted.took(parent, count)
            started = clock.ticks()
            out = await self._operator.collect(piece, parent)
            self._counted.worked(clock.ticks() - started, count, self._operator)
            self._diagnostics.write()
            self._positions.saw(parent, piece.position)
            await self._emit(out)
        words[status.DEALT] = self._positions.contained

    async def _emit(self, frames: Sequence[Frame]) -> None:
        frames = [f for f in frames if f.sections or f.events]
        if not frames:
            return
        for f in frames:
            self._counted.gave(f.count)
        self._positions.told = self._positions.contained
        self._output.put(positioned(frames, self._positions.told))
        await self._flush()

    async def _flush(self) -> None:
        words = self._counted.page.words
        while not self._sent():
            words[status.STATE] = status.BLOCKED
            await self._wait(status.BEAT_MS / 1000)
            words[status.TICK] += 1
        words[status.STATE] = status.RUNNING

    def _sent(self) -> bool:
        all_gone = self._output.flush()
        for i, child in enumerate(self._children):
            self._counted.page.note_sent(i, child.messages)
        return all_gone

    async def _drain(self) -> None:
        for c in self._children:
            c.drain()
        while not all(c.drained for c in self._children):
            await self._wait(status.BEAT_MS / 1000)
            self._counted.page.words[status.TICK] += 1

    async def _abort(self) -> None:
        for i in self._open:
            self._parents[i].abort()
        self._output.flush_rest()
        left = []
        for c in self._children:
            try:
                c.drain()
                left.append(c)
            except EdgeAborted:
                continue
        deadline = clock.monotonic() + 5.0
        while left and (wait := deadline - clock.monotonic()) > 0:
            try:
                left = [c for c in left if not c.drained]
            except EdgeAborted:
                return
            if left:
                await self._wait(wait)


def _descriptor(pollable: Any) -> int:
    return int(pollable.getsockopt(zmq.FD)) if isinstance(pollable, zmq.Socket) else int(pollable)

"""A body of line protocol on its way into a parser: bounded, and in turns after which others have theirs.

What always holds:

- No more than `Bounds.body` bytes of one body and `Bounds.together` bytes of all bodies under way are held; a body is
  under way until it is closed, which is when its points have been acknowledged.
- A body with more than `MAX_BAD_LINES` bad lines, or with `MAX_LINE` bytes without a newline, is refused whole: it is
  no line protocol, and each of them costs memory and time.
- The loop is not held up: after about `_TURN_S` of parsing, everybody else has a turn. A thousand good lines take less
  than a millisecond, one that only the exact parser reads takes microseconds: steps that take long become smaller.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING

from engine.api.inflate import BadGzipError, Inflate
from engine.inputs.line_protocol import LineParser

if TYPE_CHECKING:
    from engine.inputs.line_protocol import Parsed

MAX_BAD_LINES = 10_000
MAX_LINE = 4 << 20
_TURN_S = 0.005
_SMALLEST, _FIRST, _LARGEST = 1 << 14, 1 << 15, 1 << 18
_IDLE_PARSERS = 4


class RejectedError(Exception):
    """The body cannot be taken: HTTP status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class BodyParser(LineParser):
    """A parser that says how it stands in the middle of a body."""

    @property
    def bad(self) -> int:
        """Bad lines so far."""
        return len(self._errors)


class Bounds:
    """What bodies may hold: one alone, and all that are under way together. Parsers that are not in use wait here.

    `statistics()` gives the bytes under way and the parsers at hand.
    """

    def __init__(self, body: int, max_rows: int) -> None:
        self.body = body
        self.together = 2 * body
        self._max_rows = max_rows
        self._held = 0
        self._idle: list[BodyParser] = []

    def hold(self, size: int) -> None:
        """A body has grown. Raises RejectedError 503 when all together are too much."""
        self._held += size
        if self._held > self.together:
            raise RejectedError(503, f"the server is overloaded: bodies of {self._held} bytes are under way\n")

    def release(self, size: int) -> None:
        self._held -= size

    def parser(self) -> BodyParser:
        return self._idle.pop() if self._idle else BodyParser(self._max_rows)

    def give_back(self, parser: BodyParser) -> None:
        """What a burst needed is let go."""
        if len(self._idle) < _IDLE_PARSERS:
            self._idle.append(parser)

    def statistics(self) -> dict[str, int]:
        return {"held": self._held, "idle_parsers": len(self._idle)}


class Body:
    """One body. `add` each piece, `finish`, and in any case `close` when its points are dealt with.

    A parser is taken when there is something to parse: a client that sends a byte a minute holds only its bytes.
    """

    def __init__(self, bounds: Bounds, *, db: str, rp: str, precision: str, now: int, gzip: bool) -> None:
        """`now` (ns) is the time of points without one."""
        self._bounds = bounds
        self._begin = (db, rp, precision, now)
        self._inflate = Inflate() if gzip else None
        self._parser: BodyParser | None = None
        self._pieces: list[bytes] = []
        self._pending = 0
        self._unbroken = 0
        self._size = 0
        self._step = _FIRST
        self._turn_ends = perf_counter() + _TURN_S

    def announced(self, length: bytes | None) -> None:
        """The request says how long its body is. Raises RejectedError, so that none of what is too much is read."""
        if length is not None and length.isdigit() and int(length) > self._bounds.body:
            raise too_large(self._bounds.body)

    async def add(self, piece: bytes) -> None:
        """A further piece as it came. Raises RejectedError."""
        if self._inflate is None:
            await self._add(piece)
            return
        try:
            for data in self._inflate.steps(piece):
                await self._add(data)
        except BadGzipError as bad:
            raise RejectedError(400, f"{bad}\n") from None

    async def finish(self) -> Parsed:
        """The body is complete. Raises RejectedError."""
        if self._inflate is not None:
            try:
                self._inflate.end()
            except BadGzipError as bad:
                raise RejectedError(400, f"{bad}\n") from None
        await self._parse_pending()
        parsed = self._take_parser().finish()
        self._leave_parser()
        return parsed

    def close(self, *, broken: bool = False) -> None:
        """What the body held is gone; a parser that is `broken` (it raised what it should not) is thrown away."""
        self._bounds.release(self._size)
        self._size = 0
        self._pieces.clear()
        if broken:
            self._parser = None
        self._leave_parser()

    def _leave_parser(self) -> None:
        parser, self._parser = self._parser, None
        if parser is not None:
            parser.reset()
            self._bounds.give_back(parser)

    async def _add(self, data: bytes) -> None:
        self._size += len(data)
        self._bounds.hold(len(data))
        if self._size > self._bounds.body:
            raise too_large(self._bounds.body)
        newline = data.rfind(b"\n")
        self._unbroken = self._unbroken + len(data) if newline < 0 else len(data) - newline - 1
        if self._unbroken > MAX_LINE:
            raise RejectedError(400, f"a line is longer than {MAX_LINE} bytes\n")
        self._pieces.append(data)
        self._pending += len(data)
        if self._pending >= _FIRST:
            await self._parse_pending()

    async def _parse_pending(self) -> None:
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._pending = 0
        parser = self._take_parser()
        view = memoryview(data)
        at = 0
        while at < len(data):
            began = perf_counter()
            parser.feed(view[at : at + self._step])
            at += self._step
            if parser.bad > MAX_BAD_LINES:
                raise RejectedError(400, f"more than {MAX_BAD_LINES} bad lines: this is not line protocol\n")
            await self._end_turn(began)

    async def _end_turn(self, began: float) -> None:
        now = perf_counter()
        self._step = max(_SMALLEST, self._step // 8) if now - began > _TURN_S else min(_LARGEST, self._step * 4)
        if now > self._turn_ends:
            await asyncio.sleep(0)
            self._turn_ends = perf_counter() + _TURN_S

    def _take_parser(self) -> BodyParser:
        if self._parser is None:
            self._parser = self._bounds.parser()
            db, rp, precision, now = self._begin
            self._parser.begin(db=db, rp=rp, precision=precision, now=now)
        return self._parser


def too_large(limit: int) -> RejectedError:
    return RejectedError(413, f"the body is larger than {limit} bytes, the limit that [http] max-body-size sets\n")

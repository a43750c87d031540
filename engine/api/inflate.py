"""Compressed bodies: gzip members one behind the other, in steps of bounded size, with the errors of the reference.

Bound: a step gives at most `STEP` bytes, whatever it came from, so that whoever feeds can stop at its limit.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

STEP = 1 << 17
_WBITS = 16 + zlib.MAX_WBITS
_HEADER = 10
_MAGIC = b"\x1f\x8b\x08"


class BadGzipError(Exception):
    """The body is not what gzip writes; str() is the text for the client."""


class Inflate:
    """One body: pieces in, steps out, `end` when there are no more."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_WBITS)
        self._header = b""
        self._any = False

    def steps(self, piece: bytes) -> Iterator[bytes]:
        """What a further piece inflates to. Raises BadGzipError."""
        data = piece
        while data:
            data = yield from self._some(data)

    def _some(self, data: bytes) -> Generator[bytes, None, bytes]:
        """Inflate up to the end of the member; gives back what stands behind it."""
        self._any = True
        if len(self._header) < _HEADER:
            missing = _HEADER - len(self._header)
            self._header += data[:missing]
            data = data[missing:]
            if len(self._header) < _HEADER:
                return b""
            if not self._header.startswith(_MAGIC):
                raise BadGzipError("gzip: invalid header")
            yield from self._inflated(self._header)
        yield from self._inflated(data)
        if not self._member.eof:
            return b""
        rest = self._member.unused_data
        self._member, self._header = zlib.decompressobj(_WBITS), b""
        return rest

    def _inflated(self, data: bytes) -> Iterator[bytes]:
        full = False
        while (data or full) and not self._member.eof:
            try:
                out = self._member.decompress(data, STEP)
            except zlib.error as error:
                raise BadGzipError(_text(str(error))) from None
            data = self._member.unconsumed_tail
            # What fills a step may have more behind it that needs no further input.
            full = len(out) == STEP
            if out:
                yield out

    def end(self) -> None:
        """There is no more. Raises BadGzipError in the middle of a member, and when there was nothing at all."""
        if not self._any:
            raise BadGzipError("EOF")
        if self._header:
            raise BadGzipError("unexpected EOF")


def _text(error: str) -> str:
    if "data check" in error or "length check" in error:
        return "gzip: invalid checksum"
    if "header" in error:
        return "gzip: invalid header"
    return "flate: corrupt input"

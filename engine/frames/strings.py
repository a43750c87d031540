"""Vectors of byte strings as offsets and bytes, the form in which strings travel and are compared.

A `Strings` never changes. Python text is a view for people and odd paths: bytes that are not UTF-8 come out with
surrogate escapes and go back in unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from engine.frames.jit import I32, I64, U8, kernel, pair

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_PAIR = pair(types.int32[::1], types.uint8[::1])


@kernel(_PAIR, I32, U8, I64)
def _gather(offsets: Any, data: Any, index: Any) -> Any:
    n = len(index)
    out_offsets = np.empty(n + 1, np.int32)
    total = 0
    out_offsets[0] = 0
    for i in range(n):
        k = index[i]
        total += offsets[k + 1] - offsets[k]
        out_offsets[i + 1] = total
    out = np.empty(total, np.uint8)
    p = 0
    for i in range(n):
        k = index[i]
        for q in range(offsets[k], offsets[k + 1]):
            out[p] = data[q]
            p += 1
    return out_offsets, out


@dataclass(frozen=True, slots=True, eq=False)
class Strings:
    """`n` byte strings: `offsets` int32[n+1], not falling, and `data` uint8[offsets[n]]."""

    offsets: NDArray[np.int32]
    data: NDArray[np.uint8]

    @classmethod
    def of(cls, values: Iterable[str | bytes]) -> Strings:
        """Build from Python strings."""
        raw = [v if isinstance(v, bytes) else v.encode("utf-8", "surrogateescape") for v in values]
        offsets = np.zeros(len(raw) + 1, np.int32)
        if raw:
            np.cumsum([len(v) for v in raw], out=offsets[1:])
        return cls(offsets, np.frombuffer(b"".join(raw), np.uint8))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def bytes_at(self, i: int) -> bytes:
        return self.data[self.offsets[i] : self.offsets[i + 1]].tobytes()

    def __getitem__(self, i: int) -> str:
        return self.bytes_at(i).decode("utf-8", "surrogateescape")

    def to_list(self) -> list[str]:
        """All values as text."""
        raw = self.data.tobytes()
        ends = self.offsets.tolist()
        text = raw.decode("utf-8", "surrogateescape")
        if len(text) == len(raw):
            return [text[a:b] for a, b in pairwise(ends)]
        return [raw[a:b].decode("utf-8", "surrogateescape") for a, b in pairwise(ends)]

    def take(self, index: NDArray[np.int64]) -> Strings:
        """The strings at `index` (int64[k]), in that order."""
        offsets, data = _gather(self.offsets, self.data, index)
        return Strings(offsets, data)

    def slice(self, start: int, stop: int) -> Strings:
        first = self.offsets[start]
        return Strings(self.offsets[start : stop + 1] - first, self.data[first : self.offsets[stop]])

    def copy(self) -> Strings:
        return Strings(self.offsets.copy(), self.data.copy())

    def equals(self, other: Any) -> bool:
        return (
            isinstance(other, Strings)
            and np.array_equal(self.offsets, other.offsets)
            and np.array_equal(self.data, other.data)
        )


def concat_strings(parts: list[Strings]) -> Strings:
    """The values of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    offsets = np.empty(sum(len(p) for p in parts) + 1, np.int32)
    offsets[0] = 0
    at, base = 1, 0
    for p in parts:
        offsets[at : at + len(p)] = p.offsets[1:] + np.int32(base)
        at += len(p)
        base += int(p.offsets[-1])
    return Strings(offsets, np.concatenate([p.data[: p.offsets[-1]] for p in parts]))


EMPTY_STRINGS = Strings(np.zeros(1, np.int32), np.zeros(0, np.uint8))

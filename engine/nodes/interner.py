"""A growing dictionary of byte strings: how tag values of many frames come to share one dictionary.

Values are numbered in the order in which they first come. What `values` gives stays valid while the interner grows,
because numbers and bytes are only ever appended. Bound: the owner rebuilds it when it compacts its rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.frames.groups import murmur3_128
from engine.frames.jit import I32, I32_OUT, I64_OUT, INT, U8, U8_OUT, U32, U32_OUT, U64_OUT, array, kernel
from engine.frames.model import ABSENT_CODE, TagColumn
from engine.frames.strings import Strings
from engine.slots import grown

_LEAST = 64


@kernel(
    INT, U32, I32, U8, I64_OUT, U32_OUT, I32_OUT, U64_OUT, I32_OUT, U8_OUT, INT,
    array(U64_OUT.dtype, writable=True, ndim=2),
)  # fmt: skip
def _intern(
    codes: Any, offsets: Any, data: Any, known: Any, out: Any, table: Any, prints: Any, own_offsets: Any, own_data: Any,
    count: Any, scratch: Any,
) -> Any:  # fmt: skip
    """Renumber `codes` (into offsets, data) into the interner's numbers; the new count. There is room for all."""
    size = len(known)
    mask = len(table) - 1
    for i in range(len(codes)):
        c = np.int64(codes[i])
        if c >= size:
            out[i] = ABSENT_CODE
            continue
        number = known[c]
        if number < 0:
            first = offsets[c]
            length = offsets[c + 1] - first
            murmur3_128(data, first, length, scratch, 0)
            h = scratch[0, 0]
            place = np.int64(h & np.uint64(mask))
            while True:
                at = np.int64(table[place])
                if at < 0:
                    base = own_offsets[count]
                    for q in range(length):
                        own_data[base + q] = data[first + q]
                    own_offsets[count + 1] = base + length
                    prints[count] = h
                    table[place] = count
                    number = count
                    count += 1
                    break
                if prints[at] == h and own_offsets[at + 1] - own_offsets[at] == length:
                    same = True
                    base = own_offsets[at]
                    for q in range(length):
                        if own_data[base + q] != data[first + q]:
                            same = False
                            break
                    if same:
                        number = at
                        break
                place = (place + 1) & mask
            known[c] = number
        out[i] = number
    return count


@kernel(INT, U64_OUT, INT, I32_OUT)
def _rehash(prints: Any, count: Any, table: Any) -> Any:
    mask = len(table) - 1
    for n in range(count):
        place = np.int64(prints[n] & np.uint64(mask))
        while table[place] >= 0:
            place = (place + 1) & mask
        table[place] = n
    return count


class Interner:
    """See the module's text. `count` values are known."""

    def __init__(self) -> None:
        self.count = 0
        self._table = np.full(_LEAST, -1, np.int32)
        self._prints = np.zeros(_LEAST, np.uint64)
        self._offsets = np.zeros(_LEAST + 1, np.int32)
        self._data = np.zeros(_LEAST, np.uint8)
        self._scratch = np.zeros((1, 2), np.uint64)

    def number(self, column: TagColumn) -> Any:
        """The column's codes as numbers of this dictionary: uint32[n], ABSENT_CODE where the tag is absent."""
        values = column.values
        codes = column.codes
        more = min(len(values), len(codes))
        self._reserve(more, len(values.data))
        out = np.empty(len(codes), np.uint32)
        known = np.full(len(values), -1, np.int64)
        self.count = _intern(
            codes, values.offsets, values.data, known, out, self._table, self._prints, self._offsets, self._data,
            self.count, self._scratch,
        )  # fmt: skip
        return out

    def _reserve(self, more: int, size: int) -> None:
        need = self.count + more
        self._prints = grown(self._prints, need)
        self._offsets = grown(self._offsets, need + 1)
        self._data = grown(self._data, int(self._offsets[self.count]) + size)
        if 2 * need > len(self._table):
            length = len(self._table)
            while length < 2 * need:
                length *= 2
            self._table = np.full(length, -1, np.int32)
            _rehash(self._prints, self.count, self._table)

    def values(self) -> Strings:
        """All values by number; a view that later growth does not disturb."""
        return Strings(self._offsets[: self.count + 1], self._data[: self._offsets[self.count]])

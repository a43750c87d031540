"""A growing dictionary of byte strings: how tag values of many frames come to share one dictionary.

Values are numbered in the order in which they first come. What `values` gives stays valid while the interner grows,
because numbers and bytes are only ever appended. Bound: the owner rebuilds it when it compacts its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.groups import murmur3_128
from engine.frames.jit import I32, I32_OUT, I64_OUT, INT, U8, U8_OUT, U32, U32_OUT, U64_OUT, array, kernel
from engine.frames.model import ABSENT_CODE, TagColumn
from engine.frames.strings import Strings
from engine.slots import grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST = 64


@kernel(
    INT, U32, INT, I32, U8, I64_OUT, U32_OUT, I32_OUT, U64_OUT, I32_OUT, U8_OUT, INT,
    array(U64_OUT.dtype, writable=True, ndim=2),
)  # fmt: skip
def _intern(
    codes: Any, size: Any, offsets: Any, data: Any, known: Any, out: Any, table: Any, prints: Any, own_offsets: Any, own_data: Any,
    count: Any, scratch: Any,
) -> Any:  # fmt: skip
    """Renumber `codes` (into offsets, data) into the interner's numbers; the new count. There is room for all."""
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
    for i in range(len(codes)):
        if codes[i] < size:
            known[codes[i]] = -1
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
        # Numbers by code of the column in work; all -1 between calls.
        self._known = np.full(_LEAST, -1, np.int64)

    def number(self, column: TagColumn, out: NDArray[np.uint32]) -> None:
        """Write the column's codes as numbers of this dictionary to `out` (uint32[n]); ABSENT_CODE stays."""
        values, codes = column.values, column.codes
        size = len(values.offsets) - 1
        need = self.count + min(size, len(codes))
        space = int(self._offsets[self.count]) + len(values.data)
        if 2 * need > len(self._table) or need > len(self._prints) or space > len(self._data):
            self._reserve(need, space)
        if size > len(self._known):
            self._known = np.full(2 * size, -1, np.int64)
        self.count = _intern(
            codes, size, values.offsets, values.data, self._known, out, self._table, self._prints, self._offsets,
            self._data, self.count, self._scratch,
        )  # fmt: skip

    def _reserve(self, need: int, space: int) -> None:
        self._prints = grown(self._prints, need)
        self._offsets = grown(self._offsets, len(self._prints) + 1)
        self._data = grown(self._data, space, None)
        if 2 * need > len(self._table):
            length = len(self._table)
            while length < 2 * need:
                length *= 2
            self._table = np.full(length, -1, np.int32)
            _rehash(self._prints, self.count, self._table)

    def values(self) -> Strings:
        """All values by number; a view that later growth does not disturb."""
        return Strings(self._offsets[: self.count + 1], self._data[: self._offsets[self.count]])

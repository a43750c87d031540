"""`|combine()`: the points of a moment with each other, every choice that fits the lambdas (nodes.md §14).

Every lambda is evaluated for every point of a moment; a point for which one fails counts as one for which it is false. Of
a choice of indices, in lexicographic order, each lambda takes the first that it matches and that is not taken yet; there is
no way back. More choices than allowed are a definite error.
"""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from engine.frames.jit import I32, I64_OUT, INT, array, kernel
from engine.frames.model import ABSENT_CODE, Section, TagColumn
from engine.frames.reshape import take_field, take_tag
from engine.frames.strings import concat_strings
from engine.nodes.arrivals import Arrivals, group_tags
from engine.nodes.assembly import Piece, assemble
from engine.nodes.condition import Condition
from engine.nodes.join_output import put_all
from engine.nodes.moments import MomentOperator
from engine.operator import TaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from engine.frames.model import Event, FieldColumn, Frame
    from engine.nodes.moments import Moments
    from engine.operator import Context
    from tickscript import ast

_MASKS = array(types.uint8, ndim=2)
_LINES = array(types.int64, writable=True, ndim=2)


@kernel(INT, I32, _MASKS, INT, _LINES, I64_OUT)
def _choose(offsets: Any, masks: Any, moments: Any, picks: Any, owner: Any) -> Any:
    """The choices of the first moments: rows to `picks[c, i]` for lambda i, the moment to `owner[c]`; how many.

    `masks[i, row]`: lambda i is true of the row. With an empty `owner` they are only counted.
    """
    k = len(masks)
    count = 0
    index = np.zeros(k, np.int64)
    taken = np.zeros(k, np.int64)
    chosen = np.zeros(k, np.int64)
    for m in range(moments):
        base = offsets[m]
        n = offsets[m + 1] - base
        if n < k:
            continue
        for i in range(k):
            index[i] = i
        while True:
            for j in range(k):
                taken[j] = 0
            fits = True
            for i in range(k):
                found = False
                for j in range(k):
                    if taken[j] == 0 and masks[i, base + index[j]] != 0:
                        taken[j] = 1
                        chosen[i] = base + index[j]
                        found = True
                        break
                if not found:
                    fits = False
                    break
            if fits:
                if len(owner) > 0:
                    owner[count] = m
                    for i in range(k):
                        picks[count, i] = chosen[i]
                count += 1
            last = k - 1
            while last >= 0 and index[last] == n - k + last:
                last -= 1
            if last < 0:
                break
            index[last] += 1
            for j in range(last + 1, k):
                index[j] = index[j - 1] + 1
    return count


class CombineOperator(MomentOperator):
    """`most`: the number of choices that a moment may have. Raises CompileError when a lambda does not compile."""

    def __init__(
        self, *, lambdas: Sequence[ast.Lambda], as_: Sequence[str], delimiter: str = ".", tolerance: int = 0,
        most: int = 1_000_000, stream: bool = True, context: Context | None = None, quiet: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(tolerance=tolerance, stream=stream)
        message = "error evaluating lambda expression"
        self._conditions = [Condition(each, context, self.report, message, quiet) for each in lambdas]
        self._stateful = any(c.stateful for c in self._conditions)
        self._prefixes = [name + delimiter for name in as_]
        self._most = most
        self._too_many = _least_refused(len(self._conditions), most)

    def _start(self, slots: NDArray[np.int64]) -> None:
        super()._start(slots)
        for condition in self._conditions:
            condition.start(slots)

    def _made(self, frame: Frame, moments: list[Moments], template: Frame, events: Sequence[Event]) -> list[Frame]:
        masks = self._masks(frame)
        refused = [(int(m.place[r]), i, r) for i, m in enumerate(moments) if (r := self._refused(m)) < len(m)]
        stops = [len(m) for m in moments]
        if refused:
            place, section, run = min(refused)
            stops = [int(np.searchsorted(m.place, place)) for m in moments]
            stops[section] = run
            # Moments of the refused batch that lie before it count; other sections' batches are before or behind.
            events = [e for e in events if e.at <= place]
        pieces = [
            piece for m, mask, stop in zip(moments, masks, stops, strict=True) if (piece := self._piece(m, mask, stop))
        ]
        out = assemble(template, pieces, events)
        if not refused:
            return out
        size = int(np.diff(moments[section].offsets)[run])
        total = comb(size, len(self._conditions))
        raise TaskError(
            f"refusing to perform combination as total combinations {total} exceeds max combinations {self._most}", out
        )

    def _masks(self, frame: Frame) -> list[NDArray[np.uint8]]:
        """Per section of batches: for each lambda, of which rows it is true."""
        arrivals = Arrivals(frame)
        rows = arrivals.by_row()
        slots = arrivals.row_slots(self.slots.map(arrivals, 0, arrivals.n)) if self._stateful and arrivals.n else None
        found = [c.masks(rows, slots if c.stateful else None) for c in self._conditions]
        return [
            np.stack([masks[i] if failed[i] is None else masks[i] & ~failed[i] for masks, failed in found]).astype(
                np.uint8
            )
            for i in range(len(frame.sections))
        ]

    def _refused(self, moments: Moments) -> int:
        """The first moment with too many choices, or their number."""
        large = np.flatnonzero(np.diff(moments.offsets) >= self._too_many)
        return int(large[0]) if len(large) else len(moments)

    def _piece(self, moments: Moments, masks: NDArray[np.uint8], stop: int) -> Piece | None:
        k = len(self._conditions)
        count = _choose(moments.offsets, masks, stop, np.empty((0, k), np.int64), np.empty(0, np.int64))
        if not count:
            return None
        picks, owner = np.empty((count, k), np.int64), np.empty(count, np.int64)
        _choose(moments.offsets, masks, stop, picks, owner)
        section = moments.section
        codes = section.group_codes().take(moments.batch.take(owner))
        tags = group_tags(section.groups, codes)
        fields: dict[str, FieldColumn] = {}
        for i, prefix in enumerate(self._prefixes):
            rows = np.ascontiguousarray(picks[:, i])
            put_all(fields, prefix, {key: take_field(column, rows) for key, column in section.fields.items()})
            for key, column in section.tags.items():
                if key not in section.groups.dims:
                    there, new = tags.get(prefix + key), take_tag(column, rows)
                    tags[prefix + key] = new if there is None else _over(there, new)
        ordered = {key: tags[key] for key in sorted(tags)}
        out = Section(section.name, moments.time.take(owner), ordered, fields, section.groups, codes)
        return out, moments.place.take(owner)

    def snapshot(self) -> Any:
        return {**super().snapshot(), "conditions": [c.snapshot() for c in self._conditions]}

    def restore(self, state: Any) -> None:
        super().restore(state)
        for condition, its in zip(self._conditions, state["conditions"], strict=True):
            condition.restore(its)


def _least_refused(k: int, most: int) -> int:
    """The least number of points that have more than `most` choices of `k`."""
    low, high = k, k + max(most, 0) + 1
    while low < high:
        middle = (low + high) // 2
        if comb(middle, k) > most:
            high = middle
        else:
            low = middle + 1
    return low


def _over(below: TagColumn, above: TagColumn) -> TagColumn:
    """`above`, and `below` where that is absent."""
    moved = above.codes + np.uint32(len(below.values))
    codes = np.where(above.codes == ABSENT_CODE, below.codes, moved)
    return TagColumn(codes, concat_strings([below.values, above.values]))

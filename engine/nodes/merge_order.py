"""The order in which a union lets messages go (nodes.md §13): a queue of times for each parent, and nothing else.

Always: a parent's messages leave in the order in which they came; nothing leaves before every parent has sent something;
then only what is not later than the mark of any parent, its queue's front when that was last not empty.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from engine.frames.jit import I32_OUT, I64, I64_OUT, INT, array, kernel
from engine.slots import grown

_LINES = array(types.int64, writable=True, ndim=2)
_NEVER = np.int64(-(2**63))
_NOTHING = np.zeros(0, np.int64)
# A parent's line: first, last and number of its waiting messages, and its mark.
_FIRST, _LAST, _SIZE, _MARK, _WIDTH = 0, 1, 2, 3, 4
# `counts`: first free node or -1, nodes ever used, nodes waiting.
_FREE, _HIGH, _WAITING = 0, 1, 2


_STORE = (_LINES, I64_OUT, I32_OUT, I64_OUT, I32_OUT)


@kernel(INT, I64, INT, *_STORE)
def _offer(times: Any, parent: Any, queues: Any, node_time: Any, link: Any, counts: Any, left: Any) -> Any:
    """Handle messages of a parent one by one; `left` gets the parent of each message that leaves. How many.

    Without a parent (-1) it is the end of all data: everything leaves, by the time of the fronts, and there are no marks. It
    is one function because a call that hands arrays on counts their references, which takes longer than the work.
    """
    at = 0
    for i in range(max(len(times), 1 if parent < 0 else 0)):
        if parent >= 0:
            node = counts[_FREE]
            if node >= 0:
                counts[_FREE] = np.int64(link[node])
            else:
                node = counts[_HIGH]
                counts[_HIGH] = node + 1
            counts[_WAITING] += 1
            node_time[node] = times[i]
            link[node] = -1
            if queues[parent, _SIZE] == 0:
                queues[parent, _FIRST] = node
            else:
                link[queues[parent, _LAST]] = node
            queues[parent, _LAST] = node
            queues[parent, _SIZE] += 1
        going = True
        while going:
            low = np.int64(2**63 - 1)
            for p in range(len(queues)):
                if queues[p, _SIZE] > 0:
                    queues[p, _MARK] = node_time[queues[p, _FIRST]]
                if parent >= 0 or queues[p, _SIZE] > 0:
                    low = min(low, queues[p, _MARK])
            before = at
            for p in range(len(queues)):
                while low != _NEVER and queues[p, _SIZE] > 0 and node_time[queues[p, _FIRST]] <= low:
                    node = queues[p, _FIRST]
                    queues[p, _FIRST] = np.int64(link[node])
                    queues[p, _SIZE] -= 1
                    link[node] = counts[_FREE]
                    counts[_FREE] = node
                    counts[_WAITING] -= 1
                    left[at] = p
                    at += 1
            going = at > before
    return at


class MergeOrder:
    """The queues of `parents` parents. Bound: 12 bytes a waiting message, doubling."""

    def __init__(self, parents: int) -> None:
        self._queues = np.zeros((parents, _WIDTH), np.int64)
        self._queues[:, _MARK] = _NEVER
        self._time = np.empty(0, np.int64)
        self._link = np.empty(0, np.int32)
        self._counts = np.array([-1, 0, 0], np.int64)

    @property
    def waiting(self) -> int:
        return int(self._counts[_WAITING])

    def offer(self, times: Any, parent: int) -> Any:
        """Handle messages of a parent with these times (int64[n]); int32: the parents of those that leave, in order."""
        total = self.waiting + len(times)
        self._time = grown(self._time, total, None)
        self._link = grown(self._link, total, None)
        left = np.empty(total, np.int32)
        count = _offer(times, parent, self._queues, self._time, self._link, self._counts, left)
        return left[:count]

    def drain(self) -> Any:
        """Everything leaves: as `offer`."""
        left = np.empty(self.waiting, np.int32)
        return left[: _offer(_NOTHING, -1, self._queues, self._time, self._link, self._counts, left)]

    def snapshot(self) -> list[bytes]:
        """Plain msgpack values."""
        high = self._counts[_HIGH]
        arrays = (self._queues, self._time[:high], self._link[:high], self._counts)
        return [a.tobytes() for a in arrays]

    def restore(self, state: list[bytes]) -> None:
        """Take over what `snapshot` gave."""
        queues, time, link, counts = state
        self._queues = np.frombuffer(queues, np.int64).reshape(-1, _WIDTH).copy()
        self._time = np.frombuffer(time, np.int64).copy()
        self._link = np.frombuffer(link, np.int32).copy()
        self._counts = np.frombuffer(counts, np.int64).copy()

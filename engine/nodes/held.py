"""Messages that wait to be joined: points, or whole batches, held by number until nobody refers to them.

A message is a *unit*; the rows of a unit lie back to back in one pool. Only fields are kept, for a join's output has the
tags of groups alone. Always: units are numbered in order of arrival; `keep` drops all others and numbers the rest anew,
in order. Bound: the owner compacts when half of what is held is garbage, and looks at `bytes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import STREAM
from engine.nodes.pool import Pool, Schema, schema_of
from engine.slots import grown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.frames.model import Section
    from engine.nodes.arrivals import Arrivals

MASK = 0xFFFFFFFF
_SHRINK, _FEW = 4, 8192


class Held:
    """`place[u]` is pool << 32 | first row of unit u (int64), `size[u]` its number of rows (int32; 1 for points).

    `names[p]` is the measurement that the rows of pool p come from.
    """

    def __init__(self) -> None:
        self.used = 0
        self.place = np.empty(0, np.int64)
        self.size = np.empty(0, np.int32)
        self.names: list[str] = []
        self.pools: list[Pool] = []
        self._numbers: dict[tuple[str, Schema], int] = {}

    @property
    def bytes(self) -> int:
        """What the units and their rows take up."""
        return 12 * self.used + sum(pool.bytes for pool in self.pools)

    def full(self, more: int) -> bool:
        return self.used + more > len(self.place)

    def make_room(self, more: int) -> None:
        self.place = grown(self.place, self.used + more, None)
        self.size = grown(self.size, self.used + more, None)

    def take_in(self, arrivals: Arrivals) -> int:
        """Copy all messages of a frame; the unit of the first, the others follow. There is room for them."""
        base, stop = self.used, self.used + arrivals.n
        places, sizes = [], []
        for section in arrivals.sections:
            first = self._append(section.with_(tags={}))
            batches = section.batches
            if batches is None:
                places.append(np.arange(first, first + section.rows))
            else:
                places.append(first + batches.offsets[:-1].astype(np.int64))
                sizes.append(np.diff(batches.offsets))
        self.place[base:stop] = arrivals.gather(places)
        self.size[base:stop] = 1 if arrivals.frame.edge == STREAM else arrivals.gather(sizes)
        self.used = stop
        return base

    def _append(self, section: Section) -> int:
        key = (section.name, schema_of(section))
        number = self._numbers.get(key)
        if number is None:
            number = len(self.pools)
            self._numbers[key] = number
            self.pools.append(Pool(section))
            self.names.append(section.name)
        return (number << 32) + self.pools[number].append(section)

    def keep(self, units: NDArray[np.int64]) -> None:
        """Drop all units but these (ascending), which get the numbers from 0 on. Pools that no unit is in go."""
        place, size = self.place.take(units), self.size.take(units)
        numbers = place >> 32
        pools, names = self.pools, self.names
        self.pools, self.names = [], []
        for number, pool in enumerate(pools):
            mine = np.flatnonzero(numbers == number)
            if not len(mine):
                continue
            sizes = size[mine].astype(np.int64)
            pool.keep(ranges(place[mine] & MASK, sizes))
            place[mine] = (len(self.pools) << 32) + np.cumsum(sizes) - sizes
            self.pools.append(pool)
            self.names.append(names[number])
        self._number_pools()
        self.used = n = len(units)
        if len(self.place) > _SHRINK * n + _FEW:
            self.place, self.size = place, size
        else:
            self.place[:n], self.size[:n] = place, size

    def _number_pools(self) -> None:
        self._numbers = {(n, p.schema): i for i, (n, p) in enumerate(zip(self.names, self.pools, strict=True))}

    def snapshot(self) -> dict[str, Any]:
        """Plain msgpack values."""
        return {
            "place": self.place[: self.used].tobytes(),
            "size": self.size[: self.used].tobytes(),
            "names": list(self.names),
            "pools": [pool.snapshot() for pool in self.pools],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` gave."""
        self.place = np.frombuffer(state["place"], np.int64).copy()
        self.size = np.frombuffer(state["size"], np.int32).copy()
        self.used = len(self.place)
        self.names = list(state["names"])
        self.pools = [Pool.restored(pool) for pool in state["pools"]]
        self._number_pools()


def ranges(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers `starts[i]` to `starts[i] + sizes[i]`, one range after the other."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - sizes), sizes) + np.arange(total)

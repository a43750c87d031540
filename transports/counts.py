"""Counts by group, for the edges whose figures somebody asks for by group.

A group is known by the 128-bit hash of its identity. Counting stays off the path of every other edge: an end counts by group
only when it was opened with `watch_groups`, and an update is a few whole-array operations per message.
Bound: one entry a group that the edge has seen and that was not deleted; the owner deletes groups as the data says so.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

GroupCounts: TypeAlias = tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]
"""Hashes uint64[g, 2] and counts int64[g]: how many points or batches of each group. A group may occur more than once."""

GroupHashes: TypeAlias = npt.NDArray[np.uint64]
"""Hashes of groups, uint64[g, 2]."""

_Keys: TypeAlias = npt.NDArray[np.bytes_]


class GroupCounter:
    """Sums of counts by group. The keys are kept sorted, so that a message finds all its groups in one search."""

    __slots__ = ("_keys", "_sums")

    def __init__(self) -> None:
        self._keys: _Keys = np.empty(0, dtype="S16")
        self._sums: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, groups: GroupCounts) -> None:
        """Add the counts of one message. Raises ValueError when the shapes are not uint64[g, 2] and int64[g]."""
        hashes, counts = groups
        if hashes.shape != (len(counts), 2) or hashes.dtype != np.uint64 or counts.shape != (len(counts),):
            raise ValueError(
                f"counts of groups are uint64[g, 2] and int64[g], not {hashes.dtype}{hashes.shape} and {counts.shape}"
            )
        if not len(counts):
            return
        keys = _keys_of(hashes)
        places, known = self._find(keys)
        np.add.at(self._sums, places[known], counts[known])
        if known.all():
            return
        fresh, codes = np.unique(keys[~known], return_inverse=True)
        sums = np.zeros(len(fresh), dtype=np.int64)
        np.add.at(sums, codes, counts[~known])
        where = np.searchsorted(self._keys, fresh)
        self._keys = np.insert(self._keys, where, fresh)
        self._sums = np.insert(self._sums, where, sums)

    def delete(self, hashes: GroupHashes) -> None:
        """Forget the groups uint64[g, 2]; those that are not known are passed over."""
        places, known = self._find(_keys_of(hashes))
        self._keys = np.delete(self._keys, places[known])
        self._sums = np.delete(self._sums, places[known])

    def snapshot(self) -> GroupCounts:
        """A copy of what was counted, in an order of no meaning."""
        hashes = np.frombuffer(self._keys.tobytes(), dtype=np.uint64).reshape(-1, 2)
        return hashes, self._sums.copy()

    def _find(self, keys: _Keys) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        places = np.searchsorted(self._keys, keys)
        known = np.zeros(len(keys), dtype=np.bool_)
        inside = places < len(self._keys)
        known[inside] = self._keys[places[inside]] == keys[inside]
        return places, known


def _keys_of(hashes: GroupHashes) -> _Keys:
    # numpy compares S16 without the trailing zero bytes; among keys of exactly 16 bytes that is still equality of all bytes.
    return np.ascontiguousarray(hashes, dtype=np.uint64).view("S16").reshape(-1)

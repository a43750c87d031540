"""The sets of a join: which messages of the sources meet, and when they leave (nodes.md §12.2, §12.3, §12.6).

A set has one place for each source. The sets of a group form a list in order of their bucket time; sets of one bucket
lie in the order in which they were made, so the reference's buckets are runs of equal time in the list, and its oldest
bucket is the run at the front. Per group and source a *cursor* stands at the set that the source filled last, because the
next message of a source mostly belongs just behind it; a search that starts there finds any place, only not as fast.

Always: sets leave at the front of their group's list alone; a source fills the sets of a bucket from the front, so those
that it has filled are a prefix of the bucket; a message changes nothing unless there is room for all that follows from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from engine.frames.jit import I32, I64, I64_OUT, INT, array, kernel

LINES = array(types.int64, writable=True, ndim=2)
NEVER = np.int64(-(2**63))
"""Head of a source that has not been heard of."""

# A group's line: its first and last set, how many it has, whether it counts as known; from GROUP on the head (bucket time
# of the latest message) of each source, then the cursor of each source.
FIRST, LAST, SIZE, SEEN, GROUP = 0, 1, 2, 3, 4
# A set's line: bucket time, neighbours, number of filled places; from UNITS on a unit (or -1) of each source.
TIME, PREV, NEXT, FILLED, UNITS = 0, 1, 2, 3, 4
# `counts`: first free set or -1 (the others follow by NEXT), sets ever used, sets in lists, known groups.
FREE, HIGH, LIVE, GROUPS = 0, 1, 2, 3
# A line of output: slot and bucket time; from MEMBERS on a unit (or -1) of each source.
SLOT, WHEN, MEMBERS = 0, 1, 2
# `done`: lines of output, and how many sets and lines the kernel that stopped wants room for.
ROWS, NEED_SETS, NEED_ROWS = 0, 1, 2


_STORE = (LINES, LINES, I64_OUT, LINES, I64_OUT)


@kernel(INT, I32, I32, I64, I64, INT, INT, *_STORE)
def collect(
    slots: Any, sources: Any, times: Any, units: Any, at: Any, n: Any, groups: Any, sets: Any, counts: Any, out: Any,
    done: Any,
) -> Any:  # fmt: skip
    """Handle messages from `at` on: slot, source, bucket time, and unit, or -1 for a barrier. `n` is the number of sources.

    Where it stopped: the end, or there is no room. It is one function because a call that hands arrays on counts their
    references, which took longer than everything else here.
    """
    for i in range(at, len(slots)):
        slot = np.int64(slots[i])
        if counts[LIVE] + 1 > len(sets) or done[ROWS] + groups[slot, SIZE] + 1 > len(out):
            done[NEED_SETS] = counts[LIVE] + 1
            done[NEED_ROWS] = groups[slot, SIZE] + 1
            return i
        src = np.int64(sources[i])
        time = times[i]
        if groups[slot, SEEN] == 0:
            groups[slot, SEEN] = 1
            counts[GROUPS] += 1
        if units[i] >= 0:
            # The place: the first set of the bucket that has no unit of the source, searched from the cursor on.
            at_set = groups[slot, GROUP + n + src]
            if at_set < 0:
                prev = np.int64(-1)
                after = groups[slot, FIRST]
                last = groups[slot, LAST]
                if last >= 0 and sets[last, TIME] < time:
                    prev = last
                    after = np.int64(-1)
            elif sets[at_set, TIME] <= time:
                prev = at_set
                after = sets[at_set, NEXT]
            else:
                after = at_set
                prev = sets[at_set, PREV]
                while prev >= 0 and sets[prev, TIME] >= time:
                    after = prev
                    prev = sets[prev, PREV]
            while after >= 0 and (
                sets[after, TIME] < time or (sets[after, TIME] == time and sets[after, UNITS + src] >= 0)
            ):
                prev = after
                after = sets[after, NEXT]
            if after < 0 or sets[after, TIME] != time:
                # A new set, between two others.
                new = counts[FREE]
                if new >= 0:
                    counts[FREE] = sets[new, NEXT]
                else:
                    new = counts[HIGH]
                    counts[HIGH] = new + 1
                counts[LIVE] += 1
                groups[slot, SIZE] += 1
                sets[new, TIME] = time
                sets[new, PREV] = prev
                sets[new, NEXT] = after
                sets[new, FILLED] = 0
                for s in range(n):
                    sets[new, UNITS + s] = -1
                if prev >= 0:
                    sets[prev, NEXT] = new
                else:
                    groups[slot, FIRST] = new
                if after >= 0:
                    sets[after, PREV] = new
                else:
                    groups[slot, LAST] = new
                after = new
            sets[after, UNITS + src] = units[i]
            sets[after, FILLED] += 1
            groups[slot, GROUP + n + src] = after
        groups[slot, GROUP + src] = time
        # What may leave now: `emit` of the spec.
        front = groups[slot, FIRST]
        settled = front < 0
        while not settled:
            oldest = sets[front, TIME]
            only_ready = False
            for s in range(n):
                if groups[slot, GROUP + s] <= oldest:
                    only_ready = True
            while front >= 0 and sets[front, TIME] == oldest and (not only_ready or sets[front, FILLED] == n):
                row = done[ROWS]
                done[ROWS] = row + 1
                out[row, SLOT] = slot
                out[row, WHEN] = oldest
                for s in range(n):
                    out[row, MEMBERS + s] = sets[front, UNITS + s]
                    if groups[slot, GROUP + n + s] == front:
                        groups[slot, GROUP + n + s] = -1
                after = sets[front, NEXT]
                sets[front, NEXT] = counts[FREE]
                counts[FREE] = front
                counts[LIVE] -= 1
                groups[slot, SIZE] -= 1
                groups[slot, FIRST] = after
                if after >= 0:
                    sets[after, PREV] = -1
                else:
                    groups[slot, LAST] = -1
                front = after
            settled = only_ready or front < 0
    return len(slots)


@kernel(types.void, I64, INT, *_STORE)
def drain(slots: Any, n: Any, groups: Any, sets: Any, counts: Any, out: Any, done: Any) -> Any:
    """All sets of these groups leave, the oldest first, and are written as far as `out` has room; the groups are forgotten."""
    for slot in slots:
        at = groups[slot, FIRST]
        while at >= 0:
            row = done[ROWS]
            if row < len(out):
                done[ROWS] = row + 1
                out[row, SLOT] = slot
                out[row, WHEN] = sets[at, TIME]
                for s in range(n):
                    out[row, MEMBERS + s] = sets[at, UNITS + s]
            after = sets[at, NEXT]
            sets[at, NEXT] = counts[FREE]
            counts[FREE] = at
            counts[LIVE] -= 1
            at = after
        counts[GROUPS] -= groups[slot, SEEN]
        groups[slot, FIRST] = -1
        groups[slot, LAST] = -1
        groups[slot, SIZE] = 0
        groups[slot, SEEN] = 0
        for s in range(n):
            groups[slot, GROUP + s] = NEVER
            groups[slot, GROUP + n + s] = -1


@kernel(types.void, I64, INT, LINES, LINES, array(types.uint8, writable=True))
def mark_units(slots: Any, n: Any, groups: Any, sets: Any, used: Any) -> Any:
    """Set the flag of every unit that a set of these groups holds."""
    for slot in slots:
        at = groups[slot, FIRST]
        while at >= 0:
            for s in range(n):
                unit = sets[at, UNITS + s]
                if unit >= 0:
                    used[unit] = 1
            at = sets[at, NEXT]


@kernel(types.void, I64, INT, LINES, LINES, I64)
def renumber_units(slots: Any, n: Any, groups: Any, sets: Any, numbers: Any) -> Any:
    """Give every unit that a set holds its new number."""
    for slot in slots:
        at = groups[slot, FIRST]
        while at >= 0:
            for s in range(n):
                unit = sets[at, UNITS + s]
                if unit >= 0:
                    sets[at, UNITS + s] = numbers[unit]
            at = sets[at, NEXT]


@kernel(types.void, I64, INT, LINES, LINES, I64_OUT, LINES)
def repack(slots: Any, n: Any, groups: Any, sets: Any, counts: Any, packed: Any) -> Any:
    """Move the sets of these groups, which are all there are, to the front of another array."""
    high = 0
    for slot in slots:
        at = groups[slot, FIRST]
        prev = np.int64(-1)
        if at >= 0:
            groups[slot, FIRST] = high
        while at >= 0:
            for c in range(UNITS + n):
                packed[high, c] = sets[at, c]
            packed[high, PREV] = prev
            for s in range(n):
                if groups[slot, GROUP + n + s] == at:
                    # Behind all numbers of the old array, so that no set that follows is taken for it.
                    groups[slot, GROUP + n + s] = len(sets) + high
            prev = np.int64(high)
            high += 1
            at = sets[at, NEXT]
            packed[prev, NEXT] = high if at >= 0 else -1
        groups[slot, LAST] = prev
        for s in range(n):
            if groups[slot, GROUP + n + s] >= len(sets):
                groups[slot, GROUP + n + s] -= len(sets)
    counts[FREE] = -1
    counts[HIGH] = high

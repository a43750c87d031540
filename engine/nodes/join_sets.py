"""The sets of a join: which messages of the sources meet, and when they leave (nodes.md §12.2, §12.3, §12.6).

A set has one place for each source. The sets of a group form a list in order of their bucket time; sets of one bucket
lie in the order in which they were made, so the reference's buckets are runs of equal time in the list, and its oldest
bucket is the run at the front. Per group and source a *cursor* stands at the set that the source filled last, because the
next message of a source mostly belongs just behind it; a search that starts there finds any place, only not as fast.

Always: sets leave at the front of their group's list alone; a source fills the sets of a bucket from the front, so those
that it has filled are a prefix of the bucket; kernels check for room before they change anything, and stop without it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from engine.frames.jit import BOOL, I32, I64, I64_OUT, INT, array, inlined, kernel

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


@inlined
def has_room(sends: Any, leaving: Any, sets: Any, counts: Any, out: Any, done: Any) -> Any:
    """Whether `sends` more sets, and the departure of `leaving` sets, have room; if not, `done` tells the need."""
    if counts[LIVE] + sends <= len(sets) and done[ROWS] + leaving <= len(out):
        return True
    done[NEED_SETS] = counts[LIVE] + sends
    done[NEED_ROWS] = leaving
    return False


@inlined
def _new_set(slot: Any, time: Any, prev: Any, after: Any, sources: Any, groups: Any, sets: Any, counts: Any) -> Any:
    """An empty set between two others (-1: the end of the list)."""
    at = counts[FREE]
    if at >= 0:
        counts[FREE] = sets[at, NEXT]
    else:
        at = counts[HIGH]
        counts[HIGH] = at + 1
    counts[LIVE] += 1
    groups[slot, SIZE] += 1
    sets[at, TIME] = time
    sets[at, PREV] = prev
    sets[at, NEXT] = after
    sets[at, FILLED] = 0
    for s in range(sources):
        sets[at, UNITS + s] = -1
    if prev >= 0:
        sets[prev, NEXT] = at
    else:
        groups[slot, FIRST] = at
    if after >= 0:
        sets[after, PREV] = at
    else:
        groups[slot, LAST] = at
    return at


@inlined
def _place(slot: Any, src: Any, sources: Any, time: Any, unit: Any, groups: Any, sets: Any, counts: Any) -> Any:
    """Put a unit into the first set of its bucket that has no unit of the source, made if there is none."""
    cursor = GROUP + sources + src
    at = groups[slot, cursor]
    if at < 0:
        prev = np.int64(-1)
        after = groups[slot, FIRST]
        last = groups[slot, LAST]
        if last >= 0 and sets[last, TIME] < time:
            prev = last
            after = np.int64(-1)
    elif sets[at, TIME] <= time:
        prev = at
        after = sets[at, NEXT]
    else:
        after = at
        prev = sets[at, PREV]
        while prev >= 0 and sets[prev, TIME] >= time:
            after = prev
            prev = sets[prev, PREV]
    while after >= 0 and (sets[after, TIME] < time or (sets[after, TIME] == time and sets[after, UNITS + src] >= 0)):
        prev = after
        after = sets[after, NEXT]
    if after < 0 or sets[after, TIME] != time:
        after = _new_set(slot, time, prev, after, sources, groups, sets, counts)
    sets[after, UNITS + src] = unit
    sets[after, FILLED] += 1
    groups[slot, cursor] = after


@inlined
def _leave(slot: Any, at: Any, sources: Any, groups: Any, sets: Any, counts: Any) -> Any:
    """Take the front set out of the group's list; the next one."""
    for s in range(sources):
        if groups[slot, GROUP + sources + s] == at:
            groups[slot, GROUP + sources + s] = -1
    after = sets[at, NEXT]
    sets[at, NEXT] = counts[FREE]
    counts[FREE] = at
    counts[LIVE] -= 1
    groups[slot, SIZE] -= 1
    groups[slot, FIRST] = after
    if after >= 0:
        sets[after, PREV] = -1
    else:
        groups[slot, LAST] = -1
    return after


@inlined
def _write(slot: Any, at: Any, sources: Any, sets: Any, out: Any, done: Any) -> Any:
    row = done[ROWS]
    out[row, SLOT] = slot
    out[row, WHEN] = sets[at, TIME]
    for s in range(sources):
        out[row, MEMBERS + s] = sets[at, UNITS + s]
    done[ROWS] = row + 1


@inlined
def settle(slot: Any, sources: Any, groups: Any, sets: Any, counts: Any, out: Any, done: Any) -> Any:
    """Let leave what may: `emit` of §12.3."""
    at = groups[slot, FIRST]
    while at >= 0:
        oldest = sets[at, TIME]
        only_ready = False
        for s in range(sources):
            if groups[slot, GROUP + s] <= oldest:
                only_ready = True
                break
        while at >= 0 and sets[at, TIME] == oldest and (not only_ready or sets[at, FILLED] == sources):
            _write(slot, at, sources, sets, out, done)
            at = _leave(slot, at, sources, groups, sets, counts)
        if only_ready:
            return


@inlined
def know(slot: Any, groups: Any, counts: Any) -> Any:
    """Count the group if it is new."""
    if groups[slot, SEEN] == 0:
        groups[slot, SEEN] = 1
        counts[GROUPS] += 1


@inlined
def send(
    slot: Any, src: Any, sources: Any, time: Any, unit: Any, groups: Any, sets: Any, counts: Any, out: Any, done: Any
) -> Any:
    """Handle one message of a group; there is room (`has_room`) for one more set, and for all sets to leave."""
    know(slot, groups, counts)
    _place(slot, src, sources, time, unit, groups, sets, counts)
    groups[slot, GROUP + src] = time
    settle(slot, sources, groups, sets, counts, out, done)


_STORE = (LINES, LINES, I64_OUT, LINES, I64_OUT)


@kernel(INT, I32, I64, INT, INT, INT, INT, INT, *_STORE)
def collect(
    slots: Any, times: Any, at: Any, stop: Any, base: Any, src: Any, sources: Any, groups: Any, sets: Any, counts: Any,
    out: Any, done: Any,
) -> Any:  # fmt: skip
    """Messages at:stop of a source, with their slots and bucket times; `base` is the unit of number 0.

    Where it stopped: `stop`, or there is no room.
    """
    for i in range(at, stop):
        s = np.int64(slots[i])
        if not has_room(1, groups[s, SIZE] + 1, sets, counts, out, done):
            return i
        send(s, src, sources, times[i], base + i, groups, sets, counts, out, done)
    return stop


@kernel(BOOL, INT, INT, INT, INT, *_STORE)
def advance(
    slot: Any, src: Any, sources: Any, time: Any, groups: Any, sets: Any, counts: Any, out: Any, done: Any
) -> Any:
    """A barrier: no older data of the group comes from this source. Whether there was room."""
    if not has_room(0, groups[slot, SIZE], sets, counts, out, done):
        return False
    know(slot, groups, counts)
    groups[slot, GROUP + src] = time
    settle(slot, sources, groups, sets, counts, out, done)
    return True


@kernel(types.void, INT, INT, LINES, LINES, I64_OUT)
def forget(slot: Any, sources: Any, groups: Any, sets: Any, counts: Any) -> Any:
    """Drop the group and its sets."""
    at = groups[slot, FIRST]
    while at >= 0:
        at = _leave(slot, at, sources, groups, sets, counts)
    counts[GROUPS] -= groups[slot, SEEN]
    groups[slot, SEEN] = 0


@kernel(types.void, I64, INT, *_STORE)
def drain(slots: Any, sources: Any, groups: Any, sets: Any, counts: Any, out: Any, done: Any) -> Any:
    """The end of the data: all sets of these groups leave; the output has room for all of them."""
    for slot in slots:
        at = groups[slot, FIRST]
        while at >= 0:
            _write(slot, at, sources, sets, out, done)
            at = _leave(slot, at, sources, groups, sets, counts)


@kernel(types.void, I64, INT, LINES, LINES, array(types.uint8, writable=True))
def mark_units(slots: Any, sources: Any, groups: Any, sets: Any, used: Any) -> Any:
    """Set the flag of every unit that a set of these groups holds."""
    for slot in slots:
        at = groups[slot, FIRST]
        while at >= 0:
            for s in range(sources):
                unit = sets[at, UNITS + s]
                if unit >= 0:
                    used[unit] = 1
            at = sets[at, NEXT]


@kernel(types.void, I64, INT, LINES, LINES, I64)
def renumber_units(slots: Any, sources: Any, groups: Any, sets: Any, numbers: Any) -> Any:
    """Give every unit that a set holds its new number."""
    for slot in slots:
        at = groups[slot, FIRST]
        while at >= 0:
            for s in range(sources):
                unit = sets[at, UNITS + s]
                if unit >= 0:
                    sets[at, UNITS + s] = numbers[unit]
            at = sets[at, NEXT]

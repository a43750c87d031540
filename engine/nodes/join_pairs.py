"""`.on()`: which messages of finer and coarser groups meet (nodes.md §12.5).

A source whose groups have more dimensions than `.on()` lists is *specific*, the others are *match* sources; both are
gathered under a *key*, the group that the listed dimensions make. What follows from a message is a list of *sends*: messages
that go into the groups of specific ones, where sets are made and leave as in any join (`join_sets`). The two caches of a key
are linked lists over units.

The parents are processes of their own, so one can be ahead of another in the log although their rows are in order. A source
that has no mark for a key is passed over, as the spec says, only once it has come as far in the log as the frame at hand: before
that its first message of the key may be on its way, and what it is to meet would be gone. What may go then is noted with the key.

Always: a unit lies in at most one cache; a message changes nothing unless there is room for all sends that follow from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from engine.frames.jit import BOOL, I32, I64, I64_OUT, INT, U8, array, helper, kernel
from engine.nodes.join_sets import LINES, NEVER

# A key's line: the cache of match messages and that of specific ones (first, last, size of each); the log position that
# sources without a mark must reach (0: nothing waits for that) and up to which time specific messages go then; from MARKS on
# the low mark of each source.
MATCHES, SPECIFICS, AWAITED, UP_TO, MARKS = 0, 3, 6, 7, 8
# What a unit brings with it: bucket time, source, slot of its group, and the next unit in its cache.
WHEN, SOURCE, SLOT, LINK, WIDTH = 0, 1, 2, 3, 4
# `done`: sends written, how many the message needs room for before which the kernel stopped, and keys that await a position.
SENDS, NEED, AWAITING = 0, 1, 2


@helper
def _append(key: Any, cache: Any, unit: Any, keys: Any, own: Any) -> Any:
    own[unit, LINK] = -1
    if keys[key, cache + 2] == 0:
        keys[key, cache] = unit
    else:
        own[keys[key, cache + 1], LINK] = unit
    keys[key, cache + 1] = unit
    keys[key, cache + 2] += 1


@helper
def _pop(key: Any, cache: Any, keys: Any, own: Any) -> Any:
    """Take the first unit out; the next one, or -1."""
    after = own[keys[key, cache], LINK]
    keys[key, cache] = after
    keys[key, cache + 2] -= 1
    return after


@helper
def _low_mark(key: Any, sources: Any, keys: Any, heard: Any) -> Any:
    """How far all sources are. One without a mark resets it: only those behind the last unmarked one count."""
    low = NEVER
    if heard[sources] == sources:
        for s in range(sources):
            mark = keys[key, MARKS + s]
            if mark == NEVER or low == NEVER or mark < low:
                low = mark
    return low


@helper
def _missing(key: Any, sources: Any, keys: Any, reached: Any, position: Any) -> Any:
    """Whether a source without a mark for the key is behind this position."""
    for s in range(sources):
        if keys[key, MARKS + s] == NEVER and reached[s] < position:
            return True
    return False


@helper
def _send(unit: Any, slot: Any, own: Any, sends: Any, done: Any) -> Any:
    """The unit goes into the group of the slot."""
    at = done[SENDS]
    done[SENDS] = at + 1
    sends[at, 0] = slot
    sends[at, 1] = own[unit, SOURCE]
    sends[at, 2] = own[unit, WHEN]
    sends[at, 3] = unit


@helper
def _send_older(key: Any, time: Any, keys: Any, own: Any, sends: Any, done: Any) -> Any:
    """The specific messages at the front that are older go alone; the first that stays, or -1."""
    unit = keys[key, SPECIFICS] if keys[key, SPECIFICS + 2] > 0 else np.int64(-1)
    while unit >= 0 and own[unit, WHEN] < time:
        _send(unit, own[unit, SLOT], own, sends, done)
        unit = _pop(key, SPECIFICS, keys, own)
    return unit


@kernel(INT, I32, I32, I64, U8, INT, INT, INT, INT, INT, I64, INT, LINES, I64_OUT, LINES, LINES, I64_OUT)
def collect(
    slots: Any, places: Any, times: Any, specific: Any, at: Any, stop: Any, base: Any, src: Any, sources: Any, reached: Any,
    position: Any, keys: Any, heard: Any, own: Any, sends: Any, done: Any,
) -> Any:  # fmt: skip
    """Messages at:stop of a source: slots of their groups and keys, bucket times; `base` is the unit of number 0.

    `reached` is the log position of each source, `position` that of these messages. `heard` has a flag for each source that has
    ever reported, and their number at the end. A send is slot, source, bucket time, unit. Where it stopped.
    """
    for i in range(at, stop):
        k = np.int64(places[i])
        need = 3 * keys[k, SPECIFICS + 2] + 2 * keys[k, MATCHES + 2] + 2
        if done[SENDS] + need > len(sends):
            done[NEED] = need
            return i
        t = times[i]
        unit = base + i
        slot = np.int64(slots[i])
        own[unit, WHEN] = t
        own[unit, SOURCE] = src
        own[unit, SLOT] = slot
        if heard[src] == 0:
            heard[src] = 1
            heard[sources] += 1
        keys[k, MARKS + src] = t
        low = _low_mark(k, sources, keys, heard)
        if low != NEVER and _missing(k, sources, keys, reached, position):
            if keys[k, AWAITED] == 0:
                keys[k, AWAITED] = position
                done[AWAITING] += 1
            if keys[k, AWAITED] == position:
                keys[k, UP_TO] = low
            low = NEVER
        c = _send_older(k, low, keys, own, sends, done)
        if specific[i] != 0:
            paired = False
            passed = 0
            m = keys[k, MATCHES] if keys[k, MATCHES + 2] > 0 else np.int64(-1)
            while m >= 0:
                if own[m, WHEN] == t:
                    _send(unit, slot, own, sends, done)
                    _send(m, slot, own, sends, done)
                    paired = True
                if own[m, WHEN] >= low:
                    break
                passed += 1
                m = own[m, LINK]
            if heard[sources] == sources:
                for _ in range(passed):
                    _pop(k, MATCHES, keys, own)
            if not paired:
                if t < low:
                    _send(unit, slot, own, sends, done)
                else:
                    _append(k, SPECIFICS, unit, keys, own)
        else:
            _append(k, MATCHES, unit, keys, own)
            while c >= 0 and own[c, WHEN] == t:
                _send(c, own[c, SLOT], own, sends, done)
                _send(unit, own[c, SLOT], own, sends, done)
                c = _pop(k, SPECIFICS, keys, own)
    return stop


@kernel(INT, I64, INT, INT, I64, LINES, I64, LINES, LINES, I64_OUT)
def catch_up(
    live: Any, at: Any, sources: Any, reached: Any, keys: Any, heard: Any, own: Any, sends: Any, done: Any
) -> Any:  # fmt: skip
    """Send what waited for sources that have reached the position now, of the live keys from number `at` on. Where it stopped."""
    first = np.int64(0)
    for s in range(sources):
        first = max(first, reached[s])
    for i in range(at, len(live)):
        k = live[i]
        if keys[k, AWAITED] == 0 or _missing(k, sources, keys, reached, keys[k, AWAITED]):
            continue
        need = keys[k, SPECIFICS + 2]
        if done[SENDS] + need > len(sends):
            done[NEED] = need
            return i
        low = _low_mark(k, sources, keys, heard)
        up_to = low
        keys[k, AWAITED] = 0
        done[AWAITING] -= 1
        if low != NEVER and _missing(k, sources, keys, reached, first):
            up_to = min(low, keys[k, UP_TO])
            if up_to < low:
                keys[k, AWAITED] = first
                keys[k, UP_TO] = low
                done[AWAITING] += 1
        _send_older(k, up_to, keys, own, sends, done)
    return len(live)


@kernel(types.void, I64, LINES, LINES, array(types.uint8, writable=True))
def mark_units(live: Any, keys: Any, own: Any, used: Any) -> Any:
    """Set the flag of every unit in the caches of these keys."""
    for k in live:
        for cache in (MATCHES, SPECIFICS):
            unit = keys[k, cache]
            for _ in range(keys[k, cache + 2]):
                used[unit] = 1
                unit = own[unit, LINK]


@kernel(types.void, I64, LINES, LINES, I64)
def renumber_units(live: Any, keys: Any, own: Any, numbers: Any) -> Any:
    """Give the units in caches their new numbers; `own` has its lines at the old numbers still."""
    for k in live:
        for cache in (MATCHES, SPECIFICS):
            size = keys[k, cache + 2]
            unit = keys[k, cache]
            for i in range(size):
                after = own[unit, LINK]
                if i + 1 < size:
                    own[unit, LINK] = numbers[after]
                else:
                    keys[k, cache + 1] = numbers[unit]
                if i == 0:
                    keys[k, cache] = numbers[unit]
                unit = after


@kernel(BOOL, I64, INT, LINES, LINES)
def waits(live: Any, slot: Any, keys: Any, own: Any) -> Any:
    """Whether a specific message of the group waits in a cache."""
    for k in live:
        unit = keys[k, SPECIFICS]
        for _ in range(keys[k, SPECIFICS + 2]):
            if own[unit, SLOT] == slot:
                return True
            unit = own[unit, LINK]
    return False

"""The state machines of alerts as kernels: which level each point has, and which of them trigger (alerts.md §5-7).

Truth of the lambdas comes in one matrix: row 1 to 3 the conditions of INFO, WARNING and CRITICAL, row 4 to 6 their
resets; the entries are FALSE, TRUE, FAILED and UNSET. A level is found from the one that the group has (`current`); an
evaluation that fails is counted each time that the search passes it, under the row of its lambda.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import types

from engine.frames.jit import BOOL, FLOAT, I32, I32_OUT, I64, I64_OUT, INT, U8, U8_OUT, array, helper, kernel

FALSE, TRUE, FAILED, UNSET = 0, 1, 2, 3
ROWS: Final = 7
NOTHING, SILENT, EMIT = 0, 1, 2
"""What a point does: nothing, trigger without an event (a recovery under noRecoveries), trigger with one."""
SKIP: Final = 255
"""The level of a batch without points, which changes nothing."""
NEVER: Final = -(2**63)
"""A group's time before anything was triggered: further back than any time."""
_LONGEST: Final = 2**63 - 1
_MATRIX = array(types.uint8, ndim=2)
_RINGS = array(types.uint8, writable=True, ndim=2)


@helper
def _level(current: Any, truth: Any, i: Any, failures: Any) -> Any:
    lowest = max(current, 1)
    for level in range(3, lowest - 1, -1):
        if truth[level, i] == 1:
            return level
        if truth[level, i] == 2:
            failures[level] += 1
    if current > 0:
        if truth[current + 3, i] == 0:
            return current
        if truth[current + 3, i] == 2:
            failures[current + 3] += 1
        for level in range(current, 0, -1):
            if truth[level, i] == 1:
                return level
            if truth[level, i] == 2:
                failures[level] += 1
    return 0


@kernel(INT, I32, _MATRIX, U8_OUT, U8_OUT, I64_OUT)
def point_levels(slots: Any, truth: Any, current: Any, levels: Any, failures: Any) -> Any:
    """The level of every point; `current` has that of each slot and is brought up to date."""
    for i in range(len(slots)):
        level = _level(np.int64(current[slots[i]]), truth, i, failures)
        levels[i] = level
        current[slots[i]] = level
    return len(slots)


@kernel(INT, I32, I64, _MATRIX, BOOL, U8_OUT, U8_OUT, I64_OUT, I64_OUT)
def batch_levels(
    slots: Any, ends: Any, truth: Any, every: Any, current: Any, levels: Any, deciding: Any, failures: Any
) -> Any:
    """The level of every batch from its rows `ends[b]:ends[b+1]`, and the first row that has the greatest level.

    `every`: the lowest level of its rows counts, not the greatest.
    """
    for b in range(len(slots)):
        before = np.int64(current[slots[b]])
        high = np.int64(-1)
        low = np.int64(4)
        for i in range(ends[b], ends[b + 1]):
            level = _level(before, truth, i, failures)
            if level > high:
                high = level
                deciding[b] = i
            low = min(low, level)
        if high < 0:
            levels[b] = 255
            continue
        level = low if every else high
        levels[b] = level
        current[slots[b]] = level
    return len(slots)


@helper
def _share(ring: Any, newest: Any) -> Any:
    """The weighted share of changes in a ring of levels. The first pair compared is the newest, as in the reference."""
    size = len(ring)
    weight = 0.8
    step = 0.4 / (size - 1)
    changes = 0.0
    for k in range(size - 1):
        c = (newest + k) % size
        p = (c - 1) % size
        if ring[c] != ring[p]:
            changes += weight
        weight += step
    return changes / (size - 1)


@kernel(
    INT, I32, I64, U8, BOOL, BOOL, BOOL, BOOL, INT, BOOL, FLOAT, FLOAT, U8_OUT, _RINGS, I32_OUT, U8_OUT, I64_OUT,
    I64_OUT, U8_OUT, I64_OUT,
)  # fmt: skip
def trigger(
    slots: Any, times: Any, levels: Any, batch: Any, changes_only: Any, no_recoveries: Any, expires: Any, interval: Any,
    flapping: Any, low: Any, high: Any, is_flapping: Any, rings: Any, newest: Any, recorded: Any, first: Any, last: Any,
    actions: Any, durations: Any,
) -> Any:  # fmt: skip
    """Record the level of every unit and say what follows from it; how many trigger.

    State by slot: `is_flapping`, `rings` with the place of the `newest` level, the level `recorded` last, and when the
    alert was triggered `first` and `last`. A batch's recovery passes while flapping, a point's does not.
    """
    triggered = 0
    for i in range(len(slots)):
        actions[i] = 0
        level = levels[i]
        if level == 255:
            continue
        s = slots[i]
        before = recorded[s]
        recorded[s] = level
        changed = before != level
        if flapping:
            at = (newest[s] + 1) % rings.shape[1]
            newest[s] = at
            rings[s, at] = level
            share = _share(rings[s], np.int64(at))
            if is_flapping[s] == 1:
                if share < low:
                    is_flapping[s] = 0
            elif share > high:
                is_flapping[s] = 1
        expired = expires and not changed and (last[s] == NEVER or times[i] - last[s] >= interval)
        muted = (flapping and is_flapping[s] == 1) or (changes_only and not changed and not expired)
        if level == 0:
            if not changed or (muted and not batch):
                continue
        elif muted:
            continue
        last[s] = times[i]
        if before == 0:
            first[s] = times[i]
        triggered += 1
        if no_recoveries and level == 0:
            actions[i] = 1
            continue
        actions[i] = 2
        durations[i] = _LONGEST if first[s] == NEVER else last[s] - first[s]
    return triggered

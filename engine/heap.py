"""The heap that a forked child shares with its parent, arranged so that the child copies little of it.

A page is copied as soon as the child writes to it, and for CPython that is also where it only looks: it counts references
in the objects themselves. What can be helped is where a child's own objects go. They would fill the holes that the
parent's freed objects left all over its heap, and each hole is on a page of its own; with the holes filled they lie together.
"""

from __future__ import annotations

import gc
from typing import Any, Final

_POOL: Final = 1 << 14
"""Bytes of one pool of CPython's allocator, which holds objects of one size class."""
_STEP, _MOST = 16, 512
"""Bytes between size classes, and of the largest one (CPython's Objects/obmalloc.c)."""
_HEAD: Final = 48
"""Bytes of a pool before its objects."""
_ROUNDS: Final = 1000


def settle() -> list[Any]:
    """Collect garbage, fill the holes, and leave what there is to no later collection. Keep the result while you fork."""
    gc.collect()
    filling = fill_holes()
    gc.freeze()
    return filling


def fill_holes() -> list[Any]:
    """Small objects of each size class, so many that the next one lies in a fresh pool. Harmless where the allocator is another."""
    return [filled for size in range(_STEP, _MOST + 1, _STEP) for filled in _fill(size)]


def _fill(size: int) -> list[list[Any]]:
    """Rounds of two pools' worth of objects of one size, until a round needed no more than its share of pools."""
    rounds = []
    for _ in range(_ROUNDS):
        filled = [_object(size) for _ in range(2 * ((_POOL - _HEAD) // size))]
        rounds.append(filled)
        # The first pool may be part full. A fresh pool is taken only when no other has a hole.
        if len({id(o) // _POOL for o in filled}) <= 3:
            break
    return rounds


def _object(size: int) -> Any:
    """An object that takes a block of `size` bytes: an empty one, a float, or bytes with their head of 33."""
    if size == _STEP:
        return object()
    return float(size) if size == 2 * _STEP else bytes(size - 33)

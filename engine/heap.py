"""The heap that a forked child shares with its parent, arranged so that the child copies little of it.

A page is copied as soon as the child writes to it, and for CPython that is also where it only looks: it counts references
in the objects themselves. What can be helped is where a child's own objects go. They would fill the holes that the
parent's freed memory left all over its heap, and each hole is on a page of its own; with the holes filled they lie together.
There are two allocators: CPython's for objects of up to 512 bytes, and the C library's for the rest.

Forking itself costs what copying the page tables does, an entry a page. Where the kernel can make huge pages of the heap,
there is one entry for 512; a child that writes to one splits its own view of it, and copies 4096 bytes as before.
"""

from __future__ import annotations

import ctypes
import gc
import re
from pathlib import Path
from typing import Any, Final

_POOL: Final = 1 << 14
"""Bytes of one pool of CPython's allocator, which holds objects of one size class."""
_HEAD: Final = 48
"""Bytes of a pool before its objects."""
_STEP, _MOST = 16, 512
"""Bytes between size classes, and of the largest one (CPython's Objects/obmalloc.c); the C library has the same steps."""
_WORTH: Final = 4
"""Pools whose worth of objects is made in a round."""
_ROUNDS: Final = 500

_LARGEST, _LISTED, _SMALLEST = 1 << 20, 1 << 10, 24
"""Bytes: the largest block that fills a hole; up to `_LISTED` the C library keeps free blocks by their exact size."""

_HUGE: Final = 1 << 21
_MADV_COLLAPSE: Final = 25
_HEAP: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0 +(?:\[heap\])?$")
"""A line of /proc/self/maps of private memory without a file that is no stack."""


def settle() -> list[Any]:
    """Collect garbage, fill the holes, and leave what there is to no later collection. Keep the result while you fork.

    What fills the C library's holes is not counted anywhere and never freed.
    """
    gc.collect()
    library = ctypes.CDLL(None)
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)
    filling = fill_pools()
    fill_malloc()
    make_huge()
    gc.freeze()
    return filling


def leave_alone() -> None:
    """What is loaded by now lives as long as the process: no later garbage collection looks at it.

    In a front end a full collection takes 30 ms otherwise, in the middle of a request.
    """
    gc.freeze()


def fill_pools() -> list[Any]:
    """Small objects of each size class, so many that the next one lies in a fresh pool. Harmless where the allocator is another."""
    return [filled for size in range(_STEP, _MOST + 1, _STEP) for filled in _fill(size)]


def _fill(size: int) -> list[list[Any]]:
    """Rounds of a few pools' worth of objects of one size, until a round needed no more than its share of pools."""
    rounds = []
    for _ in range(_ROUNDS):
        filled = [_object(size) for _ in range(_WORTH * ((_POOL - _HEAD) // size))]
        rounds.append(filled)
        # The first pool may be part full, and what this very loop frees leaves a hole or two.
        if len({id(o) // _POOL for o in filled}) <= _WORTH + 3:
            break
    return rounds


def _object(size: int) -> Any:
    """An object that takes a block of `size` bytes: an empty one, a float, or bytes with their head of 33."""
    if size == _STEP:
        return object()
    return float(size) if size == 2 * _STEP else bytes(size - 33)


class _Mallinfo(ctypes.Structure):
    """What mallinfo2(3) gives."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    ]  # fmt: skip


def fill_malloc() -> int:
    """Take blocks of the C library's heap until none is left but behind all others; how many that were.

    0 where the library does not tell where its heap ends (glibc does since 2.33).
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return 0
    library.mallinfo2.restype = _Mallinfo
    library.sbrk.restype, library.sbrk.argtypes = ctypes.c_size_t, [ctypes.c_ssize_t]
    library.malloc.restype, library.malloc.argtypes = ctypes.c_size_t, [ctypes.c_size_t]
    library.free.restype, library.free.argtypes = None, [ctypes.c_size_t]
    # The last free block grows and shrinks at the end of the heap; every hole lies before it.
    last = library.sbrk(0) - library.mallinfo2().keepcost
    taken = 0
    for size in _sizes():
        while 0 < (block := library.malloc(size)) < last:
            taken += 1
        library.free(block)
    return taken


def _sizes() -> list[int]:
    """Of blocks that fill holes, falling: where free blocks are kept by ranges of sizes, a fifth apart."""
    sizes, size = [], _LARGEST
    while size > _LISTED:
        sizes.append(size)
        size = size * 5 // 6
    return sizes + list(range(_LISTED + 8, _SMALLEST - 1, -_STEP))


def make_huge() -> int:
    """Have the kernel put the heap on huge pages, now; how many it made. 0 where it cannot (Linux can since 6.1)."""
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    made = 0
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        found = _HEAP.match(line)
        if found is not None:
            start, end = (int(text, 16) for text in found.groups())
            first, last = -(-start // _HUGE) * _HUGE, end // _HUGE * _HUGE
            made += sum(madvise(at, _HUGE, _MADV_COLLAPSE) == 0 for at in range(first, last, _HUGE))
    return made

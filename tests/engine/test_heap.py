"""The heap that forked children share: its holes are filled before."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap

import pytest

from engine import heap

POOL = 1 << 14


def said(script):
    """What a process of its own prints that runs the script: other tests and threads allocate as they like here."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("size", [*range(48, 513, 16)])
def test_objects_made_after_the_holes_were_filled_lie_together(size):
    holes = [[bytes(size - 33) for _ in range(4 * POOL // size)] for _ in range(20)]
    for some in holes:
        del some[::32]
    gc.collect()
    # Without the filling, each would lie in a hole, and few holes in one pool.
    filling = heap.fill_pools()
    fresh = [bytes(size - 33) for _ in range(POOL // size)]
    assert {sys.getsizeof(o) for o in fresh} == {size}
    assert len({id(o) // POOL for o in fresh}) <= 8
    assert filling


def test_what_is_there_when_the_heap_settles_is_left_alone_by_later_collections():
    filling = heap.settle()
    try:
        assert gc.get_freeze_count() > 1000
        assert not any(o is filling for o in gc.get_objects())
    finally:
        gc.unfreeze()


def test_after_filling_the_heap_of_the_c_library_its_blocks_come_from_the_end():
    script = """
        import ctypes
        from engine import heap
        library = ctypes.CDLL(None)
        library.malloc.restype, library.malloc.argtypes = ctypes.c_size_t, [ctypes.c_size_t]
        library.free.argtypes = [ctypes.c_size_t]
        blocks = [library.malloc(size) for size in (600, 3000, 20000) for _ in range(300)]
        for block in blocks[::2]:
            library.free(block)
        assert heap.fill_malloc() >= 400, "the freed blocks are holes"
        fresh = [library.malloc(size) for size in (600, 3000, 20000) for _ in range(20)]
        assert min(fresh) > max(blocks)
    """
    said(script)


def test_a_heap_on_huge_pages_holds_what_it_held():
    script = """
        from engine import heap
        kept = [str(n) * 20 for n in range(200_000)]
        made = heap.make_huge()
        assert kept == [str(n) * 20 for n in range(200_000)]
        print(made)
    """
    output = said(script)
    # A kernel without them, or short of them, makes none.
    assert int(output) >= 0


def test_kernels_work_without_what_others_could_be_compiled_against():
    script = """
        import os
        from engine.frames import jit
        from engine.runner import rehearsal
        tasks = rehearsal.plans()
        rehearsal.rehearse(tasks)
        forgotten = jit.forget_sources()
        assert (forgotten > 10) == (os.environ.get("NUMBA_DISABLE_JIT") != "1"), forgotten
        assert jit.forget_sources() == 0
        rehearsal.rehearse(tasks)
    """
    said(script)

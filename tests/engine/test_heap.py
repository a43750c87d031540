"""The heap that forked children share: its holes are filled before."""

from __future__ import annotations

import gc
import sys

import pytest

from engine import heap

POOL = 1 << 14


@pytest.mark.parametrize("size", [*range(48, 513, 16)])
def test_objects_made_after_the_holes_were_filled_lie_together(size):
    holes = [[bytes(size - 33) for _ in range(4 * POOL // size)] for _ in range(20)]
    for some in holes:
        del some[::32]
    gc.collect()
    # Without the filling, each would lie in a hole, and few holes in one pool.
    filling = heap.fill_holes()
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

"""Counting by group against a plain dictionary."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.counts import GroupCounter

# Few hashes, so that groups meet again, among them those whose bytes end in zeros or differ only there.
HASHES = st.tuples(st.sampled_from([0, 1, 256, 2**56, 2**64 - 1]), st.sampled_from([0, 1, 2**56, 2**63]))
GROUPS = st.lists(st.tuples(HASHES, st.integers(0, 10_000)))


def arrays_of(groups):
    hashes = np.array([key for key, _ in groups], dtype=np.uint64).reshape(-1, 2)
    return hashes, np.array([count for _, count in groups], dtype=np.int64)


def contents(counter):
    hashes, counts = counter.snapshot()
    assert len(counter) == len(hashes)
    assert (hashes.dtype, counts.dtype) == (np.uint64, np.int64)
    found = dict(zip(map(tuple, hashes.tolist()), counts.tolist(), strict=True))
    assert len(found) == len(counts)
    return found


@given(st.lists(st.tuples(st.just("add"), GROUPS) | st.tuples(st.just("delete"), st.lists(HASHES))))
def test_a_counter_is_a_dictionary_of_sums(steps):
    counter = GroupCounter()
    model = Counter()
    for operation, groups in steps:
        if operation == "add":
            counter.add(arrays_of(groups))
            for key, count in groups:
                model[key] += count
        else:
            counter.delete(np.array(groups, dtype=np.uint64).reshape(-1, 2))
            for key in groups:
                model.pop(key, None)
        assert contents(counter) == dict(model)


def test_hashes_that_are_a_slice_of_a_wider_table_are_counted():
    wide = np.arange(12, dtype=np.uint64).reshape(3, 4)
    counter = GroupCounter()
    counter.add((wide[:, 1:3], np.ones(3, dtype=np.int64)))
    assert contents(counter) == {(1, 2): 1, (5, 6): 1, (9, 10): 1}


def test_a_snapshot_does_not_change_afterwards():
    counter = GroupCounter()
    groups = arrays_of([((1, 2), 3)])
    counter.add(groups)
    _, counts = counter.snapshot()
    counter.add(groups)
    assert counts.tolist() == [3]


@pytest.mark.parametrize(
    "groups",
    [
        (np.zeros((2, 2), dtype=np.uint64), np.zeros(1, dtype=np.int64)),
        (np.zeros(2, dtype=np.uint64), np.zeros(2, dtype=np.int64)),
        (np.zeros((1, 3), dtype=np.uint64), np.zeros(1, dtype=np.int64)),
        (np.zeros((1, 2), dtype=np.int64), np.zeros(1, dtype=np.int64)),
        (np.zeros((1, 2), dtype=np.uint64), np.zeros((1, 1), dtype=np.int64)),
    ],
)
def test_counts_of_another_shape_are_refused(groups):
    with pytest.raises(ValueError, match="counts of groups are"):
        GroupCounter().add(groups)

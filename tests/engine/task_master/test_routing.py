"""Routing: who gets which sections of a frame, as the reference's fork table would have it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.frames.header import Header, SectionHeader
from engine.task_master.routing import Routes, Selection

NAMES = st.sampled_from(["cpu", "mem", "disk", ""])
PAIRS = st.sampled_from([("a", "x"), ("a", "y"), ("b", "x"), ("", "")])


def header(db, rp, names):
    sections = [SectionHeader(n, 1, -1, [], False, 1, 0, -1, -1, [], -1, -1, [], [], []) for n in names]
    return Header(1, False, 0, 0, db, rp, len(names) > 1, sections)


@given(
    st.dictionaries(st.sampled_from("stu"), st.tuples(st.lists(PAIRS, max_size=2), st.lists(NAMES, max_size=3))),
    PAIRS,
    st.lists(st.sampled_from(["cpu", "mem", "disk"]), min_size=1, max_size=4),
)
def test_every_task_gets_each_row_as_often_as_the_fork_table_names_it(tasks, pair, names):
    routes = Routes()
    for task, (dbrps, measurements) in tasks.items():
        routes.add(task, dbrps, measurements)
    found = dict(routes.lookup(header(*pair, names)))
    for task, (dbrps, measurements) in tasks.items():
        times = [0 if pair not in dbrps else len({n, ""} & set(measurements)) for n in names]
        if not any(times):
            assert task not in found
            continue
        selection = found[task]
        chosen = range(len(names)) if selection.sections is None else selection.sections
        got = [0] * len(names)
        for k, i in enumerate(chosen):
            got[i] = 2 if k in selection.twice else 1
        assert got == times


def test_a_change_forgets_what_was_looked_up():
    routes = Routes()
    cpu = header("a", "x", ["cpu", "mem"])
    assert list(routes.lookup(cpu)) == []
    routes.add("t", [("a", "x")], ["mem"])
    assert list(routes.lookup(cpu)) == [("t", Selection((1,), ()))]
    routes.add("t", [("a", "x")], [""])
    assert list(routes.lookup(cpu)) == [("t", Selection(None, ()))]
    routes.remove("t")
    assert list(routes.lookup(cpu)) == []

"""A process is stalled when its tick stands still with something to do, and is told of once an episode."""

from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from engine import status
from engine.status import StatusFile
from engine.task_master.lifecycle import Definition, Process, Task
from engine.task_master.placement import Layout, PlacedProcess
from engine.task_master.stalls import Change, Seen, Stalls, observe


def seen(tick, *, busy=True, process="p", task="t"):
    return Seen(process, task, f"node of {process}", tick, busy)


def test_a_stall_is_told_when_it_begins_and_when_it_ends():
    stalls = Stalls(5.0)
    assert [stalls.look([seen(7)], now) for now in (0.0, 1.0, 4.9)] == [[], [], []]
    assert stalls.look([seen(7)], 5.0) == [Change("p", "t", "node of p", stalled=True, seconds=5.0)]
    assert stalls.look([seen(7)], 6.0) == []
    assert stalls.nodes("t") == ["node of p"]
    assert stalls.tasks == {"t"}
    assert stalls.look([seen(8)], 9.0) == [Change("p", "t", "node of p", stalled=False, seconds=9.0)]
    assert stalls.tasks == frozenset()
    assert [stalls.look([seen(8)], now) for now in (10.0, 13.9)] == [[], []]
    assert stalls.look([seen(8)], 14.0) == [Change("p", "t", "node of p", stalled=True, seconds=5.0)]


def test_a_process_with_nothing_to_do_may_stand_still_for_ever():
    stalls = Stalls(5.0)
    assert [stalls.look([seen(7, busy=False)], float(now)) for now in range(100)] == [[]] * 100
    # The time counts from when there is something to do.
    assert stalls.look([seen(7)], 100.0) == []
    assert stalls.look([seen(7)], 104.0) == []
    assert stalls.look([seen(7)], 105.0) != []


def test_a_process_that_is_gone_is_forgotten():
    stalls = Stalls(1.0, 2.0)
    stalls.look([seen(1)], 0.0)
    stalls.look([seen(1)], 1.0)
    assert stalls.look([], 2.0) == []
    assert stalls.tasks == frozenset()
    assert stalls.overdue(9.0) == []


def test_only_with_a_time_out_a_stalled_process_becomes_overdue():
    for timeout, expected in ((None, []), (8.0, ["p"])):
        stalls = Stalls(1.0, timeout)
        stalls.look([seen(1)], 0.0)
        assert stalls.overdue(7.9) == []
        assert stalls.overdue(8.0) == expected
        assert stalls.overdue(9.0) == []


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0.1, 4.0)), max_size=40))
def test_what_is_told_alternates_and_agrees_with_a_model(steps):
    stalls = Stalls(5.0)
    now, tick, since, told = 0.0, 0, None, []
    for moves, busy, passed in steps:
        now += passed
        tick += moves
        told += [change.stalled for change in stalls.look([seen(tick, busy=busy)], now)]
        if not busy:
            since = None
        elif since is None or moves:
            since = now
        assert (stalls.tasks == {"t"}) == (since is not None and now - since >= 5.0)
    assert told == [i % 2 == 0 for i in range(len(told))]


def task_of_two(tmp_path):
    """a → b: their pages, and the task."""
    pages = StatusFile.create(tmp_path / "pages", 8)
    layout = Layout(
        [PlacedProcess(["a"], [("root", "stream")], [("ab", "stream")]), PlacedProcess(["b"], [("ab", "stream")])],
        [("root", "stream")],
        {},
        frozenset(),
    )
    task = Task("t", Definition({"nodes": []}, ()))
    task.layout = layout
    task.processes = [Process(n, "t", (n,), (pages.take(),), 1) for n in "ab"]
    pages.close()
    for p in task.processes:
        pages.page(p.slots[0]).words[status.STATE] = status.RUNNING
    return task, pages, [pages.page(p.slots[0]) for p in task.processes]


def busy(task, pages, given):
    fork = None if given is None else SimpleNamespace(collector=SimpleNamespace(messages=given))
    return {s.node: s.busy for s in observe(task, pages, fork)}


def test_messages_that_were_sent_and_not_taken_are_something_to_do(tmp_path):
    task, pages, (a, b) = task_of_two(tmp_path)
    assert busy(task, pages, 0) == {"a": False, "b": False}
    assert busy(task, pages, 3) == {"a": True, "b": False}
    a.note_taken(0, 3)
    a.note_sent(0, 2)
    b.note_taken(0, 1)
    assert busy(task, pages, 3) == {"a": False, "b": True}
    b.note_taken(0, 2)
    b.words[status.WAITING] = 1
    assert busy(task, pages, 3) == {"a": False, "b": True}
    assert busy(task, pages, None) == {"a": False, "b": True}


def test_what_a_parent_has_sent_counts_after_it_has_exited(tmp_path):
    task, pages, (a, b) = task_of_two(tmp_path)
    b.note_taken(0, 2)
    task.processes[0].exited = True
    a.note_sent(0, 2)
    assert busy(task, pages, 0) == {"b": False}
    a.note_sent(0, 3)
    assert busy(task, pages, 0) == {"b": True}


def test_processes_that_are_not_running_are_not_looked_at(tmp_path):
    task, pages, (a, b) = task_of_two(tmp_path)
    a.words[status.STATE] = status.STARTING
    b.words[status.STATE] = status.ENDED
    assert busy(task, pages, 5) == {}
    b.words[status.STATE] = status.BLOCKED
    task.processes[1].exited = True
    assert busy(task, pages, 5) == {}

"""The life of tasks, event by event: no process, no socket, no clock but the numbers here."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.task_master import lifecycle as life
from engine.task_master.placement import Layout
from engine.task_master.suspects import MAX_EXITS, Work

DEFINITION = life.Definition({"nodes": []}, (("db", "rp"),))
LAYOUT = Layout([], [("path", "stream")], {}, frozenset({"cpu"}))


def machine(resume=None, given=0):
    return life.Lifecycle(in_work=lambda _: Work(resume, given), start_timeout_s=30.0, drain_timeout_s=10.0)


def spawn(m, task="t", nodes=("from1", "log2")):
    processes = [life.Process(m.new_process_id(task, n), task, (n,), (i,), 1) for i, n in enumerate(nodes)]
    m.placed(task, LAYOUT, processes)
    return processes


def running(m, task="t", request="enable"):
    assert m.start(request, task, DEFINITION, 0.0) == [life.Spawn(task)]
    processes = spawn(m, task)
    assert m.ready(processes[0].id, [], 0.0) == []
    out = m.ready(processes[1].id, [], 0.0)
    assert out[0] == life.OpenFork(task, None)
    assert life.Answer(request) in out
    return processes


def kinds(instructions):
    return [type(i).__name__ for i in instructions]


def test_a_start_is_answered_when_every_process_is_ready():
    m = machine()
    running(m)
    assert m.tasks["t"].state is life.State.RUNNING


def test_starting_an_executing_task_is_refused():
    m = machine()
    running(m)
    assert m.start("again", "t", DEFINITION, 1.0) == [life.Answer("again", "task t is already executing")]


def test_a_node_that_refuses_fails_the_start_with_its_bare_error():
    m = machine()
    m.start("enable", "t", DEFINITION, 0.0)
    processes = spawn(m)
    out = m.failed(processes[1].id, "log2", "bad property")
    assert life.Answer("enable", "bad property") in out
    assert life.KeepError("t", "bad property") in out
    assert {i.process for i in out if isinstance(i, life.Kill)} == {p.id for p in processes}
    assert not m.tasks["t"].executing


def test_a_definite_error_later_names_its_node_and_lets_the_rest_drain():
    m = machine()
    processes = running(m)
    out = m.failed(processes[0].id, "from1", "boom")
    assert m.tasks["t"].error == "from1: boom"
    assert not any(isinstance(i, life.Kill) for i in out)
    assert kinds(out)[0] == "CloseFork"


def test_the_first_error_is_kept():
    m = machine()
    processes = running(m)
    m.failed(processes[0].id, "from1", "boom")
    assert m.failed(processes[1].id, "log2", "later") == []
    assert m.tasks["t"].error == "from1: boom"


def test_a_stop_drains_and_is_answered_when_all_are_gone():
    m = machine()
    processes = running(m)
    assert m.stop("disable", "t", 1.0) == [life.DrainFork("t")]
    for p in processes:
        m.ended(p.id, 0.0)
    # Its figures count until all are gone.
    assert m.exited(processes[0].id, 0, 2.0) == []
    out = m.exited(processes[1].id, 0, 2.0)
    assert life.Answer("disable") in out
    assert [life.Release(p) for p in processes] == [i for i in out if isinstance(i, life.Release)]
    assert "t" not in m.tasks


def ends(m, process):
    m.ended(process.id, 2.0)
    return m.exited(process.id, 0, 2.0)


def answered_and_not_counted_again(m, out):
    assert life.Answer("disable") in out
    assert "Abandon" not in kinds(out)
    assert "t" not in m.tasks


def test_a_drain_that_takes_too_long_is_aborted():
    m = machine()
    processes = running(m)
    m.stop("disable", "t", 1.0)
    assert m.tick(10.9) == []
    ends(m, processes[0])
    # What is left is counted while the fork is there.
    told = life.Abandon(m.tasks["t"], "drain timeout, task aborted", ("log2",))
    assert m.tick(11.0) == [told, life.CloseFork("t"), life.Kill(processes[1].id)]
    answered_and_not_counted_again(m, m.exited(processes[1].id, -9, 11.2))


def test_a_crash_during_a_drain_ends_the_task_and_what_it_had_is_counted_once():
    m = machine()
    processes = running(m)
    m.stop("disable", "t", 1.0)
    told = life.Abandon(m.tasks["t"], "node process died, task aborted", ("from1",))
    assert m.exited(processes[0].id, -9, 2.0) == [told, life.CloseFork("t"), life.Kill(processes[1].id)]
    assert kinds(m.tick(11.0)) == ["CloseFork", "Kill"]
    answered_and_not_counted_again(m, m.exited(processes[1].id, -9, 11.2))


def test_a_crash_of_the_last_process_of_a_drain_is_counted_from_the_pages_of_all():
    m = machine()
    processes = running(m)
    task = m.tasks["t"]
    m.stop("disable", "t", 1.0)
    ends(m, processes[0])
    assert kinds(m.exited(processes[1].id, -9, 2.0))[:2] == ["Abandon", "CloseFork"]
    assert task.processes == processes


def test_an_exit_may_be_heard_of_before_the_last_word():
    m = machine()
    processes = running(m)
    task = m.tasks["t"]
    m.stop("disable", "t", 1.0)
    ends(m, processes[0])
    assert m.exited(processes[1].id, 0, 2.0) == []
    assert m.next_deadline() == 2.0 + life.LAST_WORD_S
    answered_and_not_counted_again(m, m.ended(processes[1].id, 2.1))
    assert [p.exited for p in task.processes] == [True, True]


def test_the_error_of_a_node_may_be_heard_of_after_its_exit():
    m = machine()
    processes = running(m)
    assert m.exited(processes[1].id, 0, 2.0) == []
    m.failed(processes[1].id, "log2", "boom")
    m.ended(processes[1].id, 2.0)
    assert (m.tasks["t"].state, m.tasks["t"].error) == (life.State.FAILED, "log2: boom")


def test_an_exit_without_a_word_is_a_crash():
    m = machine()
    processes = running(m)
    m.exited(processes[1].id, 0, 2.0)
    assert m.tick(2.0 + life.LAST_WORD_S - 0.1) == []
    assert life.CloseFork("t") in m.tick(2.0 + life.LAST_WORD_S)
    assert m.tasks["t"].state is life.State.BACKOFF


def test_what_a_task_had_that_is_stopped_before_it_has_restarted_is_counted():
    m = machine(resume=42)
    for stop_at, why in ((5.05, "task stopped while it waits to restart"), (5.2, "task stopped while it restarts")):
        processes = running(m)
        for p in processes:
            m.exited(p.id, -9, 5.0)
        if m.tick(stop_at):
            spawn(m)
        task = m.tasks["t"]
        out = m.stop("disable", "t", stop_at)
        assert [i for i in out if isinstance(i, life.Abandon)] == [life.Abandon(task, why)]
        for p in task.processes:
            assert "Abandon" not in kinds(m.exited(p.id, -9, 6.0))
        assert "t" not in m.tasks


def test_a_task_that_is_stopped_in_its_first_start_leaves_nothing():
    m = machine()
    m.start("enable", "t", DEFINITION, 0.0)
    spawn(m)
    assert "Abandon" not in kinds(m.stop("disable", "t", 1.0))
    assert "Abandon" not in kinds(m.tick(11.0))


def test_stopping_what_does_not_run_is_answered_at_once():
    assert machine().stop("disable", "t", 0.0) == [life.Answer("disable")]


def test_stopping_a_task_that_starts_answers_both():
    m = machine()
    m.start("enable", "t", DEFINITION, 0.0)
    processes = spawn(m)
    out = m.stop("disable", "t", 1.0)
    assert life.Answer("enable", "task was stopped") in out
    for p in processes[:-1]:
        m.exited(p.id, -9, 1.0)
    assert life.Answer("disable") in m.exited(processes[-1].id, -9, 1.0)


def test_a_crash_restarts_the_task_from_its_resume_position_after_the_back_off():
    m = machine(resume=42)
    processes = running(m)
    out = m.exited(processes[0].id, -9, 5.0)
    assert life.CloseFork("t") in out
    assert life.Kill(processes[1].id) in out
    m.exited(processes[1].id, -9, 5.0)
    assert m.tick(5.05) == []
    assert m.tick(5.1) == [life.Spawn("t")]
    again = spawn(m)
    m.ready(again[0].id, [], 0.0)
    assert life.OpenFork("t", 42) in m.ready(again[1].id, [], 0.0)


def test_three_exits_at_one_frame_stop_the_task():
    m = machine(resume=7, given=8)
    processes = running(m)
    now = 0.0
    for attempt in range(MAX_EXITS):
        now += 100.0
        m.exited(processes[0].id, -11, now)
        m.exited(processes[1].id, -9, now)
        if attempt < MAX_EXITS - 1:
            assert m.tick(now + 50.0) == [life.Spawn("t")]
            processes = spawn(m)
            for p in processes:
                m.ready(p.id, [], 0.0)
    t = m.tasks["t"]
    assert t.state is life.State.FAILED
    assert t.error == "from1: process killed by signal 11, 3 times at the same input"


def test_exits_with_nothing_in_work_restart_the_task_again_and_again():
    m = machine(resume=7, given=7)
    processes = running(m)
    for attempt in range(10):
        m.exited(processes[0].id, -9, attempt * 10.0)
        m.exited(processes[1].id, -9, attempt * 10.0)
        assert m.tick(attempt * 10.0 + 5.0) == [life.Spawn("t")]
        processes = spawn(m)
        for p in processes:
            m.ready(p.id, [], attempt * 10.0 + 5.0)
    assert m.tasks["t"].state is life.State.RUNNING


def test_exits_for_which_the_input_is_not_to_blame_do_not_count():
    m = machine(resume=7, given=8)
    processes = running(m)
    for attempt in range(5):
        m.exited(processes[0].id, -9, attempt * 10.0, blame=False)
        m.exited(processes[1].id, -9, attempt * 10.0, blame=False)
        assert m.tick(attempt * 10.0 + 5.0) == [life.Spawn("t")]
        processes = spawn(m)
        for p in processes:
            m.ready(p.id, [], attempt * 10.0 + 5.0)
    assert m.tasks["t"].state is life.State.RUNNING


def test_a_task_that_the_zygote_was_making_when_it_died_is_made_apart_and_no_other():
    m = machine()
    forked = running(m, "forked")
    for pid, p in enumerate(forked, 1):
        p.pid = pid
    m.start("enable", "t", DEFINITION, 0.0)
    half = spawn(m)
    half[0].pid = 3
    for p in (*forked, *half):
        m.exited(p.id, -9, 1.0, blame=False)
    assert (m.tasks["forked"].early, m.tasks["t"].early) == (True, False)
    m.tick(5.0)
    spawn(m)
    assert not m.tasks["t"].early


def test_what_was_in_work_is_given_one_at_a_time_after_a_crash():
    m = machine(resume=7, given=12)
    processes = running(m)
    for p in processes:
        m.exited(p.id, -9, 1.0)
    m.tick(2.0)
    again = spawn(m)
    m.ready(again[0].id, [], 2.0)
    assert life.OpenFork("t", 7, 12) in m.ready(again[1].id, [], 2.0)


def test_a_process_that_dies_before_it_is_ready_is_started_three_times():
    m = machine()
    m.start("enable", "t", DEFINITION, 0.0)
    for attempt in range(MAX_EXITS):
        processes = spawn(m)
        out = m.exited(processes[0].id, -9, attempt * 10.0)
        m.exited(processes[1].id, -9, attempt * 10.0)
        if attempt < MAX_EXITS - 1:
            assert m.tick(attempt * 10.0 + 5.0) == [life.Spawn("t")]
    error = "from1: process killed by signal 9 before it was ready, 3 times"
    assert life.Answer("enable", error) in out
    assert life.Forget("t") in out


def test_the_back_off_grows_and_begins_again_after_a_time_of_health():
    m = machine(resume=7, given=7)
    processes = running(m)
    now, waits = 0.0, []
    for health in (1.0, 1.0, 1.0, life.HEALTHY_S, 1.0):
        now += health
        for p in processes:
            m.exited(p.id, -9, now)
        waits.append(round(m.next_deadline() - now, 3))
        now = m.next_deadline()
        m.tick(now)
        processes = spawn(m)
        for p in processes:
            m.ready(p.id, [], now)
    assert waits == [*life.BACKOFF_S[:3], *life.BACKOFF_S[:2]]


def test_a_failed_or_stopped_task_has_no_resume_position():
    m = machine()
    processes = running(m)
    assert life.Forget("t") in m.failed(processes[0].id, "from1", "boom")
    processes = running(m)
    m.stop("disable", "t", 1.0)
    out = [i for p in processes for i in m.exited(p.id, -9, 1.0)]
    assert life.Forget("t") in out


def test_a_start_without_a_request_says_nothing_of_a_task_that_runs():
    m = machine()
    running(m)
    assert m.start(None, "t", DEFINITION, 1.0) == []


def test_exits_at_different_positions_do_not_add_up():
    position = 0

    def in_work(_):
        return Work(position, position + 1)

    m = life.Lifecycle(in_work=in_work)
    processes = running(m)
    for position in range(10, 20):
        m.exited(processes[0].id, -11, position * 100.0)
        m.exited(processes[1].id, -9, position * 100.0)
        assert m.tick(position * 100.0 + 50.0) == [life.Spawn("t")]
        processes = spawn(m)
        for p in processes:
            m.ready(p.id, [], 0.0)
    assert m.tasks["t"].state is life.State.RUNNING


def test_two_nodes_with_one_path_fail_the_task():
    m = machine()
    m.start("enable", "t", DEFINITION, 0.0)
    processes = spawn(m, nodes=("http_out2", "http_out3"))
    m.ready(processes[0].id, ["x"], 0.0)
    out = m.ready(processes[1].id, ["x"], 0.0)
    assert out[0] == life.Answer("enable", "")
    assert {type(i) for i in out[1:]} >= {life.CloseFork, life.KeepError}
    assert m.tasks["t"].error == "http_out3: http: multiple registrations for /kapacitor/v1/tasks/t/x"


def test_a_start_that_takes_too_long_names_who_is_late():
    m = machine()
    m.start("enable", "t", DEFINITION, 0.0)
    processes = spawn(m)
    m.ready(processes[0].id, [], 0.0)
    m.tick(30.0)
    assert m.tasks["t"].error == "not ready within 30s: log2"


def test_exits_of_an_earlier_incarnation_do_not_touch_a_later_one():
    m = machine()
    old = running(m)
    m.failed(old[0].id, "from1", "boom")
    running(m, request="second")
    assert kinds(m.exited(old[0].id, -9, 3.0)) == ["Release"]
    assert m.tasks["t"].state is life.State.RUNNING


class Tasks(RuleBasedStateMachine):
    """Any order of events: every process is released once, every request answered once, nobody is left over."""

    def __init__(self):
        super().__init__()
        self.m = machine(resume=1)
        self.now = 0.0
        self.alive = {}
        self.spawned = set()
        self.released = set()
        self.abandoned = []
        self.silent = set()
        self.waiting = set()
        self.forks = set()
        self.requests = 0

    def do(self, instructions):
        for i in instructions:
            match i:
                case life.Spawn(task):
                    for p in spawn(self.m, task):
                        self.alive[p.id] = p
                        self.spawned.add(p.id)
                case life.OpenFork(task, position, _):
                    assert task not in self.forks
                    self.forks.add(task)
                    self.m.opened(task, position or 0)
                case life.Forget(task):
                    assert task not in self.forks
                case life.CloseFork(task):
                    self.forks.discard(task)
                case life.DrainFork(task):
                    assert task in self.forks
                case life.Abandon(task):
                    assert not any(task is other for other in self.abandoned)
                    self.abandoned.append(task)
                    # What its nodes had is read from their pages.
                    assert task.processes or task.id not in self.forks
                case life.Release(process):
                    assert process.id not in self.released
                    assert process.exited
                    self.released.add(process.id)
                case life.Answer(request, _):
                    self.waiting.remove(request)
                case life.Kill(process):
                    assert process in self.alive or process in self.silent

    def request(self):
        self.requests += 1
        self.waiting.add(self.requests)
        return self.requests

    @rule(task=st.sampled_from("ab"))
    def start(self, task):
        self.do(self.m.start(self.request(), task, DEFINITION, self.now))

    @rule(task=st.sampled_from("ab"))
    def stop(self, task):
        self.do(self.m.stop(self.request(), task, self.now))

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def ready(self, data):
        self.do(self.m.ready(data.draw(st.sampled_from(sorted(self.alive))), [], self.now))

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def fail(self, data):
        p = self.alive[data.draw(st.sampled_from(sorted(self.alive)))]
        self.do(self.m.failed(p.id, p.nodes[0], "boom"))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), clean=st.booleans())
    def exit(self, data, clean):
        identity = data.draw(st.sampled_from(sorted(self.alive)))
        if clean and data.draw(st.booleans(), label="said before the exit is known"):
            self.do(self.m.ended(identity, self.now))
        elif clean:
            self.silent.add(identity)
        del self.alive[identity]
        self.do(self.m.exited(identity, 0 if clean else -9, self.now))

    @precondition(lambda self: self.silent)
    @rule(data=st.data())
    def last_word(self, data):
        identity = data.draw(st.sampled_from(sorted(self.silent)))
        self.silent.remove(identity)
        self.do(self.m.ended(identity, self.now))

    @rule(seconds=st.sampled_from([0.1, 1.0, 11.0, 40.0]))
    def wait(self, seconds):
        self.now += seconds
        self.do(self.m.tick(self.now))

    @invariant()
    def forks_belong_to_tasks(self):
        assert self.forks <= set(self.m.tasks)

    @invariant()
    def figures_of_tasks_are_their_own(self):
        assert self.released.isdisjoint(p.id for t in self.m.tasks.values() for p in t.processes)

    def teardown(self):
        for task in list(self.m.tasks):
            self.do(self.m.stop(self.request(), task, self.now))
        for identity in sorted(self.alive):
            self.do(self.m.exited(identity, -9, self.now))
        self.now += life.LAST_WORD_S
        self.do(self.m.tick(self.now))
        assert not self.waiting
        assert not self.m.processes
        assert not self.forks
        assert self.released == self.spawned


TestTasks = Tasks.TestCase


@given(st.integers(0, 5))
def test_the_next_deadline_is_the_earliest(seconds):
    m = machine()
    m.start(None, "a", DEFINITION, float(seconds))
    m.start(None, "b", DEFINITION, 3.0)
    assert m.next_deadline() == min(seconds, 3) + 30.0

"""Topics against a model: states, counts, levels, closing and coming back."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.alerts.topics import State, Topics
from tests.engine.alerts.things import event

NAMES = st.sampled_from(["cpu", "mem", "main:t:alert2"])
IDS = st.sampled_from(["a", "b", ""])


class TopicsAgainstAModel(RuleBasedStateMachine):
    """The model: per topic its states, how much was collected, and whether it is hidden."""

    def __init__(self) -> None:
        super().__init__()
        self.topics = Topics()
        self.states: dict[str, dict[str, int]] = {}
        self.collected: dict[str, int] = {}
        self.hidden: set[str] = set()

    def _show(self, name: str) -> None:
        self.states.setdefault(name, {})
        self.collected.setdefault(name, 0)
        self.hidden.discard(name)

    @rule(name=NAMES, identity=IDS, level=st.integers(0, 3), otherwise=st.integers(0, 3))
    def collect(self, name: str, identity: str, level: int, otherwise: int) -> None:
        self._show(name)
        before = self.states[name].get(identity, otherwise)
        told, state = self.topics.collect(name, event(identity, level), otherwise)
        assert (told, state.level) == (before, level)
        self.states[name][identity] = level
        self.collected[name] += 1

    @rule(name=NAMES)
    def open(self, name: str) -> None:
        self._show(name)
        self.topics.open(name)

    @rule(name=NAMES, identity=IDS, level=st.integers(0, 3))
    def update(self, name: str, identity: str, level: int) -> None:
        self._show(name)
        self.topics.update(name, identity, State(level, 1))
        self.states[name][identity] = level

    @rule(name=NAMES, keep=st.booleans())
    def close(self, name: str, keep: bool) -> None:
        self.topics.close(name, keep=keep)
        if name not in self.states:
            return
        left = {k: v for k, v in self.states[name].items() if v}
        if keep and left:
            self.states[name], self.collected[name] = left, 0
            self.hidden.add(name)
        else:
            self._drop(name)

    @rule(name=NAMES)
    def forget(self, name: str) -> None:
        self.topics.forget(name)
        self._drop(name)

    def _drop(self, name: str) -> None:
        self.states.pop(name, None)
        self.collected.pop(name, None)
        self.hidden.discard(name)

    @invariant()
    def the_same_is_shown(self) -> None:
        shown = {t.id: ({k: s.level for k, s in t.states.items()}, t.collected, t.level) for t in self.topics}
        expected = {
            name: (states, self.collected[name], max(states.values(), default=0))
            for name, states in self.states.items()
            if name not in self.hidden
        }
        assert shown == expected
        for name in self.states:
            assert (self.topics.find(name) is None) == (name in self.hidden)
        assert sorted(self.topics.beginning("m")) == sorted(n for n in self.states if n.startswith("m"))


TestTopics = TopicsAgainstAModel.TestCase


def test_the_level_of_a_topic_is_the_highest_whatever_the_order() -> None:
    """The reference can report too low a level here."""
    topics = Topics()
    topics.collect("t", event("b", 1))
    topics.collect("t", event("a", 0))
    assert [t.level for t in topics] == [1]


def test_what_storage_has_is_there_again_without_a_count() -> None:
    topics = Topics()
    topics.restore([("t", "a", State(2, 5, 1, "m", "d"))])
    [topic] = topics
    assert (topic.id, topic.collected, topic.states) == ("t", 0, {"a": State(2, 5, 1, "m", "d")})
    assert topics.state("t", "a") == State(2, 5, 1, "m", "d")
    assert topics.state("t", "b") is None
    assert topics.state("none", "a") is None


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**63 - 1), st.text(), st.text())
def test_a_state_is_what_its_event_says(time: int, duration: int, message: str, details: str) -> None:
    fields: dict[str, Any] = {"duration": duration, "message": message, "details": details}
    assert State.of(event("x", 2, time, **fields)) == State(2, time, duration, message, details)

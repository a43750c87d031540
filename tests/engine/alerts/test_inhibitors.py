"""Inhibitors against a model that looks through all of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.alerts.inhibitors import Inhibitors

RULES = [("cat", ("host",)), ("cat", ()), ("other", ("host", "dc"))]
VALUES = st.tuples(st.tuples(st.sampled_from(["a", ""])), st.just(()), st.tuples(st.just("a"), st.sampled_from("xy")))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["n1", "n2"]),
        st.integers(0, 2),
        st.integers(0, 7),
        VALUES,
        st.sampled_from(["on", "off", "end"]),
    ),
    max_size=20,
)
EVENTS = [
    (category, tags)
    for category in ("cat", "other", "none")
    for tags in ({}, {"host": "a"}, {"host": "b"}, {"host": "a", "dc": "x"}, {"host": "a", "dc": "y", "more": "z"})
]


@given(STEPS)
def test_an_event_is_muted_while_some_inhibitor_of_its_category_has_its_tags(steps: list) -> None:
    inhibitors = Inhibitors()
    model: dict[tuple[str, int], list] = {}
    for owner, group, chosen, values, what in steps:
        rules = [rule for i, rule in enumerate(RULES) if chosen >> i & 1]
        mine = [v for i, v in enumerate(values) if chosen >> i & 1]
        if what == "end":
            inhibitors.remove(owner)
            model = {key: found for key, found in model.items() if key[0] != owner}
        else:
            inhibitors.switch(owner, group, rules, mine if what == "on" else (), on=what == "on")
            model[owner, group] = list(zip(rules, mine, strict=True)) if what == "on" else []
        for category, tags in EVENTS:
            muted = any(
                category == rule[0] and all(tags.get(k, "") == v for k, v in zip(rule[1], value, strict=True))
                for found in model.values()
                for rule, value in found
            )
            assert inhibitors.mutes(category, tags) == muted


def test_nothing_is_kept_of_what_is_off() -> None:
    inhibitors = Inhibitors()
    for on in (True, False):
        inhibitors.switch("n", 1, RULES, (("a",), (), ("a", "x")), on=on)
    assert inhibitors._on == {}
    assert inhibitors._owned == {"n": {}}
    inhibitors.remove("n")
    assert inhibitors._owned == {}

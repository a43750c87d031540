"""What single families do beyond the common: tasks, templates, alerts, runs, configuration, identities."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store import (
    EventState,
    Handler,
    NotFound,
    Override,
    Recording,
    Replay,
    Store,
    Task,
    Template,
)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.db") as store:
        yield store


def task(key: str, **values) -> Task:
    return Task(id=key, type="stream", script="s", created=1, modified=1, **values)


def template(key: str) -> Template:
    return Template(id=key, type="stream", script="s", created=1, modified=1)


def test_enabled_tasks_come_in_id_order_and_are_counted(store):
    for key, status in (("b", "enabled"), ("a", "disabled"), ("c", "enabled"), ("B", "enabled")):
        store.tasks.create(task(key, status=status))
    assert [found.id for found in store.tasks.enabled()] == ["B", "b", "c"]
    assert (store.tasks.count(), store.tasks.count_enabled()) == (4, 3)


def test_keeping_an_error_is_no_modification(store):
    store.tasks.create(task("a"))
    assert store.tasks.set_error("a", "boom") is True
    assert store.tasks.get("a") == task("a", error="boom")
    assert store.tasks.set_error("none", "boom") is False


def test_an_association_follows_a_tasks_name_and_ends_with_the_task(store):
    store.templates.create(template("T"))
    for key in "cab":
        store.tasks.create(task(key, template_id="T"))
        store.templates.associate("T", key)
    store.tasks.rename(("a",), task("z", template_id="T"))
    assert [found.id for found in store.templates.tasks_of("T")] == ["b", "c", "z"]
    store.tasks.delete("b")
    store.tasks.create(task("b"))
    assert [found.id for found in store.templates.tasks_of("T")] == ["c", "z"]


def test_an_association_follows_a_templates_name_and_outlives_the_template(store):
    store.templates.create(template("T"))
    store.tasks.create(task("a"))
    store.templates.associate("T", "a")
    store.templates.rename(("T",), template("U"))
    assert store.templates.tasks_of("T") == []
    store.templates.delete("U")
    assert [found.id for found in store.templates.tasks_of("U")] == ["a"]
    store.templates.create(template("T"))
    store.templates.associate("T", "a")
    assert store.templates.tasks_of("U") == []
    assert [found.id for found in store.templates.tasks_of("T")] == ["a"]


def test_a_rename_of_what_is_not_there_moves_no_association(store):
    store.templates.create(template("T"))
    store.tasks.create(task("a"))
    store.templates.associate("T", "a")
    with pytest.raises(NotFound):
        store.tasks.rename(("none",), task("a2"))
    with pytest.raises(NotFound):
        store.templates.rename(("none",), template("T2"))
    assert [found.id for found in store.templates.tasks_of("T")] == ["a"]


def test_handlers_are_listed_by_topic_and_glob(store):
    for topic, key in (("t", "b1"), ("t", "a1"), ("u", "a1"), ("t", "b2")):
        store.handlers.create(Handler(topic=topic, id=key, kind="log"))
    assert [handler.id for handler in store.handlers.of_topic("t")] == ["a1", "b1", "b2"]
    assert [handler.id for handler in store.handlers.of_topic("t", "b?")] == ["b1", "b2"]
    assert store.handlers.of_topic("none") == []
    assert [(handler.topic, handler.id) for handler in store.handlers.all()] == [
        ("t", "a1"),
        ("t", "b1"),
        ("t", "b2"),
        ("u", "a1"),
    ]


EVENTS = st.lists(
    st.builds(
        EventState,
        topic=st.sampled_from(["t", "main:a:alert2"]),
        id=st.sampled_from(["x", "y", ""]),
        message=st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        details=st.just("d"),
        time=st.integers(-(2**63), 2**63 - 1),
        duration=st.integers(0, 2**63 - 1),
        level=st.integers(0, 3),
    ),
    max_size=12,
)


@given(st.lists(EVENTS, max_size=4))
@settings(max_examples=50, deadline=None)
def test_the_last_event_of_an_id_is_kept_unless_it_is_ok(tmp_path_factory, groups):
    model: dict[tuple[str, str], EventState] = {}
    with Store(tmp_path_factory.mktemp("store") / "store.db") as store:
        for events in groups:
            store.event_states.commit(events)
            for event in events:
                model.pop((event.topic, event.id), None)
                if event.level:
                    model[event.topic, event.id] = event
        assert store.event_states.all() == [model[key] for key in sorted(model)]
        assert store.event_states.of_topic("t") == [model[key] for key in sorted(model) if key[0] == "t"]
        assert store.event_states.find("t", "x") == model.get(("t", "x"))


def test_a_group_of_events_is_taken_over_whole_or_not_at_all(store):
    good = EventState(topic="t", id="a", time=1, level=3)
    store.event_states.commit([good])
    with pytest.raises(Exception, match="CHECK"):
        store.event_states.commit(
            [EventState(topic="t", id="b", time=1, level=2), EventState(topic="t", id="c", time=1, level=9)]
        )
    assert store.event_states.all() == [good]


def test_a_tasks_anonymous_topics_are_forgotten_by_their_prefix(store):
    topics = ["main:a:alert2", "main:a:alert3", "main:ab:alert2", "main:%:alert2", "named"]
    store.event_states.commit([EventState(topic=topic, id="x", time=1, level=1) for topic in topics])
    assert store.event_states.delete_prefix("main:a:") == 2
    assert store.event_states.delete_prefix("main:%:") == 1
    assert store.event_states.delete_topic("named") == 1
    assert [event.topic for event in store.event_states.all()] == ["main:ab:alert2"]


def test_what_a_server_that_ended_left_running_has_failed(store):
    store.recordings.create(Recording(id="r", type="stream", date=1))
    store.recordings.create(Recording(id="f", type="stream", date=1, status="finished", progress=1.0))
    store.replays.create(Replay(id="p", task="t", date=1))
    assert store.recordings.fail_running("unexpected Kapacitor shutdown") == 1
    assert store.replays.fail_running("unexpected Kapacitor shutdown") == 1
    assert store.recordings.get("r").status == "failed"
    assert store.recordings.get("r").error == "unexpected Kapacitor shutdown"
    assert store.recordings.get("f").status == "finished"
    assert store.replays.get("p").status == "failed"


def test_overrides_are_listed_by_section(store):
    items = [
        Override(section="slack", element="b", options={"url": "x"}, added=True),
        Override(section="slack", options={"n": 1.5}),
        Override(section="smtp"),
    ]
    for item in items:
        store.overrides.put(item)
    assert store.overrides.of_section("slack") == [items[1], items[0]]
    assert store.overrides.all() == [items[1], items[0], items[2]]
    store.overrides.put(msgspec.structs.replace(items[2], options={"port": 25}))
    assert store.overrides.get("smtp", "").options == {"port": 25}


def test_the_load_directorys_memory_is_replaced_whole(store):
    store.load_items.replace([("tasks", "a"), ("handlers", "t/h"), ("tasks", "a")])
    assert store.load_items.all() == {("tasks", "a"), ("handlers", "t/h")}
    store.load_items.replace([])
    assert store.load_items.all() == set()


def test_identities_are_made_once_and_stay(tmp_path):
    with Store(tmp_path / "store.db") as store:
        cluster, server = store.identities.get("cluster"), store.identities.get("server")
        assert cluster != server
        assert len(cluster) == 36
    with Store(tmp_path / "store.db") as store:
        assert (store.identities.get("cluster"), store.identities.get("server")) == (cluster, server)
        store.identities.set("cluster", "another")
        assert store.identities.get("cluster") == "another"

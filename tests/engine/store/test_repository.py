"""The conformance suite of all families that are repositories: created, found, changed, renamed, deleted, listed."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.store import (
    DBRP,
    AlreadyExists,
    Handler,
    NotFound,
    Override,
    Page,
    Recording,
    Replay,
    Store,
    Task,
    Template,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TIME = st.integers(-(2**63), 2**63 - 1)
JSON = st.dictionaries(
    TEXT,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False, allow_infinity=False)
        | TEXT,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)
STATUS = st.sampled_from(["running", "finished", "failed"])
SHARE = st.floats(0, 1)


class Family(NamedTuple):
    """How to make an object of a family from its key and a date."""

    attribute: str
    make: object
    any_values: dict


def _task(key, date):
    return Task(id=key, type="stream", script="", created=date, modified=date)


FAMILIES = {
    "tasks": Family(
        "tasks",
        _task,
        {
            "type": st.sampled_from(["stream", "batch"]),
            "script": TEXT,
            "dbrps": st.lists(st.builds(DBRP, TEXT, TEXT), max_size=3).map(tuple),
            "vars": JSON,
            "template_id": TEXT,
            "status": st.sampled_from(["enabled", "disabled"]),
            "error": TEXT,
            "created": TIME,
            "modified": TIME,
            "last_enabled": st.none() | TIME,
        },
    ),
    "templates": Family(
        "templates",
        lambda key, date: Template(id=key, type="stream", script="", created=date, modified=date),
        {
            "type": st.sampled_from(["stream", "batch"]),
            "script": TEXT,
            "error": TEXT,
            "created": TIME,
            "modified": TIME,
        },
    ),
    "handlers": Family(
        "handlers",
        lambda key, _: Handler(topic="t", id=key, kind="log"),
        {"kind": TEXT, "options": st.none() | JSON, "match": TEXT},
    ),
    "recordings": Family(
        "recordings",
        lambda key, date: Recording(id=key, type="stream", date=date),
        {
            "path": TEXT,
            "size": st.integers(-1, 2**62),
            "date": TIME,
            "error": TEXT,
            "status": STATUS,
            "progress": SHARE,
        },
    ),
    "replays": Family(
        "replays",
        lambda key, date: Replay(id=key, task="t", date=date),
        {
            "task": TEXT,
            "recording": TEXT,
            "recording_time": st.booleans(),
            "clock": st.sampled_from(["fast", "real"]),
            "date": TIME,
            "error": TEXT,
            "status": STATUS,
            "progress": SHARE,
            "stats": JSON,
        },
    ),
    "overrides": Family(
        "overrides",
        lambda key, _: Override(section="s", element=key),
        {"options": JSON, "added": st.booleans()},
    ),
}


each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.db") as store:
        yield store


@each_family
def test_what_was_created_is_found_after_a_restart(family, tmp_path):
    item = family.make("a", 5)
    with Store(tmp_path / "store.db") as store:
        getattr(store, family.attribute).create(item)
    with Store(tmp_path / "store.db") as store:
        repository = getattr(store, family.attribute)
        assert repository.get(*repository.keys(item)) == item
        assert repository.count() == 1


@each_family
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_value_comes_back_as_it_was(family, tmp_path_factory, data):
    values = data.draw(st.fixed_dictionaries(family.any_values))
    item = msgspec.structs.replace(family.make(data.draw(TEXT), 0), **values)
    with Store(tmp_path_factory.mktemp("store") / "store.db") as store:
        repository = getattr(store, family.attribute)
        repository.create(item)
        found = repository.get(*repository.keys(item))
        assert found == item
        assert msgspec.json.encode(found) == msgspec.json.encode(item)


@each_family
def test_a_second_one_of_the_same_key_is_refused(family, store):
    repository = getattr(store, family.attribute)
    repository.create(family.make("a", 5))
    with pytest.raises(AlreadyExists) as caught:
        repository.create(family.make("a", 6))
    assert caught.value.kind == repository.kind
    assert repository.find(*repository.keys(family.make("a", 0))) == family.make("a", 5)


@each_family
def test_what_is_not_there_cannot_be_found_changed_or_deleted(family, store):
    repository = getattr(store, family.attribute)
    key = repository.keys(family.make("none", 0))
    assert repository.find(*key) is None
    assert repository.delete(*key) is False
    with pytest.raises(NotFound) as caught:
        repository.get(*key)
    assert (caught.value.kind, caught.value.key) == (repository.kind, "/".join(key))
    with pytest.raises(NotFound):
        repository.update(family.make("none", 0))


@each_family
def test_put_adds_and_replaces(family, store):
    repository = getattr(store, family.attribute)
    repository.put(family.make("a", 1))
    repository.put(family.make("a", 2))
    assert repository.get(*repository.keys(family.make("a", 0))) == family.make("a", 2)
    assert repository.count() == 1


@each_family
def test_a_rename_moves_the_object_and_never_over_another(family, store):
    repository = getattr(store, family.attribute)
    first, second, third = (family.make(key, 1) for key in "abc")
    repository.create(first)
    repository.create(second)
    with pytest.raises(AlreadyExists):
        repository.rename(repository.keys(first), second)
    repository.rename(repository.keys(first), third)
    assert repository.find(*repository.keys(first)) is None
    assert repository.get(*repository.keys(third)) == third
    assert repository.delete(*repository.keys(third)) is True
    assert repository.count() == 1


def test_what_the_schema_forbids_is_a_value_error(store):
    with pytest.raises(ValueError, match="task a"):
        store.tasks.create(msgspec.structs.replace(_task("a", 1), status="sleeping"))


@pytest.mark.parametrize("attribute", ["tasks", "templates", "recordings", "replays"])
@given(
    dates=st.dictionaries(st.text("abc/é", min_size=1, max_size=3), st.integers(0, 3), max_size=12),
    pattern=st.sampled_from(["", "*", "a*", "[b-c]*", "?", "["]),
    offset=st.integers(-2, 6),
    limit=st.integers(-1, 8),
)
@settings(max_examples=40, deadline=None)
def test_lists_are_globbed_ordered_and_paged(attribute, tmp_path_factory, dates, pattern, offset, limit):
    with Store(tmp_path_factory.mktemp("store") / "store.db") as store:
        repository = getattr(store, attribute)
        for key, date in dates.items():
            # Half a second apart does not count: lists have the resolution of seconds.
            repository.create(FAMILIES[attribute].make(key, date * 500_000_000))
        found = [item.id for item in repository.list(Page(pattern, offset, limit))]
        expected = sorted(dates, key=lambda key: key.encode())
        if attribute in {"recordings", "replays"}:
            expected = sorted(dates, key=lambda key: (dates[key] // 2, key.encode()), reverse=True)
        if limit < 0:
            assert found == ([] if attribute == "templates" else expected)
        else:
            chosen = [key for key in expected if _glob(pattern, key)]
            assert found == chosen[max(0, offset) :][:limit]


def _glob(pattern: str, key: str) -> bool:
    return {
        "": True,
        "*": "/" not in key,
        "a*": key.startswith("a") and "/" not in key,
        "[b-c]*": key[0] in "bc" and "/" not in key,
        "?": len(key) == 1 and key != "/",
        "[": False,
    }[pattern]


def test_a_list_has_a_hundred_items_unless_more_are_asked_for(store):
    with store.database.transaction():
        for number in range(120):
            store.tasks.create(_task(f"{number:03d}", 1))
    assert len(store.tasks.list()) == 100
    assert len(store.tasks.list(Page(limit=1000))) == 120

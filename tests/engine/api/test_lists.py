"""What all lists share: pattern, fields, offset, limit, order (spec "HTTP API" §4, §7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.api.servers import SCRIPT, Api

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Tasks and templates a, b, B, c1 and c2; task b is enabled."""
    with Api(tmp_path_factory.mktemp("five")) as api:
        for name in ("c2", "b", "B", "a", "c1"):
            api.define(name, status="enabled" if name == "b" else "disabled")
            api.ok("POST", "templates", {"id": name, "script": SCRIPT})
        yield api


def _ids(api: Api, query: str, kind: str = "tasks") -> list[str]:
    return [item["id"] for item in api.ok("GET", f"{kind}?{query}")[kind]]


@pytest.mark.parametrize("kind", ["tasks", "templates"])
def test_items_come_in_the_order_of_their_bytes(five: Api, kind: str) -> None:
    assert _ids(five, "", kind) == ["B", "a", "b", "c1", "c2"]


def test_nothing_is_an_empty_list(api: Api) -> None:
    assert api.ok("GET", "tasks") == {"tasks": []}
    assert api.ok("GET", "templates?fields=nope") == {"templates": []}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("pattern=c*", ["c1", "c2"]),
        ("pattern=%3F", ["B", "a", "b"]),
        ("pattern=%5B", []),
        ("pattern=c*&limit=1", ["c1"]),
        ("pattern=c*&offset=1", ["c2"]),
        ("limit=0", []),
        ("offset=-3&limit=2", ["B", "a"]),
        ("offset=9", []),
    ],
)
@pytest.mark.parametrize("kind", ["tasks", "templates"])
def test_offset_and_limit_count_after_the_pattern(five: Api, kind: str, query: str, ids: list[str]) -> None:
    assert _ids(five, query, kind) == ids


def test_a_negative_limit_lists_all_tasks_and_no_template(five: Api) -> None:
    assert _ids(five, "limit=-1&offset=3&pattern=c*") == ["B", "a", "b", "c1", "c2"]
    assert _ids(five, "limit=-1", "templates") == []


def test_pages_make_the_whole(five: Api) -> None:
    @given(st.integers(1, 7))
    def pages(limit: int) -> None:
        seen: list[str] = []
        while page := _ids(five, f"offset={len(seen)}&limit={limit}&fields=id"):
            seen += page
        assert seen == ["B", "a", "b", "c1", "c2"]

    pages()


def test_the_default_limit_is_a_hundred(api: Api) -> None:
    body = b'{"id":"%d","dbrps":[{"db":"d","rp":"r"}],"script":"stream|from()|log()"}'
    with api.store.database.transaction():
        for number in range(101):
            api.service.task_create(body % number)
    assert len(_ids(api, "fields=id")) == 100
    assert len(_ids(api, "fields=id&limit=-1")) == 101


def test_list_items_have_sorted_keys_and_their_own_nothings(five: Api) -> None:
    items = {i["id"]: i for i in five.ok("GET", "tasks")["tasks"]}
    assert list(items["a"]) == sorted(items["a"])
    assert "template-id" not in items["a"]
    assert items["a"]["stats"] is None
    assert items["a"]["dot"].startswith("digraph a {")
    assert items["b"]["stats"]["task-stats"] == {"throughput": 2}
    assert items["b"]["dot"].startswith("digraph b {\ngraph [")


def test_only_the_fields_asked_for_are_answered(five: Api) -> None:
    item = five.ok("GET", "tasks?fields=status&fields=executing&pattern=b")["tasks"]
    assert item == [
        {
            "executing": True,
            "id": "b",
            "link": {"rel": "self", "href": "/kapacitor/v1/tasks/b"},
            "status": "enabled",
        }
    ]
    assert set(five.ok("GET", "templates?pattern=a")["templates"][0]) == {
        "link", "id", "type", "script", "dot", "error", "created", "modified",
    }  # fmt: skip
    assert five.ok("GET", "templates?pattern=a&fields=vars")["templates"][0]["vars"] == {}


@pytest.mark.parametrize("field", ["id,status", "nope", "Status"])
@pytest.mark.parametrize("kind", ["tasks", "templates"])
def test_an_unknown_field_is_refused(five: Api, kind: str, field: str) -> None:
    assert five.error("GET", f"{kind}?fields={field}") == (400, f'unsupported field "{field}"')


def test_every_field_can_be_asked_for_alone(five: Api) -> None:
    whole = five.ok("GET", "tasks?pattern=b")["tasks"][0]
    for field in whole.keys() - {"dot", "stats"}:
        assert five.ok("GET", f"tasks?pattern=b&fields={field}")["tasks"][0][field] == whole[field]


def test_a_list_of_ids_asks_nothing_of_the_supervisor(five: Api) -> None:
    five.task_master.asked.clear()
    assert len(five.ok("GET", "tasks?fields=status")["tasks"]) == 5
    assert five.task_master.asked == []


def test_lists_know_script_formats_and_dot_views(five: Api) -> None:
    raw = five.ok("GET", "tasks?fields=script&script-format=raw&pattern=a")["tasks"][0]
    assert raw["script"] == SCRIPT
    labels = five.ok("GET", "tasks?fields=dot&dot-view=labels&pattern=b")["tasks"][0]
    assert "xlabel" in labels["dot"]
    assert five.error("GET", "tasks?script-format=x") == (400, 'invalid script-format parameter "x"')
    assert five.error("GET", "tasks?dot-view=x") == (400, 'invalid dot-view parameter "x"')
    assert five.error("GET", "templates?script-format=x") == (400, 'invalid script-format parameter "x"')

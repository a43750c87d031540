"""The store's operations as the supervisor uses them, and what a change costs; those of the API are tested through it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import rpc
from engine.definitions.bodies import RefusedError
from engine.store import Store
from engine.store.errors import StoreError
from engine.store.process import answer_request
from engine.store.service import StoreService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SCRIPT = "stream|from().measurement('m')|log()"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.db") as opened:
        yield opened


@pytest.fixture
def service(store: Store) -> StoreService:
    return StoreService(store, lambda: 5)


def _create(service: StoreService, name: str, **more: Any) -> Any:
    body = {"id": name, "script": _SCRIPT, "dbrps": [{"db": "d", "rp": "r"}], "status": "enabled", **more}
    return service.task_create(json.dumps(body).encode())


def _break(store: Store, name: str, **changes: Any) -> None:
    store.tasks.update(msgspec.structs.replace(store.tasks.get(name), **changes))


def test_a_created_task_and_its_start_can_go_over_the_wire(service: StoreService) -> None:
    result = _create(service, "t")
    _, _, arrived = rpc.unpack(rpc.pack_answer(1, result))
    assert json.dumps(arrived) == json.dumps(result)
    [[what, who, definition]] = arrived["actions"]
    assert (what, who) == ("start", "t")
    assert definition["id"] == "t"
    assert definition["dbrps"] == [{"db": "d", "rp": "r"}]
    assert [n["kind"] for n in definition["plan"]["nodes"]] == ["stream", "from", "log"]


def test_enabled_tasks_come_page_by_page_in_the_order_of_their_ids(service: StoreService) -> None:
    for name in ("b", "a", "off", "c"):
        _create(service, name, status="disabled" if name == "off" else "enabled")
    assert [t["id"] for t in service.enabled_tasks(after="", limit=2)] == ["a", "b"]
    assert [t["id"] for t in service.enabled_tasks(after="b", limit=2)] == ["c"]
    assert service.enabled_tasks(after="c", limit=2) == []


def test_enabled_tasks_are_the_definitions_that_their_start_had(service: StoreService) -> None:
    _, _, created = _create(service, "t")["actions"][0]
    assert service.enabled_tasks(after="", limit=10) == [created]


def test_what_cannot_start_is_told_with_its_error_and_keeps_it(store: Store, service: StoreService) -> None:
    for name in ("broken", "homeless", "well"):
        _create(service, name)
    _break(store, "broken", script="stream|gone()", error="earlier")
    _break(store, "homeless", dbrps=())
    _break(store, "well", error="earlier")
    broken, homeless, well = service.enabled_tasks(after="", limit=10)
    assert broken["error"].startswith("invalid TICKscript: line 1 char 8: no method or property")
    assert homeless == {"id": "homeless", "error": "task does contain any dbrps"}
    assert "plan" in well
    errors = {t.id: t.error for t in store.tasks.list()}
    assert errors == {"broken": broken["error"], "homeless": homeless["error"], "well": ""}


def test_a_lambda_that_cannot_compile_refuses_the_start_and_says_which_it_is(
    store: Store, service: StoreService
) -> None:
    script = """stream|from()|eval(lambda: "a" + 1, lambda: 1 + 2.0).as('x', 'y')|log()"""
    why = (
        "Failed to compile 1 expression: mismatched type to binary operator. got int + float. "
        "see bool(), int(), float(), string(), duration()"
    )
    assert _create(service, "t", script=script)["actions"] == [["fail", "t", why]]
    assert store.tasks.get("t").error == why
    assert service.enabled_tasks(after="", limit=10) == [{"id": "t", "error": why}]


def test_a_loopback_to_the_task_itself_refuses_the_start(service: StoreService) -> None:
    script = "stream|from()|kapacitorLoopback().database('d').retentionPolicy('{}')"
    assert _create(service, "t", script=script.format("r"))["actions"] == [
        ["fail", "t", 'loop detected on dbrp: "d"."r"']
    ]
    assert _create(service, "u", script=script.format("other"))["actions"][0][0] == "start"


def test_an_error_of_a_run_is_kept_without_being_a_change(store: Store, service: StoreService) -> None:
    before = _create(service, "t")["task"]
    service.task_error("t", "eval2: died")
    service.task_error("nobody", "eval2: died")
    after = store.tasks.get("t")
    assert (after.error, after.modified) == ("eval2: died", before["modified"])


def test_counts_and_identities_survive(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        service = StoreService(store, lambda: 5)
        _create(service, "a")
        _create(service, "b", status="disabled")
        assert service.counts() == {"tasks": 2, "enabled": 1}
        identities = service.identities()
    with Store(tmp_path / "s.db") as store:
        again = StoreService(store, lambda: 5)
        assert (again.counts(), again.identities()) == ({"tasks": 2, "enabled": 1}, identities)


def test_a_list_compiles_no_script_unless_asked(store: Store, service: StoreService) -> None:
    _create(service, "t")
    _break(store, "t", script="stream|gone()")
    [plain] = service.task_list(pattern="", offset=0, limit=10, fields=["id", "error"])
    assert (plain["formatted"], plain["dot"], plain["compile_error"]) == ("", "", "")
    [whole] = service.task_list(pattern="", offset=0, limit=10, fields=["script", "dot"])
    assert whole["formatted"] == "stream\n    |gone()\n"
    assert "gone" in whole["compile_error"]


def test_vars_give_the_same_script_another_drawing(service: StoreService) -> None:
    script = "var deep = TRUE var s = stream|from() s|where(lambda: deep)|log()"
    for value in (True, False):
        task = _create(service, f"t{value}", script=script, vars={"deep": {"type": "bool", "value": value}})["task"]
        assert task["dot"].startswith(f"digraph t{value} {{")


_SCRIPTS = st.sampled_from((_SCRIPT, 'dbrp "a"."b" ' + _SCRIPT, "stream|nope()", "", "stream"))
_REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(("a", "b", "c", "a b")),
        "script": _SCRIPTS,
        "dbrps": st.sampled_from(([], [{"db": "d", "rp": "r"}])),
        "status": st.sampled_from(("enabled", "disabled")),
    },
)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.just(""), _REQUESTS),
        st.tuples(st.just("patch"), st.sampled_from("abc"), _REQUESTS),
        st.tuples(st.just("delete"), st.sampled_from("abc"), st.just({})),
    ),
    max_size=12,
)


class _Supervisor:
    """What runs after the actions of every change."""

    def __init__(self) -> None:
        self.running: set[str] = set()

    def act(self, actions: list[Any]) -> None:
        for action in actions:
            match action:
                case ["start", name, _]:
                    assert name not in self.running, "started twice"
                    self.running.add(name)
                case ["stop", name]:
                    self.running.discard(name)


def _step(service: StoreService, what: str, name: str, request: dict[str, Any]) -> list[Any]:
    body = json.dumps(request).encode()
    if what == "create":
        return list(service.task_create(body)["actions"])
    if what == "patch":
        return list(service.task_patch(name, body)["actions"])
    return list(service.task_delete(name)["actions"])


def test_after_any_changes_what_runs_is_what_is_enabled(tmp_path_factory: pytest.TempPathFactory) -> None:
    @given(_STEPS)
    def changes(steps: list[tuple[str, str, dict[str, Any]]]) -> None:
        with Store(tmp_path_factory.mktemp("store") / "s.db") as store:
            service, supervisor = StoreService(store, lambda: 5), _Supervisor()
            for what, name, request in steps:
                before = store.tasks.list()
                try:
                    supervisor.act(_step(service, what, name, request))
                except RefusedError:
                    assert store.tasks.list() == before
                assert supervisor.running == {t.id for t in store.tasks.enabled()}
            assert {t["id"] for t in service.enabled_tasks(after="", limit=100)} == supervisor.running

    changes()


class _Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def critical(self, message: str, **fields: Any) -> None:
        self.lines.append((message, fields))


def test_an_unknown_operation_is_a_failure(service: StoreService) -> None:
    number, ok, value = rpc.unpack(answer_request(service, 3, "explode", {}, _Log()))
    assert (number, ok, value) == (3, False, {"code": 400, "message": "unknown operation 'explode'"})


def test_a_refusal_and_a_broken_disk_are_failures_and_only_the_disk_is_logged(service: StoreService) -> None:
    def broken() -> None:
        raise StoreError("the disk is full")

    log = _Log()
    _, ok, value = rpc.unpack(answer_request(service, 1, "task_get", {"id": "none"}, log))
    assert (ok, value, log.lines) == (False, {"code": 404, "message": "no task exists"}, [])
    service.operations["ping"] = broken
    _, ok, value = rpc.unpack(answer_request(service, 1, "ping", {}, log))
    assert (ok, value) == (False, {"code": 500, "message": "the disk is full"})
    assert log.lines == [("store operation failed", {"operation": "ping", "error": "the disk is full"})]

"""`/tasks`: reading, defining, changing, deleting, and what the supervisor is asked (spec "HTTP API" §7-9, §11)."""

from __future__ import annotations

import uuid

import msgspec
import pytest

from engine import rpc
from tests.engine.api.servers import BASE, DBRPS, SCRIPT, SHOWN, START, Api

_KEYS = [
    "link", "id", "template-id", "type", "dbrps", "script", "vars", "dot", "status", "executing", "error", "stats",
    "created", "modified", "last-enabled",
]  # fmt: skip
_NEVER = "0001-01-01T00:00:00Z"
_LABELS = (
    'digraph t {\ngraph [label="Throughput: 2.00 points/s" forcelabels=true pad="0.8,0.5"];\n\n'
    'stream0 [xlabel="avg_exec_time_ns=1.5µs\\rerrors=0\\rworking_cardinality=1"];\n'
    'stream0 -> from1 [label="processed=2"];\n\n'
    'from1 [xlabel="avg_exec_time_ns=1.5µs\\rerrors=0\\rworking_cardinality=1"];\n'
    'from1 -> http_out2 [label="processed=2"];\n\n'
    'http_out2 [xlabel="avg_exec_time_ns=1.5µs\\rerrors=0\\rworking_cardinality=1"];\n}'
)


def test_a_new_task_is_answered_whole_and_in_order(api: Api) -> None:
    task = api.define()
    assert list(task) == _KEYS
    assert task == {
        "link": {"rel": "self", "href": f"{BASE}/tasks/t"},
        "id": "t",
        "template-id": "",
        "type": "stream",
        "dbrps": DBRPS,
        "script": SHOWN,
        "vars": {},
        "dot": "digraph t {\nstream0 -> from1;\nfrom1 -> http_out2;\n}",
        "status": "disabled",
        "executing": False,
        "error": "",
        "stats": {},
        "created": "2023-11-14T22:13:20Z",
        "modified": "2023-11-14T22:13:20Z",
        "last-enabled": _NEVER,
    }
    assert START == 1_700_000_000 * 10**9
    assert api.ok("GET", "tasks/t") == task
    assert api.task_master.changes == []


def test_a_task_without_an_id_gets_one(api: Api) -> None:
    task = api.ok("POST", "tasks", {"dbrps": DBRPS, "script": SCRIPT})
    assert uuid.UUID(task["id"]).version == 4


def test_the_script_decides_the_type(api: Api) -> None:
    assert api.define(type="batch")["type"] == "stream"
    assert api.define("b", script="batch|query('select v from d.r.m').period(1s).every(1s)|log()")["type"] == "batch"


def test_a_task_created_enabled_runs_before_the_answer(api: Api) -> None:
    task = api.define(status="enabled")
    assert api.task_master.changes == [("start", "t")]
    assert (task["status"], task["executing"], task["error"]) == ("enabled", True, "")
    assert task["last-enabled"] == task["created"]
    assert task["stats"]["task-stats"] == {"throughput": 2}
    assert set(task["stats"]["node-stats"]) == {"stream0", "from1", "http_out2"}
    assert task["stats"]["node-stats"]["from1"]["collected"] == 3
    started = api.task_master.running["t"].definition
    assert started["dbrps"] == DBRPS
    assert [n["name"] for n in started["plan"]["nodes"]] == ["stream0", "from1", "http_out2"]


def test_the_live_dot_has_the_figures_of_what_runs(api: Api) -> None:
    api.define(status="enabled")
    node = 'avg_exec_time_ns="1.5µs" errors="0" working_cardinality="1" '
    assert api.ok("GET", "tasks/t")["dot"] == (
        'digraph t {\ngraph [throughput="2.00 points/s"];\n\n'
        f'stream0 [{node}];\nstream0 -> from1 [processed="2"];\n\n'
        f'from1 [{node}];\nfrom1 -> http_out2 [processed="2"];\n\nhttp_out2 [{node}];\n}}'
    )
    assert api.ok("GET", "tasks/t?dot-view=labels")["dot"] == _LABELS
    assert api.ok("GET", "tasks/t?dot-view=attributes")["dot"] == api.ok("GET", "tasks/t")["dot"]


def test_a_start_that_fails_keeps_the_task_and_its_error(api: Api) -> None:
    api.task_master.refuse["t"] = "no such thing "
    assert api.error("POST", "tasks", {"id": "t", "dbrps": DBRPS, "script": SCRIPT, "status": "enabled"}) == (
        500,
        "no such thing ",
    )
    task = api.ok("GET", "tasks/t")
    assert (task["status"], task["executing"], task["error"]) == ("enabled", False, "no such thing ")
    assert task["stats"] == {}
    assert task["dot"].startswith("digraph t {\nstream0 -> from1;")


def test_enabling_what_is_enabled_does_nothing_and_only_off_and_on_starts_again(api: Api) -> None:
    api.task_master.refuse["t"] = "broken"
    api.define()
    assert api.error("PATCH", "tasks/t", {"status": "enabled"}) == (500, "broken")
    api.task_master.refuse.clear()
    assert api.ok("PATCH", "tasks/t", {"status": "enabled"})["executing"] is False
    assert api.ok("PATCH", "tasks/t", {"status": "disabled"})["error"] == "broken"
    task = api.ok("PATCH", "tasks/t", {"status": "enabled"})
    assert (task["executing"], task["error"]) == (True, "")
    assert api.task_master.changes == [("start", "t"), ("stop", "t"), ("start", "t")]


def test_the_error_of_a_run_is_shown_until_the_task_starts_again(api: Api) -> None:
    api.define(status="enabled")
    api.task_master.running["t"].error = "eval2: died"
    api.service.task_error("t", "eval2: died")
    assert api.ok("GET", "tasks/t")["error"] == "eval2: died"
    assert api.ok("GET", "tasks")["tasks"][0]["error"] == "eval2: died"
    api.ok("PATCH", "tasks/t", {"status": "disabled"})
    assert api.ok("GET", "tasks/t")["error"] == "eval2: died"
    api.ok("PATCH", "tasks/t", {"status": "enabled"})
    assert api.ok("GET", "tasks/t")["error"] == ""


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"id": "bad id"}, "task ID must contain only letters, numbers, '-', '.' and '_'. \"bad id\""),
        ({"id": "a²"}, "task ID must contain only letters, numbers, '-', '.' and '_'. \"a²\""),
        ({"id": "t", "template-id": "none"}, "task t already exists"),
        ({"id": "u", "template-id": "none", "script": ""}, "unknown template none: err: no template exists"),
        ({"id": "u", "script": "", "vars": {"a": {"value": 1}}}, "must provide TICKscript"),
        (
            {"id": "u", "script": "stream|(", "vars": {"a": {"value": 1}}},
            "invalid var a: unsupported Var type json.Number.",
        ),
        ({"id": "u", "script": "stream|from(", "dbrps": []}, "invalid TICKscript: parser: unexpected EOF"),
        ({"id": "u", "script": "var x = 1", "dbrps": []}, "invalid task type: invalid"),
        ({"id": "u", "script": "stream|nope()", "dbrps": []}, "invalid TICKscript: line 1 char 8: no method or"),
        ({"id": "u", "dbrps": []}, "must specify dbrp"),
        (
            {"id": "u", "script": 'dbrp "a"."b" ' + SCRIPT},
            "cannot specify dbrp in both implicitly and explicitly",
        ),
    ],
)
def test_creation_is_refused_for_the_first_of_its_faults(api: Api, body: dict[str, object], text: str) -> None:
    api.define("t")
    status, error = api.error("POST", "tasks", {"dbrps": DBRPS, "script": SCRIPT, **body})
    assert status == 400
    assert error.startswith(text)
    assert [t["id"] for t in api.ok("GET", "tasks")["tasks"]] == ["t"]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "<nil>"),
        (True, "bool"),
        (1.5, "json.Number"),
        ("x", "string"),
        ([], "[]interface {}"),
        ({}, "map[string]interface {}"),
    ],
)
def test_a_var_without_a_type_is_named_by_what_it_is(api: Api, value: object, word: str) -> None:
    body = {"id": "t", "dbrps": DBRPS, "script": SCRIPT, "vars": {"a": {"value": value, "type": ""}}}
    assert api.error("POST", "tasks", body) == (400, f"invalid var a: unsupported Var type {word}.")


@pytest.mark.parametrize("identity", ["a-b_c.d", "été", "日本", "0", "-", "ǅ"])
def test_letters_of_any_script_make_an_id(api: Api, identity: str) -> None:
    assert api.define(identity)["id"] == identity
    assert api.ok("GET", f"tasks/{identity}")["link"]["href"] == f"{BASE}/tasks/{identity}"


def test_dbrps_come_from_the_script_or_the_body_with_duplicates_in_order(api: Api) -> None:
    script = 'dbrp "z"."y" dbrp "a"."b" dbrp "z"."y" ' + SCRIPT
    task = api.ok("POST", "tasks", {"id": "t", "script": script})
    assert [d["db"] for d in task["dbrps"]] == ["z", "a", "z"]
    twice = [{"db": "d", "rp": ""}, {"db": "d", "rp": ""}]
    assert api.define("u", dbrps=twice)["dbrps"] == twice


def test_an_empty_patch_changes_only_when_it_was_modified(api: Api) -> None:
    before = api.define()
    after = api.ok("PATCH", "tasks/t", {})
    assert after["modified"] > before["modified"]
    assert {**after, "modified": before["modified"]} == before


def test_empty_values_change_nothing(api: Api) -> None:
    before = api.define(vars={"a": {"type": "int", "value": 1}})
    after = api.ok("PATCH", "tasks/t", {"id": "", "script": "", "dbrps": [], "vars": {}, "template-id": ""})
    assert {**after, "modified": before["modified"]} == before


def test_a_patch_of_an_enabled_task_does_not_restart_it(api: Api) -> None:
    api.define(status="enabled")
    api.task_master.asked.clear()
    task = api.ok("PATCH", "tasks/t", {"script": "stream|from()|log()", "dbrps": [{"db": "e", "rp": ""}]})
    assert task["script"] == "stream\n    |from()\n    |log()\n"
    assert task["dbrps"] == [{"db": "e", "rp": ""}]
    assert "http_out2" in task["dot"]
    assert api.task_master.changes == []


def test_vars_are_replaced_as_a_whole_and_sorted(api: Api) -> None:
    script = "var n int var m = 'm' stream|from().measurement(m)|sample(n)|log()"
    n = {"type": "int", "value": 1}
    task = api.define(script=script, vars={"n": n, "m": {"type": "string", "value": "q", "description": "of m"}})
    assert list(task["vars"].items()) == [
        ("m", {"type": "string", "value": "q", "description": "of m"}),
        ("n", {"type": "int", "value": 1, "description": ""}),
    ]
    assert list(api.ok("PATCH", "tasks/t", {"vars": {"n": n}})["vars"]) == ["n"]
    assert api.error("PATCH", "tasks/t", {"vars": {"m": {"type": "string", "value": "q"}}}) == (
        400,
        'invalid TICKscript: missing value for var "n".',
    )
    duration = {"vars": {"n": n, "zz": {"Type": "duration", "VALUE": "1m"}}}
    assert api.ok("PATCH", "tasks/t", duration)["vars"]["zz"]["value"] == 60 * 10**9


def test_dbrp_statements_come_and_go_with_the_script(api: Api) -> None:
    api.define()
    named = api.ok("PATCH", "tasks/t", {"script": 'dbrp "a"."b" ' + SCRIPT})
    assert named["dbrps"] == [{"db": "a", "rp": "b"}]
    assert api.error("PATCH", "tasks/t", {"dbrps": DBRPS}) == (400, "cannot specify dbrp in implicitly and explicitly")
    assert api.error("PATCH", "tasks/t", {"script": SCRIPT}) == (400, "must specify dbrp")
    assert api.ok("PATCH", "tasks/t", {"script": SCRIPT, "dbrps": DBRPS})["dbrps"] == DBRPS


def test_dbrps_are_checked_before_the_script_is_evaluated(api: Api) -> None:
    api.define()
    body = {"script": 'dbrp "a"."b" stream|nope()', "dbrps": DBRPS, "vars": {"x": {"value": 1}}}
    assert api.error("PATCH", "tasks/t", body) == (400, "cannot specify dbrp in implicitly and explicitly")


@pytest.mark.parametrize("body", [{"script": "stream|nope()"}, {"script": "stream|("}, {"template-id": "none"}])
def test_a_patch_that_is_refused_stores_nothing(api: Api, body: dict[str, object]) -> None:
    before = api.define()
    assert api.error("PATCH", "tasks/t", {**body, "id": "u", "status": "enabled"})[0] == 400
    assert api.ok("GET", "tasks/t") == before
    assert api.task_master.changes == []


def test_patching_what_is_not_there_is_not_found_after_the_body_was_read(api: Api) -> None:
    assert api.error("PATCH", "tasks/none", {}) == (404, "task does not exist, cannot update")
    assert api.error("PATCH", "tasks/none", content=b"x") == (400, "invalid JSON")


def test_a_disabled_task_is_renamed_in_the_store_alone(api: Api) -> None:
    before = api.define()
    after = api.ok("PATCH", "tasks/t", {"id": "u"})
    assert (after["id"], after["created"]) == ("u", before["created"])
    assert after["dot"].startswith("digraph u {")
    assert api.error("GET", "tasks/t") == (404, "no task exists")
    assert api.task_master.changes == []


def test_an_enabled_task_is_renamed_by_stop_and_start_and_forgets_its_error(api: Api) -> None:
    api.define(status="enabled")
    api.service.task_error("t", "old")
    task = api.ok("PATCH", "tasks/t", {"id": "u"})
    assert api.task_master.changes == [("start", "t"), ("stop", "t"), ("start", "u")]
    assert (task["executing"], task["error"]) == (True, "")


def test_rename_and_status_in_one_patch_are_both_done(api: Api) -> None:
    api.define(status="enabled")
    assert api.ok("PATCH", "tasks/t", {"id": "u", "status": "disabled"})["status"] == "disabled"
    assert api.ok("PATCH", "tasks/u", {"id": "v", "status": "enabled"})["executing"] is True
    assert api.task_master.changes == [("start", "t"), ("stop", "t"), ("start", "v")]


def test_renaming_onto_another_task_is_refused(api: Api) -> None:
    api.define("t", status="enabled")
    api.define("u")
    assert api.error("PATCH", "tasks/t", {"id": "u"}) == (
        500,
        "failed to create new task during ID change: object already exists",
    )
    assert [t["id"] for t in api.ok("GET", "tasks")["tasks"]] == ["t", "u"]
    assert api.task_master.changes == [("start", "t")]


def test_a_rename_may_give_ids_that_creation_refuses(api: Api) -> None:
    api.define()
    assert api.ok("PATCH", "tasks/t", {"id": "a b/c"})["link"]["href"] == f"{BASE}/tasks/a b/c"
    assert api.ok("GET", "tasks/a%20b/c")["id"] == "a b/c"
    assert api.ok("DELETE", "tasks/a%20b/c") is None
    assert api.ok("GET", "tasks") == {"tasks": []}


def test_last_enabled_moves_with_the_status_alone(api: Api) -> None:
    assert api.define()["last-enabled"] == _NEVER
    enabled = api.ok("PATCH", "tasks/t", {"status": "enabled"})
    assert enabled["last-enabled"] == enabled["modified"]
    later = api.ok("PATCH", "tasks/t", {"status": "enabled"})
    assert later["last-enabled"] == enabled["last-enabled"] < later["modified"]
    assert api.ok("PATCH", "tasks/t", {"status": "disabled"})["last-enabled"] == enabled["last-enabled"]


def test_deleting_stops_first_and_never_fails(api: Api) -> None:
    api.define(status="enabled")
    answer = api.call("DELETE", "tasks/t")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.task_master.running == {}
    assert api.topics.deleted == ["t"]
    assert api.call("DELETE", "tasks/t").status_code == 204
    assert api.error("GET", "tasks/t") == (404, "no task exists")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("kind", ["task", "template"])
def test_an_empty_id_is_refused(api: Api, method: str, kind: str) -> None:
    assert api.error(method, f"{kind}s/", {}) == (400, f"must specify {kind} id on path")


def test_parameters_of_a_task_are_checked_after_the_task(api: Api) -> None:
    assert api.error("GET", "tasks/t?script-format=bad") == (404, "no task exists")
    api.define()
    assert api.error("GET", "tasks/t?script-format=bad") == (400, 'invalid script-format parameter "bad"')
    assert api.error("GET", "tasks/t?dot-view=bad") == (400, 'invalid dot-view parameter "bad"')
    assert api.error("GET", "tasks/t?replay-id=x") == (400, "no running replay with ID: x")
    assert api.ok("GET", "tasks/t?script-format=raw")["script"] == SCRIPT
    assert api.ok("GET", "tasks/t?script-format=&dot-view=")["script"] == SHOWN


def test_a_stored_script_that_no_longer_compiles_says_so(api: Api) -> None:
    api.define()
    task = api.store.tasks.get("t")
    api.store.tasks.update(msgspec.structs.replace(task, script="stream|gone()", error="stored"))
    single = api.ok("GET", "tasks/t")
    assert single["error"].startswith('invalid TICKscript: line 1 char 8: no method or property "gone"')
    listed = api.ok("GET", "tasks")["tasks"][0]
    assert (listed["error"], listed["dot"]) == ("stored", None)


def test_an_http_out_is_a_path_of_its_own_and_ids_may_have_slashes(api: Api) -> None:
    api.define(status="enabled")
    api.task_master.outs["t", "x"] = (200, b'{"series":[]}')
    api.task_master.outs["t/x", "y"] = (404, b"{}")
    assert api.ok("GET", "tasks/t/x") == {"series": []}
    assert api.call("GET", "tasks/t/x/y").status_code == 404
    assert api.call("GET", "tasks/t/x/y").json() == {}
    assert api.error("GET", "tasks/t/z") == (404, "no task exists")
    api.ok("PATCH", "tasks/t", {"id": "t/x"})
    assert api.ok("GET", "tasks/t%2Fx") == {"series": []}
    api.task_master.outs.clear()
    assert api.ok("GET", "tasks/t/x")["id"] == "t/x"
    assert api.error("PATCH", "tasks/t/y", {}) == (404, "task does not exist, cannot update")


def test_another_process_that_does_not_answer_is_a_503(api: Api) -> None:
    async def silent(*_: object, **__: object) -> object:
        raise rpc.PeerUnavailableError("no answer to stop_task within 40s")

    api.define()
    api.task_master.call = silent  # type: ignore[method-assign]
    assert api.error("GET", "tasks/t") == (503, "no answer to stop_task within 40s")

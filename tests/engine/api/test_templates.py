"""`/templates`: reading, defining, changing with their tasks, deleting (spec "HTTP API" §12)."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.engine.api.servers import BASE, DBRPS, SCRIPT, SHOWN, Api

_SCRIPT = "// what to count\nvar what string\nvar n = 5\nstream|from().measurement(what)|sample(n)|httpOut('x')"
_SHOWN = (
    "// what to count\nvar what string\n\nvar n = 5\n\n"
    "stream\n    |from()\n        .measurement(what)\n    |sample(n)\n    |httpOut('x')\n"
)
_OTHER = _SCRIPT.replace("'x'", "'y'")
_NEEDS_MORE = "var more int\n" + _SCRIPT
_NAMED = 'dbrp "a"."b"\n' + _SCRIPT


def _vars(what: str = "m") -> dict[str, object]:
    return {"what": {"type": "string", "value": what}}


@pytest.fixture
def template(api: Api) -> Api:
    """Template T with the tasks off, on1 and on2; the last two are enabled."""
    api.ok("POST", "templates", {"id": "T", "script": _SCRIPT})
    for name in ("off", "on1", "on2"):
        body = {"id": name, "template-id": "T", "dbrps": DBRPS, "vars": _vars()}
        api.ok("POST", "tasks", {**body, "status": "disabled" if name == "off" else "enabled"})
    api.task_master.asked.clear()
    return api


def _scripts(api: Api) -> set[str]:
    return {t["script"] for t in api.ok("GET", "tasks?script-format=raw")["tasks"]}


def test_a_new_template_is_answered_whole_and_in_order(api: Api) -> None:
    template = api.ok("POST", "templates", {"id": "T", "type": "batch", "script": _SCRIPT})
    assert list(template.items()) == [
        ("link", {"rel": "self", "href": f"{BASE}/templates/T"}),
        ("id", "T"),
        ("type", "stream"),
        ("script", _SHOWN),
        (
            "vars",
            {
                "n": {"type": "int", "value": 5, "description": ""},
                "what": {"type": "string", "value": None, "description": "what to count"},
            },
        ),
        ("dot", "digraph T {\nstream0 -> from1;\nfrom1 -> sample2;\nsample2 -> http_out3;\n}"),
        ("error", ""),
        ("created", "2023-11-14T22:13:20Z"),
        ("modified", "2023-11-14T22:13:20Z"),
    ]
    assert api.ok("GET", "templates/T") == template
    assert api.ok("GET", "templates/T?script-format=raw")["script"] == _SCRIPT
    assert uuid.UUID(api.ok("POST", "templates", {"script": SCRIPT})["id"]).version == 4


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"id": "a b"}, "template ID must contain only letters, numbers, '-', '.' and '_'. \"a b\""),
        ({"id": "T"}, "template T already exists"),
        ({"id": "U"}, "invalid task type: invalid"),
        ({"id": "U", "script": ""}, "invalid task type: invalid"),
        ({"id": "U", "script": "stream|("}, "invalid TICKscript: parser: unexpected ("),
        ({"id": "U", "script": "stream|nope()"}, "invalid TICKscript: line 1 char 8: no method or property"),
    ],
)
def test_creation_is_refused_for_the_first_of_its_faults(api: Api, body: dict[str, object], text: str) -> None:
    api.ok("POST", "templates", {"id": "T", "script": SCRIPT})
    status, error = api.error("POST", "templates", body)
    assert status == 400
    assert error.startswith(text)


def test_reading_refuses_what_is_not_there_and_bad_formats(api: Api) -> None:
    assert api.error("GET", "templates/T") == (404, "no template exists")
    api.ok("POST", "templates", {"id": "T", "script": SCRIPT})
    assert api.error("GET", "templates/T?script-format=x") == (400, 'invalid script-format parameter "x"')


def test_a_patch_names_what_it_cannot_change(api: Api) -> None:
    assert api.error("PATCH", "templates/T", {}) == (404, "template does not exist, cannot update")
    for name in ("T", "U"):
        api.ok("POST", "templates", {"id": name, "script": SCRIPT})
    assert api.error("PATCH", "templates/T", {"id": "U"}) == (
        500,
        "failed to create new template for ID change: template already exists",
    )
    status, text = api.error("PATCH", "templates/T", {"type": "batch"})
    assert status == 400
    assert text.startswith('invalid TICKscript: name "stream" is undefined. Names in scope:')
    assert api.ok("GET", "templates/T")["script"] == SHOWN


def test_an_empty_patch_changes_only_when_it_was_modified(api: Api) -> None:
    before = api.ok("POST", "templates", {"id": "T", "script": _SCRIPT})
    after = api.ok("PATCH", "templates/T", {})
    assert after["modified"] > before["modified"]
    assert {**after, "modified": before["modified"]} == before


def test_a_change_restarts_the_enabled_tasks_in_order_and_reaches_all(template: Api) -> None:
    template.ok("PATCH", "templates/T", {"script": _OTHER})
    assert template.task_master.changes == [("stop", "on1"), ("start", "on1"), ("stop", "on2"), ("start", "on2")]
    assert _scripts(template) == {_OTHER}
    assert all(t["template-id"] == "T" for t in template.ok("GET", "tasks")["tasks"])


def test_a_rename_goes_to_the_tasks(template: Api) -> None:
    assert template.ok("PATCH", "templates/T", {"id": "U"})["id"] == "U"
    assert {t["template-id"] for t in template.ok("GET", "tasks")["tasks"]} == {"U"}
    template.ok("PATCH", "templates/U", {"script": _OTHER})
    assert _scripts(template) == {_OTHER}


def test_when_a_task_does_not_compile_none_changes_but_the_template_does(template: Api) -> None:
    assert template.error("PATCH", "templates/T", {"script": _NEEDS_MORE}) == (
        500,
        'error reloading associated task on1: missing value for var "more".',
    )
    assert _scripts(template) == {_SCRIPT}
    assert template.task_master.changes == []
    assert template.ok("GET", "templates/T?script-format=raw")["script"] == _NEEDS_MORE


def test_disabled_tasks_are_not_checked_and_fail_when_enabled(template: Api) -> None:
    for name in ("on1", "on2"):
        template.ok("DELETE", f"tasks/{name}")
    template.ok("PATCH", "templates/T", {"script": _NEEDS_MORE})
    assert template.error("PATCH", "tasks/off", {"status": "enabled"}) == (
        400,
        'invalid TICKscript: missing value for var "more".',
    )


def test_when_a_task_does_not_start_all_have_their_old_definition_again(template: Api) -> None:
    running = {name: task.definition for name, task in template.task_master.running.items()}
    template.task_master.refuse["on2"] = "no room"
    assert template.error("PATCH", "templates/T", {"script": _OTHER}) == (
        500,
        "error reloading associated task on2: no room",
    )
    assert template.task_master.changes == [
        ("stop", "on1"), ("start", "on1"), ("stop", "on2"), ("start", "on2"),
        ("stop", "on1"), ("start", "on1"), ("stop", "on2"), ("start", "on2"),
    ]  # fmt: skip
    assert _scripts(template) == {_SCRIPT}
    assert template.task_master.running["on1"].definition == running["on1"]
    assert template.ok("GET", "tasks/on2")["error"] == "no room"
    assert template.ok("GET", "templates/T?script-format=raw")["script"] == _OTHER


def test_a_task_that_has_changed_meanwhile_is_not_undone(template: Api) -> None:
    result = template.service.template_patch("T", json.dumps({"script": _OTHER}).encode())
    template.service.template_create(json.dumps({"id": "U", "script": _NAMED}).encode())
    template.service.task_delete("off")
    template.service.task_patch("on1", json.dumps({"template-id": "U", "status": "disabled"}).encode())
    undone = template.service.template_undo(undo=result["undo"], started=["on1", "on2"])
    assert [action[:2] for action in undone["actions"]] == [["stop", "on2"], ["start", "on2"]]
    assert template.ok("GET", "tasks/on1?script-format=raw")["script"] == _NAMED
    assert template.ok("GET", "tasks/on2?script-format=raw")["script"] == _SCRIPT


def test_dbrps_of_the_template_belong_to_its_tasks_and_go_with_it(template: Api) -> None:
    template.ok("PATCH", "templates/T", {"script": _NAMED})
    assert {str(t["dbrps"]) for t in template.ok("GET", "tasks")["tasks"]} == {str([{"db": "a", "rp": "b"}])}
    template.ok("DELETE", "tasks/on1")
    assert template.error("PATCH", "templates/T", {"script": _SCRIPT}) == (
        500,
        "error reloading associated task on2: task does contain any dbrps",
    )
    template.ok("DELETE", "tasks/on2")
    template.ok("PATCH", "templates/T", {"script": _SCRIPT})
    assert template.ok("GET", "tasks/off")["dbrps"] == []
    assert template.error("PATCH", "tasks/off", {"status": "enabled"}) == (500, "task does contain any dbrps")
    assert template.ok("GET", "tasks/off")["error"] == "task does contain any dbrps"


def test_a_script_in_the_body_of_a_task_with_a_template_is_ignored(template: Api) -> None:
    assert template.ok("PATCH", "tasks/off", {"script": SCRIPT, "vars": _vars("q")})["script"] != SHOWN
    assert _scripts(template) == {_SCRIPT}


def test_a_task_that_changes_its_template_follows_the_new_one_alone(template: Api) -> None:
    template.ok("POST", "templates", {"id": "U", "script": SCRIPT})
    assert template.ok("PATCH", "tasks/off", {"template-id": "U"})["script"] == SHOWN
    template.ok("PATCH", "templates/T", {"script": _OTHER})
    assert template.ok("GET", "tasks/off")["template-id"] == "U"
    template.ok("PATCH", "templates/U", {"script": "stream|from()|log()"})
    assert template.ok("GET", "tasks/off?script-format=raw")["script"] == "stream|from()|log()"


def test_a_plain_task_can_be_given_a_template(template: Api) -> None:
    template.define("plain", vars=_vars())
    assert template.ok("PATCH", "tasks/plain", {"template-id": "T"})["template-id"] == "T"
    template.ok("PATCH", "templates/T", {"script": _OTHER})
    assert _scripts(template) == {_OTHER}


def test_without_their_template_tasks_run_on_and_can_only_be_deleted(template: Api) -> None:
    assert template.call("DELETE", "templates/T").status_code == 204
    assert template.call("DELETE", "templates/T").status_code == 204
    assert template.ok("GET", "tasks/on1")["executing"] is True
    assert template.error("PATCH", "tasks/on1", {"status": "disabled"}) == (
        400,
        "unknown template : err: no template exists",
    )
    assert template.error("PATCH", "tasks/on1", {"template-id": "none"}) == (
        400,
        "unknown template none: err: no template exists",
    )
    template.ok("POST", "templates", {"id": "T", "script": _OTHER})
    assert template.ok("PATCH", "tasks/on1", {"status": "disabled"})["status"] == "disabled"
    assert template.ok("DELETE", "tasks/on1") is None

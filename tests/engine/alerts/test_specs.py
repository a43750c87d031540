"""Topic handlers as users write them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.alerts import specs
from engine.definitions.bodies import RefusedError
from engine.store.alerts import Handler

SPEC = Handler(topic="t", id="h", kind="log", options={"path": "/x"}, match="changed()")


def test_a_body_is_read_with_keys_in_any_case_and_the_topic_of_the_path() -> None:
    body = json.dumps({"ID": "h", "Kind": "log", "topic": "other", "options": {"path": "/x"}, "match": "changed()"})
    assert specs.read(body.encode(), "t", "") == SPEC
    assert specs.read(b'{"id":"h","kind":"log","options":null}', "t", "") == Handler(topic="t", id="h", kind="log")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("[]", "json: cannot unmarshal array into Go value of type client.TopicHandlerOptions"),
        ('{"id":1}', "json: cannot unmarshal number into Go struct field TopicHandlerOptions.id of type string"),
        (
            '{"options":"x"}',
            (
                "json: cannot unmarshal string into Go struct field TopicHandlerOptions.options of type "
                "map[string]interface {}"
            ),
        ),
    ],
)  # fmt: skip
def test_what_is_no_specification_is_refused(body: str, error: str) -> None:
    with pytest.raises(RefusedError) as refused:
        specs.read(body.encode(), "t", "invalid handler json: ")
    assert refused.value.code == 400
    assert str(refused.value) == f"invalid handler json: {error}"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"topic": "a b"}, "handler topic must contain only letters, numbers, '-', '.' and '_'. \"a b\""),
        ({"topic": ""}, "handler topic must contain only letters, numbers, '-', '.' and '_'. \"\""),
        ({"id": "a:b"}, "handler ID must contain only letters, numbers, '-', '.' and '_'. \"a:b\""),
        ({"id": "a/b"}, "handler ID must contain only letters, numbers, '-', '.' and '_'. \"a/b\""),
        ({"kind": ""}, "handler Kind must not be empty"),
    ],
)
def test_names_have_rules(changes: dict[str, str], error: str) -> None:
    given = {"topic": "t", "id": "h", "kind": "log", **changes}
    with pytest.raises(ValueError) as refused:
        specs.check(Handler(**given))
    assert str(refused.value) == error


def test_letters_of_any_script_are_letters_and_a_topic_may_have_colons() -> None:
    specs.check(Handler(topic="main:größe.1_ж:alert2", id="ж-1", kind="log"))


def _patched(*operations: Any) -> Handler:
    return specs.patched(SPEC, json.dumps(operations).encode())


def test_a_patch_changes_what_it_names() -> None:
    assert _patched({"op": "replace", "path": "/match", "value": ""}).match == ""
    assert _patched({"op": "add", "path": "/options/mode", "value": 420}).options == {"path": "/x", "mode": 420}
    assert _patched({"op": "replace", "path": "/id", "value": "new"}).id == "new"
    assert _patched({"op": "remove", "path": "/options"}).options is None
    assert _patched({"op": "copy", "from": "/id", "path": "/match"}).match == "h"


@pytest.mark.parametrize(
    ("body", "code", "error"),
    [
        (b"x", 400, "invalid patch json: invalid character 'x' looking for beginning of value"),
        (b'{"op":"add"}', 400, "failed to apply patch: a patch is a list of operations"),
        (b'[{"op":"remove","path":"/nope"}]', 400, "failed to apply patch: doc is missing key: nope"),
        (b'[{"op":"replace","path":"/topic","value":"u"}]', 500,
         "failed to update handler: cannot change topic in update"),
    ],
)  # fmt: skip
def test_a_patch_that_does_not_fit_is_refused(body: bytes, code: int, error: str) -> None:
    with pytest.raises(RefusedError) as refused:
        specs.patched(SPEC, body)
    assert (refused.value.code, str(refused.value)) == (code, error)

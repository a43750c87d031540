"""RFC 6902: the operations, and that a patch happens whole or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from engine.alerts.json_patch import PatchError, apply_patch


@pytest.mark.parametrize(
    ("document", "operation", "result"),
    [
        ({"a": 1}, {"op": "add", "path": "/b", "value": [1]}, {"a": 1, "b": [1]}),
        ({"a": [1, 3]}, {"op": "add", "path": "/a/1", "value": 2}, {"a": [1, 2, 3]}),
        ({"a": [1]}, {"op": "add", "path": "/a/-", "value": 2}, {"a": [1, 2]}),
        ({"a": 1}, {"op": "add", "path": "", "value": 5}, 5),
        ({"a": {"b": 1}}, {"op": "remove", "path": "/a/b"}, {"a": {}}),
        ({"a": [1, 2]}, {"op": "remove", "path": "/a/0"}, {"a": [2]}),
        ({"a": 1}, {"op": "replace", "path": "/a", "value": None}, {"a": None}),
        ({"a": {"b": 1}}, {"op": "move", "from": "/a/b", "path": "/c"}, {"a": {}, "c": 1}),
        ({"a": {"b": 1}}, {"op": "copy", "from": "/a", "path": "/c"}, {"a": {"b": 1}, "c": {"b": 1}}),
        ({"a/b": {"~": 1}}, {"op": "replace", "path": "/a~1b/~0", "value": 2}, {"a/b": {"~": 2}}),
        ({"a": 1}, {"op": "test", "path": "/a", "value": 1.0}, {"a": 1}),
    ],
)
def test_an_operation_does_what_the_rfc_says(document: Any, operation: Any, result: Any) -> None:
    assert apply_patch(document, [operation]) == result


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "remove", "path": "/none"},
        {"op": "remove", "path": ""},
        {"op": "add", "path": "/a/5", "value": 1},
        {"op": "add", "path": "/a/01", "value": 1},
        {"op": "add", "path": "/a"},
        {"op": "add", "path": "a", "value": 1},
        {"op": "move", "from": "/a", "path": "/a/0"},
        {"op": "test", "path": "/a", "value": [True]},
        {"op": "frob", "path": "/a"},
        {"path": "/a"},
        "add",
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(operation: Any) -> None:
    document = {"a": [1]}
    with pytest.raises(PatchError):
        apply_patch(document, [{"op": "add", "path": "/b", "value": 1}, operation])
    assert document == {"a": [1]}

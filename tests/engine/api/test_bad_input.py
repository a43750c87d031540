"""What clients send that they should not: too much, too little, or garbage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.api.servers import BASE, DBRPS, SCRIPT, Api

if TYPE_CHECKING:
    from pathlib import Path

_BODY = json.dumps({"id": "t", "dbrps": DBRPS, "script": SCRIPT}).encode()
_WORDS = (b"null", b"{}", b"[]", b"1e999", b'"\\ud800"', b'"enabled"', b'"status":', b"\xff", b"NaN", b"9" * 5000)


@st.composite
def _bodies(draw: st.DrawFn) -> bytes:
    """A good body with a piece of it replaced by garbage."""
    garbage = draw(st.binary(max_size=20) | st.text(max_size=20).map(str.encode) | st.sampled_from(_WORDS))
    start = draw(st.integers(0, len(_BODY)))
    end = draw(st.integers(start, len(_BODY)))
    return _BODY[:start] + garbage + _BODY[end:]


@pytest.mark.parametrize("path", ["tasks", "templates"])
def test_a_body_over_the_limit_is_refused_with_the_limit(tmp_path: Path, path: str) -> None:
    with Api(tmp_path, max_body_bytes=1000) as api:
        answer = api.raw("POST", f"{BASE}/{path}", [b" " * 600, b" " * 401, b" " * 10_000])
        assert answer.status == 413
        assert json.loads(answer.body)["error"].startswith("the body is larger than 1000 bytes, the limit that [http]")
        # Closing with unread bytes would reset the connection before the client has read this.
        assert "connection" not in answer.headers


def test_a_body_of_exactly_the_limit_is_taken(tmp_path: Path) -> None:
    with Api(tmp_path, max_body_bytes=1000) as api:
        assert api.raw("POST", f"{BASE}/tasks", [_BODY.ljust(1000)]).status == 200
        assert [t["id"] for t in api.ok("GET", "tasks")["tasks"]] == ["t"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_half_a_body_and_a_dropped_connection_leave_nothing(api: Api, method: str) -> None:
    if method == "PATCH":
        api.define("t")
    before = api.ok("GET", "tasks")
    api.store_calls.asked.clear()
    path = f"{BASE}/tasks" + ("/t" if method == "PATCH" else "")
    # The half that has come is a whole value: only the disconnect says that it is not all.
    api.raw(method, path, [b'{"id":"u","status":"enabled"}'], gone=True)
    assert api.store_calls.asked == []
    assert api.ok("GET", "tasks") == before
    assert api.task_master.changes == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        b"{",
        b'{"id":"t"',
        b"[]",
        b'"t"',
        b"1",
        b'{"id":1}',
        b'{"status":"maybe"}',
        b'{"status":""}',
        b'{"type":"other"}',
        b'{"type":{}}',
        b'{"script":[]}',
        b'{"dbrps":{}}',
        b'{"dbrps":["d"]}',
        b'{"dbrps":[{"db":1}]}',
        b'{"vars":[]}',
        b'{"vars":{"a":1}}',
        b'{"vars":{"a":{"type":"nope","value":1}}}',
        b'{"vars":{"a":{"type":"int","value":1.5}}}',
        b'{"vars":{"a":{"type":"int","value":1e3}}}',
        b'{"vars":{"a":{"type":"int","value":9223372036854775808}}}',
        b'{"vars":{"a":{"type":"duration","value":"soon"}}}',
        b'{"vars":{"a":{"type":"float","value":NaN}}}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_task_is_invalid_json(api: Api, body: bytes) -> None:
    api.define("t")
    assert api.error("POST", "tasks", content=body) == (400, "invalid JSON")
    assert api.error("PATCH", "tasks/t", content=body) == (400, "invalid JSON")


@pytest.mark.parametrize(
    "body",
    [
        _BODY + b" trailing garbage",
        b"\r\n\t " + _BODY,
        _BODY.replace(b'"id"', b'"ID"').replace(b'"script"', b'"Script"').replace(b'"db"', b'"Db"'),
        _BODY[:-1] + b', "unknown": [1, {"x": null}], "vars": null, "status": null}',
    ],
)
def test_only_the_first_value_counts_and_neither_case_nor_unknown_keys(api: Api, body: bytes) -> None:
    answer = api.call("POST", "tasks", content=body)
    assert answer.status_code == 200
    assert answer.json()["dbrps"] == DBRPS


def test_text_that_is_no_unicode_is_replaced(api: Api) -> None:
    body = b'{"id":"t","dbrps":[{"db":"\\ud800d","rp":"\xff"}],"script":"' + SCRIPT.encode() + b'"}'
    answer = api.call("POST", "tasks", content=body)
    assert answer.json()["dbrps"] == [{"db": "\ufffdd", "rp": "\ufffd"}]
    assert api.ok("GET", "tasks/t")["dbrps"] == answer.json()["dbrps"]


@pytest.mark.parametrize("path", ["tasks", "templates", "tasks/t", "templates/t"])
def test_no_garbage_is_more_than_refused(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    with Api(tmp_path_factory.mktemp("api")) as api:
        api.define("t")
        method = "PATCH" if "/" in path else "POST"

        @given(_bodies())
        def send(body: bytes) -> None:
            before = api.ok("GET", "tasks"), api.ok("GET", "templates")
            answer = api.call(method, path, content=body)
            assert answer.status_code in (200, 400, 404)
            if answer.status_code != 200:
                assert answer.json()["error"]
                assert (api.ok("GET", "tasks"), api.ok("GET", "templates")) == before

        send()


def test_parameters_that_are_no_numbers_are_named(api: Api) -> None:
    api.define("t")
    why = "must be an integer: strconv.ParseInt: parsing"
    assert api.error("GET", "tasks?offset=x") == (400, f'invalid offset parameter "x" {why} "x": invalid syntax')
    assert api.error("GET", "tasks?limit=1.5") == (400, f'invalid limit parameter "1.5" {why} "1.5": invalid syntax')
    huge = "9" * 6000
    assert api.error("GET", f"tasks?limit={huge}") == (
        400,
        f'invalid limit parameter "{huge}" {why} "{huge}": value out of range',
    )
    assert len(api.ok("GET", "tasks?limit=%2B0000000000000000000000001")["tasks"]) == 1


def test_a_failure_inside_is_a_500_that_names_no_secrets(api: Api) -> None:
    async def broken(*_: object, **__: object) -> object:
        raise ZeroDivisionError("inner detail")

    api.store_calls.call = broken  # type: ignore[method-assign]
    status, text = api.error("GET", "tasks/t")
    assert status == 500
    assert "ZeroDivisionError" in text
    assert "inner detail" not in text

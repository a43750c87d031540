"""What every answer of the API has in common (spec "HTTP API" §1-3, §5)."""

from __future__ import annotations

import gzip
import json
import uuid

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.api.conventions import json_text, rfc3339
from tests.engine.api.servers import BASE, Api

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_ping_answers_204_to_get_and_head(api: Api) -> None:
    for method in ("GET", "HEAD"):
        answer = api.call(method, "ping")
        assert (answer.status_code, answer.content) == (204, b"")
        assert "content-length" not in answer.headers


def test_every_routed_answer_has_the_common_headers(api: Api) -> None:
    api.define()
    for method, path in [("GET", "ping"), ("GET", "tasks"), ("GET", "tasks/none"), ("GET", "/"), ("DELETE", "tasks/t")]:
        headers = api.call(method, path).headers
        assert headers["content-type"] == "application/json; charset=utf-8"
        assert "x-kapacitor-version" in headers
        assert uuid.UUID(headers["request-id"]).version == 1


def test_request_ids_are_new_and_never_the_clients(api: Api) -> None:
    mine = {"Request-Id": "1b4e28ba-2fa1-11d2-883f-0016d3cca427"}
    seen = {api.call("GET", "ping", headers=mine).headers["request-id"] for _ in range(20)}
    assert len(seen) == 20
    assert mine["Request-Id"] not in seen


def test_an_origin_is_allowed_by_name(api: Api) -> None:
    headers = api.call("GET", "tasks", headers={"Origin": "http://a.example"}).headers
    assert headers["access-control-allow-origin"] == "http://a.example"
    assert headers["access-control-allow-methods"] == "DELETE, GET, OPTIONS, POST, PATCH"
    assert "X-HTTP-Method-Override" in headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in api.call("GET", "tasks").headers


@pytest.mark.parametrize("path", ["tasks", "nothing", "/", "write", "/other"])
def test_options_is_answered_on_any_path(api: Api, path: str) -> None:
    answer = api.call("OPTIONS", path, headers={"Origin": "http://a.example"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "http://a.example"
    assert "content-type" not in answer.headers
    assert "x-kapacitor-version" not in answer.headers


def test_options_is_answered_on_unclean_paths_too(api: Api) -> None:
    assert api.raw("OPTIONS", f"{BASE}//tasks").status == 200


def test_the_preview_base_serves_what_the_base_serves(api: Api) -> None:
    api.define()
    assert api.ok("GET", "/kapacitor/v1preview/tasks/t")["link"]["href"] == f"{BASE}/tasks/t"
    assert api.call("GET", "/kapacitor/v1preview/ping").status_code == 204
    assert api.error("GET", "/kapacitor/v1previewed/ping") == (404, "Not Found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nothing"),
        ("GET", "/"),
        ("GET", "/ping"),
        ("GET", "/tasks"),
        ("POST", "ping"),
        ("PUT", "tasks"),
        ("DELETE", "tasks"),
        ("PUT", "tasks/t"),
        ("POST", "tasks/t"),
        ("BREW", "tasks"),
        ("GET", "write"),
        ("GET", "/write"),
        ("PATCH", "templates"),
    ],
)
def test_unknown_paths_and_wrong_methods_are_not_found(api: Api, method: str, path: str) -> None:
    assert api.error(method, path) == (404, "Not Found")


@pytest.mark.parametrize("path", ["tasks", "tasks/t", "templates", ":routes", "debug/vars"])
def test_head_exists_for_ping_alone(api: Api, path: str) -> None:
    assert api.call("HEAD", path).status_code == 404


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        (f"{BASE}//tasks", f"{BASE}/tasks"),
        (f"{BASE}/x/../tasks", f"{BASE}/tasks"),
        (f"{BASE}/./tasks/", f"{BASE}/tasks/"),
        ("//", "/"),
        ("/../..", "/"),
        (f"{BASE}/tasks//ü b", f"{BASE}/tasks/%C3%BC%20b"),
    ],
)
def test_unclean_paths_are_moved(api: Api, path: str, clean: str) -> None:
    answer = api.raw("GET", path, query="a=1&b=%20")
    assert answer.status == 301
    assert answer.headers["location"] == f"{clean}?a=1&b=%20"
    assert answer.headers["content-type"].startswith("text/html")


def test_answers_are_compressed_for_who_asks_for_it(api: Api) -> None:
    api.define()

    async def both() -> tuple[bytes, bytes]:
        plain = await api.send("GET", "tasks/t", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(app=api.app), base_url="http://s") as client,
            client.stream("GET", f"{BASE}/tasks/t", headers={"Accept-Encoding": "deflate, gzip"}) as squeezed,
        ):
            assert squeezed.headers["content-encoding"] == "gzip"
            return plain.content, b"".join([piece async for piece in squeezed.aiter_raw()])

    plain, squeezed = api.run(both())
    assert gzip.decompress(squeezed) == plain
    empty = api.call("GET", "ping", headers={"Accept-Encoding": "gzip"})
    assert empty.headers["content-encoding"] == "gzip"
    assert empty.content == b""


def test_the_routes_are_listed_with_their_methods(api: Api) -> None:
    routes = api.ok("GET", ":routes")
    assert routes[f"{BASE}/tasks"] == ["GET", "POST"]
    assert routes[f"{BASE}/tasks/"] == ["DELETE", "GET", "OPTIONS", "PATCH"]
    assert routes[f"{BASE}/ping"] == ["GET", "HEAD"]
    assert routes["/write"] == ["OPTIONS", "POST"]
    assert len(routes["/"]) == len(routes["/kapacitor/v1preview/"]) == 7


@given(_VALUES)
def test_json_means_what_was_put_in(value: object) -> None:
    text = json_text(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text.decode())


def test_json_is_laid_out_as_by_the_reference() -> None:
    value = {"a": [1, 2.0, 0.5, "<&>"], "b": {}, "c": [], "d": None}
    assert json_text(value).decode() == (
        '{\n    "a": [\n        1,\n        2,\n        0.5,\n        "\\u003c\\u0026\\u003e"\n    ],\n'
        '    "b": {},\n    "c": [],\n    "d": null\n}'
    )


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (None, "0001-01-01T00:00:00Z"),
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (1_000_000_001, "1970-01-01T00:00:01.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
    ],
)
def test_times_are_rfc_3339_without_needless_digits(time: int | None, text: str) -> None:
    assert rfc3339(time) == text

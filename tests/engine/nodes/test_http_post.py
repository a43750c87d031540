"""httpPost against a real server on the loopback: order, bodies, headers, codes, failures."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from engine.frames.model import BATCH, STREAM
from engine.nodes.http_post import HttpPostOperator, Target
from engine.operator import TaskError
from tests.engine.nodes.messages import Batch, Delete, Group, Message, Point, Row, frames_of, messages_of

if TYPE_CHECKING:
    from collections.abc import Callable

POINTS: list[Message] = [Point("m", i, {"v": i}, {"h": "ab"[i % 2]}, ("h",)) for i in range(5)]


@dataclass
class Server:
    """What was received; `status` answers all requests, after `wait` is set."""

    status: int = 200
    text: str = ""
    wait: asyncio.Event | None = None
    paths: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    busy: int = 0
    most: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.busy += 1
        self.most = max(self.most, self.busy)
        self.paths.append(request.path_qs)
        self.bodies.append(await request.text())
        self.headers.append(dict(request.headers))
        if self.wait is not None:
            await self.wait.wait()
        self.busy -= 1
        return web.Response(status=self.status, text=self.text)


def post(
    make: Callable[[str], HttpPostOperator], messages: list[Message], edge: str = STREAM, server: Server | None = None,
    cuts: Any = None,
) -> tuple[list[Message], Server, HttpPostOperator]:  # fmt: skip
    """Run the operator, made with the server's URL, over the messages."""
    server = server or Server()

    async def run() -> tuple[list[Message], HttpPostOperator]:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", server.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        operator = make(f"http://127.0.0.1:{port}")
        await operator.open()
        out = []
        try:
            for frame in frames_of(messages, edge, [] if cuts is None else cuts):
                out += await operator.collect(frame, 0)
            assert await operator.finish() == ()
        finally:
            await operator.close()
            await runner.cleanup()
        return messages_of(out), operator

    out, operator = asyncio.run(run())
    return out, server, operator


def to(path: str = "", **more: Any) -> Callable[[str], HttpPostOperator]:
    return lambda url: HttpPostOperator(target=Target.of_url(url + path), **more)


@pytest.mark.parametrize("cuts", [[], [1, 2, 3, 4]])
def test_points_are_posted_one_at_a_time_in_order_and_pass_on(cuts: list[int]) -> None:
    out, server, operator = post(to("/x"), POINTS, cuts=cuts)
    assert out == POINTS
    assert server.most == 1
    assert [json.loads(b)["series"][0]["values"][0][1] for b in server.bodies] == [0, 1, 2, 3, 4]
    assert server.bodies[0] == (
        '{"series":[{"name":"m","tags":{"h":"a"},"columns":["time","v"],"values":[["1970-01-01T00:00:00Z",0]]}]}\n'
    )
    assert server.headers[0]["Content-Type"] == "application/json"
    assert operator.report.errors == 0
    assert operator.cardinality == 2


def test_each_answer_is_a_step_so_that_a_slow_receiver_is_no_stall() -> None:
    steps: list[int] = []
    post(to(step=lambda: steps.append(1)), POINTS, cuts=[])
    assert len(steps) == len(POINTS)


def test_the_url_is_a_template() -> None:
    _, server, _ = post(to('/{{ .Name }}/{{ index .Tags "h" }}?n={{ index (index .Values 0) "v" }}'), POINTS[:2])
    assert server.paths == ["/m/a?n=0", "/m/b?n=1"]


def test_a_batch_is_one_post() -> None:
    batch = Batch("m", 9, (Row(0, {"v": 1.0}, {"h": "a"}), Row(1, {"v": 2.0}, {"h": "a"})), Group(("h",), ("a",)))
    out, server, _ = post(to(code_field="code"), [batch, Batch("m", 9, (), batch.group)], BATCH)
    assert [len(json.loads(b)["series"][0].get("values", ())) for b in server.bodies] == [2, 0]
    first = out[0]
    assert isinstance(first, Batch)
    assert [r.fields for r in first.rows] == [{"v": 1.0, "code": 200}, {"v": 2.0, "code": 200}]


def test_another_status_is_told_counted_and_written_to_the_code_field() -> None:
    out, _, operator = post(to(code_field="code"), POINTS[:2], server=Server(status=404, text="gone"))
    assert [p.fields["code"] for p in out if isinstance(p, Point)] == [404, 404]
    record = operator.report.records[0]
    assert operator.report.errors == 2
    assert record.message == "POST returned non 2xx status code"
    assert record.fields == {"error": "unknown error, use .captureResponse() to capture the HTTP response", "code": 404}


def test_the_answer_is_told_where_it_is_captured() -> None:
    _, _, operator = post(to(capture_response=True), POINTS[:1], server=Server(status=500, text="no room"))
    assert operator.report.records[0].fields["error"] == "no room"


def test_a_server_that_is_not_there_gives_code_zero() -> None:
    def closed(_: str) -> HttpPostOperator:
        # Port 1 of the loopback is nobody's.
        return HttpPostOperator(target=Target.of_url("http://127.0.0.1:1/"), code_field="code")

    out, _, operator = post(closed, POINTS[:1])
    assert [p.fields["code"] for p in out if isinstance(p, Point)] == [0]
    assert operator.report.errors == 1
    assert operator.report.records[0].message == "failed to POST data"


def test_a_request_ends_at_its_timeout() -> None:
    async def never() -> asyncio.Event:
        return asyncio.Event()

    server = Server(wait=asyncio.run(never()))
    out, _, operator = post(to(timeout=50_000_000, code_field="code"), POINTS[:1], server=server)
    assert [p.fields["code"] for p in out if isinstance(p, Point)] == [0]
    assert operator.report.errors == 1


def test_what_has_no_json_is_not_posted_and_passes() -> None:
    points: list[Message] = [Point("m", 0, {"v": float("nan")}), Point("m", 1, {"v": 1.0})]
    out, server, operator = post(to(), points)
    assert [m.time for m in out if isinstance(m, Point)] == [0, 1]
    assert len(server.bodies) == 1
    assert operator.report.records[0].fields["error"] == "json: unsupported value: NaN"


def test_headers_override_each_other_in_their_order() -> None:
    def make(url: str) -> HttpPostOperator:
        endpoint = {
            "url": url, "headers": {"X-One": "endpoint", "content-type": "text/x", "X-Two": "2"},
            "basic-auth": {"username": "u", "password": "p"},
        }  # fmt: skip
        return HttpPostOperator(target=Target.of_endpoint("e", {"e": endpoint}), headers={"x-one": "node"})

    _, server, _ = post(make, POINTS[:1])
    headers = {k.lower(): v for k, v in server.headers[0].items()}
    assert (headers["x-one"], headers["x-two"], headers["content-type"]) == ("node", "2", "application/json")
    assert headers["authorization"] == "Basic dTpw"


def test_credentials_of_headers_count_before_those_of_the_endpoint_and_the_url() -> None:
    def of(headers: dict[str, str], **given: str) -> Any:
        def make(url: str) -> HttpPostOperator:
            endpoint = {"url": url.replace("://", "://url:secret@"), **({"basic-auth": given} if given else {})}
            return HttpPostOperator(target=Target.of_endpoint("e", {"e": endpoint}), headers=headers)

        _, server, operator = post(make, POINTS[:1])
        assert operator.report.errors == 0
        return server.headers[0]["Authorization"]

    assert of({"authorization": "Bearer x"}, username="u", password="p") == "Bearer x"
    assert of({}, username="ü:", password="p") == "Basic w7w6OnA="
    assert of({}) == of({}, username="u") == "Basic dXJsOnNlY3JldA=="


def test_a_row_template_makes_the_body_and_no_content_type() -> None:
    template = "{{ .Name }}{{ range .Values }} {{ .time }}={{ .v }}{{ end }}{{ jsonCompact .Tags }}"

    def make(url: str) -> HttpPostOperator:
        return HttpPostOperator(target=Target.of_endpoint("e", {"e": {"url": url, "row-template": template}}))

    _, server, _ = post(make, POINTS[:1])
    assert server.bodies == ['m 1970-01-01 00:00:00 +0000 UTC=0{"h":"a"}']
    assert server.headers[0].get("Content-Type") in {None, "application/octet-stream"}


def test_a_template_that_fails_is_an_error_of_the_point() -> None:
    out, server, operator = post(to("/{{ .Nope }}"), POINTS[:1])
    assert (out, server.paths, operator.report.errors) == (POINTS[:1], [], 1)


def test_events_pass_and_unknown_groups_are_swallowed() -> None:
    known = Delete(Group(("h",), ("a",)))
    out, _, operator = post(to(), [POINTS[0], known, Delete(Group(("h",), ("z",))), POINTS[1]])
    assert out == [POINTS[0], known, POINTS[1]]
    assert operator.cardinality == 1


def test_an_unknown_endpoint_or_a_bad_template_stops_the_task() -> None:
    with pytest.raises(TaskError, match="endpoint 'e' does not exist"):
        Target.of_endpoint("e", {})
    with pytest.raises(TaskError, match="error in url templating: template: :1: unclosed action"):
        Target.of_url("http://x/{{ .A")

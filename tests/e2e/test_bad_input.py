"""What clients do wrong on real connections: too much, half, nothing at all, or never reading; the server goes on."""

from __future__ import annotations

import gzip
import json
import socket
from typing import TYPE_CHECKING

import pytest

from tests.harness import API, PATIENCE_S, Receiver, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIMIT = 1 << 20
_SCRIPT = "stream|from().measurement('m')|httpPost('{url}/m')"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that takes bodies of up to 1 MiB."""
    with Server(config='[http]\nmax-body-size = "1MiB"\n') as started:
        yield started


def _connect(server: Server) -> socket.socket:
    return socket.create_connection(server.address, PATIENCE_S)


def _head(method: str, path: str, length: int, *more: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: server", f"Content-Length: {length}", *more, "", ""]
    return "\r\n".join(lines).encode()


def _status(connection: socket.socket) -> int:
    """The status of the answer that comes next."""
    with connection.makefile("rb") as answers:
        return int(answers.readline().split()[1])


@pytest.mark.parametrize("path", [f"{API}/tasks", f"{API}/templates", f"{API}/write?db=d", "/write?db=d"])
def test_a_body_over_the_limit_is_413_with_the_limit(server: Server, path: str) -> None:
    answer = server.http.post(path, content=b"#" * (_LIMIT + 1))
    assert answer.status_code == 413
    assert f"larger than {_LIMIT} bytes, the limit that [http] max-body-size sets" in answer.text


def test_the_limit_counts_what_a_compressed_body_holds(server: Server) -> None:
    squeezed = gzip.compress(b"#" * (_LIMIT + 1))
    assert len(squeezed) < _LIMIT // 100
    answer = server.http.post(f"{API}/write?db=d", content=squeezed, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    fits = gzip.compress(b"#" * _LIMIT)
    answer = server.http.post(f"{API}/write?db=d", content=fits, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 204


def test_half_a_body_and_a_dropped_connection_leave_nothing(server: Server) -> None:
    body = json.dumps({"id": "half", "dbrps": [{"db": "d", "rp": "r"}], "script": "stream|from()|log()"}).encode()
    with Receiver() as receiver:
        server.define("watch", _SCRIPT.format(url=receiver.url))
        server.enable("watch")
        for path, half in ((f"{API}/tasks", body), (f"{API}/write?db=db&rp=rp", b"m v=1 1\nm v=2 2\n")):
            with _connect(server) as connection:
                connection.sendall(_head("POST", path, len(half) + 5) + half)
        server.write("m v=3 3")
        server.disable("watch")
        assert [p.json["series"][0]["values"][0][1] for p in receiver.take("/m")] == [3]
        server.delete("watch")
    assert server.call("GET", "/tasks") == {"tasks": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/write"),
        ("PUT", "/write"),
        ("DELETE", f"{API}/write"),
        ("HEAD", f"{API}/tasks"),
        ("TRACE", f"{API}/ping"),
    ],
)
def test_a_wrong_method_is_not_found(server: Server, method: str, path: str) -> None:
    assert server.http.request(method, path).status_code == 404


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"\x00\x01\x02", "unable to parse"),
        (b"\xff\xfe garbage \xf0", "unable to parse"),
        (b"m v=1 1\nnonsense\nm v=2 2", "unable to parse 'nonsense': missing fields\n"),
    ],
)
def test_garbage_is_refused_whole_with_the_line(server: Server, body: bytes, text: str) -> None:
    answer = server.write(body, ok=False)
    assert answer.status_code == 400
    assert text in answer.text


def test_a_database_is_required_once_the_lines_are_good(server: Server) -> None:
    assert server.http.post(f"{API}/write", content="m v=1").text == "database is required\n"
    assert "missing fields" in server.http.post(f"{API}/write", content="m").text


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"POST /write?db=d HTTP/1.1\r\nHo"])
def test_what_is_no_request_harms_nobody(server: Server, sent: bytes) -> None:
    with _connect(server) as connection:
        connection.sendall(sent)
    assert server.http.get(f"{API}/ping").status_code == 204


def test_a_client_that_never_reads_holds_up_nobody_else(server: Server) -> None:
    for number in range(20):
        server.define(f"t{number}", "stream|from()" + "|log()" * 100)
    request = _head("GET", f"{API}/tasks", 0)
    with _connect(server) as deaf:
        deaf.setblocking(False)
        asked = 0
        # Until the server takes no more: its answers fill every buffer between it and this client.
        try:
            while asked < 100_000:
                asked += deaf.send(request * 10) // len(request)
        except BlockingIOError:
            pass
        assert asked < 100_000
        server.write("m v=1 1")
        assert len(server.call("GET", "/tasks")["tasks"]) == 20
        for number in range(20):
            server.delete(f"t{number}")
    assert server.http.get(f"{API}/ping").status_code == 204


def test_requests_may_come_in_pieces_and_one_after_the_other(server: Server) -> None:
    request = _head("POST", f"{API}/write?db=d", 8)
    with _connect(server) as connection:
        for byte in request + b"m v=1 1\n":
            connection.sendall(bytes([byte]))
        assert _status(connection) == 204
    with _connect(server) as connection:
        connection.sendall(_head("GET", f"{API}/ping", 0) + _head("GET", f"{API}/nothing", 0, "Connection: close"))
        with connection.makefile("rb") as answers:
            seen = answers.read()
        assert seen.count(b"HTTP/1.1 ") == 2
        assert b"HTTP/1.1 204" in seen
        assert b"HTTP/1.1 404" in seen

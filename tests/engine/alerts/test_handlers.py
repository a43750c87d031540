"""Each kind of handler against a real receiver: a file, a program, a TCP server, an HTTP server, topics."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.alerts.events import Delivery
from engine.alerts.handlers import ABSENT, KINDS, OptionsError, Surroundings, make
from tests.engine.alerts.things import SECOND, Log, delivery, event
from tests.harness import PATIENCE_S, Receiver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.alerts.events import Event

ALERT = delivery(
    identity="cpu:host=a", duration=5, message="m <&>", details="d", tags={"host": "a"}, recoverable=True,
    series=('{"name":"cpu","tags":{"host":"a"},"columns":["time","value"],"values":[["1970-01-01T00:00:00Z",1]]}',),
)  # fmt: skip
LINE = (
    '{"id":"cpu:host=a","message":"m \\u003c\\u0026\\u003e","details":"d","time":"1970-01-01T00:00:01Z","duration":5,'
    '"level":"CRITICAL","data":{"series":[{"name":"cpu","tags":{"host":"a"},"columns":["time","value"],"values":'
    '[["1970-01-01T00:00:00Z",1]]}]},"previousLevel":"OK","recoverable":true}\n'
)
BROKEN = delivery(identity="nan", failure="json: unsupported value: NaN")


class Topics:
    """Keeps what is collected."""

    def __init__(self) -> None:
        self.collected: list[tuple[str, Event, int, tuple[str, ...]]] = []

    def __call__(self, topic: str, event: Event, previous: int = 0, path: tuple[str, ...] = ()) -> None:
        self.collected.append((topic, event, previous, path))


def sent(kind: str, options: dict[str, Any], deliveries: Sequence[Delivery], **more: Any) -> Log:
    """Send with a handler of a kind; what it logs."""
    log = Log()

    async def run() -> None:
        handler = make(kind, options, Surroundings(log, more.pop("collect", Topics()), more.pop("endpoints", {})))
        handler.start()
        try:
            await handler.send(deliveries)
        finally:
            await handler.close()

    asyncio.run(asyncio.wait_for(run(), PATIENCE_S))
    return log


# ---------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("nosuch", {}, 'unsupported action kind "nosuch"'),
        (
            "log",
            {"file": "/x"},
            "failed to decode options into *alert.LogHandlerConfig: 1 error(s) decoding:\n\n* '' has invalid keys: file",
        ),
        (
            "exec",
            {"args": "x", "prog": 1},
            (
                "failed to decode options into *alert.ExecHandlerConfig: 2 error(s) decoding:\n\n"
                "* 'args' expected type '[]string', got unconvertible type 'string', value: 'x'\n"
                "* 'prog' expected type 'string', got unconvertible type 'float64', value: '1'"
            ),
        ),
        ("log", {"path": "alerts.log"}, "log path must be absolute: alerts.log is not absolute"),
        ("log", {"path": "/x", "mode": 0o444}, "invalid file mode -r--r--r--, must be user writable"),
        ("post", {}, "Either URL or endpoint must be non-empty"),
        ("post", {"endpoint": "x"}, "An appropriately formatted url must be specified if an endpoint is not specified"),
        ("post", {"url": "{{ .ID "}, "invalid url template: template: :1: unclosed action"),
        ("aggregate", {"topic": "t"}, "interval must be a positive number of nanoseconds"),
        ("aggregate", {"interval": 1, "message": "{{ nope }}"}, 'template: message:1: function "nope" not defined'),
    ],
)
def test_options_are_checked_when_a_handler_is_made(kind: str, options: dict[str, Any], error: str) -> None:
    with pytest.raises(OptionsError) as refused:
        make(kind, options, Surroundings(Log(), Topics()))
    assert str(refused.value) == error


def test_a_duration_is_a_number_of_nanoseconds_and_the_case_of_keys_does_not_count() -> None:
    with pytest.raises(OptionsError, match="'interval' expected type 'int64', got unconvertible type 'string'"):
        make("aggregate", {"interval": "1m"}, Surroundings(Log(), Topics()))
    make("aggregate", {"Interval": 1e9, "TOPIC": "t"}, Surroundings(Log(), Topics()))


def test_every_kind_of_the_reference_is_known() -> None:
    kinds = (
        "aggregate alerta bigpanda discord exec hipchat kafka log mqtt opsgenie opsgenie2 pagerduty pagerduty2 post publish "
        "pushover sensu servicenow slack smtp snmptrap talk tcp teams telegram victorops zenoss"
    )
    assert {*KINDS, *ABSENT} == set(kinds.split())
    assert not ABSENT & set(KINDS)


def test_a_service_that_is_not_there_says_so_at_each_event() -> None:
    log = sent("slack", {"channel": "#x"}, [ALERT, ALERT])
    fields = {"service": "slack", "alert": "cpu:host=a", "error": "service is not enabled"}
    assert log.lines == [("error", "failed to send event", fields)] * 2


# ---------------------------------------------------------------------- log


def test_log_appends_a_line_an_alert_to_a_file_that_it_makes(tmp_path: Path) -> None:
    path = tmp_path / "alerts.log"
    for _ in range(2):
        assert sent("log", {"path": str(path)}, [ALERT, ALERT]).lines == []
    assert path.read_text() == LINE * 4
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = tmp_path / "other.log"
    sent("log", {"path": str(other), "mode": 0o640}, [ALERT])
    assert stat.S_IMODE(other.stat().st_mode) == 0o640


def test_log_makes_a_file_that_was_taken_away_again(tmp_path: Path) -> None:
    path = tmp_path / "alerts.log"
    sent("log", {"path": str(path)}, [ALERT])
    path.rename(tmp_path / "rotated.log")
    sent("log", {"path": str(path)}, [ALERT])
    assert path.read_text() == LINE


def test_log_says_what_it_cannot_write_and_goes_on(tmp_path: Path) -> None:
    log = sent("log", {"path": str(tmp_path / "none" / "alerts.log")}, [ALERT])
    assert [(m, f["error"]) for _, m, f in log.lines] == [("failed to write alert", "No such file or directory")]
    path = tmp_path / "alerts.log"
    log = sent("log", {"path": str(path)}, [BROKEN, ALERT])
    error = "failed to marshal alert data json: json: unsupported value: NaN"
    assert log.lines == [("error", "failed to handle event", {"alert": "nan", "error": error})]
    assert path.read_text() == LINE


# ---------------------------------------------------------------------- exec


def script(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "handler.py"
    path.write_text(text)
    return [sys.executable, str(path)]


def test_exec_gives_a_program_each_alert_on_its_standard_input_one_after_the_other(tmp_path: Path) -> None:
    out = tmp_path / "out"
    program, *args = script(
        tmp_path,
        "import os, sys\nopen(sys.argv[1], 'a').write(os.environ['MARK'] + sys.argv[2] + sys.stdin.read())\n",
    )
    os.environ["MARK"] = "env "
    try:
        log = sent("exec", {"prog": program, "args": [*args, str(out), "arg "]}, [ALERT, ALERT])
    finally:
        del os.environ["MARK"]
    assert log.lines == []
    assert out.read_text() == f"env arg {LINE}" * 2


def test_exec_says_how_a_program_failed_with_what_it_printed(tmp_path: Path) -> None:
    program, *args = script(
        tmp_path, "import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr)\nsys.exit(3)\n"
    )
    log = sent("exec", {"prog": program, "args": args}, [ALERT])
    [(level, message, fields)] = log.lines
    assert (level, message, fields["status"], fields["output"]) == ("error", "program failed", 3, "out\nerr\n")


def test_exec_survives_a_program_that_is_not_there_or_does_not_read(tmp_path: Path) -> None:
    log = sent("exec", {"prog": str(tmp_path / "none")}, [ALERT])
    assert log.messages() == ["failed to run program"]
    large = delivery(identity="x", message="x" * 1_000_000)
    assert sent("exec", {"prog": "/bin/true"}, [large]).lines == []


def test_exec_kills_a_program_that_runs_when_it_is_stopped(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    program, *args = script(
        tmp_path, "import os, sys, time\nopen(sys.argv[1], 'w').write(str(os.getpid()))\ntime.sleep(1000)\n"
    )

    async def run() -> int:
        handler = make("exec", {"prog": program, "args": [*args, str(started)]}, Surroundings(Log(), Topics()))
        task = asyncio.create_task(handler.send([ALERT]))
        pid = int(await asyncio.to_thread(started.read_text))
        descriptor = os.pidfd_open(pid)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, gone.set)
        await asyncio.wait_for(gone.wait(), PATIENCE_S)
        os.close(descriptor)
        return pid

    assert not Path(f"/proc/{asyncio.run(run())}").exists()


# ---------------------------------------------------------------------- tcp


def test_tcp_connects_for_each_alert_and_ends_it_with_an_empty_line() -> None:
    received: list[bytes] = []

    async def run() -> Log:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            received.append(await reader.read())
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        log = Log()
        handler = make("tcp", {"address": f"{host}:{port}"}, Surroundings(log, Topics()))
        await handler.send([ALERT, BROKEN, ALERT])
        server.close()
        await server.wait_closed()
        return log

    log = asyncio.run(run())
    assert received == [f"{LINE}\n".encode()] * 2
    assert [f["alert"] for _, _, f in log.lines] == ["nan"]


def test_tcp_says_where_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = sent("tcp", {"address": f"127.0.0.1:{port}"}, [ALERT])
    assert [(m, f["address"]) for _, m, f in log.lines] == [("failed to send alert", f"127.0.0.1:{port}")]
    assert sent("tcp", {"address": "no port"}, [ALERT]).messages() == ["failed to send alert"]


# ---------------------------------------------------------------------- post


def test_post_sends_the_alert_as_json_to_a_url_made_of_the_alert() -> None:
    with Receiver() as receiver:
        url = receiver.url + "/{{ .Level }}/{{ index .Data.Series 0 | printf `%.0s` }}x"
        log = sent("post", {"url": url, "headers": {"X-A": "b", "content-type": "text/plain"}}, [ALERT, ALERT])
        for _ in range(2):
            got = receiver.next("/CRITICAL/x")
            assert got.body == LINE.encode()
            headers = {k.lower(): v for k, v in got.headers.items()}
            assert (headers["content-type"], headers["x-a"]) == ("application/json", "b")
    assert log.lines == []


def test_an_endpoint_wins_over_the_url_and_gives_headers_auth_and_the_body() -> None:
    with Receiver() as receiver:
        endpoint = {
            "url": receiver.url + "/endpoint",
            "headers": {"X-A": "endpoint", "X-B": "endpoint"},
            "basic-auth": {"username": "u", "password": "p"},
            "alert-template": "{{ .ID }}<{{ .Message }}>{{ .PreviousLevel }}{{ .Recoverable }}{{ jsonCompact .Data }}{{ json .ID }}",
        }
        options = {"url": receiver.url + "/url", "endpoint": "e", "headers": {"x-a": "handler"}}
        assert sent("post", options, [ALERT], endpoints={"e": endpoint}).lines == []
        got = receiver.next("/endpoint")
        data = json.loads(LINE)["data"]
        body = got.body.decode()
        assert body.startswith("cpu:host=a<m <&>>OKtrue{")
        assert json.loads(body.removeprefix("cpu:host=a<m <&>>OKtrue").removesuffix('"cpu:host=a"\n')) == data
        headers = {k.lower(): v for k, v in got.headers.items()}
        assert (headers["x-a"], headers["x-b"]) == ("handler", "endpoint")
        assert headers["authorization"] == "Basic dTpw"
        assert "content-type" not in headers
        assert sent("post", {"url": receiver.url + "/url", "endpoint": "unknown"}, [ALERT]).lines == []
        assert receiver.next("/url").body == LINE.encode()


def test_post_reads_the_body_from_a_template_file_that_has_no_functions(tmp_path: Path) -> None:
    file = tmp_path / "body.tmpl"
    file.write_text("{{ .Details }}!")
    with Receiver() as receiver:
        endpoint = {"url": receiver.url + "/e", "alert-template-file": str(file)}
        sent("post", {"endpoint": "e"}, [ALERT], endpoints={"e": endpoint})
        assert receiver.next("/e").body == b"d!"
        file.write_text("{{ json . }}")
        with pytest.raises(OptionsError, match='function "json" not defined'):
            sent("post", {"endpoint": "e"}, [ALERT], endpoints={"e": endpoint})


def test_post_logs_what_is_refused_and_what_cannot_be_sent() -> None:
    with Receiver() as receiver:
        receiver.statuses["/no"] = 404
        log = sent("post", {"url": receiver.url + "/no"}, [ALERT, BROKEN])
        assert [(m, f.get("code"), f["error"]) for _, m, f in log.lines] == [
            (
                "POST returned non 2xx status code",
                404,
                "unknown error, use .captureResponse() to capture the HTTP response",
            ),
            ("failed to handle event", None, "failed to marshal alert data json: json: unsupported value: NaN"),
        ]
        log = sent("post", {"url": receiver.url + "/no", "capture-response": True}, [ALERT])
        assert [f["error"] for _, _, f in log.lines] == [""]
        url = receiver.url
    log = sent("post", {"url": url + "/x"}, [ALERT])
    assert log.messages() == ["failed to POST alert data"]
    assert sent("post", {"url": "no url"}, [ALERT]).messages() == ["failed to POST alert data"]


def test_post_gives_up_on_one_that_does_not_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        log = sent("post", {"url": f"http://127.0.0.1:{port}/x", "timeout": 1_000_000}, [ALERT])
    assert log.messages() == ["failed to POST alert data"]


# ---------------------------------------------------------------------- publish, aggregate


def test_publish_collects_on_each_topic_with_the_level_of_before_but_never_in_a_circle() -> None:
    topics = Topics()
    given = Delivery("b", ALERT.event, 2, ("a",))
    sent("publish", {"topics": ["c", "a", "b", "d"]}, [given], collect=topics)
    assert topics.collected == [("c", ALERT.event, 2, ("a", "b")), ("d", ALERT.event, 2, ("a", "b"))]


def test_aggregate_puts_one_event_for_all_of_an_interval_on_a_topic() -> None:
    topics = Topics()
    events = [
        event("a", 1, 5 * SECOND, duration=9, message="first", series=("1", "2")),
        event("b", 3, 4 * SECOND, duration=7, message="second", series=("3",)),
    ]

    async def run() -> None:
        options = {"id": "all", "topic": "t", "interval": 90 * SECOND}
        handler = make("aggregate", options, Surroundings(Log(), topics))
        handler.flush()  # type: ignore[attr-defined]
        await handler.send([Delivery("x", e, 0) for e in events])
        handler.flush()  # type: ignore[attr-defined]
        handler.flush()  # type: ignore[attr-defined]
        await handler.close()

    asyncio.run(run())
    [(topic, found, previous, path)] = topics.collected
    assert (topic, previous, path) == ("t", 0, ())
    assert (found.id, found.level, found.time, found.duration) == ("all", 3, 5 * SECOND, 9)
    assert found.message == "Received 2 events in the last 1m30s."
    assert (found.details, found.series) == ("first\nsecond", ("1", "2", "3"))
    assert (found.name, found.task, found.tags, found.fields, found.recoverable) == ("", "", {}, {}, False)
    assert found.external


def test_aggregate_flushes_by_itself_and_has_a_message_of_its_own() -> None:
    collected: list[Event] = []

    async def run() -> None:
        news = asyncio.Event()

        def collect(_topic: str, event: Event, _previous: int = 0, _path: tuple[str, ...] = ()) -> None:
            collected.append(event)
            news.set()

        options = {"id": "all", "topic": "t", "interval": 1_000_000, "message": "{{ .Count }} in {{ .Interval }}"}
        handler = make("aggregate", options, Surroundings(Log(), collect))
        handler.start()
        await handler.send([Delivery("x", event("a", external=False), 0)])
        await asyncio.wait_for(news.wait(), PATIENCE_S)
        await handler.close()

    asyncio.run(run())
    [found] = collected
    assert (found.message, found.external) == ("1 in 1ms", False)

"""The command as a whole: help, exit statuses, what stands before a command, and what is imported when."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.harness import ROOT, clean_environment, tickworks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOWHERE = {"KAPACITOR_URL": "http://127.0.0.1:1"}


class _Answers:
    """A server that answers what it is told, by method and path, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def _answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                path = self.path.removeprefix("/kapacitor/v1")
                body = json.loads(self.rfile.read(size)) if size else None
                outer.asked.append((self.command, path, body))
                status, content = outer.answers.get((self.command, path.partition("?")[0]), (204, None))
                data = (
                    b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
                )
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names that the library calls

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def answers() -> Iterator[_Answers]:
    opened = _Answers()
    yield opened
    opened.close()


def test_help_names_every_command_and_is_a_success() -> None:
    ended = tickworks("--help")
    assert ended.returncode == 0
    commands = ended.stdout.partition("Commands:")[2].splitlines()
    names = [line.split()[0] for line in commands if line.strip()]
    assert names == [
        *(
            "version",
            "serve",
            "define",
            "define-topic-handler",
            "enable",
            "disable",
            "reload",
            "delete",
            "list",
            "show",
        ),
        *("show-topic", "show-topic-handler", "logs", "watch", "level", "top", "stats", "vars", "demo", "warm", "tick"),
    ]


def test_help_imports_nothing_dear() -> None:
    """That is what keeps it quick: the engine, an HTTP client and rich are for the commands that need them."""
    code = "import sys, cli.main; print([m for m in ('engine', 'httpx', 'rich', 'numpy', 'lark') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


def test_each_command_explains_itself() -> None:
    for command in (
        "serve",
        "define",
        "enable",
        "list",
        "show",
        "logs",
        "watch",
        "level",
        "top",
        "stats",
        "vars",
        "demo",
        "warm",
        "tick",
    ):
        ended = tickworks(command, "--help")
        assert ended.returncode == 0
        assert f"tickworks {command}" in ended.stdout


def test_no_command_and_an_unknown_one_are_status_1() -> None:
    ended = tickworks()
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (1, "Error: Must pass a command.")
    ended = tickworks("frob")
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (1, "Unknown command frob")


def test_an_unknown_option_is_status_2() -> None:
    assert tickworks("list", "-frob").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["define"], "Must provide a task ID."),
        (["enable"], "Must pass at least one task ID"),
        (["disable"], "Must pass at least one task ID"),
        (["reload"], "Must pass at least one task ID"),
        (["list"], "Must specify 'tasks', 'topics', or 'topic-handlers'"),
        (["delete", "tasks"], "Must pass at least one ID"),
        (["show"], "Must specify one task ID"),
        (["define-topic-handler"], "Must provide a path to a handler file."),
        (["show-topic"], "Must specify one topic ID"),
        (["show-topic-handler"], "Must specify both topic and handler IDs"),
        (["show-topic-handler", "t"], "Must specify both topic and handler IDs"),
        (["delete", "topics"], "Must pass at least one ID"),
        (
            ["define", "x", "-dbrp", "d"],
            (
                "invalid value \"d\" for flag -dbrp: does not contain a '.', it must be in the form "
                '"dbname"."rpname" where the quotes are optional.'
            ),
        ),
    ],
)
def test_missing_arguments_are_named_and_status_2(arguments: list[str], text: str) -> None:
    ended = tickworks(*arguments, env=_NOWHERE)
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (2, text)
    assert ended.stdout == ""


def test_an_unknown_kind_is_status_3() -> None:
    kinds = "'tasks', 'topics' or 'topic-handlers'"
    for verb, more in [("list", []), ("delete", ["x"])]:
        ended = tickworks(verb, "foo", *more, env=_NOWHERE)
        assert (ended.returncode, ended.stderr) == (3, f"Error: cannot {verb} 'foo' did you mean {kinds}?\n")


def test_a_server_that_is_not_there_is_one_line_and_status_3() -> None:
    ended = tickworks("list", "tasks", env=_NOWHERE)
    assert ended.returncode == 3
    assert ended.stderr == 'Error: listing tasks: Get "http://127.0.0.1:1/kapacitor/v1/tasks": connection refused\n'


def test_an_address_of_another_protocol_is_status_4() -> None:
    ended = tickworks("-url", "ftp://x", "list", "tasks")
    assert ended.returncode == 4
    assert ended.stderr == "Unsupported protocol scheme: ftp, your address must start with http:// or https://\n"


def test_the_switch_for_certificates_must_be_a_boolean() -> None:
    ended = tickworks("list", "tasks", env={**_NOWHERE, "KAPACITOR_UNSAFE_SSL": "x"})
    assert (ended.returncode, ended.stderr) == (1, 'strconv.ParseBool: parsing "x": invalid syntax\n')


def test_the_option_wins_over_the_variable(answers: _Answers) -> None:
    answers.answers["GET", "/tasks"] = (200, {"tasks": []})
    assert tickworks("-url", answers.url, "list", "tasks", env=_NOWHERE).returncode == 0
    assert tickworks(f"--url={answers.url}", "list", "tasks", env=_NOWHERE).returncode == 0
    assert len(answers.asked) == 2


def test_an_answer_that_is_no_error_of_the_api_is_shown_whole(answers: _Answers) -> None:
    answers.answers["GET", "/tasks"] = (502, b"bad gateway")
    ended = tickworks("list", "tasks", env={"KAPACITOR_URL": answers.url})
    assert ended.stderr == "Error: listing tasks: invalid response: code 502: body: bad gateway\n"


def test_lists_are_fetched_in_pages(answers: _Answers) -> None:
    task = {"type": "stream", "status": "disabled", "executing": False, "dbrps": []}
    answers.answers["GET", "/tasks"] = (200, {"tasks": [{"id": "x", **task}] * 99})
    assert tickworks("list", "tasks", "a*", "b*", env={"KAPACITOR_URL": answers.url}).returncode == 0
    queries = [path.partition("?")[2] for _, path, _ in answers.asked]
    fields = "fields=type&fields=status&fields=executing&fields=dbrps"
    assert queries == [f"{fields}&offset=0&limit=100&pattern={p}%2A" for p in "ab"]


def test_define_creates_what_is_not_there_with_what_is_given(answers: _Answers, tmp_path: Path) -> None:
    answers.answers["GET", "/tasks/x"] = (404, {"error": "no task exists"})
    answers.answers["POST", "/tasks"] = (200, {})
    script = tmp_path / "s.tick"
    script.write_text("stream")
    arguments = ["-tick", str(script), "-type", "stream", "-dbrp", "d.r", "-dbrp=e.f", "-template", "t"]
    assert tickworks("define", "x", *arguments, env={"KAPACITOR_URL": answers.url}).returncode == 0
    assert answers.asked[-1] == (
        "POST",
        "/tasks",
        {
            "id": "x",
            "dbrps": [{"db": "d", "rp": "r"}, {"db": "e", "rp": "f"}],
            "type": "stream",
            "template-id": "t",
            "script": "stream",
            "status": "disabled",
        },
    )


def test_define_takes_a_file_with_template_pairs_and_vars(answers: _Answers, tmp_path: Path) -> None:
    answers.answers["GET", "/tasks/x"] = (404, {"error": "no task exists"})
    answers.answers["POST", "/tasks"] = (200, {})
    file = tmp_path / "t.yaml"
    file.write_text("template-id: t\ndbrps: [{db: d, rp: r}]\nvars: {n: {type: int, value: 3}}\n")
    assert tickworks("define", "x", "-file", str(file), env={"KAPACITOR_URL": answers.url}).returncode == 0
    _, _, body = answers.asked[-1]
    assert (body["template-id"], body["dbrps"], body["vars"]["n"]["value"]) == ("t", [{"db": "d", "rp": "r"}], 3)
    file.write_text("id: other\n")
    ended = tickworks("define", "x", "-file", str(file), env={"KAPACITOR_URL": answers.url})
    assert ended.stderr == f"Error: Task id given on command line does not match id in {file}\n"


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    ended = tickworks("define", "x", "-tick", "nosuch.tick", env=_NOWHERE)
    assert (ended.returncode, ended.stderr) == (3, "Error: open nosuch.tick: no such file or directory\n")
    ended = tickworks("define", "x", "-vars", "nosuch.json", env=_NOWHERE)
    assert ended.stderr == "Error: failed to open file nosuch.json: open nosuch.json: no such file or directory\n"
    bad = tmp_path / "v.json"
    bad.write_text("{")
    ended = tickworks("define", "x", "-vars", str(bad), env=_NOWHERE)
    assert ended.stderr.startswith(f"Error: invalid JSON in file {bad}: ")
    other = tmp_path / "t.toml"
    other.write_text("")
    ended = tickworks("define", "x", "-file", str(other), env=_NOWHERE)
    assert ended.stderr == "Error: bad file extension. Must be YAML or JSON\n"


def test_a_wrong_configuration_is_one_line_and_status_2(tmp_path: Path) -> None:
    path = tmp_path / "f.conf"
    path.write_text("[http]\nbind-adress = ':1'\n")
    ended = tickworks("serve", "--config", str(path))
    assert (ended.returncode, ended.stderr) == (
        2,
        f"tickworks: parse config: {path}: unknown key: http.bind-adress\n",
    )
    ended = tickworks("serve", "--config", str(tmp_path / "none"))
    assert (ended.returncode, ended.stderr) == (
        2,
        f"tickworks: cannot read the configuration {tmp_path / 'none'}: No such file or directory\n",
    )


def test_warming_names_what_it_does() -> None:
    """With the compiler off, so that only the loading is tested; the kernels have tests of their own."""
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "warm"],
        cwd=ROOT,
        env=clean_environment(NUMBA_DISABLE_JIT="1"),
        capture_output=True,
        text=True,
        check=True,
    )
    first, last = ended.stderr.splitlines()
    assert first.startswith("compiling kernels: ")
    assert last.startswith("kernels are ready (")

"""The HTTP client of the commands, and how a command fails.

Always: a command that fails says `Error: <text>` on standard error and ends with status 3; the text is the server's `error`
where there is one. Wrong usage is status 2, an address that is none is status 4 (spec "Command lines" §1). No time-out: a
task may take long to start.
"""

from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote, urlsplit

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx

DEFAULT_URL: Final = "http://localhost:9092"
BASE: Final = "/kapacitor/v1"
LOGS: Final = "/kapacitor/v1preview/logs"
OURS: Final = "/tickworks"
"""Below BASE: what Kapacitor has no path for."""
PAGE: Final = 100
_BAD_SWITCH: Final = 1
_USAGE: Final = 2
_FAILED: Final = 3
_BAD_URL: Final = 4
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class CommandError(Exception):
    """A command failed; the text is for the user."""


@dataclass(frozen=True, slots=True)
class Server:
    """Which server the commands talk to: an address, perhaps with credentials, and whether its certificate is checked."""

    url: str
    verify: bool


def choose_server(url: str | None, skip_verify: bool) -> Server:
    """The server that the options and the environment name. Ends the program when they make no sense."""
    switch = os.environ.get("KAPACITOR_UNSAFE_SSL", "")
    if switch and switch not in _TRUE | _FALSE:
        typer.echo(f'strconv.ParseBool: parsing "{switch}": invalid syntax', err=True)
        raise typer.Exit(_BAD_SWITCH)
    chosen = url or os.environ.get("KAPACITOR_URL") or DEFAULT_URL
    return Server(chosen, verify=not (skip_verify or switch in _TRUE))


def usage(context: typer.Context, text: str) -> NoReturn:
    """End with wrong usage."""
    typer.echo(text, err=True)
    typer.echo(context.get_usage(), err=True)
    raise typer.Exit(_USAGE)


class Client:
    """A connection to the server's API."""

    def __init__(self, server: Server) -> None:
        import httpx  # noqa: PLC0415 - dear, and not needed for --help

        scheme = urlsplit(server.url).scheme
        if scheme not in {"http", "https"}:
            typer.echo(
                f"Unsupported protocol scheme: {scheme}, your address must start with http:// or https://", err=True
            )
            raise typer.Exit(_BAD_URL)
        self._httpx = httpx
        self._client = httpx.Client(base_url=server.url.rstrip("/") + BASE, verify=server.verify, timeout=None)  # noqa: S113 - see the top

    def close(self) -> None:
        self._client.close()

    def request(
        self, method: str, path: str, *, body: Any = None, query: dict[str, Any] | None = None
    ) -> httpx.Response:
        """One request; any answer. Raises CommandError when there is none."""
        try:
            return self._client.request(method, path, json=body, params=query)
        except self._httpx.TransportError as error:
            reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)).lower()
            raise CommandError(f'{method.capitalize()} "{self._client.base_url}{path[1:]}": {reason}') from None
        except self._httpx.InvalidURL as error:
            raise CommandError(f"{self._client.base_url}: {error}") from None

    def call(self, method: str, path: str, *, body: Any = None, query: dict[str, Any] | None = None) -> Any:
        """One request; the JSON of the answer, None when it has no body. Raises CommandError unless it succeeds."""
        answer = self.request(method, path, body=body, query=query)
        if not answer.is_success:
            raise CommandError(error_text(answer))
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            raise CommandError(f"invalid response: code {answer.status_code}: body: {answer.text}") from None

    @contextmanager
    def stream(
        self, path: str, *, query: Sequence[tuple[str, str]] = (), headers: dict[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """An answer that is read while it comes; `path` is the whole one. Raises CommandError when there is none."""
        url = self._client.base_url.copy_with(path=path)
        try:
            with self._client.stream("GET", url, params=list(query), headers=headers) as answer:
                yield answer
        except self._httpx.TransportError as error:
            reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)).lower()
            raise CommandError(f'Get "{url}": {reason}') from None

    def tasks(self, pattern: str, fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """The tasks that match, page by page."""
        offset = 0
        while True:
            query = {
                "fields": list(fields),
                "offset": offset,
                "limit": PAGE,
                **({"pattern": pattern} if pattern else {}),
            }
            page = self.call("GET", "/tasks", query=query)["tasks"]
            yield from page
            if len(page) < PAGE:
                return
            offset += PAGE


def task_path(identity: str) -> str:
    """The path of a task."""
    return f"/tasks/{quote(identity, safe='')}"


def topic_path(topic: str) -> str:
    """The path of a topic."""
    return f"/alerts/topics/{quote(topic, safe='')}"


def handler_path(topic: str, handler: str) -> str:
    """The path of a topic's handler."""
    return f"{topic_path(topic)}/handlers/{quote(handler, safe='')}"


def error_text(answer: httpx.Response) -> str:
    """What an answer that is no success has to say."""
    try:
        data = answer.json()
    except ValueError:
        data = None
    if isinstance(data, dict) and data.get("error"):
        return str(data["error"])
    return f"invalid response: code {answer.status_code}: body: {answer.text}"


@contextmanager
def talking(context: typer.Context) -> Iterator[Client]:
    """A client for the body of a command; a failure becomes its message and exit status."""
    client = Client(context.obj)
    try:
        yield client
    except CommandError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(_FAILED) from None
    finally:
        client.close()


@contextmanager
def wrapped(what: str) -> Iterator[None]:
    """Say in an error what was being done."""
    try:
        yield
    except CommandError as error:
        raise CommandError(f"{what}: {error}") from None


class _Interrupted(BaseException):
    """Raised in the middle of whatever is under way."""


def _interrupt(*_: object) -> NoReturn:
    raise _Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, SIGINT and SIGTERM end the body, which counts as a success."""
    before = [(number, signal.signal(number, _interrupt)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    except _Interrupted:
        return
    finally:
        for number, handler in before:
            signal.signal(number, handler)

"""Cases of the kind define: requests to one empty server, in the order of the file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.harness import API, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHOWN = ("type", "dbrps", "script", "vars", "template-id")


def _run(server: Server, case: dict[str, Any]) -> Any:
    request = case["input"]
    answer = server.http.request(request["method"], f"{API}/{request['path']}", json=request.get("body"))
    shown = answer.json()
    result: dict[str, Any] = {"status": answer.status_code}
    if "error" in shown and not answer.is_success:
        return {**result, "error": shown["error"]}
    result |= {key: shown[key] for key in _SHOWN if key in shown}
    if not shown.get("executing"):
        result["dot"] = shown["dot"]
    if "status" in shown:
        result["task_status"] = shown["status"]
    return result


@contextmanager
def family() -> Iterator[dict[str, Callable[[dict[str, Any]], Any]]]:
    with Server() as server:
        yield {"define": lambda case: _run(server, case)}

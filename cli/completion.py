"""What the shell completes besides commands and options: words that a place allows, and tasks that the server has.

Always: completing never fails and waits no longer than a moment; a server that is not there has no tasks to offer.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import typer  # noqa: TC002 - typer reads the annotations when it completes

from cli.client import BASE, DEFAULT_URL, PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOMENT_S: Final = 2.0


def words(allowed: Sequence[str]) -> Callable[[str], list[str]]:
    """Offers what begins as the word that is being typed."""

    def offer(incomplete: str) -> list[str]:
        return [word for word in allowed if word.startswith(incomplete)]

    return offer


def tasks(context: typer.Context, incomplete: str) -> list[str]:
    """The first tasks whose ID begins so."""
    import httpx  # noqa: PLC0415 - dear

    url = context.find_root().params.get("url") or os.environ.get("KAPACITOR_URL") or DEFAULT_URL
    query: dict[str, str | int] = {"pattern": f"{incomplete}*", "fields": "link", "limit": PAGE}
    try:
        answer = httpx.get(f"{url.rstrip('/')}{BASE}/tasks", params=query, timeout=_MOMENT_S)
        return [task["id"] for task in answer.json()["tasks"]]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        return []

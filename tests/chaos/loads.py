"""Writers and readers for servers that something bad happens to: what was acknowledged, and what came out."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import TYPE_CHECKING, Self

import httpx

from tests.harness import API, PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.harness import Posted, Receiver, Server


def values(posted: Posted) -> list[int]:
    """The field `v` of every row in a request."""
    return [
        int(row[series["columns"].index("v")]) for series in posted.json["series"] for row in series.get("values", [])
    ]


class Load:
    """Writes `m v=<n>i <n>` for n = 1, 2, … in bodies of `rows`, each until it is acknowledged, from a thread of its own.

    `acknowledged` is the last n of a body that was answered with 204. A body that failed is written again, so some of it may
    be in the log twice, but never out of order. The task that posts to `receiver` is at most `ahead` rows behind, so that the
    load is as high as the task can bear and no higher.
    """

    def __init__(self, server: Server, receiver: Receiver, rows: int = 20, ahead: int = 400) -> None:
        self.acknowledged = 0
        self.seen = 0
        self._ahead = ahead
        receiver.before_answer = self._on_posted
        self._url = server.url
        self._rows = rows
        self._ending = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """End after the body under way; the last n that was acknowledged."""
        self._ending.set()
        with self._news:
            self._news.notify_all()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "a write is never answered"
        return self.acknowledged

    def wait_more(self, bodies: int) -> None:
        """Wait until so many further bodies are acknowledged."""
        wanted = self.acknowledged + bodies * self._rows
        with self._news:
            assert self._news.wait_for(lambda: self.acknowledged >= wanted, PATIENCE_S), "nothing goes on"

    def wait_seen(self, value: int) -> None:
        """Wait until the task has posted a value as high as this."""
        with self._news:
            assert self._news.wait_for(lambda: self.seen >= value, PATIENCE_S), "nothing comes out"

    def _on_posted(self, posted: Posted) -> None:
        with self._news:
            self.seen = max(self.seen, *values(posted))
            self._news.notify_all()

    def _wait_turn(self, first: int) -> None:
        with self._news:
            self._news.wait_for(lambda: self._ending.is_set() or first - self.seen <= self._ahead)

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=PATIENCE_S, trust_env=False) as client:
            for first in itertools.count(1, self._rows):
                body = "\n".join(f"m v={n}i {n}" for n in range(first, first + self._rows))
                self._wait_turn(first)
                while not self._ending.is_set():
                    with contextlib.suppress(httpx.TransportError):
                        answer = client.post(f"{API}/write", params={"db": "db", "rp": "rp"}, content=body)
                        if answer.status_code == 204:
                            break
                else:
                    return
                with self._news:
                    self.acknowledged = first + self._rows - 1
                    self._news.notify_all()


def take_until(receiver: Receiver, path: str, last: int) -> list[int]:
    """Everything that is posted to `path`, up to the first time that `last` is."""
    seen: list[int] = []
    while last not in seen[-1:]:
        seen += values(receiver.next(path))
    return seen


def check_in_order(seen: Sequence[int], last: int) -> int:
    """Nothing up to `last` is missing, and nothing is skipped: the only steps but to the next one lead back. How many do."""
    assert set(seen) >= set(range(1, last + 1)), f"lost: {sorted(set(range(1, last + 1)) - set(seen))[:20]}"
    steps = [(a, b) for a, b in itertools.pairwise([0, *seen]) if b != a + 1]
    assert all(b <= a for a, b in steps), f"skipped: {[s for s in steps if s[1] > s[0]][:20]}"
    return len(steps)

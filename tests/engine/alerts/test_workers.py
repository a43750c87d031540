"""A handler's queue: bounded, in order, emptied before it ends, and never ended by what a handler does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from engine.alerts.handlers.base import Handler
from engine.alerts.matching import Match
from engine.alerts.workers import Worker
from tests.engine.alerts.things import Log, delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from engine.alerts.events import Delivery


class Kept(Handler):
    """Keeps what it is sent; waits at a gate first, and fails where it is told to."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.sent: list[str] = []
        self.fails: set[str] = set()
        self.closed = False

    async def send(self, deliveries: Sequence[Delivery]) -> None:
        self.entered.set()
        await self.gate.wait()
        for d in deliveries:
            if d.event.id in self.fails:
                raise RuntimeError("broken")
            self.sent.append(d.event.id)

    async def close(self) -> None:
        self.closed = True


class Internal(Kept):
    internal = True


def run(test: Callable[[Log], Coroutine[Any, Any, None]]) -> Log:
    log = Log()
    asyncio.run(test(log))
    return log


def test_events_are_sent_in_order_and_the_queue_is_empty_when_it_ends() -> None:
    async def test(log: Log) -> None:
        handler = Kept()
        worker = Worker(handler, None, 5000, log)
        for i in range(1000):
            assert worker.offer(delivery(identity=str(i)))
        await worker.drain()
        assert handler.sent == [str(i) for i in range(1000)]
        assert handler.closed
        assert (worker.statistics.sent, worker.statistics.waiting, worker.statistics.dropped) == (1000, 0, 0)

    run(test)


def test_a_full_queue_takes_nothing_new_and_says_so_once_an_episode() -> None:
    async def test(log: Log) -> None:
        handler = Kept()
        handler.gate.clear()
        worker = Worker(handler, None, 3, log)
        assert worker.offer(delivery(identity="under way"))
        await handler.entered.wait()
        assert [worker.offer(delivery(identity=str(i))) for i in range(5)] == [True, True, True, False, False]
        assert (worker.statistics.waiting, worker.statistics.dropped) == (3, 2)
        handler.gate.set()
        await worker.drain()
        assert handler.sent == ["under way", "0", "1", "2"]

    log = run(test)
    assert log.messages() == [
        "a handler's queue is full: events are dropped",
        "a handler's queue has room again",
    ]
    assert log.lines[1][2] == {"dropped": 2}


def test_what_a_handler_raises_does_not_end_its_queue() -> None:
    async def test(log: Log) -> None:
        handler = Kept()
        handler.fails.add("bad")
        worker = Worker(handler, None, 10, log)
        worker.offer(delivery(identity="bad"))
        await handler.entered.wait()
        worker.offer(delivery(identity="good"))
        await worker.drain()
        assert handler.sent == ["good"]

    assert [(m, f["error"]) for _, m, f in run(test).lines] == [("handler failed", "RuntimeError: broken")]


def test_only_what_matches_is_queued_and_what_cannot_be_matched_is_logged() -> None:
    async def test(log: Log) -> None:
        handler = Kept()
        worker = Worker(handler, Match("\"host\" == 'a'"), 1, log)
        for identity, tags in [("no", {"host": "b"}), ("yes", {"host": "a"}), ("none", {})]:
            assert worker.offer(delivery(identity=identity, tags=tags))
        await worker.drain()
        assert handler.sent == ["yes"]

    assert run(test).lines == [
        ("error", "failed to evaluate match expression", {"alert": "none", "error": "no tag exists for host"})
    ]


def test_an_event_that_must_not_leave_reaches_internal_handlers_alone() -> None:
    async def test(log: Log) -> None:
        outside, inside = Kept(), Internal()
        workers = [Worker(h, None, 10, log) for h in (outside, inside)]
        for worker in workers:
            assert worker.offer(delivery(identity="x", external=False))
            await worker.drain()
        assert (outside.sent, inside.sent) == ([], ["x"])

    run(test)


def test_stopping_does_not_wait_for_a_handler_that_hangs() -> None:
    async def test(log: Log) -> None:
        handler = Kept()
        handler.gate.clear()
        worker = Worker(handler, None, 10, log)
        worker.offer(delivery())
        await handler.entered.wait()
        await worker.stop()
        assert handler.closed
        assert handler.sent == []

    run(test)


def test_a_handler_is_waited_for_only_while_its_queue_is_half_full_and_a_send_is_short() -> None:
    async def test(log: Log) -> None:
        handler = Kept()
        handler.gate.clear()
        worker = Worker(handler, None, 4, log)
        now = asyncio.get_running_loop().time
        worker.offer(delivery())
        await handler.entered.wait()
        for crowded in (False, False, True, True):
            worker.offer(delivery())
            assert worker.crowded is crowded
        assert worker.presses(now())
        assert not worker.presses(now() + 1.0)
        handler.gate.set()
        await worker.drain()
        assert not worker.crowded

    run(test)

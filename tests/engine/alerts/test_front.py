"""The service's socket: who is heard, who is asked who it is, and how the end of a node is noticed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import zmq

from engine import rpc
from engine.alerts.process import Front
from engine.definitions.bodies import RefusedError
from tests.engine.alerts.things import Log
from tests.harness import PATIENCE_S
from transports.context import new_context

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


class Service:
    """Keeps what it is asked; `known` says whether it knows the nodes that tell it something."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.known = True
        self.press = 0
        self.gone_event = asyncio.Event()

    def pressed(self) -> bool:
        self.press -= 1
        return self.press >= 0

    def hello(self, who: bytes, **arguments: Any) -> Any:
        self.asked.append(("hello", who, arguments))
        return {"hostname": "h"}

    def events(self, who: bytes, **arguments: Any) -> bool:
        self.asked.append(("events", who, arguments))
        return self.known

    def levels(self, who: bytes, **arguments: Any) -> Any:
        self.asked.append(("levels", who, arguments))
        return [None]

    async def bye(self, who: bytes) -> None:
        self.asked.append(("bye", who))

    def gone(self, who: bytes) -> None:
        self.asked.append(("gone", who))
        self.gone_event.set()

    def topic_get(self, topic: str) -> Any:
        if topic == "none":
            raise RefusedError(404, "unknown topic")
        return {"id": topic}


class Peer:
    """A node, or a front end."""

    def __init__(self, context: Any, address: str) -> None:
        self.socket = rpc.dealer(context, address, b"peer")

    def send(self, number: int, operation: str, **arguments: Any) -> None:
        self.socket.send(rpc.pack_request(number, operation, arguments))

    async def next(self) -> tuple[int, Any, Any]:
        assert await asyncio.to_thread(self.socket.poll, PATIENCE_S * 1000)
        return rpc.unpack(self.socket.recv())

    async def ask(self, operation: str, **arguments: Any) -> tuple[bool, Any]:
        self.send(7, operation, **arguments)
        number, ok, value = await self.next()
        assert number == 7
        return ok, value


def run(path: Path, test: Callable[[Front, Service, Peer], Coroutine[Any, Any, None]]) -> None:
    async def life() -> None:
        context = new_context()
        address = f"ipc://{path / 's'}"
        front, service = Front(Log()), Service()
        front.open(rpc.router(context, address), service)  # type: ignore[arg-type]
        peer = Peer(context, address)
        try:
            await test(front, service, peer)
        finally:
            peer.socket.close(0)
            front.close()
            context.term()

    asyncio.run(asyncio.wait_for(life(), PATIENCE_S))


def test_a_node_introduces_itself_tells_asks_and_says_goodbye(tmp_path: Path) -> None:
    async def test(_front: Front, service: Service, peer: Peer) -> None:
        assert await peer.ask("hello", session=1, pid=os.getpid()) == (True, {"hostname": "h"})
        peer.send(0, "events", seq=1)
        assert await peer.ask("levels", ids=["a"]) == (True, [None])
        assert await peer.ask("bye") == (True, None)
        assert [a[0] for a in service.asked] == ["hello", "events", "levels", "bye"]
        assert service.asked[0][2] == {"session": 1}

    run(tmp_path, test)


def test_a_node_that_is_not_known_is_asked_who_it_is(tmp_path: Path) -> None:
    async def test(_front: Front, service: Service, peer: Peer) -> None:
        service.known = False
        peer.send(0, "events", seq=1)
        assert await peer.next() == (0, "hello", {})

    run(tmp_path, test)


def test_the_word_of_a_process_that_is_gone_is_not_heard(tmp_path: Path) -> None:
    """Its successor may have been heard before."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    async def test(_front: Front, service: Service, peer: Peer) -> None:
        peer.send(1, "hello", session=1, pid=ended.pid)
        assert await peer.ask("topic_get", topic="t") == (True, {"id": "t"})
        assert service.asked == []

    run(tmp_path, test)


def test_the_end_of_a_node_is_noticed(tmp_path: Path) -> None:
    node = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    async def test(_front: Front, service: Service, peer: Peer) -> None:
        await peer.ask("hello", session=1, pid=node.pid)
        await peer.ask("hello", session=2, pid=node.pid)
        node.send_signal(signal.SIGKILL)
        await service.gone_event.wait()
        assert [a[0] for a in service.asked] == ["hello", "hello", "gone"]

    try:
        run(tmp_path, test)
    finally:
        node.communicate()


def test_what_is_refused_or_unknown_is_a_failure_of_the_asker(tmp_path: Path) -> None:
    async def test(_front: Front, _service: Service, peer: Peer) -> None:
        assert await peer.ask("topic_get", topic="none") == (False, {"code": 404, "message": "unknown topic"})
        assert await peer.ask("frob") == (False, {"code": 400, "message": "unknown operation 'frob'"})

    run(tmp_path, test)


def test_nothing_is_read_while_handlers_are_pressed_and_everything_afterwards(tmp_path: Path) -> None:
    async def test(_front: Front, service: Service, peer: Peer) -> None:
        service.press = 5
        for seq in range(100):
            peer.send(0, "events", seq=seq)
        assert await peer.ask("topic_get", topic="t") == (True, {"id": "t"})
        assert service.press < 0
        assert [a[2]["seq"] for a in service.asked] == list(range(100))

    run(tmp_path, test)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_message_that_makes_trouble_does_not_stop_the_others(tmp_path: Path) -> None:
    async def test(_front: Front, service: Service, peer: Peer) -> None:
        troubles: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context["exception"]))
        peer.socket.send(b"\xc1")
        assert await peer.ask("topic_get", topic="t") == (True, {"id": "t"})
        assert len(troubles) == 1
        assert service.asked == []

    run(tmp_path, test)


def test_acknowledgements_reach_the_node_and_one_that_is_gone_costs_nothing(tmp_path: Path) -> None:
    async def test(front: Front, _service: Service, peer: Peer) -> None:
        await peer.ask("topic_get", topic="t")
        front.acknowledge(b"peer", 3, [0, 1, 0, 0, 0])
        front.acknowledge(b"nobody", 3, [0, 1, 0, 0, 0])
        assert await peer.next() == (0, "ack", {"seq": 3, "counts": [0, 1, 0, 0, 0]})
        assert peer.socket.getsockopt(zmq.EVENTS) & zmq.POLLIN == 0

    run(tmp_path, test)

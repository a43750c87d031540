"""A node's link to the service over real sockets: what is kept, sent again, and waited for."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import zmq

from engine import rpc
from engine.alerts import link as links
from engine.alerts.events import Signal
from engine.alerts.link import Link, packed
from engine.alerts.way_out import Introduction, Server, Stored
from tests.engine.alerts.things import event
from tests.harness import PATIENCE_S
from transports.context import new_context

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass
class Node:
    """Stands for an alert operator."""

    introduction: Introduction = field(default_factory=lambda: Introduction("t", "alert2", "main:t:alert2"))
    name: str = "alert2"
    server: Server | None = None
    counts: list[list[int]] = field(default_factory=list)

    def attach(self, _: Any, server: Server) -> None:
        self.server = server

    def dealt(self, counts: Sequence[int]) -> None:
        self.counts.append(list(counts))


class Service:
    """The other end: a ROUTER that a test lets die and come back."""

    def __init__(self, context: Any, address: str) -> None:
        self._context = context
        self._address = address
        self.start()

    def start(self) -> None:
        self._socket = rpc.router(self._context, self._address)

    def die(self) -> None:
        self._socket.close(0)

    def next(self) -> tuple[int, str, dict[str, Any]]:
        """The next message, whoever it is from."""
        assert self._socket.poll(PATIENCE_S * 1000)
        self._who, message = self._socket.recv_multipart()
        return rpc.unpack(message)

    def answer(self, number: int, value: Any) -> None:
        self._socket.send_multipart((self._who, rpc.pack_answer(number, value)))

    def notice(self, operation: str, **arguments: Any) -> None:
        self._socket.send_multipart((self._who, rpc.pack_request(0, operation, arguments)))

    def acknowledge(self, seq: int) -> None:
        self.notice("ack", seq=seq, counts=[0, 1, 0, 0, 0])

    def welcome(self) -> dict[str, Any]:
        """Take an introduction."""
        number, operation, arguments = self.next()
        assert operation == "hello"
        if number:
            self.answer(number, {"hostname": "h", "cluster": "c", "server": "s"})
        return arguments


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[Link, Node, Service]]:
    """A link that has not said anything yet, its node, and the service."""
    with ExitStack() as stack:
        context = new_context()
        stack.callback(context.term)
        address = f"ipc://{tmp_path / 's'}"
        control = context.socket(zmq.PULL)
        stack.callback(control.close, 0)
        service = Service(context, address)
        stack.callback(service.die)
        node = Node()
        link = Link(context, address, "p1/alert2", node, control, lambda: None)
        stack.callback(link.close)
        yield link, node, service


def _connected(ends: tuple[Link, Node, Service]) -> dict[str, Any]:
    """The introduction of a link whose service answers; `open` would wait for that."""
    link, _, service = ends
    link._ask("hello", {})
    link.wait()
    said = service.welcome()
    link.wait()
    return said


def _events(arguments: dict[str, Any]) -> list[str]:
    read = msgspec.msgpack.decode(arguments["signals"], type=list[Signal])
    return [s.event.id for s in read if s.event is not None]


def _tell(link: Link, *ids: str) -> None:
    link.put([Signal(0, event=event(i)) for i in ids])


def test_the_first_word_says_who_the_node_is(ends: tuple[Link, Node, Service]) -> None:
    said = _connected(ends)
    assert said["session"] == 1
    assert said["inhibiting"] == []
    assert msgspec.convert(said["introduction"], Introduction) == Introduction("t", "alert2", "main:t:alert2")


def test_a_position_counts_as_dealt_with_when_what_follows_from_it_is_acknowledged(
    ends: tuple[Link, Node, Service],
) -> None:
    link, node, service = ends
    _connected(ends)
    assert link.dealt(7) == 7
    link.mark(7, 9)
    _tell(link, "a")
    link.mark(9)
    _tell(link, "b")
    assert link.dealt(12) == 7
    first, second = service.next()[2], service.next()[2]
    assert [(m["seq"], m["before"], m["upto"], _events(m)) for m in (first, second)] == [
        (1, 7, 9, ["a"]),
        (2, 9, 10, ["b"]),
    ]
    service.acknowledge(1)
    link.wait()
    assert (link.dealt(12), node.counts) == (9, [[0, 1, 0, 0, 0]])
    service.acknowledge(2)
    link.wait()
    assert link.dealt(12) == 12
    service.acknowledge(2)
    link.wait()
    assert len(node.counts) == 2, "a second acknowledgement counts nothing"


def test_a_service_that_comes_back_hears_who_it_is_and_what_was_not_acknowledged(
    ends: tuple[Link, Node, Service],
) -> None:
    link, _, service = ends
    _connected(ends)
    _tell(link, "a")
    _tell(link, "b")
    link.put([Signal(5, 1, (("x",),)), Signal(6, 1, (("y",),)), Signal(6, 0)])
    for _ in range(3):
        service.next()
    service.acknowledge(1)
    link.wait()
    service.die()
    service.start()
    link.wait()
    said = service.welcome()
    assert (said["session"], said["inhibiting"]) == (2, [[5, [["x"]]]])
    again = [service.next() for _ in range(2)]
    assert [(a["session"], a["seq"]) for _, _, a in again] == [(2, 2), (2, 3)]
    assert _events(again[0][2]) == ["b"]


def test_a_service_that_does_not_know_the_node_asks_who_it_is(ends: tuple[Link, Node, Service]) -> None:
    link, _, service = ends
    _connected(ends)
    _tell(link, "a")
    service.next()
    service.notice("hello")
    link.wait()
    assert service.welcome()["session"] == 2
    assert service.next()[2]["seq"] == 1


def test_too_much_that_is_not_acknowledged_is_full_until_it_is(
    ends: tuple[Link, Node, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    link, _, service = ends
    monkeypatch.setattr(links, "MOST", 3)
    _connected(ends)
    _tell(link, "a", "b", "c")
    assert not link.full
    _tell(link, "d")
    assert link.full
    service.acknowledge(1)
    link.wait()
    assert not link.full
    monkeypatch.setattr(links, "MOST_BYTES", 10)
    assert link.full


def test_levels_are_asked_for_again_when_the_service_comes_back(ends: tuple[Link, Node, Service]) -> None:
    link, _, service = ends
    _connected(ends)
    number = link._ask("levels", {"ids": ["a"]})
    service.next()
    service.die()
    service.start()
    link.wait()
    service.welcome()
    again, operation, arguments = service.next()
    assert (again, operation, arguments) == (number, "levels", {"ids": ["a"], "session": 2})
    service.answer(number, [[2, 5]])
    assert msgspec.convert(link._wait_answer(number), list[Stored | None]) == [Stored(2, 5)]


def test_a_link_is_closed_when_everything_is_acknowledged_and_goodbye_answered(
    ends: tuple[Link, Node, Service],
) -> None:
    link, _, service = ends
    _connected(ends)
    _tell(link, "a")
    service.next()
    link.begin_close()
    link.begin_close()
    number, operation, _ = service.next()
    assert operation == "bye"
    service.answer(number, None)
    link.wait()
    assert not link.closed
    service.acknowledge(1)
    link.wait()
    assert link.closed


def test_many_signals_go_in_messages_of_bounded_size(ends: tuple[Link, Node, Service]) -> None:
    link, _, service = ends
    _connected(ends)
    _tell(link, *map(str, range(600)))
    got = [service.next()[2] for _ in range(3)]
    assert [len(_events(m)) for m in got] == [256, 256, 88]
    assert [i for m in got for i in _events(m)] == [str(i) for i in range(600)]


def test_bytes_that_are_no_text_travel_as_the_replacement_character() -> None:
    signal = Signal(0, event=event("a\udcff", tags={"\udcffk": "v"}, fields={"f": ["\udcff"]}))
    [read] = msgspec.msgpack.decode(packed([signal]), type=list[Signal])
    assert read.event is not None
    assert (read.event.id, read.event.tags, read.event.fields) == ("a\ufffd", {"\ufffdk": "v"}, {"f": ["\ufffd"]})

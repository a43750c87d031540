"""A node's way to the alert service: what it has to tell leaves here and is kept until it is committed (DESIGN §5).

What always holds:

- Messages go out in order, numbered; each is kept until its acknowledgement has come.
- Whenever the connection is made anew (the service has started again), or the service asks for it, the node introduces
  itself, and sends everything that is not acknowledged once more. So nothing is lost with the service, and some of it may be told twice.
- Bound: `MOST` events and `MOST_BYTES` under way, plus what one frame triggers; beyond, the node reads no input.
- Every wait answers the node's control socket.
"""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import zmq
from zmq.utils.monitor import recv_monitor_message

from engine import rpc
from engine.alerts.way_out import Server, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.alerts.events import Signal
    from engine.alerts.way_out import Alerting
    from transports.context import Context

MOST: Final = 8192
MOST_BYTES: Final = 16 << 20
_AT_ONCE: Final = 256
"""Signals of one message: the service deals with messages in turn."""
_ASK_AT_ONCE: Final = 4096


def _plain(value: Any) -> int:
    """A duration among the fields travels as its nanoseconds."""
    if isinstance(value, int):
        return int(value)
    raise TypeError(f"an event cannot carry a {type(value).__name__}")


_encode = msgspec.msgpack.Encoder(enc_hook=_plain).encode


@dataclass(slots=True)
class _Kept:
    """A message that is not acknowledged: it follows from input between the log positions `before` and `upto`."""

    seq: int
    signals: bytes
    events: int
    before: int
    upto: int


class Link:
    """One alert node's link. `answer` deals with what has come on the `control` socket."""

    def __init__(
        self,
        context: Context,
        address: str,
        identity: str,
        alerting: Alerting,
        control: Any,
        answer: Callable[[], None],
    ) -> None:
        self._alerting = alerting
        self._control = control
        self._answer = answer
        self._socket, self._monitor = _sockets(context, address, identity)
        self._session = 0
        self._seq = 0
        self._kept: deque[_Kept] = deque()
        self._events = 0
        self._bytes = 0
        self._before = 0
        self._upto = 1
        self._inhibiting: dict[int, Any] = {}
        self._number = 0
        self._asked: dict[int, tuple[str, dict[str, Any]]] = {}
        self._answers: dict[int, Any] = {}
        self._saying_bye = 0

    # ------------------------------------------------------------------ for the loop

    @property
    def sockets(self) -> tuple[Any, ...]:
        """To be polled for input; then `hear`."""
        return (self._socket, self._monitor)

    @property
    def full(self) -> bool:
        """Too much is under way: read no input until it is not."""
        return self._events > MOST or self._bytes > MOST_BYTES

    def mark(self, contained: int, upto: int = 0) -> None:
        """What is put from now on follows from input behind this log position, and up to that one where it is known."""
        self._before = contained
        self._upto = max(upto, contained + 1)

    def dealt(self, contained: int) -> int:
        """The position up to which everything is contained and committed."""
        return min(contained, self._kept[0].before) if self._kept else contained

    def hear(self) -> None:
        """Take in what has come."""
        while self._monitor.poll(0):
            recv_monitor_message(self._monitor)
            self._introduce()
        for number, second, third in rpc.arrived(self._socket):
            if number == 0 and second == "hello":
                self._introduce()
            elif number == 0:
                self._acknowledged(third["seq"], third["counts"])
            elif number in self._asked:
                del self._asked[number]
                self._answers[number] = third if second else None

    def open(self) -> None:
        """Wait until the service knows this node."""
        number = self._ask("hello", {})
        plain = self._wait_answer(number)
        self._alerting.attach(self, msgspec.convert(plain or {}, Server))

    def begin_close(self) -> None:
        """Nothing more will be put; answered when everything was sent on."""
        if not self._saying_bye:
            self._saying_bye = self._ask("bye", {})

    @property
    def closed(self) -> bool:
        return self._saying_bye in self._answers and not self._kept

    def wait(self, timeout_ms: int | None = None) -> None:
        """Until there is news; control is answered."""
        poller = zmq.Poller()
        for s in (self._control, *self.sockets):
            poller.register(s, zmq.POLLIN)
        poller.poll(timeout_ms)
        self._answer()
        self.hear()

    def close(self) -> None:
        """Let go of the sockets."""
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)

    # ------------------------------------------------------------------ for the operator

    def put(self, signals: Sequence[Signal]) -> None:
        for signal in signals:
            if signal.switch == 1:
                self._inhibiting[signal.group] = signal.values
            elif signal.switch in (0, -2):
                self._inhibiting.pop(signal.group, None)
        for start in range(0, len(signals), _AT_ONCE):
            some = signals[start : start + _AT_ONCE]
            self._seq += 1
            kept = _Kept(self._seq, packed(some), len(some), self._before, self._upto)
            self._kept.append(kept)
            self._events += kept.events
            self._bytes += len(kept.signals)
            self._send_events(kept)

    def levels(self, ids: Sequence[str]) -> Sequence[Stored | None]:
        out: list[Stored | None] = []
        for start in range(0, len(ids), _ASK_AT_ONCE):
            some = [_clean(i) for i in ids[start : start + _ASK_AT_ONCE]]
            found = self._wait_answer(self._ask("levels", {"ids": some}))
            out += msgspec.convert(found, list[Stored | None])
        return out

    # ------------------------------------------------------------------ messages

    def _introduce(self) -> None:
        """The connection is new: say who this is, and again what may not have arrived."""
        self._session += 1
        hellos = [n for n, (operation, _) in self._asked.items() if operation == "hello"]
        arguments = {
            "session": self._session,
            "pid": os.getpid(),
            "introduction": msgspec.to_builtins(self._alerting.introduction),
            "inhibiting": list(self._inhibiting.items()),
        }
        self._send(rpc.pack_request(hellos[0] if hellos else 0, "hello", arguments))
        for kept in self._kept:
            self._send_events(kept)
        for number, (operation, given) in self._asked.items():
            if operation != "hello":
                self._send_ask(number, operation, given)

    def _send_events(self, kept: _Kept) -> None:
        if self._session:
            arguments = {
                "session": self._session, "seq": kept.seq, "before": kept.before, "upto": kept.upto, "signals": kept.signals,
            }  # fmt: skip
            self._send(rpc.pack_request(0, "events", arguments))

    def _ask(self, operation: str, arguments: dict[str, Any]) -> int:
        self._number += 1
        self._asked[self._number] = (operation, arguments)
        if self._session:
            self._send_ask(self._number, operation, arguments)
        return self._number

    def _send_ask(self, number: int, operation: str, arguments: dict[str, Any]) -> None:
        if operation == "levels":
            arguments = {**arguments, "session": self._session}
        self._send(rpc.pack_request(number, operation, arguments))

    def _send(self, message: bytes) -> None:
        """What cannot be sent now is sent again with the next connection; the bound keeps that from happening."""
        try:
            self._socket.send(message, zmq.DONTWAIT)
        except zmq.Again:
            return

    def _wait_answer(self, number: int) -> Any:
        while number not in self._answers:
            self.wait()
        return self._answers.pop(number)

    def _acknowledged(self, seq: int, counts: Sequence[int]) -> None:
        for kept in self._kept:
            if kept.seq == seq:
                self._kept.remove(kept)
                self._events -= kept.events
                self._bytes -= len(kept.signals)
                self._alerting.dealt(counts)
                return


def _sockets(context: Context, address: str, identity: str) -> tuple[Any, Any]:
    """A dealer, and what tells of its connections: it watches from before the first one."""
    socket: Any = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.IDENTITY, identity.encode())
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SNDHWM, rpc.BACKLOG)
    socket.setsockopt(zmq.RCVHWM, rpc.BACKLOG)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
    monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    socket.connect(address)
    return socket, monitor


def packed(signals: Sequence[Signal]) -> bytes:
    """Signals as msgpack; bytes that are no UTF-8 become the replacement character."""
    try:
        return _encode(signals)
    except UnicodeEncodeError:
        return _encode(_clean(msgspec.to_builtins(signals)))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_clean(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    return value

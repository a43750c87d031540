"""The alert service: topics and their states, inhibitors, handlers, and what nodes and clients ask of them (alerts.md §9).

What always holds:

- An event of a node is acknowledged when the states that it changed are in the store. Handlers get it at once.
- Messages of one node are dealt with in their order; what a node sends twice is dealt with once.
- States in memory lead, the store follows by group commits, one every 10 ms at most; the store's answer is waited for by
  the acknowledgements alone.
- A node that ends without a word (a crash) leaves nothing behind: inhibitors and handlers of its own go with it. What it told
  lately is remembered, and not collected again when the next incarnation of the node tells it.

Operations take and give plain values (docs/alerts.md). A refused request raises RefusedError.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from engine.alerts import specs
from engine.alerts.events import Delivery, Event, Signal
from engine.alerts.handlers import OptionsError, Surroundings, make
from engine.alerts.inhibitors import Inhibitors
from engine.alerts.levels import NAMES
from engine.alerts.matching import Match, MatchError
from engine.alerts.repeats import Told, key
from engine.alerts.topics import State, Topic, Topics
from engine.alerts.way_out import Inline, Introduction, Server, Stored
from engine.alerts.workers import Worker
from engine.definitions.bodies import RefusedError
from engine.rpc import RpcError
from engine.store.alerts import Handler
from engine.store.listing import matches
from tickscript.gostrings import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from engine.alerts.handlers.base import Handler as Sink
    from engine.api.callers import Caller

_COMMIT_S: Final = 0.010
_RETRY_S: Final = 0.5
_signals = msgspec.msgpack.Decoder(list[Signal])


@dataclass(frozen=True, slots=True)
class Options:
    """`queue`: events that may wait for a handler. `persist`: whether states are stored."""

    hostname: str = "localhost"
    persist: bool = True
    queue: int = 5000
    endpoints: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Session:
    """A node that is there. `seen`: the number of its last message that was dealt with."""

    who: bytes
    introduction: Introduction
    number: int
    told: Told
    seen: int = 0


class AlertService:
    """`acknowledge(who, seq, counts)` tells a node that its message is committed."""

    def __init__(
        self, store: Caller, options: Options, log: Any, acknowledge: Callable[[bytes, int, Sequence[int]], None]
    ) -> None:
        self.topics = Topics()
        self.inhibitors = Inhibitors()
        self._store = store
        self._options = options
        self._log = log
        self._acknowledge = acknowledge
        self._surroundings = Surroundings(log, self.collect, options.endpoints)
        self._server = Server(options.hostname)
        self._specs: dict[tuple[str, str], Handler] = {}
        # By topic; a specification's worker by its ID, those of a script by "#" and a number.
        self._workers: dict[str, dict[str, Worker]] = {}
        self._crowded: set[Worker] = set()
        self._sessions: dict[bytes, _Session] = {}
        self._nodes: dict[str, bytes] = {}
        # By anonymous topic: what nodes had told that crashed.
        self._told: dict[str, Told] = {}
        self._changing = asyncio.Lock()
        self._dirty = asyncio.Event()
        self._uncommitted: dict[tuple[str, str], State] = {}
        self._committed: dict[tuple[str, str], State] = {}
        self._unacknowledged: list[tuple[bytes, int, list[int]]] = []
        self._committing: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------------ life

    @property
    def committing(self) -> asyncio.Task[None]:
        """What brings states to the store; ends only by an error, or by `close`."""
        assert self._committing is not None
        return self._committing

    async def open(self) -> None:
        """Load what the store has. Raises RpcError."""
        identities = await self._store.call("identities")
        self._server = Server(self._options.hostname, identities["cluster"], identities["server"])
        for plain in await self._store.call("handlers_all"):
            spec = msgspec.convert(plain, Handler)
            self._specs[spec.topic, spec.id] = spec
            try:
                self._register(spec, *self._made(spec))
            except (OptionsError, MatchError) as error:
                self._log.error("failed to load topic handler", topic=spec.topic, handler=spec.id, error=str(error))
        if self._options.persist:
            states = await self._store.call("events_all")
            self.topics.restore(
                (s["topic"], s["id"], State(s["level"], s["time"], s["duration"], s["message"], s["details"]))
                for s in states
            )
        self._committing = asyncio.create_task(self._commit_always())

    async def close(self, patience: float) -> None:
        """Let handlers finish what waits, at most `patience` seconds, and commit the rest."""
        workers = [w for group in self._workers.values() for w in group.values()]
        await self._drain(workers, patience)
        if self._ending:
            await asyncio.wait(self._ending, timeout=patience)
        if self._committing is not None:
            self._committing.cancel()
            await asyncio.wait([self._committing])
        await self._commit()

    async def _drain(self, workers: Iterable[Worker], patience: float | None = None) -> None:
        drains = [asyncio.create_task(w.drain()) for w in workers]
        if not drains:
            return
        _, late = await asyncio.wait(drains, timeout=patience)
        for task in late:
            task.cancel()

    # ------------------------------------------------------------------ nodes

    def hello(self, who: bytes, session: int, introduction: Mapping[str, Any], inhibiting: Sequence[Any]) -> Any:
        """A node is there, for the first time or again after a lost connection. What the templates tell of the server."""
        known = self._sessions.get(who)
        if known is None:
            node = msgspec.convert(introduction, Introduction)
            former = self._nodes.get(node.anonymous)
            if former is not None:
                self.gone(former)
            known = self._sessions[who] = _Session(who, node, session, Told(self._told.pop(node.anonymous, None)))
            self._nodes[node.anonymous] = who
            if node.handlers:
                self.topics.open(node.anonymous)
                self._workers[node.anonymous] = {
                    f"#{i}": self._worker(self._inline(handler), None) for i, handler in enumerate(node.handlers)
                }
        known.number = session
        self.inhibitors.remove(who)
        for group, values in inhibiting:
            self.inhibitors.switch(who, group, known.introduction.inhibitors, values, on=True)
        return msgspec.to_builtins(self._server)

    def _inline(self, handler: Inline) -> Sink:
        return make(handler.kind, handler.options, self._surroundings)

    def events(self, who: bytes, session: int, seq: int, before: int, upto: int, signals: bytes) -> bool:
        """Signals of a node; False for one that is not known: it has to say who it is, and sends them again.

        They follow from input behind the log position `before`, up to `upto`. What was sent over an earlier connection is
        not heard: it comes again.
        """
        known = self._sessions.get(who)
        if known is None or known.number != session:
            return known is not None
        counts = [0] * (1 + len(NAMES))
        if seq > known.seen:
            known.seen = seq
            told = known.told
            told.begin(before)
            keys: list[int] = []
            for signal in _signals.decode(signals):
                if signal.switch != -1:
                    self._switch(known, signal)
                if signal.event is not None:
                    keys.append(key(signal.event))
                    repeated = told.expecting and told.repeats(keys[-1])
                    self._event(known.introduction, signal.event, counts, repeated=repeated)
            told.add(upto, keys)
        self._unacknowledged.append((who, seq, counts))
        self._dirty.set()
        return True

    def _switch(self, session: _Session, signal: Signal) -> None:
        rules = session.introduction.inhibitors
        self.inhibitors.switch(session.who, signal.group, rules, signal.values, on=signal.switch == 1)

    def pressed(self) -> bool:
        """Whether more events should wait a moment for a handler that keeps up, but for the moment has its queue half full."""
        if not self._crowded:
            return False
        now = asyncio.get_running_loop().time()
        self._crowded = {w for w in self._crowded if w.crowded}
        return any(w.presses(now) for w in self._crowded)

    def _event(self, node: Introduction, event: Event, counts: list[int], *, repeated: bool) -> None:
        if self.inhibitors.mutes(event.category, event.tags):
            counts[0] += 1
            return
        counts[1 + event.level] += 1
        if repeated:
            return
        self._log.debug("alert triggered", task=node.task, node=node.node, alert=event.id, level=NAMES[event.level])
        if node.handlers:
            self.collect(node.anonymous, event)
        if node.topic:
            self.collect(node.topic, event)

    def collect(self, topic: str, event: Event, previous: int = 0, path: tuple[str, ...] = ()) -> None:
        """Put an event on a topic: its state, its handlers, its storage."""
        before, state = self.topics.collect(topic, event, previous)
        workers = self._workers.get(topic)
        taken = True
        if workers:
            delivery = Delivery(topic, event, before, path)
            for worker in workers.values():
                if not worker.offer(delivery):
                    taken = False
                if worker.crowded:
                    self._crowded.add(worker)
        if taken:
            self._keep(topic, event.id, state)

    def _keep(self, topic: str, event: str, state: State) -> None:
        """Have the store follow."""
        if not self._options.persist:
            return
        if not event:
            self._log.error(
                "encountered error collecting event", topic=topic, error="an event without ID is not stored"
            )
            return
        self._uncommitted[topic, event] = state
        self._dirty.set()

    def levels(self, who: bytes, session: int, ids: Sequence[str]) -> list[Any] | None:
        """What the topics of a node have stored for these IDs; None for one that has to introduce itself first.

        The node's own topic leads: the other one is brought in line, and the other way round where only that knows the ID.
        """
        known = self._sessions.get(who)
        if known is None or known.number != session:
            return None
        node = known.introduction
        out: list[Any] = []
        for event in ids:
            own = self.topics.state(node.anonymous, event) if node.handlers else None
            named = self.topics.state(node.topic, event) if node.topic else None
            state = named if own is None else own
            if own is not None and named is not None and own.level != named.level:
                self._set(node.topic, event, own)
            elif own is None and named is not None and node.handlers:
                self._set(node.anonymous, event, named)
            out.append(
                None if state is None or not state.level else msgspec.to_builtins(Stored(state.level, state.time))
            )
        return out

    def _set(self, topic: str, event: str, state: State) -> None:
        self.topics.update(topic, event, state)
        self._keep(topic, event, state)

    async def bye(self, who: bytes) -> None:
        """A node has nothing more to say: answered when its handlers have sent everything."""
        await self._drain(self._leave(who))

    def gone(self, who: bytes) -> None:
        """A node's process is gone: what waits for its handlers is still sent."""
        session = self._sessions.get(who)
        if session is not None:
            self._told[session.introduction.anonymous] = session.told
        workers = self._leave(who)
        if workers:
            task = asyncio.create_task(self._drain(workers))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def _leave(self, who: bytes) -> list[Worker]:
        session = self._sessions.pop(who, None)
        if session is None:
            return []
        self.inhibitors.remove(who)
        topic = session.introduction.anonymous
        del self._nodes[topic]
        workers = list(self._workers.pop(topic, {}).values())
        self.topics.close(topic, keep=self._options.persist)
        return workers

    # ------------------------------------------------------------------ the store

    async def _commit_always(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            started = loop.time()
            await self._commit()
            await asyncio.sleep(max(0.0, started + _COMMIT_S - loop.time()))

    async def _commit(self) -> None:
        """Store what has changed, then acknowledge. Goes on until the store has it."""
        states, self._uncommitted = self._uncommitted, {}
        acknowledgements, self._unacknowledged = self._unacknowledged, []
        if states:
            failing = False
            while True:
                # Made each time: a topic may be forgotten while the store is away.
                self._committed = states
                events = [
                    (topic, event, s.message, s.details, s.time, s.duration, s.level)
                    for (topic, event), s in states.items()
                ]
                try:
                    await self._store.call("events_commit", events=events)
                    break
                except RpcError as error:
                    if not failing:
                        failing = True
                        self._log.error("event states cannot be stored", error=str(error))
                    await asyncio.sleep(_RETRY_S)
        for who, seq, counts in acknowledgements:
            self._acknowledge(who, seq, counts)

    # ------------------------------------------------------------------ topics

    def topic_list(self, pattern: str, min_level: int) -> list[dict[str, Any]]:
        """The topics of at least this level, by name."""
        found = [t for t in self.topics if t.level >= min_level and matches(pattern, t.id)]
        return [_shown_topic(t) for t in sorted(found, key=lambda t: t.id)]

    def topic_get(self, topic: str) -> dict[str, Any]:
        found = self.topics.find(topic)
        if found is None:
            raise RefusedError(404, f"unknown topic: {quote(topic)}")
        return _shown_topic(found)

    async def topic_delete(self, topic: str) -> None:
        """Forget a topic's states; its handlers stay, and get what comes next."""
        self._forget(topic)
        await self._store.call("events_forget", topic=topic)

    async def task_deleted(self, id: str) -> None:  # noqa: A002 - the word of the API
        """Forget the states of a task's own topics."""
        prefix = f"main:{id}:"
        for topic in self.topics.beginning(prefix):
            self._forget(topic)
        for topic in [t for t in self._told if t.startswith(prefix)]:
            del self._told[topic]
        await self._store.call("events_forget", prefix=prefix)

    def _forget(self, topic: str) -> None:
        self.topics.forget(topic)
        for states in (self._uncommitted, self._committed):
            for state in [k for k in states if k[0] == topic]:
                del states[state]

    def event_list(self, topic: str, min_level: int) -> list[dict[str, Any]]:
        found = self.topics.find(topic)
        if found is None:
            raise RefusedError(500, f"failed to get topic events: unknown topic {quote(topic)}")
        return [_shown_event(i, s) for i, s in sorted(found.states.items()) if s.level >= min_level]

    def event_get(self, topic: str, event: str) -> dict[str, Any]:
        state = self.topics.state(topic, event)
        if state is None:
            raise RefusedError(404, f"unknown event {quote(event)} in topic {quote(topic)}")
        return _shown_event(event, state)

    # ------------------------------------------------------------------ handlers

    def handler_list(self, topic: str, pattern: str) -> list[Any]:
        found = [s for (t, i), s in self._specs.items() if t == topic and matches(pattern, i)]
        return [specs.shown(s) for s in sorted(found, key=lambda s: s.id)]

    def handler_get(self, topic: str, id: str) -> Any:  # noqa: A002
        return specs.shown(self._spec(topic, id))

    def _spec(self, topic: str, identity: str) -> Handler:
        spec = self._specs.get((topic, identity))
        if spec is None:
            raise RefusedError(404, f"unknown handler: {quote(identity)}")
        return spec

    async def handler_create(self, topic: str, body: bytes) -> Any:
        spec = specs.read(body, topic, "invalid handler json: ")
        self._check(spec)
        async with self._changing:
            try:
                sink, match = self._made(spec)
                await self._store.call("handler_create", spec=msgspec.to_builtins(spec))
            except (OptionsError, MatchError, RpcError) as error:
                raise RefusedError(500, f"failed to create handler: {error}") from error
            self._specs[topic, spec.id] = spec
            self._register(spec, sink, match)
        return specs.shown(spec)

    async def handler_put(self, topic: str, id: str, body: bytes) -> Any:  # noqa: A002
        async with self._changing:
            self._spec(topic, id)
            return await self._replace(topic, id, specs.read(body, topic, "failed to unmarshal JSON: "))

    async def handler_patch(self, topic: str, id: str, body: bytes) -> Any:  # noqa: A002
        async with self._changing:
            return await self._replace(topic, id, specs.patched(self._spec(topic, id), body))

    async def _replace(self, topic: str, identity: str, spec: Handler) -> Any:
        self._check(spec)
        try:
            sink, match = self._made(spec)
            await self._store.call("handler_update", id=identity, spec=msgspec.to_builtins(spec))
        except (OptionsError, MatchError, RpcError) as error:
            raise RefusedError(500, f"failed to update handler: {error}") from error
        del self._specs[topic, identity]
        self._specs[topic, spec.id] = spec
        former = self._workers.get(topic, {}).pop(identity, None)
        self._register(spec, sink, match)
        if former is not None:
            self._retire(former)
        return specs.shown(spec)

    async def handler_delete(self, topic: str, id: str) -> None:  # noqa: A002
        async with self._changing:
            await self._store.call("handler_delete", topic=topic, id=id)
            self._specs.pop((topic, id), None)
            former = self._workers.get(topic, {}).pop(id, None)
            if former is not None:
                self._retire(former)

    def _retire(self, worker: Worker) -> None:
        """Let a handler that is no longer wanted send what it has."""
        task = asyncio.create_task(worker.drain())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    @staticmethod
    def _check(spec: Handler) -> None:
        try:
            specs.check(spec)
        except ValueError as error:
            raise RefusedError(400, f"invalid handler spec: {error}") from error

    def _made(self, spec: Handler) -> tuple[Sink, Match | None]:
        sink = make(spec.kind, spec.options, self._surroundings)
        return sink, Match(spec.match) if spec.match else None

    def _register(self, spec: Handler, sink: Sink, match: Match | None) -> None:
        self.topics.open(spec.topic)
        self._workers.setdefault(spec.topic, {})[spec.id] = self._worker(sink, match)

    def _worker(self, sink: Sink, match: Match | None) -> Worker:
        return Worker(sink, match, self._options.queue, self._log)


def _shown_topic(topic: Topic) -> dict[str, Any]:
    return {"id": topic.id, "level": topic.level, "collected": topic.collected}


def _shown_event(event: str, state: State) -> dict[str, Any]:
    return {"id": event, **msgspec.to_builtins(state)}

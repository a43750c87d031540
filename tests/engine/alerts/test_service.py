"""The alert service over the real store, in one process: what nodes tell, what clients ask, and what a restart finds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from engine import rpc
from engine.alerts.events import Signal
from engine.alerts.link import packed
from engine.alerts.service import AlertService, Options
from engine.alerts.way_out import Inline, Introduction
from engine.definitions.bodies import RefusedError
from engine.store import Store
from engine.store.service import StoreService
from tests.engine.alerts.things import SECOND, Log, event
from tests.engine.api.servers import StoreCaller
from tests.harness import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from engine.alerts.events import Event

ANONYMOUS = "main:task:alert2"


class Flaky:
    """The store, which is not there while `away` is set."""

    def __init__(self, store: StoreCaller) -> None:
        self._store = store
        self.away = False
        self.committed = 0

    async def call(self, operation: str, timeout: float = 30.0, **arguments: Any) -> Any:  # noqa: ASYNC109
        if self.away:
            raise rpc.PeerUnavailableError("no answer")
        self.committed += operation == "events_commit"
        return await self._store.call(operation, timeout, **arguments)


@dataclass
class Bench:
    """A service and what it said."""

    service: AlertService
    store: Flaky
    log: Log
    acks: list[tuple[bytes, int, list[int]]]
    sent: dict[bytes, int] = field(default_factory=dict)
    heard: bool = True

    def hello(
        self, who: bytes = b"n1", node: str = "alert2", *, session: int = 1, inhibiting: Any = (), **more: Any
    ) -> Any:
        intro = Introduction("task", node, f"main:task:{node}", **more)
        return self.service.hello(who, session, msgspec.to_builtins(intro), inhibiting)

    def tell(
        self, *told: Event | Signal, who: bytes = b"n1", session: int = 1, seq: int | None = None, before: int = 0, upto: int = 1
    ) -> None:  # fmt: skip
        number = self.sent.get(who, 0) + 1 if seq is None else seq
        self.sent[who] = number
        signals = [t if isinstance(t, Signal) else Signal(0, event=t) for t in told]
        self.heard = self.service.events(who, session, number, before, upto, packed(signals))

    async def acknowledged(self, count: int) -> None:
        """Wait until so many messages have been."""
        await _until(lambda: len(self.acks) >= count)

    def levels(self, topic: str) -> dict[str, int]:
        return {e["id"]: e["level"] for e in self.service.event_list(topic, 0)}


def run(path: Path, test: Callable[[Bench], Coroutine[Any, Any, None]], **options: Any) -> Log:
    """A life of the service over what is in the directory."""

    async def life() -> Log:
        with Store(path / "store.db") as store:
            log, acks = Log(), []
            caller = Flaky(StoreCaller(StoreService(store, lambda: 5)))
            service = AlertService(
                caller, Options("host", **options), log, lambda who, seq, counts: acks.append((who, seq, list(counts)))
            )
            await service.open()
            try:
                await test(Bench(service, caller, log, acks))
            finally:
                await service.close(1.0)
            return log

    return asyncio.run(asyncio.wait_for(life(), PATIENCE_S))


def log_handler(path: Path, **more: Any) -> dict[str, Any]:
    return {"id": "h", "kind": "log", "options": {"path": str(path)}, **more}


async def create(bench: Bench, topic: str, **spec: Any) -> Any:
    return await bench.service.handler_create(topic, json.dumps(spec).encode())


def lines(path: Path) -> list[tuple[str, str, str]]:
    """ID, level before and level of each line of a log handler."""
    read = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(line["id"], line["previousLevel"], line["level"]) for line in read]


def test_a_node_learns_who_the_server_is_and_its_events_reach_its_topic(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        server = bench.hello(topic="t")
        assert (server["hostname"], len(server["cluster"]), len(server["server"])) == ("host", 36, 36)
        bench.tell(event("a", 3), event("b", 1), event("a", 0))
        assert bench.levels("t") == {"a": 0, "b": 1}
        assert bench.service.topic_get("t") == {"id": "t", "level": 1, "collected": 3}
        with pytest.raises(RefusedError, match="unknown topic"):
            bench.service.topic_get(ANONYMOUS)

    run(tmp_path, test)


def test_a_message_is_acknowledged_when_its_states_are_stored_with_what_became_of_its_events(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.hello(topic="t")
        bench.tell(event("a", 3), event("b", 1), event("c", 0))
        assert bench.acks == []
        await bench.acknowledged(1)
        assert bench.acks == [(b"n1", 1, [0, 1, 1, 0, 1])]
        stored = await bench.store.call("events_all")
        assert [(s["topic"], s["id"], s["level"]) for s in stored] == [("t", "a", 3), ("t", "b", 1)]

    run(tmp_path, test)


def test_many_messages_are_committed_together(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.hello(topic="t")
        for i in range(100):
            bench.tell(event(str(i), 3))
        await bench.acknowledged(100)
        assert bench.store.committed == 1
        assert [seq for _, seq, _ in bench.acks] == list(range(1, 101))

    run(tmp_path, test)


def test_while_the_store_is_away_nothing_is_acknowledged_and_handlers_go_on(tmp_path: Path) -> None:
    out = tmp_path / "out"

    async def test(bench: Bench) -> None:
        await create(bench, "t", **log_handler(out))
        bench.hello(topic="t")
        bench.store.away = True
        bench.tell(event("a", 3))
        await _until(lambda: out.exists() and bool(bench.log.lines))
        assert bench.acks == []
        bench.store.away = False
        await bench.acknowledged(1)
        assert [s["id"] for s in await bench.store.call("events_all")] == ["a"]

    log = run(tmp_path, test)
    assert log.messages() == ["event states cannot be stored"]
    assert lines(out) == [("a", "OK", "CRITICAL")]


def test_states_that_are_not_ok_are_there_after_a_restart(tmp_path: Path) -> None:
    async def before(bench: Bench) -> None:
        bench.hello(topic="t", handlers=(Inline("log", {"path": "/dev/null"}),))
        bench.tell(event("a", 3, 7 * SECOND, duration=2, message="m", details="d"), event("b", 2), event("b", 0))
        assert bench.levels("t") == {"a": 3, "b": 0}, "a recovery is shown until the restart"

    async def after(bench: Bench) -> None:
        assert bench.levels("t") == {"a": 3}
        assert bench.service.topic_get("t")["collected"] == 0
        assert bench.service.event_get("t", "a") == {
            "id": "a", "level": 3, "time": 7 * SECOND, "duration": 2, "message": "m", "details": "d",
        }  # fmt: skip
        assert [t["id"] for t in bench.service.topic_list("", 0)] == [ANONYMOUS, "t"], "anonymous ones too"
        bench.hello(topic="t", handlers=(Inline("log", {"path": "/dev/null"}),))
        assert bench.service.levels(b"n1", 1, ["a", "b"]) == [[3, 7 * SECOND], None]

    run(tmp_path, before)
    run(tmp_path, after)


def test_without_persistence_nothing_outlives_the_service(tmp_path: Path) -> None:
    async def before(bench: Bench) -> None:
        bench.hello(topic="t")
        bench.tell(event("a", 3))
        await bench.acknowledged(1)

    async def after(bench: Bench) -> None:
        assert bench.service.topic_list("", 0) == []

    run(tmp_path, before, persist=False)
    run(tmp_path, after)


def test_what_a_node_sends_twice_is_dealt_with_once_but_acknowledged_again(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.hello(topic="t")
        bench.tell(event("a", 3), seq=1)
        bench.tell(event("b", 3), seq=2)
        bench.hello(session=2, topic="t")
        bench.tell(event("x", 3), seq=3, session=1)
        bench.tell(event("a", 3), seq=1, session=2)
        bench.tell(event("b", 3), seq=2, session=2)
        await bench.acknowledged(4)
        assert bench.service.topic_get("t")["collected"] == 2
        assert [a[:2] for a in bench.acks] == [(b"n1", 1), (b"n1", 2), (b"n1", 1), (b"n1", 2)]

    run(tmp_path, test)


def test_a_node_that_is_not_known_is_heard_only_when_it_has_said_who_it_is(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.tell(event("a", 3))
        assert not bench.heard, "it is asked who it is"
        assert bench.service.levels(b"n1", 1, ["a"]) is None
        assert bench.service.topic_list("", 0) == []

    run(tmp_path, test)


def test_what_a_node_tells_again_after_a_crash_is_not_collected_again(tmp_path: Path) -> None:
    out = tmp_path / "out"

    async def test(bench: Bench) -> None:
        intro: dict[str, Any] = {"topic": "t", "handlers": (Inline("log", {"path": str(out)}),)}
        bench.hello(b"n1", **intro)
        bench.tell(event("a", 3, 1), upto=1)
        bench.tell(event("a", 0, 2), before=1, upto=2)
        # Handlers of a node that is gone finish beside those of its successor.
        while len(lines(out)) < 2:  # noqa: ASYNC110 - a file has no event to wait for
            await asyncio.sleep(0)
        bench.service.gone(b"n1")
        bench.hello(b"n2", **intro)
        bench.tell(event("a", 0, 2), event("a", 1, 3), who=b"n2", before=1, upto=3)
        bench.tell(event("a", 0, 2), who=b"n2", before=3, upto=4)
        await bench.acknowledged(4)
        assert bench.acks[2] == (b"n2", 1, [0, 1, 1, 0, 0]), "the node has told it, all the same"
        assert bench.service.topic_get("t")["collected"] == 4

    run(tmp_path, test)
    assert lines(out) == [("a", "OK", "CRITICAL"), ("a", "CRITICAL", "OK"), ("a", "OK", "INFO"), ("a", "INFO", "OK")]


def test_a_node_that_said_goodbye_may_say_everything_again(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        bench.hello(b"n1", topic="t")
        bench.tell(event("a", 3, 1))
        await bench.service.bye(b"n1")
        bench.hello(b"n2", topic="t")
        bench.tell(event("a", 3, 1), who=b"n2")
        assert bench.service.topic_get("t")["collected"] == 2

    run(tmp_path, test)


def test_an_inhibitor_mutes_other_nodes_until_its_group_or_node_ends(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        rules = (("cat", ("host",)),)
        bench.hello(b"n1", "alert2", inhibitors=rules)
        bench.hello(b"n2", "alert3", topic="t")

        def muted(host: str = "a", category: str = "cat") -> bool:
            before = bench.levels("t").get("x", -1) if bench.service.topics.find("t") else -1
            level = 3 if before != 3 else 2
            bench.tell(event("x", level, tags={"host": host}, category=category), who=b"n2")
            return (bench.levels("t").get("x", -1) if bench.service.topics.find("t") else -1) == before

        assert not muted()
        bench.tell(Signal(1, 1, (("a",),)))
        assert muted()
        assert not muted("b")
        assert not muted(category="other")
        bench.tell(Signal(1, 0))
        assert not muted()
        bench.tell(Signal(1, 1, (("a",),)))
        bench.tell(Signal(1, -2))
        assert not muted()
        bench.tell(Signal(2, 1, (("",),)))
        assert muted("")
        bench.hello(b"n1", "alert2", session=2, inhibitors=rules, inhibiting=[(2, (("c",),))])
        assert not muted("")
        assert muted("c")
        bench.service.gone(b"n1")
        assert not muted("c")
        await bench.acknowledged(6)
        assert [counts for who, _, counts in bench.acks if who == b"n2"].count([1, 0, 0, 0, 0]) == 3

    run(tmp_path, test)


def test_the_own_topic_of_a_node_and_its_named_one_are_brought_in_line(tmp_path: Path) -> None:
    """The anonymous state wins where there is one; the named one is copied where there is none."""

    async def test(bench: Bench) -> None:
        handlers = (Inline("log", {"path": "/dev/null"}),)
        bench.hello(b"n1", topic="t", handlers=handlers)
        for topic, identity, level in [
            (ANONYMOUS, "both", 1),
            ("t", "both", 3),
            ("t", "named", 2),
            (ANONYMOUS, "own", 3),
        ]:
            bench.service.collect(topic, event(identity, level, level * SECOND))
        found = bench.service.levels(b"n1", 1, ["both", "named", "own", "none"])
        assert found == [[1, SECOND], [2, 2 * SECOND], [3, 3 * SECOND], None]
        assert bench.levels("t") == {"both": 1, "named": 2}
        assert bench.levels(ANONYMOUS) == {"both": 1, "named": 2, "own": 3}
        bench.hello(b"n2", "alert3", topic="t")
        assert bench.service.levels(b"n2", 1, ["named"]) == [[2, 2 * SECOND]]
        with pytest.raises(RefusedError):
            bench.levels("main:task:alert3")

    run(tmp_path, test)


def test_a_task_that_stops_hides_its_own_topic_and_one_that_is_deleted_takes_it_along(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        intro: dict[str, Any] = {"topic": "t", "handlers": (Inline("log", {"path": "/dev/null"}),)}
        bench.hello(b"n1", **intro)
        bench.tell(event("a", 3))
        await bench.service.bye(b"n1")
        with pytest.raises(RefusedError, match="unknown topic"):
            bench.service.topic_get(ANONYMOUS)
        bench.hello(b"n2", **intro)
        assert bench.levels(ANONYMOUS) == {"a": 3}
        await bench.service.bye(b"n2")
        await bench.service.task_deleted("task")
        bench.hello(b"n3", **intro)
        assert bench.levels(ANONYMOUS) == {}
        assert bench.levels("t") == {"a": 3}, "named topics survive"
        assert [(s["topic"], s["id"]) for s in await bench.store.call("events_all")] == [("t", "a")]

    run(tmp_path, test)


def test_goodbye_is_answered_when_the_handlers_have_sent_everything(tmp_path: Path) -> None:
    out = tmp_path / "out"

    async def test(bench: Bench) -> None:
        bench.hello(handlers=(Inline("log", {"path": str(out)}),))
        bench.tell(*(event(str(i), 3) for i in range(500)))
        await bench.service.bye(b"n1")
        assert [i for i, _, _ in lines(out)] == [str(i) for i in range(500)]

    run(tmp_path, test)


# ---------------------------------------------------------------------- topic handlers


def test_a_handler_gets_the_events_of_its_topic_with_the_level_of_before_and_is_there_after_a_restart(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"

    async def before(bench: Bench) -> None:
        made = await create(bench, "t", **log_handler(out, match="changed()"))
        assert made == {"id": "h", "kind": "log", "options": {"path": str(out)}, "match": "changed()"}
        bench.service.collect("t", event("a", 3))

    async def after(bench: Bench) -> None:
        assert bench.service.handler_get("t", "h")["match"] == "changed()"
        for level in (3, 2, 2, 0):
            bench.service.collect("t", event("a", level))

    run(tmp_path, before)
    run(tmp_path, after)
    assert lines(out) == [("a", "OK", "CRITICAL"), ("a", "CRITICAL", "WARNING"), ("a", "WARNING", "OK")]


def test_handlers_are_replaced_renamed_and_deleted(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"

    async def test(bench: Bench) -> None:
        service = bench.service
        await create(bench, "t", **log_handler(first))
        service.collect("t", event("1"))
        await service.handler_put("t", "h", json.dumps(log_handler(second, id="new")).encode())
        service.collect("t", event("2"))
        with pytest.raises(RefusedError, match="unknown handler"):
            service.handler_get("t", "h")
        await service.handler_patch("t", "new", b'[{"op":"replace","path":"/match","value":"level() == OK"}]')
        service.collect("t", event("3"))
        assert [h["id"] for h in service.handler_list("t", "n*")] == ["new"]
        await service.handler_delete("t", "new")
        await service.handler_delete("t", "new")
        service.collect("t", event("4", 0))
        assert service.handler_list("t", "") == []

    run(tmp_path, test)
    assert [i for i, _, _ in lines(first)] == ["1"]
    assert [i for i, _, _ in lines(second)] == ["2"]


@pytest.mark.parametrize(
    ("spec", "code", "error"),
    [
        ({"id": "h", "kind": "log", "options": {"path": "/x"}}, 500,
         'failed to create handler: cannot register handler, handler with ID "h" already exists'),
        ({"id": "i", "kind": "frob"}, 500, 'failed to create handler: unsupported action kind "frob"'),
        ({"id": "i", "kind": "log"}, 500, "failed to create handler: log path must be absolute:  is not absolute"),
        ({"id": "i", "kind": "log", "options": {"path": "/x"}, "match": "level() == NONE"}, 500,
         'failed to create handler: unknown identifier "NONE"'),
        ({"id": "i/", "kind": "log"}, 400,
         "invalid handler spec: handler ID must contain only letters, numbers, '-', '.' and '_'. \"i/\""),
        ({"id": "i"}, 400, "invalid handler spec: handler Kind must not be empty"),
    ],
)  # fmt: skip
def test_a_handler_that_cannot_be_is_refused_and_leaves_nothing(
    tmp_path: Path, spec: dict[str, Any], code: int, error: str
) -> None:
    async def test(bench: Bench) -> None:
        await create(bench, "t", **log_handler(tmp_path / "out"))
        with pytest.raises(RefusedError) as refused:
            await create(bench, "t", **spec)
        assert (refused.value.code, str(refused.value)) == (code, error)
        assert [h["id"] for h in bench.service.handler_list("t", "")] == ["h"]

    run(tmp_path, test)


def test_a_match_that_does_not_compile_is_accepted_and_fails_at_each_event(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await create(bench, "t", **log_handler(tmp_path / "out", match="nope()"))
        bench.service.collect("t", event("a"))

    assert run(tmp_path, test).messages() == ["failed to evaluate match expression"]


def test_a_stored_handler_that_cannot_be_made_is_logged_and_the_others_are_there(tmp_path: Path) -> None:
    async def before(bench: Bench) -> None:
        await create(bench, "t", **log_handler(tmp_path / "out"))
        spec = {"topic": "t", "id": "bad", "kind": "post", "options": {"endpoint": "gone"}, "match": ""}
        await bench.store.call("handler_create", spec=spec)

    async def after(bench: Bench) -> None:
        assert [h["id"] for h in bench.service.handler_list("t", "")] == ["bad", "h"]
        bench.service.collect("t", event("a"))

    run(tmp_path, before)
    assert run(tmp_path, after).messages() == ["failed to load topic handler"]
    assert len(lines(tmp_path / "out")) == 1


def test_published_events_begin_with_the_level_of_where_they_come_from_and_a_circle_ends(tmp_path: Path) -> None:
    out = tmp_path / "out"

    async def test(bench: Bench) -> None:
        await create(bench, "a", id="p", kind="publish", options={"topics": ["b"]})
        await create(bench, "b", id="q", kind="publish", options={"topics": ["a"]})
        bench.service.collect("a", event("x", 2))
        await _until(lambda: bench.service.topic_get("b")["collected"] == 1)
        await create(bench, "b", **log_handler(out))
        bench.service.collect("a", event("y", 1))
        bench.service.collect("a", event("x", 3))
        await _until(lambda: bench.service.topic_get("b")["collected"] == 3)
        await bench.service.topic_delete("b")
        bench.service.collect("a", event("x", 0))
        await _until(lambda: bench.service.topics.find("b") is not None)
        assert bench.service.topic_get("a")["collected"] == 4

    run(tmp_path, test)
    assert lines(out) == [("y", "OK", "INFO"), ("x", "WARNING", "CRITICAL"), ("x", "CRITICAL", "OK")]


async def _until(reached: Callable[[], bool]) -> None:
    while not reached():  # noqa: ASYNC110 - a turn of the loop, not time: it has no event of its own
        await asyncio.sleep(0)


def test_a_topic_that_is_deleted_loses_its_states_here_and_in_the_store_but_keeps_its_handlers(tmp_path: Path) -> None:
    out = tmp_path / "out"

    async def test(bench: Bench) -> None:
        await create(bench, "t", **log_handler(out))
        bench.service.collect("t", event("a"))
        bench.store.away = True
        await _until(lambda: bool(bench.log.lines))
        bench.store.away = False
        await bench.service.topic_delete("t")
        await bench.service.topic_delete("unknown")
        with pytest.raises(RefusedError, match="unknown topic"):
            bench.service.topic_get("t")
        assert len(bench.service.handler_list("t", "")) == 1
        bench.service.collect("t", event("b"))

    async def after(bench: Bench) -> None:
        assert bench.levels("t") == {"b": 3}

    run(tmp_path, test)
    run(tmp_path, after)
    assert [i for i, _, _ in lines(out)] == ["a", "b"]


def test_what_a_full_queue_did_not_take_is_not_stored(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        await create(bench, "t", **log_handler(tmp_path / "out"))
        bench.hello(topic="t")
        bench.tell(event("1"), event("2"), event("3"))
        await bench.acknowledged(1)
        assert bench.levels("t") == {"1": 3, "2": 3, "3": 3}

    async def after(bench: Bench) -> None:
        assert bench.levels("t") == {"1": 3, "2": 3}

    run(tmp_path, test, queue=2)
    run(tmp_path, after)


def test_lists_are_by_name_and_take_patterns_and_levels(tmp_path: Path) -> None:
    async def test(bench: Bench) -> None:
        for topic, identity, level in [("b", "x", 2), ("a", "y", 0), ("ab", "z", 3), ("a", "w", 1)]:
            bench.service.collect(topic, event(identity, level))
        names: Callable[[Sequence[Any]], list[str]] = lambda found: [f["id"] for f in found]  # noqa: E731
        assert names(bench.service.topic_list("", 0)) == ["a", "ab", "b"]
        assert names(bench.service.topic_list("a*", 0)) == ["a", "ab"]
        assert names(bench.service.topic_list("", 2)) == ["ab", "b"]
        assert names(bench.service.event_list("a", 0)) == ["w", "y"]
        assert names(bench.service.event_list("a", 1)) == ["w"]
        for ask in (lambda: bench.service.event_list("none", 0), lambda: bench.service.event_get("a", "none")):
            with pytest.raises(RefusedError):
                ask()

    run(tmp_path, test)

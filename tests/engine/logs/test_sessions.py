"""Sessions and history: what a reader sees, what it loses, and that it is told."""

from __future__ import annotations

import logging
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.logs.sessions import MAX_SESSIONS, Filter, Hub, Line, Session, reference_filter

_NOW = 10**9


def _record(number: int, **more: Any) -> dict[str, Any]:
    return {"ts": number, "level": "info", "msg": f"m{number}", "process": "node", "task": "t", **more}


def _messages(lines: list[Line]) -> list[str]:
    return [f"lost {line.record['lost']}" if "lost" in line.record else line.record["msg"] for line in lines]


def _open(hub: Hub, wanted: Filter | None = None) -> Session:
    session = hub.open(wanted or Filter(), lambda: None)
    assert session is not None
    return session


@given(st.lists(st.one_of(st.integers(1, 7), st.just("read"), st.just("gone")), max_size=30), st.integers(1, 6))
def test_every_line_is_seen_in_order_or_counted_at_its_place(steps: list[int | str], limit: int) -> None:
    hub = Hub(limit=limit)
    session = _open(hub)
    sent, seen = 0, []
    for step in [*steps, "read"]:
        if isinstance(step, int):
            hub.take([_record(sent + i) for i in range(step)])
            sent += step
        elif step == "gone":
            hub.take([], lost=1)
            sent += 1
        else:
            while lines := session.take(3, _NOW):
                seen += lines
    at = 0
    for line in seen:
        if "lost" in line.record:
            at += line.record["lost"]
        else:
            at = line.record["ts"] + 1 if line.record["ts"] >= at else -1
            assert at > 0
    assert at == sent


def test_the_place_of_what_is_lost_is_told() -> None:
    hub = Hub(limit=2)
    session = _open(hub)
    hub.take([_record(i) for i in range(5)])
    assert _messages(session.take(10, _NOW)) == ["m0", "m1", "lost 3"]
    hub.take([_record(5)])
    assert _messages(session.take(10, _NOW)) == ["m5"]
    assert session.lost == 3


def test_large_lines_fill_a_session_by_their_bytes() -> None:
    hub = Hub(limit=1000)
    session = _open(hub)
    hub.take([_record(i, text="x" * (1 << 20)) for i in range(6)])
    assert _messages(session.take(10, _NOW)) == ["m0", "m1", "m2", "lost 3"]


def test_a_slow_session_takes_nothing_from_the_others() -> None:
    hub = Hub(limit=2)
    slow, quick = _open(hub), _open(hub)
    got = []
    for i in range(10):
        hub.take([_record(i)])
        got += quick.take(10, _NOW)
    assert _messages(got) == [f"m{i}" for i in range(10)]
    assert _messages(slow.take(10, _NOW)) == ["m0", "m1", "lost 8"]


def test_the_history_is_bounded_in_records_and_in_bytes() -> None:
    hub = Hub(history_records=3)
    hub.take([_record(i) for i in range(5)])
    assert _messages(hub.history()) == ["m2", "m3", "m4"]
    hub = Hub(history_bytes=3000)
    hub.take([_record(i, text="x" * 1000) for i in range(5)])
    assert _messages(hub.history()) == ["m3", "m4"]
    assert hub.statistics()["history_bytes"] <= 3000


def test_filters_go_by_level_time_and_keys() -> None:
    hub = Hub()
    hub.take(
        [
            _record(1, level="debug"),
            _record(2),
            _record(3, level="warning", node="log2"),
            _record(4, level="error", share=1.0),
        ]
    )

    def found(wanted: Filter) -> list[str]:
        return _messages([line for line in hub.history() if wanted.takes(line)])

    assert found(Filter(least=logging.INFO)) == ["m2", "m3", "m4"]
    assert found(Filter(since=3)) == ["m3", "m4"]
    assert found(Filter(equal=(("node", "log2"),))) == ["m3"]
    assert found(reference_filter([("lvl", "info+"), ("task", "t")])) == ["m2", "m3", "m4"]
    assert found(reference_filter([("lvl", "info")])) == ["m2"]
    assert found(reference_filter([("lvl", "loud+")])) == ["m1", "m2", "m3", "m4"]
    assert found(reference_filter([("share", "1"), ("service", "kapacitor")])) == ["m4"]
    assert found(reference_filter([("nokey", "")])) == []


def test_the_level_that_is_asked_for_is_the_lowest_that_a_session_wants() -> None:
    asked: list[int] = []
    hub = Hub(want=asked.append)
    first, second = _open(hub, Filter(least=logging.ERROR)), _open(hub)
    hub.end(second)
    hub.end(first)
    hub.end(first)
    assert asked == [logging.INFO, logging.ERROR, logging.DEBUG, logging.ERROR, logging.INFO]


def test_there_are_only_so_many_sessions() -> None:
    hub = Hub()
    sessions = [hub.open(Filter(), lambda: None) for _ in range(MAX_SESSIONS)]
    assert all(sessions)
    assert hub.open(Filter(), lambda: None) is None


def test_closing_wakes_every_session() -> None:
    woken: list[int] = []
    hub = Hub()
    session = hub.open(Filter(), lambda: woken.append(1))
    hub.close()
    assert session is not None
    assert (session.closed, woken) == (True, [1])

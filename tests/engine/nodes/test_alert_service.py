"""What alert nodes ask the alert service and tell it: stored levels, counters, inhibitors (alerts.md §5-8)."""

from __future__ import annotations

from collections import Counter

from engine.alerts.levels import NAMES
from engine.alerts.way_out import Stored
from tests.engine.nodes.alerting import Service, alert, points, told
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Barrier, Delete, Group, Message, Point, through


def test_a_group_begins_with_the_level_that_the_service_has_stored() -> None:
    service = Service({"m:h=a": Stored(3, 5 * S), "m:h=b": Stored(0, 5 * S)})
    sent = [Point("m", (10 + i) * S, {"v": 1.0}, {"h": h}, ("h",)) for i, h in enumerate("abca")]
    through(alert(service=service), list(sent), cuts=[])
    assert sorted(service.asked) == ["m:h=a", "m:h=b", "m:h=c"]
    assert [(e.id, NAMES[e.level], e.duration // S) for e in service.events] == [("m:h=a", "OK", 5)]


def test_a_group_that_a_barrier_announced_asks_at_its_first_point_however_late_that_is() -> None:
    service = Service({"m:h=a": Stored(3, 5 * S)})
    group = Group(("h",), ("a",))
    other = [Point("m", i * S, {"v": 1.0}, {"h": "b"}, ("h",)) for i in (6, 7)]
    sent: list[Message] = [Barrier(group, 5 * S), *other, Point("m", 9 * S, {"v": 1.0}, {"h": "a"}, ("h",))]
    through(alert(service=service), sent, cuts=[1, 2, 3])
    assert service.asked == ["m:h=b", "m:h=a"]
    assert [(e.id, NAMES[e.level], e.duration // S) for e in service.events] == [("m:h=a", "OK", 4)]


def test_a_group_that_was_deleted_asks_again() -> None:
    service = Service()
    point = Point("m", S, {"v": 90.0}, {"h": "a"}, ("h",))
    through(alert(service=service), [point, Delete(point.group), point])
    assert service.asked == ["m:h=a", "m:h=a"]
    assert told(service) == [("CRITICAL", 0), ("CRITICAL", 0)]


def test_an_alert_that_nobody_hears_asks_and_tells_nothing_but_counts() -> None:
    service = Service()
    operator = alert(service=service, topic="")
    through(operator, points([45, 90, 1]), cuts=[])
    assert (service.asked, service.signals) == ([], [])
    assert operator.report.counters == {
        "alerts_triggered": 3, "alerts_inhibited": 0, "oks_triggered": 1, "infos_triggered": 1, "warns_triggered": 0,
        "crits_triggered": 1,
    }  # fmt: skip


def test_counters_follow_what_the_service_has_dealt_with() -> None:
    operator = alert()
    through(operator, points([45, 90, 1]), cuts=[])
    assert not any(operator.report.counters.values())
    operator.dealt([1, 0, 1, 0, 2])
    assert Counter(operator.report.counters) == Counter(
        alerts_triggered=3, alerts_inhibited=1, infos_triggered=1, crits_triggered=2
    )


def test_inhibitors_switch_with_the_alert_of_their_group_and_end_with_it() -> None:
    service = Service()
    inhibitors = (("cat", ("h", "other")), ("all", ()))
    operator = alert({"crit": '"v" > 7'}, service=service, inhibitors=inhibitors, no_recoveries=True, changes_only=True)
    sent: list[Message] = [
        Point("m", i * S, {"v": float(v)}, {"h": "a", "other": "no dimension"}, ("h",))
        for i, v in enumerate([9, 9, 0, 9])
    ]
    through(operator, [*sent, Delete(Group(("h",), ("a",)))], cuts=[])
    switches = [(s.switch, s.values, s.event is not None) for s in service.signals]
    values = (("a", ""), ())
    assert switches == [(1, values, True), (0, values, False), (1, values, True), (-2, (), False)]


def test_a_restored_alert_inhibits_from_its_first_point_on() -> None:
    service = Service({"m:h=a": Stored(2, 0)})
    operator = alert(service=service, inhibitors=(("cat", ("h",)),), changes_only=True)
    through(operator, [Point("m", S, {"v": 70.0}, {"h": "a"}, ("h",))])
    assert [(s.switch, s.values, s.event) for s in service.signals] == [(1, (("a",),), None)]

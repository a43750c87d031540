"""alert against the spec's vectors: levels and resets, changes, flapping, batches, annotations (alerts.md §5-8, §16)."""

from __future__ import annotations

from typing import Any

import pytest

from engine.alerts.levels import NAMES
from engine.frames.model import BATCH
from engine.nodes.alert_output import Annotations
from tests.engine.nodes.alerting import THRESHOLDS, Service, alert, points, told
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Batch, Group, Message, Point, Row, frames_of, through


@pytest.mark.parametrize("cuts", [None, []])
@pytest.mark.parametrize(
    ("resets", "values", "levels", "durations"),
    [
        (
            {"infoReset": '"v" < 10', "warnReset": '"v" < 20', "critReset": '"v" < 30'},
            [45, 40, 30, 9, 45, 61, 30, 19, 45, 61, 81, 29],
            "I I I OK I W W OK I W C OK",
            [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3],
        ),
        (
            {"infoReset": '"v" < 30', "warnReset": '"v" < 50', "critReset": '"v" < 70'},
            [45, 40, 30, 29, 45, 61, 49, 29, 45, 61, 81, 69, 50, 41, 25],
            "I I I OK I W I OK I W C W W I OK",
            [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6],
        ),
    ],
)
def test_resets_gate_the_way_down_as_in_the_vectors_of_the_spec(
    resets: dict[str, str], values: list[int], levels: str, durations: list[int], cuts: Any
) -> None:
    service = Service()
    through(alert({**THRESHOLDS, **resets}, service=service), points(values), cuts=cuts)
    words = {"I": "INFO", "W": "WARNING", "C": "CRITICAL", "OK": "OK"}
    assert told(service) == list(zip([words[w] for w in levels.split()], durations, strict=True))


def test_without_recoveries_an_alert_still_begins_anew_after_one() -> None:
    service = Service()
    lambdas = {"info": '"v" >= 6', "warn": '"v" >= 7', "crit": '"v" >= 8'}
    through(alert(lambdas, service=service, no_recoveries=True), points([7, 2, 6, 7, 7, 8, 2, 6, 3]), cuts=[])
    assert told(service) == [("WARNING", 0), ("INFO", 0), ("WARNING", 1), ("WARNING", 2), ("CRITICAL", 3), ("INFO", 0)]
    assert {e.recoverable for e in service.events} == {False}


def test_state_changes_alone_are_told_with_the_duration_of_the_whole_alert() -> None:
    service = Service()
    lambdas = {"warn": '"v" > 7', "crit": '"v" > 8'}
    through(alert(lambdas, service=service, changes_only=True), points([9, 9, 8, 8, 6, 8, 8, 8, 6, 6]), cuts=[])
    assert told(service) == [("CRITICAL", 0), ("WARNING", 2), ("OK", 4), ("WARNING", 0), ("OK", 3)]


def test_an_unchanged_level_is_told_again_when_the_interval_has_passed() -> None:
    service = Service()
    operator = alert({"crit": '"v" > 7'}, service=service, changes_only=True, interval=2 * S)
    through(operator, points([0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0]), cuts=[])
    assert [(e.time // S, NAMES[e.level], e.duration // S) for e in service.events] == [
        (1, "CRITICAL", 0), (3, "CRITICAL", 2), (5, "CRITICAL", 4), (7, "CRITICAL", 6), (9, "CRITICAL", 8),
        (10, "OK", 9),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("history", "first_muted"), [(21, 10), (5, 2)]
)  # where the shares of the vectors first exceed a half
def test_flapping_mutes_points_when_the_share_of_changes_is_high(history: int, first_muted: int) -> None:
    service = Service()
    operator = alert({"crit": '"v" > 7'}, service=service, flapping=(0.1, 0.5), history=history)
    through(operator, points([9, 0] * 7), cuts=[])
    assert [e.time // S for e in service.events] == list(range(first_muted))


def test_flapping_ends_below_the_low_share_and_the_alert_goes_on() -> None:
    service = Service()
    operator = alert({"crit": '"v" > 7'}, service=service, flapping=(0.1, 0.6), history=5)
    through(operator, points([9, 0, 9, 9, 9, 9, 9]), cuts=[])
    # The shares of the spec's vectors: 0.425 0.2 0.7, then no change in the ring but the oldest.
    assert [(e.time // S, NAMES[e.level]) for e in service.events][:2] == [(0, "CRITICAL"), (1, "OK")]
    assert service.events[-1].time // S == 6


def test_a_recovery_of_a_batch_passes_while_flapping() -> None:
    values = [9.0, 0.0, 9.0, 0.0, 9.0, 0.0]
    sent: list[Message] = [Batch("m", i * S, (Row(i * S, {"v": v}),)) for i, v in enumerate(values)]
    service = Service()
    through(alert({"crit": '"v" > 7'}, service=service, flapping=(0.1, 0.3), history=5), sent, BATCH)
    assert [NAMES[e.level] for e in service.events][-1] == "OK"
    assert [e.time // S for e in service.events if e.level == 0] == [1, 3, 5]


def test_a_batch_has_the_level_and_time_of_its_first_worst_point() -> None:
    rows = tuple(Row(i * S, {"v": v}, {"x": "y"}) for i, v in enumerate([45.0, 85.0, 10.0, 90.0]))
    service = Service()
    operator = alert(service=service, message="{{ .Fields.v }} {{ .Tags }}")
    sent: list[Message] = [Batch("m", 9 * S, rows), Batch("m", 19 * S, rows[2:3]), Batch("m", 29 * S, ())]
    out = through(operator, sent, BATCH, [])
    assert [(NAMES[e.level], e.time // S, e.message) for e in service.events] == [
        ("CRITICAL", 1, "85 map[]"),
        ("OK", 19, "10 map[]"),
    ]
    rows = (
        '{"name":"m","columns":["time","v","x"],"values":[["1970-01-01T00:00:00Z",45,"y"],["1970-01-01T00:00:01Z",85,"y"],'
        '["1970-01-01T00:00:02Z",10,"y"],["1970-01-01T00:00:03Z",90,"y"]]}'
    )
    assert service.events[0].series == (rows,)
    assert out == sent[:2]


def test_all_points_of_a_batch_must_agree_where_that_is_asked() -> None:
    rows = tuple(Row(i * S, {"v": v}) for i, v in enumerate([45.0, 85.0, 90.0]))
    service = Service()
    through(alert(service=service, every=True), [Batch("m", 9 * S, rows)], BATCH)
    [event] = service.events
    assert (NAMES[event.level], event.time // S, event.fields) == ("INFO", 9, {"v": 85.0})


def test_tags_and_fields_are_added_to_what_passes() -> None:
    everything = Annotations("lt", "it", "lf", "mf", "if", "df")
    group = Group(("h",), ("a",))
    added = {"lf": "INFO", "mf": "m:h=a INFO 0s", "if": "m:h=a", "df": 0}
    out = through(alert(annotations=everything), [Point("m", 0, {"v": 45.0}, {"h": "a"}, ("h",))])
    assert out == [Point("m", 0, {"v": 45.0, **added}, {"h": "a", "lt": "INFO", "it": "m:h=a"}, ("h",))]
    batch = Batch("m", 5, (Row(0, {"v": 45.0}, {"h": "a"}), Row(1, {"v": 1.0}, {"h": "a"})), group)
    [frame] = alert(annotations=everything).collect(frames_of([batch], BATCH, [])[0], 0)
    [section] = frame.sections
    before = frames_of([batch], BATCH, [])[0].sections[0].groups
    assert section.groups.tags(0) == {"h": "a", "it": "m:h=a", "lt": "INFO"}
    assert section.groups.hashes.tolist() == before.hashes.tolist(), "the group stays what it was"
    assert section.fields["df"].data.tolist() == [0, 0]
    assert [section.tags["lt"].at(i) for i in (0, 1)] == ["INFO", "INFO"]


def test_a_lambda_that_fails_is_skipped_and_counted_each_time_it_is_passed() -> None:
    operator = alert()
    sent: list[Message] = [Point("m", 0, {"v": 90.0}), Point("m", 1, {"v": "x"})]
    through(operator, sent, cuts=[])
    # CRITICAL on the way up, then all three on the way down.
    assert operator.report.errors == 4
    assert {r.message for r in operator.report.records} == {
        f"error evaluating expression for level {level}" for level in ("INFO", "WARNING", "CRITICAL")
    }

"""match expressions: what they can ask, what is refused, what fails at an event."""

from __future__ import annotations

import pytest

from engine.alerts.matching import Match, MatchError
from tests.engine.alerts.things import SECOND, delivery
from tickscript.lambdas.errors import LambdaError

EVENT = delivery(
    previous=1, identity="id", level=2, duration=90 * SECOND, task="task1", tags={"host": "srv1", "dc": "ams"}
)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("\"dc\" == 'ams' AND level() >= WARNING AND changed() == TRUE", True),
        ("changed()", True),
        ("!changed()", False),
        ("level() == WARNING", True),
        ("level() == 2", True),
        ("level() > WARNING OR level() < INFO", False),
        ("OK < INFO AND INFO < WARNING AND WARNING < CRITICAL", True),
        ("alertDuration() > 1m AND alertDuration() == 90s", True),
        ("name() == 'cpu' AND taskName() =~ /^task\\d/", True),
        ('"host" =~ /srv[2-9]/', False),
        ('strContains("host", \'rv\') AND strLength("dc") == 3', True),
        ("if(changed(), level() == WARNING, FALSE)", True),
        ('isPresent("host")', True),
        ("string(level()) == '2'", True),
        ("TRUE", True),
    ],
)
def test_an_expression_may_ask_for_level_change_names_duration_and_tags(text: str, holds: bool) -> None:
    assert Match(text).holds(EVENT) is holds


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("FOO == 1", 'unknown identifier "FOO"'),
        ("level() == time", 'unknown identifier "time"'),
        ("level() ==", "unexpected EOF"),
        ("", "unexpected EOF"),
        ("lambda: TRUE", "unexpected lambda"),
    ],
)
def test_what_is_no_expression_is_refused(text: str, error: str) -> None:
    with pytest.raises(MatchError, match=error):
        Match(text)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("\"rack\" == 'a' OR TRUE", "no tag exists for rack"),
        ('isPresent("rack")', "no tag exists for rack"),
        ("nope()", 'undefined function: "nope"'),
        ("alertID() == 'id'", 'undefined function: "alertID"'),
        ("level()", "expected boolean"),
        ("level() == 'WARNING'", "mismatched type"),
        ("alertDuration() > 5", "mismatched type"),
        ("int(alertDuration()) > 5", 'Cannot call function "int"'),
    ],
)
def test_what_cannot_be_evaluated_is_accepted_and_fails_at_each_event(text: str, error: str) -> None:
    match = Match(text)
    for _ in range(2):
        with pytest.raises(LambdaError, match=error) as failed:
            match.holds(EVENT)
        assert "\0" not in str(failed.value)


def test_a_function_with_memory_keeps_it_between_events() -> None:
    match = Match("count() % 2 == 0")
    assert [match.holds(EVENT) for _ in range(4)] == [False, True, False, True]

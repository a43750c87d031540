"""Ids, messages and details of alerts: the spec's texts, errors with their places, and columns as the templates render them."""

from __future__ import annotations

import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM
from engine.operator import TaskError
from tests.engine.nodes.alerting import Service, alert, points
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.messages import Message, Point, frames_of, messages_of, through
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, streams


def test_default_details_are_escaped_json_with_the_members_in_order() -> None:
    service = Service()
    operator = alert(service=service, details="{{ json . }}", message="{{ .ID }} is {{ .Level }}")
    through(operator, [Point("m", 1_500_000_000, {"v": 90.0, "s": "<a&b>"}, {"h": "a+b"})])
    text = (
        '{"Name":"m","TaskName":"task","Group":"nil","Tags":{"h":"a+b"},"ServerInfo":{"Hostname":"host","ClusterID":'
        '"cluster","ServerID":"server"},"ID":"m:nil","Fields":{"s":"\\u003ca\\u0026b\\u003e","v":90},"Level":"CRITICAL",'
        '"Time":"1970-01-01T00:00:01.5Z","Duration":0,"Message":"m:nil is CRITICAL"}\n'
    )
    assert service.events[0].details == text.replace('"', "&#34;").replace("+", "&#43;")


def test_a_template_that_fails_ends_the_task_behind_what_was_told_before() -> None:
    service = Service()
    operator = alert(service=service, message='{{ if gt .Fields.v 85.0 }}{{ index .Fields.v "x" }}{{ end }}ok')
    sent = points([45, 50, 90, 95])
    with pytest.raises(TaskError, match="can't index item of type float64") as failed:
        operator.collect(frames_of(sent, STREAM, [])[0], 0)
    assert messages_of(failed.value.frames) == sent[:2]
    assert [e.message for e in service.events] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("texts", "error"),
    [
        (
            {"identity": "{{ .ID }}"},
            'id:1:3: executing "id" at <.ID>: can\'t evaluate field ID in type kapacitor.idInfo',
        ),
        (
            {"message": "a {{ .Message }}"},
            'message:1:5: executing "message" at <.Message>: can\'t evaluate field Message in type kapacitor.messageInfo',
        ),
        (
            {"details": "{{ .Nope }}"},
            'details:1:3: executing "details" at <.Nope>: can\'t evaluate field Nope in type kapacitor.detailsInfo',
        ),
        (
            {"message": "{{ if gt .Fields.v 5 }}x{{ end }}"},
            'message:1:6: executing "message" at <gt .Fields.v 5>: error calling gt: incompatible types for comparison',
        ),
    ],
)
def test_the_error_of_a_template_says_which_and_where(texts: dict[str, str], error: str) -> None:
    with pytest.raises(TaskError) as failed:
        through(alert(**texts), [Point("m", 0, {"v": 90.0})])
    assert str(failed.value) == f"template: {error}"


def test_the_whole_alert_prints_as_the_structures_that_it_consists_of() -> None:
    service = Service()
    operator = alert(service=service, identity="x{{ . }}", message="{{ . }}", details="{{ . }}")
    through(operator, [Point("m", S, {"v": 90.0}, {"h": "a"}, ("h",))])
    first = "{m task h=a map[h:a] {host cluster server}}"
    message = "{" + first + f" x{first} map[v:90] CRITICAL 1970-01-01 00:00:01 +0000 UTC 0s}}"
    [event] = service.events
    assert (event.id, event.message) == (f"x{first}", message)
    assert event.details == "{" + f"{message} {message}".replace("+", "&#43;") + "}"


@pytest.mark.parametrize(
    ("dims", "by_name", "named"),
    [((), False, "nil"), ((), True, "m"), (("h", "r"), False, "h=a,r="), (("h",), True, "m\nh=a")],
)
def test_a_group_is_named_by_its_values_and_behind_the_measurement_where_that_counts(
    dims: tuple[str, ...], by_name: bool, named: str
) -> None:
    service = Service()
    through(alert(service=service), [Point("m", S, {"v": 90.0}, {"h": "a"}, dims, by_name)])
    assert [e.id for e in service.events] == [f"m:{named}"]


PIECES = st.sampled_from(
    [
        "{{ .Name }}", "{{ .TaskName }}", "{{ .Group }}", '{{ index .Tags "h" }}', "{{ .Tags.h }}", "{{ .Tags.none }}", "%s&'",
    ]
)  # fmt: skip


LATER = PIECES | st.sampled_from(
    [
        "{{ .ID }}", "{{ .Level }}", "{{ .Time }}", "{{ .Duration }}", '{{ index .Fields "v" }}', "{{ .Fields.x }}",
        "{{ .Fields.none }}", "{{ .Tags }}",
    ]
)  # fmt: skip


DETAILS = LATER | st.sampled_from(
    ["{{ json . }}", "{{ jsonCompact . }}", "{{ .Message }}", "<b a='{{ .ID }}'>", "<!-- x -->"]
)


@SOME
@given(
    st.lists(PIECES, max_size=3).map("".join), st.lists(LATER, max_size=4).map("".join),
    st.lists(DETAILS, max_size=4).map("".join), streams(ODD_VALUES), batches(ODD_VALUES),
)  # fmt: skip
def test_texts_made_by_column_are_those_that_the_templates_render(
    identity: str, message: str, details: str, points: list[Message], batched: list[Message]
) -> None:
    """A template within an action that is always taken says the same, but is rendered alert by alert."""
    for edge, messages in ((STREAM, points), (BATCH, batched)):
        told = []
        for around in ("{}", "{{{{ if true }}}}{}{{{{ end }}}}"):
            service = Service()
            texts = (around.format(t) for t in (identity, message, details))
            operator = alert(
                {"crit": "TRUE"}, service=service, **dict(zip(("identity", "message", "details"), texts, strict=True))
            )
            try:
                through(operator, messages, edge, [])
            except TaskError as error:
                service.asked.append(str(error).partition("executing")[2])
            told.append((service.events, service.asked))
        assert told[0] == told[1]


def test_characters_that_mean_something_elsewhere_are_the_same_either_way() -> None:
    odd = "%s\"<&>'+\u2028\\\n\u00e9"
    sent = [
        Point(f"m{odd}", S, {f"f{odd}": odd, "v": 1e21, "w": 1e-7}, {f"h{odd}": odd, "h": "a"}, ("h",))
        for _ in range(2)
    ]
    told = []
    for around in ("{}", "{{{{ if true }}}}{}{{{{ end }}}}"):
        service = Service()
        texts = {
            "identity": "%d {{ .Name }} {{ .Group }} {{ .Tags }}",
            "message": "{{ .ID }}% {{ index .Fields `v` }} {{ .Fields }}",
            "details": "<b title='{{ .ID }}'>{{ json . }}</b>{{ .Message }}",
        }
        through(
            alert({"crit": "TRUE"}, service=service, **{k: around.format(v) for k, v in texts.items()}), sent, cuts=[]
        )
        told.append(service.events)
    assert told[0] == told[1]
    plain = Service()
    through(alert({"crit": "TRUE"}, service=plain, details="{{ json . }}"), sent, cuts=[])
    read = json.loads(html.unescape(plain.events[0].details))
    assert (read["Name"], read["Fields"], read["Tags"]) == (sent[0].name, sent[0].fields, sent[0].tags)
    [row] = [json.loads(s) for s in plain.events[0].series]
    assert (row["name"], row["tags"]) == (sent[0].name, sent[0].tags)
    assert dict(zip(row["columns"], row["values"][0], strict=True)) == {
        "time": "1970-01-01T00:00:01Z",
        **sent[0].fields,
    }

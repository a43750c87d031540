"""Go templates: what the language says, what fails when it is read, what fails when it is rendered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import Span
from engine.templates import ExecutionError, ParseError, Struct, TextMap, parse
from engine.templates.functions import JSON_FUNCTIONS
from engine.templates.times import GoTime

DATA: dict[str, Any] = {
    "Name": "cpu",
    "Tags": TextMap(host="a b", cpu="<1>"),
    "Fields": {"v": 10.0, "i": 7, "b": True, "s": "x", "n": None},
    "List": [1, 2, 3],
    "Empty": [],
    "Duration": Span(90 * 10**9),
    "Time": GoTime(10_250_000_000),
}


class Event(Struct):
    go_type = "*alert.Data"

    def go_field(self, name: str) -> Any:
        return {"Level": "OK", "Tags": TextMap(h="x")}[name]


def render(text: str, data: Any = DATA) -> str:
    return parse(text, "t", JSON_FUNCTIONS).render(data)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain", "plain"),
        ("", ""),
        ('x/{{ index .Tags "host" }}', "x/a b"),
        ("{{ .Tags.host }}", "a b"),
        ('{{ index .Tags "nope" }}', ""),
        ("{{ .Tags.nope }}|{{ .Fields.nope }}", "<no value>|<no value>"),
        ("{{ .Tags.nope.x }}|{{ .Fields.nope.x.y }}", "<no value>|<no value>"),
        ('{{ index .Fields "nope" }}', "<no value>"),
        ("{{ .Fields.v }} {{ .Fields.i }} {{ .Fields.b }}", "10 7 true"),
        ("{{ .Fields }}", "map[b:true i:7 n:<nil> s:x v:10]"),
        ("{{ .Duration }} {{ .Time }}", "1m30s 1970-01-01 00:00:10.25 +0000 UTC"),
        ('{{ .Time.Unix }} {{ .Time.Format "2006-01-02 15:04:05.000" }}', "10 1970-01-01 00:00:10.250"),
        ('{{ index .Fields "v" | printf "%0.3f" }}', "10.000"),
        ('{{ index .Fields "i" | printf "%0.3f" }}', "%!f(int64=007)"),
        ('{{ index .Fields "nope" | printf "%0.3f" }}', "%!f(<nil>)"),
        ('{{ if eq .Name "mem" "cpu" }}yes{{ else }}no{{ end }}', "yes"),
        ('{{ if eq .Name "a" }}1{{ else if eq .Name "cpu" }}2{{ else }}3{{ end }}', "2"),
        ("{{ if .Empty }}full{{ else }}empty{{ end }}", "empty"),
        ("{{ range .List }}{{ . }},{{ end }}", "1,2,3,"),
        ("{{ range $i, $v := .List }}{{ $i }}={{ $v }};{{ end }}", "0=1;1=2;2=3;"),
        ("{{ range $k, $v := .Tags }}{{ $k }}={{ $v }};{{ end }}", "cpu=<1>;host=a b;"),
        ("{{ range .Empty }}x{{ else }}none{{ end }}", "none"),
        ("{{ range .List }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ . }}{{ end }}", "13"),
        ("{{ range .List }}{{ if eq . 2 }}{{ break }}{{ end }}{{ . }}{{ end }}", "1"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
        ("{{ with .Tags }}{{ .host }}{{ end }}", "a b"),
        ("{{ with .Empty }}x{{ else }}nothing{{ end }}", "nothing"),
        ("{{ with $x := .Name }}{{ $x }}{{ $.Name }}{{ end }}", "cpucpu"),
        ("{{ $x := 1 }}{{ range .List }}{{ $x = . }}{{ end }}{{ $x }}", "3"),
        ('{{ define "a" }}[{{ . }}]{{ end }}{{ template "a" .Name }}', "[cpu]"),
        ('{{ block "b" .Name }}({{ . }}){{ end }}', "(cpu)"),
        ("{{/* nothing */}}x", "x"),
        ("a {{- .Name -}} b", "acpub"),
        ("a {{- /* gone */ -}} b", "ab"),
        ("{{ and .Name .Empty }}{{ or .Empty .Name }}{{ not .Empty }}", "[]cputrue"),
        ("{{ or .Name (index .List 9) }}", "cpu"),
        ("{{ len .List }}{{ len .Name }}{{ len .Tags }}", "332"),
        ('{{ slice .Name 1 2 }}{{ slice .List 1 }}{{ index "abc" 1 }}', "p[2 3]98"),
        ('{{ lt 1 2 }} {{ le 2 2 }} {{ gt 1.5 2.5 }} {{ ge .Name "a" }} {{ ne 1 2 }}', "true true false true true"),
        ('{{ print 1 2 "x" 3 }}{{ println "a" 1 }}', "1 2x3a 1\n"),
        ('{{ html .Tags.cpu }} {{ urlquery .Tags.host }} {{ js "it\'s" }}', "&lt;1&gt; a+b it\\'s"),
        ("{{ json .Fields }}", '{"b":true,"i":7,"n":null,"s":"x","v":10}\n'),
        ("{{ jsonCompact .Tags }}", '{"cpu":"\\u003c1\\u003e","host":"a b"}'),
        ('{{ "q\\"\\n" }}{{ `raw\\n` }}{{ \'a\' }}{{ 0x10 }}{{ 1e3 }}', 'q"\nraw\\n97161000'),
        ('{{ "x" | printf "%s-%s" "y" }}', "y-x"),
        ("{{ (index .List 0) | print }}", "1"),
        ("{{ nil | print }}", None),
        ("{{ true }}", "true"),
        ("{{ .Duration.Seconds }} {{ .Duration.Minutes }} {{ .Duration.Hours }}", "90 1.5 0.025"),
        ("{{ .Duration.Milliseconds }} {{ .Duration.Nanoseconds }} {{ .Duration.String }}", "90000 90000000000 1m30s"),
        ("{{ .Duration.Truncate 60000000000 }} {{ .Duration.Round 60000000000 }}", "1m0s 2m0s"),
        ("{{ if gt .Duration.Seconds 60.0 }}long{{ end }}", "long"),
        ('{{ .Time.Month }} {{ printf "%d %s" .Time.Month .Time.Weekday }}', "January 1 Thursday"),
        ("{{ (.Time.Add .Duration).Unix }} {{ .Time.Truncate 4000000000 }}", "100 1970-01-01 00:00:08 +0000 UTC"),
        ("{{ .Time.Round 4000000000 }}", "1970-01-01 00:00:12 +0000 UTC"),
        ("{{ (.Time.Add .Duration).Sub .Time }} {{ .Time.Before .Time }} {{ .Time.IsZero }}", "1m30s false false"),
        (
            "{{ .Time.Equal .Time }} {{ .Time.After .Time }} {{ .Time.Local }}",
            "true false 1970-01-01 00:00:10.25 +0000 UTC",
        ),
        ('{{ printf "%T %T %T %T" 1 1.0 .Time.Year (len .Name) }}', "int float64 int int"),
        ('{{ printf "%s" 7 }}', "%!s(int=7)"),
    ],
)
def test_templates_say_what_go_says(text: str, wanted: str | None) -> None:
    if wanted is None:
        with pytest.raises((ParseError, ExecutionError)):
            render(text)
        return
    assert render(text) == wanted


@pytest.mark.parametrize(
    ("pattern", "args", "wanted"),
    [
        ("%v %v %v", (1.5, 1e21, 1e-5), "1.5 1e+21 1e-05"),
        ("%v %v %v %v", (123456.0, 1e6, 1234567.5, -12345678.0), "123456 1e+06 1.2345675e+06 -1.2345678e+07"),
        ("%v %v %g", (0.0001, 0.00001234, 1e6), "0.0001 1.234e-05 1e+06"),
        ("%q %10s|%-4s|", (Span(10**9), Span(10**9), "x"), '"1s"         1s|x   |'),
        ("%d|%5d|%-5d|%05d|%+d", (7, 7, 7, 7, 7), "7|    7|7    |00007|+7"),
        ("%f|%.2f|%8.3f|%e|%g", (1.5, 1.005, 2.5, 12345.678, 0.1), "1.500000|1.00|   2.500|1.234568e+04|0.1"),
        ("%s|%q|%x|%10s|%.2s", ("ab", 'a"b', "hi", "r", "xyz"), 'ab|"a\\"b"|6869|         r|xy'),
        ("%t %T %T %T", (True, 1, 1.0, "s"), "true int64 float64 string"),
        ("%x %X %o %b %c %q", (255, 255, 8, 5, 65, 65), "ff FF 10 101 A 'A'"),
        ("%d", ("x",), "%!d(string=x)"),
        ("%s", (7,), "%!s(int64=7)"),
        ("%d %d", (1,), "1 %!d(MISSING)"),
        ("%d", (1, "x"), "1%!(EXTRA string=x)"),
        ("100%%", (), "100%"),
        ("%!", (1,), "%!!(int64=1)"),
        ("%*d", (4, 7), "   7"),
        ("%v", (None,), "<nil>"),
        ("%s", (None,), "%!s(<nil>)"),
        ("%v %d %s", (Span(1_500_000_000), Span(5), Span(2_000_000_000)), "1.5s 5 2s"),
        ("%v", ({"b": 1, "a": [True]},), "map[a:[true] b:1]"),
        ("%f %v", (float("inf"), float("nan")), "+Inf NaN"),
    ],
)
def test_printf_formats_as_go(pattern: str, args: tuple[Any, ...], wanted: str) -> None:
    data = {f"a{i}": arg for i, arg in enumerate(args)}
    names = " ".join(f".a{i}" for i in range(len(args)))
    assert render(f"{{{{ printf `{pattern}` {names} }}}}", data) == wanted


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{{ foo }}", 'template: t:1: function "foo" not defined'),
        ("{{ if }}x{{ end }}", "template: t:1: missing value for if"),
        ("{{ .A", "template: t:1: unclosed action"),
        ("{{ end }}", "template: t:1: unexpected {{end}}"),
        ("{{ if .A }}x", "template: t:1: unexpected EOF"),
        ("\n{{ $x }}", 'template: t:2: undefined variable "$x"'),
        ("{{ break }}", "template: t:1: {{break}} outside {{range}}"),
        ('{{ "x }}', "template: t:1: unterminated quoted string"),
        ("{{ (1 }}", "template: t:1: unclosed left paren"),
        ("{{ 1) }}", "template: t:1: unexpected right paren"),
        ("{{/* x }}", "template: t:1: unclosed comment"),
        ("{{}}", "template: t:1: missing value for command"),
        ("{{ 1 | 2 }}", "template: t:1: non executable command in pipeline stage 2"),
    ],
)
def test_what_cannot_be_read_is_an_error(text: str, error: str) -> None:
    with pytest.raises(ParseError) as raised:
        parse(text, "t")
    assert str(raised.value) == error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{{ .Fields.v.x }}", "can't evaluate field x in type interface {}"),
        ("{{ .Tags.host.x }}", "can't evaluate field x in type string"),
        ("{{ .List.x }}", "can't evaluate field x in type interface {}"),
        ("{{ gt .Fields.v 5 }}", "error calling gt: incompatible types for comparison"),
        ("{{ index .List 5 }}", "error calling index: index out of range: 5"),
        ('{{ template "no" }}', 'template "no" not defined'),
        ("{{ range .Fields.b }}{{ end }}", "range can't iterate over true"),
        ("{{ len 3 }}", "error calling len: len of type int"),
        ("{{ call .Name }}", "error calling call: non-function of type string"),
        ("{{ .Duration.Nope }}", "can't evaluate field Nope in type interface {}"),
        ("{{ .Duration.Round }}", "wrong number of args for Round: want 1 got 0"),
        ("{{ .Duration.Seconds 1 }}", "wrong number of args for Seconds: want 0 got 1"),
        ("{{ .Time.Add .Name }}", "wrong type for value; expected time.Duration; got string"),
        ('{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', "exceeded maximum template depth"),
    ],
)
def test_what_cannot_be_rendered_is_an_error(text: str, error: str) -> None:
    with pytest.raises(ExecutionError) as raised:
        render(text)
    assert error in str(raised.value)
    assert str(raised.value).startswith("template: t:1:")


def test_a_struct_has_the_fields_that_it_has() -> None:
    assert render("{{ .Level }} {{ .Tags.h }}", Event()) == "OK x"
    with pytest.raises(ExecutionError, match=r"at <\.Nope>: can't evaluate field Nope in type \*alert\.Data"):
        render("{{ .Nope }}", Event())


def test_json_functions_are_there_only_when_given() -> None:
    with pytest.raises(ParseError, match='function "json" not defined'):
        parse("{{ json . }}")


def test_one_template_renders_any_number_of_times() -> None:
    template = parse("{{ $n := .Name }}{{ $n }}")
    assert [template.render({"Name": n}) for n in "abc"] == ["a", "b", "c"]


def test_times_of_the_far_past_and_layouts() -> None:
    time = GoTime(1_609_459_261_005_000_000)
    assert time.format("Mon Jan _2 15:04:05 2006") == "Fri Jan  1 00:01:01 2021"
    assert (
        time.format("3:04PM Monday, 02-January-06 .999 -0700 MST Z07:00")
        == "12:01AM Friday, 01-January-21 .005 +0000 UTC Z"
    )
    assert time.go_method("UnixNano", ()) == 1_609_459_261_005_000_000


@given(st.text(alphabet='{}.$|()"`:= -/*abif end range with 12\n', max_size=40))
def test_any_text_renders_or_is_an_error_of_templates(text: str) -> None:
    try:
        render(text, {"a": 1, "b": {"i": "x"}})
    except (ParseError, ExecutionError):
        return


@given(st.text(max_size=30).filter(lambda t: "{{" not in t))
def test_text_without_actions_is_itself(text: str) -> None:
    assert render(text) == text

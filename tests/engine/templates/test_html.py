"""HTML templates: what values become in each place of a document (alerts.md §4)."""

from __future__ import annotations

import html
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.templates import ParseError, TextMap
from engine.templates.html import HTML_FUNCTIONS, parse_html
from engine.templates.html_context import START, Place, walk

NASTY = "a<b>+\"c&'"


def render(text: str, **data: Any) -> str:
    return parse_html(text, "details", HTML_FUNCTIONS).render({"N": NASTY, "none": None, "map": {"a": 1}, **data})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ .N }}", "a&lt;b&gt;&#43;&#34;c&amp;&#39;"),
        ("<{{ .N }}>", "&lt;a&lt;b&gt;&#43;&#34;c&amp;&#39;>"),
        ("a < b && c", "a &lt; b && c"),
        ("<!DOCTYPE html><p>{{ .none }}</p>", "<!DOCTYPE html><p></p>"),
        ("<!-- {{ .N }} -->x", "x"),
        ('<b class="{{ .N }}">', '<b class="a&lt;b&gt;&#43;&#34;c&amp;&#39;">'),
        ("<b class='{{ .N }}'>", "<b class='a&lt;b&gt;&#43;&#34;c&amp;&#39;'>"),
        ("<b class={{ .word }}>", "<b class=a&#32;b>"),
        ("<b class={{ .empty }}>", "<b class=ZgotmplZ>"),
        ('<a href="{{ .N }}">', '<a href="a%3cb%3e&#43;%22c&amp;%27">'),
        ('<a href="{{ .bad }}">', '<a href="#ZgotmplZ">'),
        ('<a href="/p/{{ .N }}">', '<a href="/p/a%3cb%3e&#43;%22c&amp;%27">'),
        ('<a href="/p?q={{ .N }}&x={{ .word }}">', '<a href="/p?q=a%3cb%3e%2b%22c%26%27&x=a%20b">'),
        ('<p style="color: {{ .N }}">', '<p style="color: ZgotmplZ">'),
        ('<p style="color: {{ .colour }}">', '<p style="color: red">'),
        ("<script>x = {{ .N }};</script>", '<script>x = "a\\u003cb\\u003e+\\"c\\u0026\\u0027";</script>'),
        ("<script>x = {{ .number }};</script>", "<script>x =  5 ;</script>"),
        ("<script>x = {{ jsonCompact .map }};</script>", '<script>x = {"a":1};</script>'),
        ('<script>x = "{{ .N }}";</script>', '<script>x = "a\\u003cb\\u003e\\u002b\\u0022c\\u0026\\u0027";</script>'),
        ('<b onclick="f({{ .number }})">', '<b onclick="f( 5 )">'),
        ("<{{ .tag }}>", "&lt;h1>"),
        ("<b {{ .tag }}=1>", "<b h1=1>"),
        ("<b {{ .N }}=1>", "<b ZgotmplZ=1>"),
        ("<title>{{ .N }}</title>{{ .number }}", "<title>a&lt;b&gt;&#43;&#34;c&amp;&#39;</title>5"),
        ("{{ json .map }}", "{&#34;a&#34;:1}\n"),
        ("{{ .N | html }}", "a&lt;b&gt;+&#34;c&amp;&#39;"),
        ("{{ $x := .N }}{{ $x }}", "a&lt;b&gt;&#43;&#34;c&amp;&#39;"),
        ("{{ range .list }}<i>{{ . }}</i>{{ end }}", "<i>1</i><i>&lt;</i>"),
        ("{{ if .none }}<b>{{ else }}<i>{{ end }}", "<i>"),
        ('{{ define "t" }}{{ . }}{{ end }}{{ template "t" .N }}<b x="{{ template "t" .word }}">',
         'a&lt;b&gt;&#43;&#34;c&amp;&#39;<b x="a b">'),
    ],
)  # fmt: skip
def test_a_value_is_escaped_for_its_place(text: str, shown: str) -> None:
    more = {"word": "a b", "empty": "", "bad": "javascript:x", "colour": "red", "number": 5, "tag": "h1"}
    assert render(text, list=[1, "<"], **more) == shown


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('<a href="{{ .N }}', "ends in a non-text context"),
        ("<p", "ends in a non-text context"),
        ('{{ if .N }}<a b="{{ else }}<a>{{ end }}">', "{{if}} branches end in different contexts"),
        ("{{ .N ", "unclosed action"),
    ],
)
def test_a_document_that_is_cut_or_torn_is_refused(text: str, error: str) -> None:
    with pytest.raises(ParseError) as failed:
        parse_html(text, "details", HTML_FUNCTIONS)
    assert str(failed.value) == f"template: details:1: {error}"


def test_a_missing_tag_is_nothing() -> None:
    assert render('[{{ .Tags.none }}{{ index .Tags "none" }}]', Tags=TextMap()) == "[]"


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r")))
def test_text_reads_back_as_what_it_was(value: str) -> None:
    assert html.unescape(render("{{ .value }}", value=value)) == value
    assert "<" not in render("{{ .value }}", value=value)


@given(st.text(st.sampled_from("<>a/ =\"'!-bh")))
def test_every_text_can_be_walked_and_comments_alone_are_dropped(text: str) -> None:
    context, printed = walk(START, text)
    if "<" not in text:
        assert (context.place, printed) == (Place.TEXT, text)
    elif "<!--" not in text:
        assert printed.replace("&lt;", "<") == text


@given(st.lists(st.text(st.sampled_from("<>a/ =\"'bs"), max_size=6), max_size=4))
def test_the_context_does_not_depend_on_where_a_tag_is_cut(pieces: list[str]) -> None:
    """Within a tag, behind its name: what html/template calls a text node may end anywhere there."""
    begun, _ = walk(START, "<p ")
    whole, _ = walk(begun, "".join(pieces))
    step = begun
    for piece in pieces:
        if "<" in piece or ">" in piece:
            return
        step, _ = walk(step, piece)
    assert step == whole

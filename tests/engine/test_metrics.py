"""The metrics: the page says what there is, and the text is what a scraper reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.metrics import METRICS, PREFIX, Sample, page, render

_PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_made_of_the_declarations() -> None:
    assert _PAGE.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("metric", METRICS, ids=lambda m: m.name)
def test_each_metric_is_named_explained_and_documented(metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.meaning.endswith(".")
    assert f"| `{PREFIX}{metric.name}` | {metric.kind} |" in _PAGE.read_text(encoding="utf-8")


def test_names_are_given_once() -> None:
    assert len({m.name for m in METRICS}) == len(METRICS)


def test_a_metric_that_is_not_declared_is_an_error() -> None:
    with pytest.raises(KeyError):
        render([Sample("nosuch", 1)])
    with pytest.raises(ValueError, match="zip"):
        render([Sample("fork_live", 1)])


def test_the_text_has_help_and_type_before_the_samples_of_a_metric() -> None:
    text = render([Sample("fork_live", 1, ("b",)), Sample("log_bytes", 0.5), Sample("fork_live", 0, ('a"\n\\',))])
    assert text.decode().splitlines() == [
        "# HELP tickworks_fork_live 1 while the task's fork of the stream is at its head.",
        "# TYPE tickworks_fork_live gauge",
        'tickworks_fork_live{task="b"} 1',
        r'tickworks_fork_live{task="a\"\n\\"} 0',
        "# HELP tickworks_log_bytes Bytes of the ingest log on the disk.",
        "# TYPE tickworks_log_bytes gauge",
        "tickworks_log_bytes 0.5",
    ]


_LINE = re.compile(r'tickworks_topic_level\{topic="((?:[^"\\\n]|\\["\\n])*)"\} 1')


@given(st.text(max_size=20))
def test_any_name_is_one_line_that_reads_back(name: str) -> None:
    lines = render([Sample("topic_level", 1, (name,))]).decode().split("\n")
    assert len(lines) == 4
    found = _LINE.fullmatch(lines[2])
    assert found is not None
    unescaped = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[1])
    assert unescaped == name.encode("utf-8", "backslashreplace").decode()

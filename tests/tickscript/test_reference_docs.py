"""The reference pages: complete, current, and with examples that work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tickscript.random_pipelines import UDFS
from tickscript.compile import compile_script
from tickscript.declare import Declared, Form
from tickscript.formatter import format_script
from tickscript.nodes import handlers
from tickscript.nodes.catalogue import CHAINED, KINDS
from tickscript.nodes.udf import UdfInfo
from tickscript.reference_docs import DEADMAN_EXAMPLE, handler_example, main, pages

if TYPE_CHECKING:
    from tickscript.nodes.base import Node
    from tickscript.nodes.handlers import Handler

DIRECTORY = Path(__file__).parents[2] / "docs" / "reference"
_UDFS = {**UDFS, "scaleBy": UdfInfo("stream", "stream", {"field": ("STRING",), "factor": ("DOUBLE",)})}
_DECLARATIONS: tuple[type[Declared], ...] = (*KINDS, *handlers.KINDS)


def test_the_pages_in_the_repository_are_current() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in DIRECTORY.glob("*.md")}
    assert there == dict(pages()), "run: python -m tickscript.reference_docs docs/reference"


def test_writing_removes_pages_of_kinds_that_are_no_more(tmp_path: Path) -> None:
    (tmp_path / "integral.md").write_text("old", encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == pages().keys()
    assert main([]) == 2


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.method)
def test_the_example_of_a_kind_is_canonical_text_that_compiles_to_a_node_of_the_kind(kind: type[Node]) -> None:
    assert format_script(kind.example).rstrip("\n") == kind.example
    assert any(type(node) is kind for node in compile_script(kind.example, udfs=_UDFS).nodes)


@pytest.mark.parametrize("kind", handlers.KINDS, ids=lambda kind: kind.method)
def test_the_example_of_a_handler_is_canonical_text_that_compiles_to_the_handler(kind: type[Handler]) -> None:
    script = handler_example(kind)
    assert format_script(script).rstrip("\n") == script
    alert = compile_script(script)["alert2"]
    assert [type(handler) for handler in alert.all_handlers()] == [kind]  # type: ignore[attr-defined]


def test_the_example_of_deadman_compiles() -> None:
    assert format_script(DEADMAN_EXAMPLE).rstrip("\n") == DEADMAN_EXAMPLE
    assert compile_script(DEADMAN_EXAMPLE).nodes[-1].kind == "alert"


@pytest.mark.parametrize("kind", _DECLARATIONS, ids=lambda kind: kind.__name__)
def test_every_declaration_and_every_property_is_described(kind: type[Declared]) -> None:
    assert re.search(r"\.$", kind.declaration.doc)
    for declared in kind.declaration.properties:
        assert declared.doc or declared.form is Form.STATE, declared.name


def test_the_chaining_methods_are_those_of_the_specification() -> None:
    assert sorted(kind.method for kind in CHAINED) == sorted(
        [
            "alert",
            "barrier",
            "bottom",
            "changeDetect",
            "combine",
            "count",
            "cumulativeSum",
            "default",
            "delete",
            "derivative",
            "difference",
            "distinct",
            "ec2Autoscale",
            "elapsed",
            "eval",
            "first",
            "flatten",
            "groupBy",
            "holtWinters",
            "holtWintersWithFit",
            "httpOut",
            "httpPost",
            "influxDBOut",
            "join",
            "k8sAutoscale",
            "kapacitorLoopback",
            "last",
            "log",
            "max",
            "mean",
            "median",
            "min",
            "mode",
            "movingAverage",
            "percentile",
            "sample",
            "shift",
            "sideload",
            "spread",
            "stateCount",
            "stateDuration",
            "stddev",
            "sum",
            "swarmAutoscale",
            "top",
            "trickle",
            "union",
            "where",
            "window",
        ]
    )

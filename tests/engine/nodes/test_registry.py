"""From scripts to operators: every kind that has one is built, and the others are refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.nodes import build
from engine.nodes.registry import MAKERS
from engine.operator import Context, Operator, Outside, TaskError
from tickscript.compile import compile_script
from tickscript.nodes.catalogue import KINDS
from tickscript.nodes.sideload import Sideload
from tickscript.plan import decode_node, encode

if TYPE_CHECKING:
    from pathlib import Path

CONTEXT = Context("task", "node", lambda: 0)


def nodes(script: str) -> list[object]:
    """The script's nodes as a process gets them."""
    plan = encode(compile_script(script))
    return [decode_node(node) for node in plan["nodes"]]


@pytest.mark.parametrize("kind", sorted(MAKERS, key=lambda k: k.method), ids=lambda k: k.method)
def test_every_kind_builds_from_its_own_example(kind: type, tmp_path: Path) -> None:
    made = [node for node in nodes(kind.example) if type(node) is kind] or [kind(wants="stream", provides="stream")]
    for node in made:
        if isinstance(node, Sideload):
            node.source = f"file://{tmp_path}"
        operator = build(node, CONTEXT)
        assert isinstance(operator, Operator | Outside)
        assert operator.cardinality == 0


def test_the_edge_decides_how_group_by_and_functions_work() -> None:
    script = "stream|from()|groupBy('h')|window().period(1s).every(1s)|groupBy('r')|mean('v')|mean('mean')|httpOut('x')"
    names = [type(build(node, CONTEXT)).__name__ for node in nodes(script)]
    assert names == [
        "PassOperator", "FromOperator", "StreamGroupByOperator", "WindowOperator", "BatchGroupByOperator",
        "AggregateOperator", "AggregateOperator", "HttpOutOperator",
    ]  # fmt: skip


def test_a_kind_without_an_operator_is_refused_by_name() -> None:
    without = [kind for kind in KINDS if kind not in MAKERS]
    for kind in without:
        with pytest.raises(TaskError, match="has no operator"):
            build(kind(), CONTEXT)


def test_a_lambda_that_does_not_compile_is_refused() -> None:
    [node] = [n for n in nodes('stream|from()|where(lambda: "v" > 1)|log()') if n.kind == "where"]  # type: ignore[attr-defined]
    node.lambda_ = None  # type: ignore[attr-defined]
    with pytest.raises(TaskError, match="nil expression passed to WhereNode"):
        build(node, CONTEXT)  # type: ignore[arg-type]

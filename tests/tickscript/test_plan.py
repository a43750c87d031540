"""Plans: what a node process reads of its node is what the script said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgpack
from hypothesis import given, settings

from tests.tickscript.random_pipelines import attributes, pipelines
from tickscript import plan
from tickscript.compile import compile_script
from tickscript.nodes.stats import Stats
from tickscript.nodes.stream import From
from tickscript.nodes.udf import Udf
from tickscript.nodes.window import Window

if TYPE_CHECKING:
    from tickscript.pipeline import Pipeline


@given(pipelines())
@settings(max_examples=200, deadline=None)
def test_a_plan_loses_nothing_on_its_way_through_msgpack(pipeline: Pipeline) -> None:
    encoded = msgpack.unpackb(msgpack.packb(plan.encode(pipeline)))
    assert encoded["type"] == pipeline.type
    for node, data in zip(pipeline.nodes, encoded["nodes"], strict=True):
        decoded = plan.decode_node(data)
        assert attributes(decoded) == attributes(node)
        assert (decoded.id, decoded.name, decoded.kind) == (node.id, node.name, node.kind)
        assert (decoded.wants, decoded.provides, decoded.quiet) == (node.wants, node.provides, node.quiet)
        assert decoded.parents == [parent.name for parent in node.parents]
        assert decoded.children == [child.name for child in node.children]
        if isinstance(node, Stats):
            assert isinstance(decoded, Stats)
            assert decoded.watched == node.watched.name
        if isinstance(node, Udf):
            assert isinstance(decoded, Udf)
            assert decoded.info == node.info


def test_a_plan_names_the_dbrps_of_the_script() -> None:
    assert plan.encode(compile_script('dbrp "d"."r"\nstream|from()|log()'))["dbrps"] == [["d", "r"]]


def test_attributes_of_a_decoded_node_are_typed() -> None:
    pipeline = compile_script("stream|from().groupBy('b', 'a')|window().period(10s).align()")
    _, source, window = map(plan.decode_node, plan.encode(pipeline)["nodes"])
    assert isinstance(source, From)
    assert source.group_names == ("a", "b")
    assert isinstance(window, Window)
    assert (window.period, window.align) == (10_000_000_000, True)

"""Pipelines: ids, walk order, JSON and canonical text both ways, checks at the start."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tickscript.random_pipelines import UDFS, attributes, edges, pipelines
from tickscript import ast
from tickscript.compile import DEFAULT_DEADMAN, compile_script
from tickscript.errors import EvaluationError
from tickscript.evaluate import Evaluator
from tickscript.formatter import format_expr
from tickscript.nodes.base import Node, StartError
from tickscript.nodes.rows import Noop
from tickscript.nodes.stats import Stats
from tickscript.parser import parse
from tickscript.pipeline import Pipeline
from tickscript.pipeline_json import PipelineJsonError, from_json, to_json
from tickscript.pipeline_tick import _readable, to_tick


def names(script: str) -> list[str]:
    return [node.name for node in compile_script(script).nodes]


def test_a_join_draws_an_id_for_each_parent_and_keeps_the_last() -> None:
    assert names("var a = stream|from()\nvar b = stream|from()\na|join(b).as('a', 'b')")[-1] == "join4"


def test_arguments_draw_their_ids_before_the_call() -> None:
    joined = compile_script("stream|from()|join(stream|from()|log()).as('a', 'b')")["join5"]
    assert [parent.name for parent in joined.parents] == ["from1", "log3"]


def test_the_node_before_union_is_its_last_parent() -> None:
    union = compile_script("var a = stream|from()\nvar b = stream|from()\na|union(b)")["union4"]
    assert [parent.name for parent in union.parents] == ["from2", "from1"]


def test_of_two_siblings_the_one_linked_last_is_walked_first() -> None:
    assert names("var s = stream|from()\ns|log()\ns|log()") == ["stream0", "from1", "log3", "log2"]


def test_a_deadman_on_a_childless_node_puts_a_noop_behind_it() -> None:
    pipeline = compile_script("stream|from()|deadman(10.0, 30s)")
    assert [node.name for node in pipeline.nodes] == ["stream0", "from1", "noop3", "stats2", "derivative4", "alert5"]
    assert pipeline["stats2"].watched is pipeline["from1"]  # type: ignore[attr-defined]


@given(pipelines())
@settings(max_examples=60, deadline=None)
def test_parents_come_before_their_children_and_ids_are_unique(pipeline: Pipeline) -> None:
    places = {id(node): place for place, node in enumerate(pipeline.nodes)}
    assert len({node.id for node in pipeline.nodes}) == len(pipeline.nodes)
    assert pipeline.nodes[0].id == 0
    for node in pipeline.nodes:
        assert all(places[id(parent)] < places[id(node)] for parent in node.parents)


@given(pipelines())
@settings(max_examples=200, deadline=None)
def test_a_pipeline_read_from_its_json_is_the_same(pipeline: Pipeline) -> None:
    text = json.dumps(to_json(pipeline))
    again = from_json(json.loads(text), UDFS)
    assert json.dumps(to_json(again)) == text
    assert again.type == pipeline.type
    assert [attributes(node) for node in again.nodes] == [attributes(node) for node in pipeline.nodes]
    assert [edges(node) for node in again.nodes] == [edges(node) for node in pipeline.nodes]


def _plain(value: object) -> object:
    """The value without positions, and with numbers in lambdas as a script would write them."""
    if isinstance(value, ast.Lambda):
        return format_expr(_readable(value))
    if isinstance(value, ast.Node):
        return format_expr(value) if not isinstance(value, ast.Duration) else value.value
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in sorted(value)}
    return tuple(map(_plain, value)) if isinstance(value, tuple) else value


def _forms(nodes: tuple[Node, ...]) -> list[object]:
    """Each node with all that lies before it, in an order of its own."""
    forms: dict[int, object] = {}
    for node in nodes:
        before = (node.watched,) if isinstance(node, Stats) else tuple(node.parents)
        forms[node.id] = (_plain(attributes(node, given=False)), [forms[parent.id] for parent in before])
    return sorted((forms[node.id] for node in nodes if not isinstance(node, Noop)), key=repr)


@given(pipelines(max_nodes=5))
@settings(max_examples=200, deadline=None)
def test_the_canonical_text_of_a_pipeline_builds_the_same_pipeline(pipeline: Pipeline) -> None:
    again = _evaluate(to_tick(pipeline), pipeline.type)
    assert _forms(again.nodes) == _forms(pipeline.nodes)


def _evaluate(text: str, task_type: str) -> Pipeline:
    """The pipeline of a text whose properties need not make sense together."""
    evaluator = Evaluator(
        task_type, supplied={}, supplied_types={}, udfs=UDFS, deadman_config=DEFAULT_DEADMAN, template=False
    )
    evaluator.run(parse(text))
    return Pipeline(task_type, evaluator.builder.finish(), tuple(evaluator.dbrps))


@pytest.mark.parametrize(
    "script",
    [
        'dbrp "d"."r"\nstream|from().where(lambda: "a" > 1).where(lambda: "b" OR "c")|log()',
        "batch|query('q').groupBy(time(10s, -1s), 'h', *).fill(0).every(1m)|log()",
        "batch|query('q').groupBy(10s).fill(0.5).cron('* * * * *')|union(batch|query('r').fill('null').every(1s))",
        "var s = stream|from()\ns|union(s)|log().quiet()\ns|stats(1s)|log()\ns|stats(2s)",
        "stream|from()|holtWintersWithFit('a', 1, 2, 3s)|elapsed('b', 1s)|default().field('a', 0).field('b', '')",
        "stream|from()|alert().category('c').discord().embedTitle('t').details('').history(0)",
        "stream|from()|swarmAutoscale().serviceName('s').replicas(lambda: 1)|ec2Autoscale().groupName('g').replicas(lambda: 2)",
        "stream|from()|derivative('a').as('')|mean('a').as('')|influxDBOut().buffer(0)",
        "stream|from()|alert().quiet().teams().channelURL('u').opsGenie().teams('a').opsGenie2().recipients('b')|log()",
    ],
)
def test_what_the_references_text_loses_ours_keeps(script: str) -> None:
    pipeline = compile_script(script)
    again = compile_script(to_tick(pipeline))
    assert _forms(again.nodes) == _forms(pipeline.nodes)
    assert again.dbrps == pipeline.dbrps


@pytest.mark.parametrize(
    ("nodes", "links", "text"),
    [
        (["stream"], [], "node 0 not listed in edges"),
        (["stream", "log"], ["01"], "parent node is not a chain node but is *pipeline.StreamNode"),
        (["stream", "bogus"], ["01"], "unknown function type bogus for node 1"),
        (["stream", "union"], ["01"], "expected more than one parent for node 1"),
        (["stream", "log", "log"], ["01", "21", "12"], "cycle detected. kapacitor pipelines must not have cycles"),
        (["log", "log", "log"], ["02", "12"], "expected one parent for node 0 but found 0"),
        (["stream", "stream"], ["01"], "expected no parents for source node 1"),
        (["stream", "log"], ["01", "71"], "parent 7 of node 1 not yet created"),
        (["stream", "shift"], ["01"], "invalid duration"),
    ],
)
def test_json_that_is_no_pipeline_is_refused(nodes: list[str], links: list[str], text: str) -> None:
    data = {
        "nodes": [{"typeOf": word, "id": str(place)} for place, word in enumerate(nodes)],
        "edges": [{"parent": link[0], "child": link[1]} for link in links],
    }
    with pytest.raises(PipelineJsonError) as caught:
        from_json(data)
    assert str(caught.value) == text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "1s", "x", "lambda"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["typeOf", "expression", "category", "to", "url", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(pipelines(max_nodes=3), st.data())
@settings(max_examples=200, deadline=None)
def test_any_json_is_read_or_refused_by_name(pipeline: Pipeline, data: st.DataObject) -> None:
    form = to_json(pipeline)
    node = data.draw(st.sampled_from(form["nodes"]))
    node[data.draw(st.sampled_from(sorted(node)))] = data.draw(_JSON)
    try:
        from_json(form, UDFS)
    except EvaluationError:
        return


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("stream|from()|window().every(1s)", "window node must have either a non zero period or non zero period count"),
        ("stream|from()|sample(0)", "invalid sample rate: must be positive integer or duration"),
        ("stream|from()|shift(0s)", "invalid shift value: must be non zero duration"),
        ("stream|from()|stats(0s)", "stats node must have positive interval"),
        ("batch|query('q')", "must define one of 'every' or 'cron'"),
        ("batch|query('q').every(1s).cron('* * * * *')", "must not set both 'every' and 'cron' properties"),
        ("batch|query('q').every(-1s)", "'every' duration must must non-negative"),
        ("batch|query('q').every(1s).groupBy(time(1s), 1s)", "groupBy cannot have more than one time dimension"),
        ("batch|query('q').every(1s).groupBy(1)", "invalid dimension type:int64, must be string or time.Duration"),
        ("batch|query('q').every(1s).fill('x')", "unexpected fill option x"),
        ("stream|from()|join(stream|from()).as('a','b').fill('x')", "unexpected fill option x"),
        (
            "stream|from()|alert().flapping(0.1, 2.0)",
            "alert flap thresholds are percentages and should be between 0 and 1",
        ),
        (
            "stream|from()|eval(lambda: 'a' - 'b').as('x')",
            "Failed to compile 0 expression: invalid math operator - for type string",
        ),
        (
            "stream|from()|where(lambda: 1 + 'a' > 2)",
            (
                "Failed to compile expression in where clause: Failed to handle left node: "
                "mismatched type to binary operator. got int + string. see bool(), int(), float(), string(), duration()"
            ),
        ),
        (
            "stream|from()|union(stream|from()|window().period(1s).every(1s))",
            "cannot add child mismatched edges: window3:batch -> union5:stream",
        ),
    ],
)
def test_what_is_only_refused_at_the_start_compiles(script: str, text: str) -> None:
    pipeline = compile_script(script)
    with pytest.raises(StartError) as caught:
        pipeline.check_start()
    assert str(caught.value) == text


def test_a_pipeline_of_five_thousand_nodes_is_as_good_as_any() -> None:
    pipeline = compile_script("stream|from()" + '|where(lambda: "a" > 1)' * 5000)
    assert len(pipeline.nodes) == 5002
    again = from_json(to_json(pipeline))
    assert again.nodes[-1].name == "where5001"
    assert len(compile_script(to_tick(again)).nodes) == 5002

"""The declarations: properties, checks, edges, and what a node needs of its parents."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from tests.tickscript.random_pipelines import pipelines
from tickscript import ast
from tickscript.compile import compile_script
from tickscript.errors import EvaluationError
from tickscript.nodes import handlers
from tickscript.nodes.base import ALL, Demand, Names, Node, references
from tickscript.nodes.catalogue import BY_METHOD, KINDS
from tickscript.parser import parse_lambda

if TYPE_CHECKING:
    from tickscript.pipeline import Pipeline

WINDOW = "stream|from()|window().period(1s).every(1s)"


def node(script: str) -> Node:
    """The node that ends the script."""
    pipeline = compile_script(script)
    return max(pipeline.nodes, key=lambda node: node.id)


@pytest.mark.parametrize(
    ("chain", "text"),
    [
        ("window().period(1s).periodCount(1)", "cannot specify both period and periodCount"),
        ("window().periodCount(1).everyCount(1).align()", "can only align windows based off time, not count"),
        ("window().periodCount(1)", "everyCount must be greater than zero"),
        ("barrier()", "idle must be greater than zero"),
        ("barrier().idle(-1s)", "idle must be greater than zero"),
        ("barrier().period(-1s)", "period must be greater than zero"),
        ("barrier().idle(1s).period(1s)", "cannot specify both idle and period"),
        ("groupBy('a', *)", "cannot group by both '*' and named dimensions."),
        ("groupBy('')", "dimensions cannot not be the empty string"),
        ("groupBy(1s)", "invalid dimension object of type time.Duration"),
        ("groupBy('a').exclude('b')", "exclude requires '*'"),
        ("eval(lambda: 1).as('a').tags('b')", 'invalid tag name "b", name is not present is .as() names'),
        (
            "eval(lambda: 1)",
            "must specify same number of expressions and .as() names: got 0 as names, and 1 expressions.",
        ),
        (
            "default().field('f', 1s)",
            'unsupported type time.Duration for field "f", field default values must be float,int,string or bool',
        ),
        ("join(stream|from())", "a call to join.as() is required to specify the output stream prefixes."),
        (
            "join(stream|from()).as('a')",
            "number of prefixes specified by join.as() must match the number of joined streams",
        ),
        (
            "join(stream|from()).as('a', '')",
            "must provide a prefix name for the join node, see .as() property method",
        ),
        ("join(stream|from()).as('a', 'b.c')", 'cannot use name b.c as field prefix, it contains the delimiter "."\t'),
        ("join(stream|from()).as('a', 'a')", "cannot use the same prefix name see .as() property method"),
        ("combine(lambda: TRUE)", "a call to combine.as() is required to specify the output stream prefixes."),
        (
            "combine(lambda: TRUE).as('a', 'b')",
            "number of prefixes specified by combine.as() must match the number of combine expressions",
        ),
        (
            "combine(lambda: TRUE).as('')",
            "must provide a prefix name for the combine node, see .as() property method",
        ),
        (
            "combine(lambda: TRUE).as('a_b').delimiter('_')",
            "cannot use name a_b as field prefix, it contains the delimiter character _",
        ),
        (
            "combine(lambda: TRUE, lambda: TRUE).as('a', 'a')",
            "cannot use the same prefix name see .as() property method",
        ),
        ("httpPost()", "must provide url or endpoint"),
        ("httpPost('a', 'b')", "httpPost expects 0 or 1 arguments, got 2"),
        ("httpPost().endpoint('a').endpoint('b')", "httpPost expects 0 or 1 endpoints, got 2"),
        ("httpPost('a').endpoint('b')", "only one endpoint and url may be specified"),
        ("httpPost('a').header('AuthentiCate', 'b')", "cannot set 'authenticate' header"),
        ("kapacitorLoopback().retentionPolicy('r')", "must specify a database"),
        ("kapacitorLoopback().database('d')", "must specify a retention policy"),
        ("k8sAutoscale()", "must specify exactly one of ResourceName or ResourceNameTag"),
        (
            "swarmAutoscale().serviceName('a').serviceNameTag('b')",
            "must specify exactly one of ServiceName or ServiceNameTag",
        ),
        ("ec2Autoscale()", "must specify exactly one of GroupName or GroupNameTag"),
        ("k8sAutoscale().resourceName('a').min(0)", "min must be >= 1, got 0"),
        ("k8sAutoscale().resourceName('a')", "must provide a replicas lambda expression"),
        (
            "k8sAutoscale().resourceName('a').replicas(lambda: 1).kind('x')",
            "invalid Kind, must be 'deployments', 'replicasets' or 'replicationcontrollers', got x",
        ),
        ("alert().post('u').header('authenticate', 'x')", "invalid post: cannot set 'authenticate' header"),
        ("alert().snmpTrap('')", 'invalid SNMP trap "": you must supply a trap Oid'),
        (
            "alert().snmpTrap('1').data('2', 'x', 'y')",
            'invalid SNMP trap "1": unsupported data type "x" for data entry "2"',
        ),
        ("top(0, 'f')", "top needs at least one point, got 0"),
        ("bottom(-1, 'f')", "bottom needs at least one point, got -1"),
        ("movingAverage('f', 0)", "movingAverage needs at least one point, got 0"),
    ],
)
def test_properties_that_do_not_go_together_are_refused(chain: str, text: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        compile_script(f"stream|from()|{chain}")
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "chain",
    [
        "window()",
        "window().period(-1s)",
        "groupBy()",
        "groupBy(*).exclude('b')",
        "join(stream|from()).as('a', 'b').delimiter('')",
        "alert().flapping(0.5, 0.1)",
        "alert().snmpTrap('1').data('2', 'n', '')",
        "alert().stateChangesOnly(1s, 2s)",
        "k8sAutoscale().resourceName('a').replicas(lambda: 1).kind('replicationcontroller')",
        "sample(-5)",
        "shift(0s)",
    ],
)
def test_what_only_looks_wrong_is_taken(chain: str) -> None:
    compile_script(f"stream|from()|{chain}")


def test_the_first_fault_in_walk_order_wins() -> None:
    with pytest.raises(EvaluationError, match="idle must be"):
        compile_script("var s = stream|from()\ns|groupBy('')\ns|barrier()")


@pytest.mark.parametrize(
    ("chain", "attributes"),
    [
        ("derivative('f')", {"as_": "f", "unit": 10**9, "non_negative": False}),
        ("derivative('f').unit(1m).as('g').nonNegative()", {"as_": "g", "unit": 60 * 10**9, "non_negative": True}),
        ("stateDuration(lambda: TRUE)", {"as_": "state_duration", "unit": 10**9}),
        ("stateCount(lambda: TRUE)", {"as_": "state_count"}),
        ("mean('f')", {"as_": "mean", "field": "f", "use_point_times": False}),
        (
            "holtWintersWithFit('f', 1, 2, 3s)",
            {"as_": "holtWinters", "h": 1, "m": 2, "interval": 3 * 10**9, "with_fit": True, "use_point_times": True},
        ),
        ("holtWinters('f', 1, 2, 3s)", {"with_fit": False}),
        ("top(3, 'f', 'a', 'b')", {"n": 3, "field": "f", "extra": ("a", "b")}),
        ("percentile('f', 95.0)", {"percentile": 95.0}),
        ("sample(5)", {"n": 5, "duration": 0}),
        ("sample(5s)", {"n": 0, "duration": 5 * 10**9}),
        ("log()", {"level": "INFO", "prefix": ""}),
        ("combine(lambda: TRUE).as('a')", {"delimiter": ".", "max": 1_000_000, "tolerance": 0}),
        ("flatten().dropOriginalFieldName()", {"drop_original_field_name": True}),
        ("flatten().dropOriginalFieldName(TRUE).dropOriginalFieldName(FALSE)", {"drop_original_field_name": False}),
        ("influxDBOut()", {"buffer": 1000, "flush_interval": 10**10, "tags": {}}),
        ("influxDBOut().tag('b', '1').tag('b', '2')", {"tags": {"b": "2"}}),
        ("delete().field('a').field('b').tag('c')", {"fields": ("a", "b"), "tags": ("c",)}),
        ("default().field('a', 1).field('b', 1.0).tag('c', 'd')", {"fields": {"a": 1, "b": 1.0}, "tags": {"c": "d"}}),
        ("sideload().order('a', 'b').order('c')", {"order": ("c",)}),
        ("groupBy(*).exclude('a').exclude('b')", {"exclude": ("a", "b"), "group_all": True, "group_names": ()}),
        ("groupBy('b', 'a', 'b')", {"group_by": ("b", "a", "b"), "group_all": False, "group_names": ("a", "b")}),
        ("eval(lambda: 1).as('a')", {"keep": False, "keep_list": ()}),
        ("eval(lambda: 1).as('a').keep()", {"keep": True, "keep_list": ()}),
        ("eval(lambda: 1).as('a').keep('a', 'b')", {"keep": True, "keep_list": ("a", "b")}),
        ("alert()", {"history": 21, "state_changes_only": False, "use_flapping": False}),
        ("alert().stateChangesOnly()", {"state_changes_only": True, "state_changes_only_duration": 0}),
        ("alert().stateChangesOnly(1s, 2s)", {"state_changes_only": True, "state_changes_only_duration": 0}),
        ("alert().stateChangesOnly(5m)", {"state_changes_only_duration": 300 * 10**9}),
        ("alert().flapping(0.1, 0.5)", {"use_flapping": True, "flap_low": 0.1, "flap_high": 0.5}),
        ("alert().flapLow(0.2)", {"use_flapping": False, "flap_low": 0.2}),
        ("httpOut('x').quiet()", {"endpoint": "x", "quiet": True}),
    ],
)
def test_attributes_hold_what_the_script_says_and_defaults_otherwise(chain: str, attributes: dict[str, object]) -> None:
    made = node(f"stream|from()|{chain}")
    assert {name: getattr(made, name) for name in attributes} == attributes


def test_the_queries_of_a_batch_task_are_typed() -> None:
    made = node("batch|query('q').groupBy(time(10s, -1s), 5s, 'b', 'a').fill(1.5).every(1m)")
    assert made.query == "q"  # type: ignore[attr-defined]
    assert made.fill == 1.5  # type: ignore[attr-defined]
    assert made.group_names == ("a", "b")  # type: ignore[attr-defined]
    assert made.every == 60 * 10**9  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("script", "wants", "provides"),
    [
        ("stream|from()|mean('a')", "stream", "stream"),
        (f"{WINDOW}|mean('a')", "batch", "stream"),
        (f"{WINDOW}|distinct('a')", "batch", "batch"),
        ("stream|from()|top(1, 'a')", "stream", "batch"),
        (f"{WINDOW}|difference('a')", "batch", "batch"),
        (f"{WINDOW}|combine(lambda: TRUE).as('a')", "batch", "stream"),
        (f"{WINDOW}|influxDBOut()", "batch", "noedge"),
        (f"{WINDOW}|trickle()", "batch", "stream"),
        (f"{WINDOW}|stats(1s)", "stream", "stream"),
        ("stream|from()|union(stream|from()|window().period(1s).every(1s))", "stream", "stream"),
    ],
)
def test_edges_follow_the_node_before_the_bar(script: str, wants: str, provides: str) -> None:
    made = [item for item in compile_script(script).nodes if item.kind != "noop"][-1]
    assert (made.wants, made.provides) == (wants, provides)


# -- demand


def test_references_are_found_at_any_depth_and_time_is_none() -> None:
    expression = parse_lambda('if("a" > -"b" AND !("c"), sigma("d"), 1.0) > 2.0 OR hour("time") == 1')
    assert references(ast.Lambda(ast.Binary("OR", expression, ast.Lambda(ast.Reference("e"))))) == frozenset("abcde")


WANTED = Demand(frozenset({"a"}), frozenset({"u"}))


@pytest.mark.parametrize(
    ("chain", "wanted", "fields", "tags"),
    [
        ("log()", WANTED, None, None),
        ("httpOut('x')", WANTED, None, None),
        ("httpPost('x')", WANTED, None, None),
        ("alert()", WANTED, None, None),
        ("influxDBOut()", WANTED, None, None),
        ("window().period(1s)", WANTED, {"a"}, {"u"}),
        ("window().period(1s)", ALL, None, None),
        ('where(lambda: "b" > 1)', WANTED, {"a", "b"}, {"b", "u"}),
        ('where(lambda: "b" > 1)', ALL, None, None),
        ("mean('f')", WANTED, {"f"}, set()),
        ("mean('f')", ALL, {"f"}, set()),
        ("elapsed('f', 1s)", ALL, {"f"}, set()),
        ("max('f')", WANTED, {"a", "f"}, {"u"}),
        ("max('f')", ALL, None, None),
        ("top(1, 'f')", WANTED, {"f"}, {"u"}),
        ("top(1, 'f')", ALL, {"f"}, None),
        ("eval(lambda: \"b\").as('c')", WANTED, {"b"}, {"b", "u"}),
        ("eval(lambda: \"b\").as('c')", ALL, {"b"}, None),
        ("eval(lambda: \"b\").as('c').keep()", WANTED, {"a", "b"}, {"b", "u"}),
        ("eval(lambda: \"b\").as('c').keep('d')", WANTED, {"b", "d"}, {"b", "u"}),
        ("groupBy('g')", WANTED, {"a"}, {"g", "u"}),
        ("groupBy(*)", WANTED, {"a"}, None),
        ("default().field('f', 1).tag('t', 'x')", WANTED, {"a"}, {"t", "u"}),
        ("delete().field('f')", WANTED, {"a"}, {"u"}),
        ("derivative('f')", WANTED, {"a", "f"}, {"u"}),
        ("changeDetect('f', 'g')", WANTED, {"a", "f", "g"}, {"u"}),
        ('stateCount(lambda: "b")', WANTED, {"a", "b"}, {"b", "u"}),
        ("sample(1)", WANTED, {"a"}, {"u"}),
        ("shift(1s)", WANTED, {"a"}, {"u"}),
        ("barrier().idle(1s)", WANTED, {"a"}, {"u"}),
        ("sideload()", WANTED, {"a"}, None),
        ("union(stream|from())", WANTED, {"a"}, {"u"}),
        (
            "join(stream|from()).as('x', 'y').on('h')",
            Demand(frozenset({"x.a", "y.b", "c"}), frozenset({"u"})),
            {"a", "b"},
            {"h"},
        ),
        ("join(stream|from()).as('x', 'y')", ALL, None, set()),
        ("flatten().on('h')", WANTED, None, {"h"}),
        ("combine(lambda: TRUE).as('x')", WANTED, None, None),
        ("k8sAutoscale().resourceNameTag('r').replicas(lambda: int(\"n\"))", WANTED, {"n"}, {"n", "r"}),
    ],
)
def test_a_node_demands_what_its_children_want_and_what_it_refers_to(
    chain: str, wanted: Demand, fields: set[str] | None, tags: set[str] | None
) -> None:
    demanded = node(f"stream|from()|{chain}").demand(wanted)
    assert (demanded.fields, demanded.tags) == (fields, tags)


NAMES: list[Names] = [frozenset(), frozenset({"a"}), frozenset({"a", "b"}), None]


@given(pipelines())
@settings(max_examples=100, deadline=None)
def test_to_want_more_never_means_to_demand_less(pipeline: Pipeline) -> None:
    for made in pipeline.nodes:
        for fixed in NAMES:
            for asked in (
                [made.demand(Demand(wanted, fixed)) for wanted in NAMES],
                [made.demand(Demand(fixed, wanted)) for wanted in NAMES],
            ):
                for fewer, more in pairwise(asked):
                    assert fewer | more == more


# -- the catalogue


def test_every_kind_has_a_key_of_its_own() -> None:
    assert len(BY_METHOD) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.method)
def test_json_keys_of_a_kind_are_distinct(kind: type[Node]) -> None:
    keys = [declared.json for declared in kind.declaration.json_properties]
    assert len(keys) == len(set(keys))


def test_every_handler_of_the_specification_is_a_property_of_the_alert() -> None:
    names = (
        "post tcp email exec log victorOps pagerDuty pagerDuty2 pushover sensu slack discord bigPanda telegram hipChat"
    )
    names += " alerta opsGenie opsGenie2 talk mqtt snmpTrap kafka teams serviceNow zenoss"
    assert {kind.method for kind in handlers.KINDS} == set(names.split())
    assert all(BY_METHOD["alert"].declaration.lookup(name) for name in names.split())


@pytest.mark.parametrize(
    ("calls", "attribute", "values"),
    [
        ("post('u').header('a', 'b').captureResponse().timeout(1s).skipSSLVerification()", "post", {"url": "u", "headers": {"a": "b"}, "capture_response": True, "timeout": 10**9, "skip_ssl_verification": True}),
        ("post().URL('u')", "post", {"url": "u"}),
        ("tcp('a').address('b')", "tcp", {"address": "b"}),
        ("email().to('a').to('b', 'c').toTemplates('{{ 1 }}')", "email", {"to": ("a", "b", "c"), "to_templates": ("{{ 1 }}",)}),
        ("log('/a').mode(0644)", "log", {"file_path": "/a", "mode": 0o644}),
        ("victorOps().routingKey('r')", "victor_ops", {"routing_key": "r"}),
        ("pagerDuty().serviceKey('k')", "pager_duty", {"service_key": "k"}),
        ("pagerDuty2().serviceKey('k').link('a').link('b', 'c')", "pager_duty2", {"routing_key": "k", "links": (handlers.Link("a"), handlers.Link("b", "c"))}),
        ("pushover().userKey('a').device('b').title('c').URL('d').URLTitle('e').sound('f')", "pushover", {"user_key": "a", "device": "b", "title": "c", "url": "d", "url_title": "e", "sound": "f"}),
        ("sensu().source('a').handlers('b').handlers('c', 'd').metadata('k', 1)", "sensu", {"source": "a", "handlers": ("c", "d"), "metadata": {"k": 1}}),
        ("slack().workspace('a').channel('b').username('c').iconEmoji('d')", "slack", {"workspace": "a", "channel": "b", "username": "c", "icon_emoji": "d"}),
        ("discord().workspace('a').username('b').avatarURL('c').embedTitle('d')", "discord", {"workspace": "a", "avatar_url": "c", "embed_title": "d"}),
        ("bigPanda().appKey('a').host('b').primaryProperty('c').secondaryProperty('d').attribute('e', 'f')", "big_panda", {"app_key": "a", "host": "b", "primary_property": "c", "secondary_property": "d", "attributes": {"e": "f"}}),
        ("telegram().chatId('a').parseMode('b').disableWebPagePreview().disableNotification()", "telegram", {"chat_id": "a", "parse_mode": "b", "disable_web_page_preview": True, "disable_notification": True}),
        ("hipChat().room('a').token('b')", "hip_chat", {"room": "a", "token": "b"}),
        ("alerta().token('a').resource('b').event('c').environment('d').group('e').value('f').origin('g').services('h', 'i').correlated('j').attribute('k', TRUE).timeout(1h)", "alerta", {"event": "c", "group": "e", "value": "f", "services": ("h", "i"), "correlated": ("j",), "attributes": {"k": True}, "timeout": 3600 * 10**9}),
        ("opsGenie().teams('a').teams('b').recipients('c')", "ops_genie", {"teams": ("b",), "recipients": ("c",)}),
        ("opsGenie2().teams('a').recipients('b').recoveryAction('close').details()", "ops_genie2", {"recovery_action": "close", "details": True}),
        ("talk()", "talk", {}),
        ("mqtt('a').brokerName('b').qos(2).retained(TRUE)", "mqtt", {"topic": "a", "broker_name": "b", "qos": 2, "retained": True}),
        ("snmpTrap('1').data('2', 's', 'x')", "snmp_trap", {"trap_oid": "1", "data": (handlers.SnmpData("2", "s", "x"),)}),
        ("kafka().cluster('a').kafkaTopic('b').template('c').partitionHashAlgorithm('d').disablePartitionById()", "kafka", {"cluster": "a", "kafka_topic": "b", "template": "c", "partition_hash_algorithm": "d", "disable_partition_by_id": True}),
        ("teams().channelURL('a')", "teams", {"channel_url": "a"}),
        ("serviceNow().URL('a').username('b').password('c').source('d').node('e').type('f').resource('g').metricName('h').messageKey('i').additionalInfo('j', 'k')", "service_now", {"url": "a", "node": "e", "type": "f", "metric_name": "h", "message_key": "i", "additional_info": {"j": "k"}}),
        ("zenoss().URL('a').username('b').password('c').action('d').method('e').type('f').tid(1).collector('g').summary('h').device('i').component('j').eventClassKey('k').eventClass('l').message('m').customField('n', 1.5)", "zenoss", {"action": "d", "router_method": "e", "tid": 1, "summary": "h", "event_class_key": "k", "event_class": "l", "message": "m", "custom_field": {"n": 1.5}}),
        ("zenoss()", "zenoss", {"summary": "{{ .Message }}"}),
    ],
)  # fmt: skip
def test_handlers_hold_what_the_script_says(calls: str, attribute: str, values: dict[str, object]) -> None:
    (handler,) = getattr(node(f"stream|from()|alert().{calls}"), attribute)
    assert {name: getattr(handler, name) for name in values} == values

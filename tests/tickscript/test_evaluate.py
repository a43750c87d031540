"""Evaluation of scripts: what the recorded cases leave out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tickscript.random_pipelines import UDFS, attributes
from tickscript import ast, plan
from tickscript.compile import TaskTypeError, api_text, compile_script, compile_template, dbrps_of, task_type_of
from tickscript.errors import EvaluationError, TickscriptError
from tickscript.evaluate import MAX_LIST_ITEMS
from tickscript.fold import MAX_EMBEDDED_NODES, MAX_STRING
from tickscript.formatter import format_expr
from tickscript.nodes.alert import Alert
from tickscript.nodes.base import StartError
from tickscript.nodes.combining import Union
from tickscript.nodes.expressions import Where
from tickscript.nodes.groups import GroupBy
from tickscript.nodes.rows import Derivative, Log, Shift
from tickscript.nodes.stats import DeadmanConfig, Stats
from tickscript.nodes.stream import From
from tickscript.nodes.udf import OPAQUE, Udf
from tickscript.parser import parse
from tickscript.pipeline import DBRP
from tickscript.vars import Var


def fault(script: str, **options: object) -> EvaluationError:
    with pytest.raises(EvaluationError) as caught:
        compile_script(script, "stream", **options)  # type: ignore[arg-type]
    return caught.value


def last(script: str, **options: object) -> object:
    return compile_script(script, "stream", **options).nodes[-1]  # type: ignore[arg-type]


# -- types and dbrps of tasks


@pytest.mark.parametrize(
    ("script", "task_type"),
    [
        ("stream|from()", "stream"),
        ("var s = stream s|from()", "stream"),
        ("batch|query('q')|log()", "batch"),
        ("var x = 1 var q = batch|query('q')", "batch"),
        ("stream.x", "stream"),
    ],
)
def test_the_type_of_a_task_is_what_its_top_level_chains_begin_with(script: str, task_type: str) -> None:
    assert task_type_of(parse(script)) == task_type


@pytest.mark.parametrize(
    "script", ["", "stream", "var x = f(stream|from())", "stream|from() batch|query('')", "[stream]"]
)
def test_a_script_that_shows_no_source_or_both_has_no_type(script: str) -> None:
    with pytest.raises(TaskTypeError) as caught:
        compile_script(script)
    assert api_text(caught.value) == "invalid task type: invalid"


def test_dbrp_statements_count_in_order_with_repeats() -> None:
    script = 'dbrp "a"."b"\nstream|from()|log()\ndbrp "c"."d" dbrp "a"."b"'
    wanted = (DBRP("a", "b"), DBRP("c", "d"), DBRP("a", "b"))
    assert dbrps_of(parse(script)) == compile_script(script).dbrps == wanted


# -- values


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("-(1s + 2s)", -3_000_000_000),
        ("2 * 1s", 2_000_000_000),
        ("5m / 2.0", 150_000_000_000),
        ("duration('1h30m', 1s) + 0s", 5_400_000_000_000),
        ("if(TRUE, 1s, 2s) + 0s", 1_000_000_000),
    ],
)
def test_operations_fold_by_the_rules_of_lambdas(expression: str, value: int) -> None:
    node = last(f"stream|from()|shift({expression})")
    assert isinstance(node, Shift)
    assert node.shift == value


def test_only_operations_may_call_the_functions_of_lambdas() -> None:
    assert str(fault("stream|from()|shift(duration(5, 1s))")) == 'line 1 char 21: no global function "duration" defined'


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("var t = time(1s)\nbatch|query('q').groupBy(t)", None),
        ("time()", 'line 1 char 1: error calling func "time" on obj <nil>: reflect: Call with too few input arguments'),
        (
            "time(1s, 2s, 3s)",
            'line 1 char 1: error calling func "time" on obj <nil>: time() function expects 1 or 2 args, got 3',
        ),
        (
            "var x = 'a' x()",
            'line 1 char 13: error calling func "x" on obj <nil>: reflect: call of reflect.Value.Call on string Value',
        ),
        (
            "var x = 5s x()",
            'line 1 char 12: error calling func "x" on obj <nil>: reflect: call of reflect.Value.Call on int64 Value',
        ),
        (
            "var x = ['a'] x()",
            'line 1 char 15: error calling func "x" on obj <nil>: reflect: call of reflect.Value.Call on slice Value',
        ),
        (
            "var x = /a/ x()",
            'line 1 char 13: error calling func "x" on obj <nil>: reflect: call of reflect.Value.Call on ptr Value',
        ),
        ("stream|from()|groupBy(time(1s))|log()", "invalid dimension object of type kapacitor.TimeDimension"),
        ("stream + 1", "unsupported literal type *pipeline.StreamNode"),
        ("f()|log()", "line 1 char 5: cannot get properties of non pointer value"),
        ("var x = -stream", "line 1 char 9: invalid arugument to '-' *pipeline.StreamNode"),
        ("var x = !1000000.0", "line 1 char 9: invalid arugument to '!' 1e+06"),
        ("var x = !1.5", "line 1 char 9: invalid arugument to '!' 1.5"),
        ("var x = -TRUE", "line 1 char 9: invalid arugument to '-' true"),
        ("var x = !90m", "line 1 char 9: invalid arugument to '!' 1h30m0s"),
        ('var x = -"a"', "line 1 char 9: invalid arugument to '-' \"a\""),
        ("var x = -f(1)", "line 1 char 9: invalid arugument to '-' f(1)"),
        ('var y = lambda: "a" > 1 var x = !y', "line 1 char 33: invalid arugument to '!' lambda: \"a\" > 1"),
        ("var y = ['a', *] var x = -y", "line 1 char 26: invalid arugument to '-' [a *]"),
        ('var r = "a" stream|from()|where(lambda: r)', "unsupported literal type *ast.ReferenceNode"),
        ("stream|from()|log().align", "line 1 char 20: object *pipeline.LogNode has no property align"),
        ("stream|from()|window().align.x", "line 1 char 23: object *pipeline.WindowNode has no property align"),
        ("stream|from()|window()@nope()", 'line 1 char 24: no method or property "nope" on *pipeline.WindowNode'),
        ("stream|from()@nope", "line 1 char 14: object *pipeline.FromNode has no property nope"),
        (
            "stream|from()|join(1)",
            'line 1 char 15: error calling func "join" on obj *pipeline.FromNode: reflect: cannot use int64 as type pipeline.Node in Call',
        ),
        (
            "stream|from()|changeDetect([*])",
            'line 1 char 15: error calling func "changeDetect" on obj *pipeline.FromNode: reflect: cannot use *ast.StarNode as type string in Call',
        ),
    ],
)
def test_scripts_that_cannot_be_evaluated_say_so_in_the_references_words(script: str, text: str | None) -> None:
    if text is None:
        with pytest.raises(TickscriptError):
            compile_script(script, "stream")
    else:
        assert str(fault(script)).startswith(text)


def test_the_smallest_int_stays_what_it_is_under_minus() -> None:
    assert compile_script("var a = -9223372036854775807 - 1\nvar b = -a\nstream|from()").vars["b"] == Var(
        "int", -(2**63)
    )


def test_a_list_as_only_argument_is_spread_and_otherwise_stays_a_list() -> None:
    node = last("var l = ['a', 'b']\nstream|from()|groupBy(l)")
    assert isinstance(node, GroupBy)
    assert node.group_by == ("a", "b")
    assert str(fault("stream|from()|groupBy(['a'], 'b')")) == "invalid dimension object of type []interface {}"


# -- chains


def test_only_the_first_letter_of_a_name_may_change_its_case() -> None:
    node = last("stream|From()|Log().Prefix('x')")
    assert isinstance(node, Log)
    assert node.prefix == "x"
    assert (
        str(fault("stream|from()|log().pREFIX('x')"))
        == 'line 1 char 21: no method or property "pREFIX" on *pipeline.LogNode'
    )


def test_the_last_call_of_a_slot_wins_and_the_node_stays_the_same() -> None:
    pipeline = compile_script("var a = stream|from()\na.measurement('x')\na.measurement('y')\na|log()")
    source = pipeline["from1"]
    assert isinstance(source, From)
    assert source.measurement == "y"


def test_slots_read_back_in_the_language() -> None:
    node = compile_script("var w = stream|from()|window().period(3s)\nstream|from()|shift(w.period)")["shift4"]
    assert isinstance(node, Shift)
    assert node.shift == 3_000_000_000
    assert str(fault("stream|alert().crit.x")).startswith('line 1 char 8: no method or property "alert"')
    assert str(fault("stream|from()|alert().crit.x")) == "line 1 char 27: object is invalid <nil> of type <nil>"


def test_repeated_wheres_are_joined_in_place_wherever_the_lambda_is_in_use() -> None:
    script = (
        'var w = lambda: "a" > 1\n'
        "var other = stream|from()|where(w)\n"
        'stream|from().where(w).where(lambda: "b")\n'
        "stream|from()|eval(w, lambda: w).as('p', 'q')"
    )
    pipeline = compile_script(script)
    where = pipeline["where2"]
    assert isinstance(where, Where)
    assert where.lambda_ is not None
    assert format_expr(where.lambda_.expression) == '"a" > 1 AND "b"'
    assert pipeline.vars["w"].value == '"a" > 1'
    assert [format_expr(item.expression) for item in pipeline["eval5"].lambdas] == [  # type: ignore[attr-defined]
        '"a" > 1 AND "b"',
        'lambda: "a" > 1 AND "b"',
    ]


def test_a_lambda_that_no_var_names_is_joined_for_its_node_alone() -> None:
    pipeline = compile_script(
        'var a = stream|from().where(lambda: TRUE)\nvar b = stream|from().where(lambda: TRUE)\na.where(lambda: "x")'
    )
    shown = {node.name: node.where for node in pipeline.nodes if isinstance(node, From)}
    assert shown["from2"] == ast.Lambda(ast.Bool(True))
    assert shown["from1"] == ast.Lambda(ast.Binary("AND", ast.Bool(True), ast.Reference("x")))


def test_union_with_itself_links_twice() -> None:
    node = last("var s = stream|from()\ns|union(s)")
    assert isinstance(node, Union)
    assert [parent.name for parent in node.parents] == ["from1", "from1"]


# -- handlers


def test_properties_of_a_handler_come_before_those_of_its_alert() -> None:
    node = last("stream|from()|alert().mqtt('a').topic('b').crit(lambda: TRUE).qos(1).slack().channel('#c').topic('t')")
    assert isinstance(node, Alert)
    assert (node.mqtt[0].topic, node.mqtt[0].qos, node.topic) == ("b", 1, "t")
    assert node.crit == ast.Lambda(ast.Bool(True))


def test_a_method_of_the_alert_leaves_the_handler_behind() -> None:
    error = fault("stream|from()|alert().slack().all().channel('x')")
    assert str(error) == 'line 1 char 37: no method or property "channel" on *pipeline.AlertNode'


def test_details_behind_ops_genie_2_is_its_own_method() -> None:
    error = fault("stream|from()|alert().opsGenie2().details('x')")
    assert str(error).endswith("reflect: Call with too many input arguments")


def test_handlers_of_one_kind_add_up() -> None:
    node = last("stream|from()|alert().email('a', 'b').to('c').post('x', 'y').post().endpoint('e').exec('p', '1')")
    assert isinstance(node, Alert)
    assert node.email[0].to == ("a", "b", "c")
    assert [(post.url, post.endpoint) for post in node.post] == [("x", ""), ("", "e")]
    assert node.exec[0].command == ("p", "1")


def test_a_handler_stands_for_its_alert_where_a_node_is_due() -> None:
    pipeline = compile_script("var h = stream|from()|alert().slack()\nstream|from()|union(h)|log()")
    assert [parent.name for parent in pipeline["union5"].parents] == ["alert2", "from3"]
    pipeline = compile_script("var h = stream|from()|alert().slack()\nstream|from()|join(h).as('a', 'b')")
    assert [parent.name for parent in pipeline["join5"].parents] == ["from3", "alert2"]


@pytest.mark.parametrize(
    "call",
    [
        "sample(1).rate(2)",
        "top(1, 'a').n(2)",
        "movingAverage('a', 1).n(2)",
        "join().as('a').joined(1)",
        "alert().exec('a').program('b')",
        "alert().email('a').addresses('b')",
        "alert().post('a').urls('b')",
    ],
)
def test_parameters_that_are_no_fields_of_the_reference_are_no_properties(call: str) -> None:
    assert "no method or property" in str(fault(f"stream|from()|{call}"))


# -- UDFs


def test_options_of_a_udf_keep_the_order_of_their_calls() -> None:
    node = last("stream|from()@shout('ignored').by(1, 2.0).loud().by(3, 4.0).quiet()", udfs=UDFS)
    assert isinstance(node, Udf)
    assert node.name == "shout2"
    assert (node.options, node.quiet) == ((("by", (1, 2.0)), ("loud", ()), ("by", (3, 4.0))), True)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("stream|from()@shout().by(1)", "line 1 char 23: unexpected number of args to by, got 1 expected 2"),
        ("stream|from()@shout().by(1, 2)", "line 1 char 23: unexpected arg to by, got INT expected DOUBLE"),
        (
            "stream|from()|shout()",
            (
                'line 1 char 15: no chaining method "shout" on *pipeline.FromNode, but dynamic method does exist. '
                "Use '@' operator instead: 'node@shout(..)'."
            ),
        ),
        (
            "stream|from()@shout()|loud()",
            (
                'line 1 char 23: no chaining method "loud" on *pipeline.UDFNode, but property does exist. '
                "Use '.' operator instead: 'node.loud(..)'."
            ),
        ),
        ("stream|from()@shout().Loud()", 'line 1 char 23: no method or property "Loud" on *pipeline.UDFNode'),
    ],
)
def test_udf_calls_that_do_not_fit_are_refused(script: str, text: str) -> None:
    assert str(fault(script, udfs=UDFS)) == text


def test_an_option_that_does_not_exist_is_compared_with_those_that_do() -> None:
    assert "loud" in fault("stream|from()@shout().lowd()", udfs=UDFS).candidates


def test_a_udf_that_nobody_has_asked_takes_any_option_and_passes_its_parents_edge_on() -> None:
    node = last("stream|from()@what().quiet().field(1, 'a').window(lambda: TRUE)", udfs={"what": OPAQUE})
    assert isinstance(node, Udf)
    assert [name for name, _args in node.options] == ["quiet", "field", "window"]
    assert (node.wants, node.provides) == ("stream", "stream")
    assert last("stream|from()|window()@what()", udfs={"what": OPAQUE}).provides == "batch"


def test_a_udf_gives_its_children_the_edge_that_it_declares() -> None:
    pipeline = compile_script("stream|from()|window().period(1s).every(1s)@squash()|log()", udfs=UDFS)
    assert (pipeline["squash3"].wants, pipeline["squash3"].provides, pipeline["log4"].wants) == (
        "batch",
        "stream",
        "stream",
    )


# -- deadman


def test_the_deadman_of_the_configuration_gives_the_templates() -> None:
    config = DeadmanConfig(id="NODE_NAME NODE_NAME", message="INTERVAL INTERVAL")
    node = last("stream|from()|deadman(1.0, 90s).id('mine')", deadman=config)
    assert isinstance(node, Alert)
    assert (node.alert_id, node.message) == ("mine", "1m30s INTERVAL")
    assert last("stream|from()|deadman(1.0, 90s)", deadman=config).alert_id == "from1 NODE_NAME"  # type: ignore[attr-defined]


def test_a_global_deadman_watches_the_source_of_every_task_that_does_something() -> None:
    config = DeadmanConfig(everywhere=True, threshold=2.5, interval=3_000_000_000)
    pipeline = compile_script("stream|from()", deadman=config)
    stats, rate, alert = pipeline.nodes[-3:]
    assert isinstance(stats, Stats)
    assert isinstance(rate, Derivative)
    assert isinstance(alert, Alert)
    assert (stats.watched, stats.interval, stats.align, rate.unit, rate.non_negative) == (
        pipeline.nodes[0], 3_000_000_000, True, 3_000_000_000, True,
    )  # fmt: skip
    assert alert.crit == ast.Lambda(ast.Binary("<=", ast.Reference("emitted"), ast.Float(2.5)))
    assert str(fault("var x = 1", deadman=config)) == "task does nothing"


# -- places


@pytest.mark.parametrize(
    ("script", "place"),
    [
        ("var x = 1 + 'a'", (1, 11, 1)),
        ("var x =\n1 == 'a'", (2, 3, 2)),
        ("var x = -(1 / 0)", (1, 13, 1)),
        ("var x = 1 + foo", (1, 13, 3)),
        ("var x = foo", (1, 9, 3)),
        ("var x = ['a', foo]", (1, 15, 3)),
        ("var x = 1\nvar x = 2", (2, 5, 1)),
        ("var stream = 2", (1, 5, 6)),
        ("var x nope", (1, 7, 4)),
        ("var xy int", (1, 5, 2)),
        ("stream|from()|where(lambda: foo > 1)", (1, 29, 3)),
        ("stream|from()\n|eval(lambda: 1)", (2, 2, 4)),
        ("stream|from().groupBy(1)|log()", (1, 8, 4)),
        ("stream|from()|alert()\n.snmpTrap('')", (1, 15, 5)),
        ("stream|from()|top(0, 'a')", (1, 15, 3)),
        ("stream|from()|join(stream|from())", (1, 15, 4)),
        ("stream|from()|deadman(1.0, 1s).snmpTrap('')", (1, 15, 7)),
        ("stream|from()@shout().by(1)", (1, 23, 2)),
    ],
)
def test_every_error_of_a_script_knows_its_place(script: str, place: tuple[int, int, int]) -> None:
    error = fault(script, udfs=UDFS)
    assert (error.line, error.char, error.length) == place


def test_a_supplied_var_of_another_type_is_where_the_var_is_declared() -> None:
    for script in ("var a = 1\nvar xy = 2", "var a = 1\nvar xy int"):
        error = fault(script, vars={"xy": Var("string", "a")})
        assert (str(error), error.line, error.char) == ("invalid type supplied for xy, got string exp int", 2, 5)


@pytest.mark.parametrize(
    ("script", "node", "place"),
    [
        ("stream|from()\n|shift(0s)", "shift2", (2, 2, 5)),
        ("stream|from()@shout()\n|sample(0)", "sample3", (2, 2, 6)),
        ("stream|from()|window().period(1s)\n@shout()", "", (2, 2, 5)),
    ],
)
def test_what_refuses_a_start_knows_its_place(script: str, node: str, place: tuple[int, int, int]) -> None:
    with pytest.raises(StartError) as caught:
        compile_script(script, udfs=UDFS).check_start()
    assert (caught.value.node, caught.value.place) == (node, place)


# -- bounds and hints


def test_lambdas_that_embed_each_other_stay_within_bounds() -> None:
    doubling = "\n".join(f"var v{i + 1} = lambda: v{i} AND v{i}" for i in range(40))
    assert str(fault(f'var v0 = lambda: "a"\n{doubling}')) == (
        f"lambda expression has more than {MAX_EMBEDDED_NODES} parts with the vars it embeds"
    )
    nesting = "\n".join(f"var v{i + 1} = lambda: !v{i}" for i in range(2000))
    assert "nests deeper" in str(fault(f'var v0 = lambda: "a"\n{nesting}'))


def test_lists_and_strings_that_double_stay_within_bounds() -> None:
    lists = "\n".join(f"var v{i + 1} = [v{i}, v{i}]" for i in range(60))
    assert str(fault(f"var v0 = ['a']\n{lists}")).endswith(
        f"list has more than {MAX_LIST_ITEMS} items with those of the lists in it"
    )
    strings = "\n".join(f"var v{i + 1} = v{i} + v{i}" for i in range(60))
    assert str(fault(f"var v0 = 'abcd'\n{strings}")) == (
        f"the string that an operation gives has more than {MAX_STRING} characters"
    )
    squares = "\n".join(f"var v{i + 1} = strReplace(v{i}, '', v{i}, -1) + ''" for i in range(6))
    assert "result too long for strReplace" in str(fault(f"var v0 = 'abcdefgh'\n{squares}"))


def test_a_long_chain_and_many_statements_need_no_recursion() -> None:
    chain = "stream|from()" + "|log()" * 3000 + "\n" + "var w = stream|from()\n" + "w|log()\n" * 1000
    assert len(compile_script(chain).nodes) == 1 + 1 + 3000 + 1 + 1000


@pytest.mark.parametrize(
    ("script", "word", "meant"),
    [
        ("stream|from().measurment('x')", "measurment", "measurement"),
        ("stream|from()|windw()", "windw", "window"),
        ("stream|from()|deadmen(1.0, 1s)", "deadmen", "deadman"),
        ("stream|from()|alert().slack().chanel('x')", "chanel", "channel"),
        ("stream|from()@shuot()", "shuot", "shout"),
        ("strem|from()", "strem", "stream"),
        ("var x strnig\nstream|from()", "strnig", "string"),
    ],
)
def test_errors_of_names_carry_the_names_that_are_possible(script: str, word: str, meant: str) -> None:
    error = fault(script, udfs=UDFS)
    assert error.word == word
    assert meant in error.candidates


def test_errors_know_their_place() -> None:
    error = fault("stream\n    |from()\n        .measurment('cpu')")
    assert (error.line, error.char, error.length) == (3, 10, len("measurment"))


def test_a_template_takes_a_lambda_without_value_wherever_one_is_due() -> None:
    script = 'var w lambda\nvar r regex\nstream|from().where(w)|where(lambda: w AND "a" =~ r)|alert().crit(w)'
    assert len(compile_template(script).nodes) == 4


# -- scripts that nobody would write

_WORDS = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|lambda:|[A-Za-z_]\w*|\d+\.\d+|\d+[a-z]*|\s+|.", re.DOTALL)
_SEEDS = [
    (
        "var a = stream|from().measurement('m').where(lambda: \"x\" > 1 AND \"h\" =~ /a/).groupBy('h', 'i')\n"
        "a|window().period(10s).every(5s).align()|mean('x').as('y')|eval(lambda: \"y\" * 2.0).as('z').keep()|httpOut('o')"
    ),
    "var b = batch|query('q').period(1m).every(1m).groupBy(time(10s), *).fill('null')\nb|join(b).as('a', 'b')|log()",
    (
        "var t = 5s var l = ['a', *] var f = lambda: \"x\" > t\nstream|from().where(f)|groupBy(l)|alert().crit(f)"
        ".slack().channel('#c').post('u').header('k', 'v').stateChangesOnly(t)|deadman(1.0, t, f)|stats(t)"
    ),
    "stream|from()@shout().by(1, 2.0).loud()|union(stream|from()|sample(3))|default().field('a', 1).tag('b', 'c')",
]
_PIECES = sorted({word for seed in _SEEDS for word in _WORDS.findall(seed) if word.strip()})
_EDITS = st.lists(
    st.tuples(st.sampled_from(["put", "insert", "drop"]), st.integers(0, 200), st.sampled_from(_PIECES)), max_size=4
)


@given(st.sampled_from(_SEEDS), _EDITS)
@settings(max_examples=400, deadline=None)
def test_any_script_compiles_or_is_refused_by_an_error_of_the_language(
    seed: str, edits: list[tuple[str, int, str]]
) -> None:
    words = _WORDS.findall(seed)
    for edit, place, piece in edits:
        at = place % (len(words) + 1)
        words[at : at if edit == "insert" else at + 1] = [] if edit == "drop" else [piece]
    script = "".join(words)
    for compile_ in (compile_script, compile_template):
        try:
            pipeline = compile_(script, "batch" if "batch" in seed else "stream", udfs=UDFS)
        except TickscriptError:
            continue
        for node, data in zip(pipeline.nodes, plan.encode(pipeline)["nodes"], strict=True):
            assert attributes(plan.decode_node(data)) == attributes(node)

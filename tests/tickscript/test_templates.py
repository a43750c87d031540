"""Templates, and files that define tasks by them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickscript.compile import api_text
from tickscript.definition_files import Definition, DefinitionFileError, parse_definition, parse_vars
from tickscript.errors import TickscriptError
from tickscript.nodes.stream import From
from tickscript.pipeline import DBRP
from tickscript.templates import read_template, vars_after_update
from tickscript.vars import Var

SCRIPT = 'dbrp "d"."r"\nvar m string\nvar w lambda\nvar every = 10s\nstream|from().measurement(m)|where(w)|window().period(every).every(every)'


def test_a_template_knows_type_vars_dbrps_and_graph_before_any_task_exists() -> None:
    template = read_template("t", SCRIPT)
    assert template.type == "stream"
    assert list(template.vars.items()) == [
        ("m", Var("string")),
        ("w", Var("lambda")),
        ("every", Var("duration", 10_000_000_000)),
    ]
    assert template.dbrps == (DBRP("d", "r"),)
    assert template.dot == "digraph t {\nstream0 -> from1;\nfrom1 -> where2;\nwhere2 -> window3;\n}"


def test_a_task_of_a_template_needs_values_for_its_open_vars() -> None:
    template = read_template("t", SCRIPT)
    with pytest.raises(TickscriptError) as caught:
        template.compile_task({"m": Var("string", "cpu")})
    assert api_text(caught.value) == 'invalid TICKscript: missing value for var "w".'
    pipeline = template.compile_task({"m": Var("string", "cpu"), "w": Var("lambda", '"a" > 1')})
    source = pipeline["from1"]
    assert isinstance(source, From)
    assert source.measurement == "cpu"


def test_a_template_may_do_nothing() -> None:
    assert len(read_template("t", "var s = stream").pipeline.nodes) == 1


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("", "invalid task type: invalid"),
        ("var m string", "invalid task type: invalid"),
        ("stream|from()|log() batch|query('')", "invalid task type: invalid"),
        ("var n string\nstream|from()|groupBy(n)", "invalid TICKscript: dimensions cannot not be the empty string"),
        ("var x foo\nstream|from()", 'invalid TICKscript: invalid var type "foo"'),
    ],
)
def test_a_template_that_cannot_be_is_refused_in_the_words_of_the_api(script: str, text: str) -> None:
    with pytest.raises(TickscriptError) as caught:
        read_template("t", script)
    assert api_text(caught.value) == text


def test_what_kills_the_reference_is_refused_in_tasks_but_not_in_templates() -> None:
    script = "var n int\nstream|from()|movingAverage('v', n)"
    template = read_template("t", script)
    with pytest.raises(TickscriptError, match="movingAverage needs at least one point, got 0"):
        template.compile_task({"n": Var("int", 0)})
    assert len(template.compile_task({"n": Var("int", 2)}).nodes) == 3


def test_an_update_replaces_all_vars_or_none() -> None:
    stored = {"a": Var("int", 1), "b": Var("int", 2)}
    assert vars_after_update(stored, {}) == stored
    assert vars_after_update(stored, {"a": Var("int", 3)}) == {"a": Var("int", 3)}


DEFINITION = Definition(
    id="t1",
    template_id="tmpl",
    dbrps=(DBRP("telegraf", "autogen"),),
    vars={
        "limit": Var("float", 3.0),
        "n": Var("int", 3),
        "every": Var("duration", 60_000_000_000),
        "day": Var("string", "2026-01-02"),
    },
)


def test_a_definition_is_the_same_in_json_and_yaml() -> None:
    as_yaml = """
id: t1
template-id: tmpl
dbrps:
  - {db: telegraf, rp: autogen}
vars:
  limit: {type: float, value: 3}
  n: {type: int, value: 3}
  every: {type: duration, value: 1m}
  day: {type: string, value: 2026-01-02}
"""
    as_json = json.dumps(
        {
            "id": "t1",
            "template-id": "tmpl",
            "dbrps": [{"db": "telegraf", "rp": "autogen"}],
            "vars": {
                "limit": {"type": "float", "value": 3},
                "n": {"type": "int", "value": 3},
                "every": {"type": "duration", "value": "1m"},
                "day": {"type": "string", "value": "2026-01-02"},
            },
        }
    )
    assert parse_definition(as_yaml, "t.yaml") == parse_definition(as_json, "t.json") == DEFINITION


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("{}", "a.tick", "bad file extension. Must be YAML or JSON"),
        ("[", "a.json", 'failed to unmarshal json task vars file "a.json": '),
        ("a: [", "a.yml", 'failed to unmarshal yaml task vars file "a.yml": '),
        ("[" * 100_000, "a.yaml", 'failed to unmarshal yaml task vars file "a.yaml": '),
        ("[" * 100_000, "a.json", 'failed to unmarshal json task vars file "a.json": '),
        ("!!python/object:os.system {}", "a.yaml", 'failed to unmarshal yaml task vars file "a.yaml": '),
        ("7", "a.json", 'failed to unmarshal json task vars file "a.json": expected an object'),
        ('{"id": 7}', "a.json", 'failed to unmarshal json task vars file "a.json": id and template-id must be strings'),
        ('{"dbrps": [{"db": "d"}]}', "a.json", 'failed to unmarshal json task vars file "a.json": each of dbrps'),
        (
            '{"vars": {"x": {"type": "int", "value": "1"}}}',
            "a.json",
            'failed to unmarshal json task vars file "a.json": invalid var {int 1 }: expected int value',
        ),
    ],
)
def test_a_file_that_is_no_definition_is_refused_by_its_name(text: str, path: str, message: str) -> None:
    with pytest.raises(DefinitionFileError) as caught:
        parse_definition(text, path)
    assert str(caught.value).startswith(message)


def test_a_file_of_vars_has_them_at_the_top_or_under_vars() -> None:
    top = '{"x": {"type": "int", "value": 1}}'
    assert parse_vars(top, "v.json") == parse_vars(f'{{"vars": {top}}}', "v.json") == {"x": Var("int", 1)}
    assert parse_vars('{"vars": {"type": "int", "value": 1}}', "v.json") == {"vars": Var("int", 1)}
    with pytest.raises(DefinitionFileError, match=r"invalid JSON in file v\.json: "):
        parse_vars("{", "v.json")


@given(st.text(), st.sampled_from(["x.json", "x.yaml"]))
def test_any_text_is_a_definition_or_refused(text: str, path: str) -> None:
    try:
        said = str(parse_definition(text, path))
    except DefinitionFileError as error:
        said = str(error).partition(path)[1]
    assert said

"""What the caller of a compiled expression may rely on."""

from __future__ import annotations

import numpy as np
import pytest

from engine.frames.model import DTYPES, FieldColumn, Kind, Section, Span, TagColumn, nil_groups
from engine.frames.strings import Strings
from engine.lambdas.columns import MAX_ERRORS, MAX_PLANS, compile_columns
from engine.lambdas.texts import PerValue
from tickscript import ast
from tickscript.lambdas.environment import Environment
from tickscript.parser import parse_lambda

ABSENT = 0xFFFFFFFF


def section(fields=None, tags=None, n=3):
    columns = {}
    for name, values in (fields or {}).items():
        valid = np.array([v is not None for v in values], np.uint8)
        if isinstance(values[0], str):
            column = FieldColumn(Kind.STRING, Strings.of([v or "" for v in values]))
        elif len({type(v) for v in values if v is not None}) > 1:
            data = np.empty(len(values), object)
            data[:] = values
            column = FieldColumn(Kind.MIXED, data)
        else:
            kind = {float: Kind.FLOAT, int: Kind.INT, bool: Kind.BOOL}[type(next(v for v in values if v is not None))]
            column = FieldColumn(kind, np.array([v or 0 for v in values], DTYPES[kind]))
        columns[name] = column if valid.all() else FieldColumn(column.kind, column.data, valid)
    coded = {}
    for name, values in (tags or {}).items():
        distinct = sorted({v for v in values if v is not None})
        codes = [ABSENT if v is None else distinct.index(v) for v in values]
        coded[name] = TagColumn(np.array(codes, np.uint32), Strings.of(distinct))
    return Section("m", np.arange(n, dtype=np.int64) * 10**9, coded, columns, nil_groups())


def compiled(text, **environment):
    return compile_columns(parse_lambda(text), Environment(**({"seed": lambda: 1} | environment)))


def values(result):
    return [result.column().at(i) for i in range(len(result.column().data))]


def test_a_row_whose_name_is_field_and_tag_fails():
    given = section({"x": [1.0, None, 3.0]}, {"x": ["a", "b", None]})
    result = compiled('isPresent("x")').evaluate(given)
    assert result.errors == [(0, 'cannot have field and tags with same name "x"')]
    assert result.ok.tolist() == [False, True, True]


def test_names_that_nobody_refers_to_may_conflict():
    given = section({"x": [1.0, 1.0, 1.0], "y": [1, 2, 3]}, {"x": ["a", "b", "c"]})
    assert values(compiled('"y" + 1').evaluate(given)) == [2, 3, 4]


def test_time_is_the_time_of_the_point_even_if_a_field_has_that_name():
    given = section({"time": [1.0, 2.0, 3.0]}, {"time": ["a", "b", "c"]})
    assert values(compiled('unixNano("time")').evaluate(given)) == [0, 10**9, 2 * 10**9]


def test_an_earlier_result_is_seen_where_the_point_has_no_such_name():
    given = section({"v": [1.0, None, None]}, {"v": [None, "t", None]})
    extra = {"v": FieldColumn(Kind.INT, np.array([7, 8, 9]))}
    result = compiled('string("v")').evaluate(given, extra=extra)
    assert values(result) == ["1", "t", "9"]
    only = compiled('"v" + 1').evaluate(section({"u": [1, 2, 3]}), extra=extra)
    assert values(only) == [8, 9, 10]


def test_parts_of_different_kinds_make_a_mixed_column():
    given = section({"v": [1.0, None, 3.0]}, {"v": [None, "t", None]})
    result = compiled('if(TRUE, "v", "v")').evaluate(given)
    assert result.kind is Kind.MIXED
    assert values(result) == [1.0, "t", 3.0]


def test_a_mixed_column_goes_row_by_row():
    result = compiled('"v" * 2').evaluate(section({"v": [1, "a", 3]}))
    assert result.kind is Kind.INT
    assert result.ok.tolist() == [True, False, True]
    assert result.data[result.ok].tolist() == [2, 6]


def test_durations_of_a_mixed_result_are_spans():
    data = np.empty(2, object)
    data[:] = [Span(5), 1]
    given = Section("m", np.zeros(2, np.int64), {}, {"v": FieldColumn(Kind.MIXED, data)}, nil_groups())
    result = compiled('if(TRUE, "v", "v")').evaluate(given)
    assert [type(v) for v in result.data] == [Span, int]


def test_a_string_result_can_be_a_tag():
    given = section(tags={"host": ["a", "b", "a"]})
    tag = compiled("strToUpper(\"host\") + '!'").evaluate(given).tag()
    assert [tag.at(i) for i in range(3)] == ["A!", "B!", "A!"]
    with pytest.raises(TypeError, match="a tag is a string, not bool"):
        compiled("\"host\" == 'a'").evaluate(given).tag()


def test_a_constant_fills_the_column():
    assert values(compiled("1 + 2").evaluate(section())) == [3, 3, 3]
    assert values(compiled("'a' + 'b'").evaluate(section())) == ["ab", "ab", "ab"]
    assert compiled("TRUE").predicate(section()).mask.tolist() == [True, True, True]


def test_the_mask_of_a_predicate_is_false_where_a_row_failed():
    truth = compiled('"i" / "j" >= 0').predicate(section({"i": [1, 1, 1], "j": [1, 0, 2]}))
    assert truth.mask.tolist() == [True, False, True]
    assert (truth.failed, truth.errors) == (1, [(1, "runtime error: integer divide by zero")])


def test_error_texts_are_bounded_and_all_failures_counted():
    n = 5 * MAX_ERRORS
    result = compiled('"i" / 0').evaluate(section({"i": list(range(n))}, n=n))
    assert result.failed == n
    assert [row for row, _ in result.errors] == list(range(MAX_ERRORS))


def test_a_section_without_rows_gives_nothing():
    empty = section(n=0)
    for text in ('"x" > 1', "count()", "1", '"time"'):
        expression = compiled(text)
        result = expression.evaluate(empty, None, expression.new_states())
        assert (len(result.column().data), result.failed) == (0, 0)


def test_a_stateful_expression_needs_states():
    with pytest.raises(ValueError, match="a stateful expression needs states"):
        compiled("count()").evaluate(section())


def test_each_group_counts_for_itself_and_embedded_lambdas_for_all():
    expression = compiled("count()")
    states = expression.new_states()
    slots = np.array([5, 0, 5])
    assert values(expression.evaluate(section(), slots, states)) == [1, 1, 2]
    assert values(expression.evaluate(section(), slots, states)) == [3, 2, 4]
    states.reset(5)
    assert values(expression.evaluate(section(), slots, states)) == [1, 3, 2]


def test_embedded_lambdas_keep_their_states_apart_when_rows_go_through_the_interpreter():
    def calls(name, bound):
        return ast.Lambda(ast.Binary(">", name, bound))

    spread = ast.Function("global", "spread", (ast.Reference("v"),))
    sigma = ast.Function("global", "spread", (ast.Binary("*", ast.Reference("v"), ast.Float(10.0)),))
    expression = compile_columns(ast.Binary("AND", calls(spread, ast.Float(-1.0)), calls(sigma, ast.Float(15.0))))
    states = expression.new_states()
    assert expression.predicate(section({"v": [1.0, 1.0, 2.0]}), None, states).mask.tolist() == [False] * 3
    mixed = expression.predicate(section({"v": [2.0, "text", 2.5]}), None, states)
    assert (mixed.mask.tolist(), mixed.failed) == ([False, False, False], 1)
    assert expression.predicate(section({"v": [2.5, 2.6, 2.6]}), None, states).mask.tolist() == [False, True, True]


@pytest.mark.parametrize("text", ['sigma("f") + spread("f")', "rand() % 10 + count()", "count() * 10 + count()"])
def test_states_go_on_from_a_snapshot(text):
    expression = compiled(text)
    given = section({"f": [1.0, 5.0, 2.0]})
    slots = np.array([0, 1, 0])
    states, restored = expression.new_states(), expression.new_states()
    expression.evaluate(given, slots, states)
    restored.restore(states.snapshot())
    assert np.array_equal(
        expression.evaluate(given, slots, states).data, expression.evaluate(given, slots, restored).data
    )


def test_plans_are_made_once_for_each_assignment_of_kinds():
    expression = compiled('"v" == 1')
    for _ in range(3):
        expression.evaluate(section({"v": [1, 2, 3]}))
        expression.evaluate(section({"v": [1.0, 2.0, None]}))
    assert len(expression._plans) == 3
    expression._plans.update({(True, (i,)): None for i in range(100, 100 + MAX_PLANS)})
    expression.evaluate(section({"v": [True, True, True]}))
    assert len(expression._plans) == 1


def test_the_clock_is_read_once_a_section():
    ticks = iter(range(100))
    expression = compiled("unixNano(now())", now=lambda: next(ticks))
    assert values(expression.evaluate(section())) == [0, 0, 0]
    assert values(expression.evaluate(section())) == [1, 1, 1]


def test_a_column_that_is_read_only_or_strided_is_taken():
    data = np.arange(6, dtype=np.int64)[::2]
    data.flags.writeable = False
    given = Section("m", np.zeros(3, np.int64), {}, {"i": FieldColumn(Kind.INT, data)}, nil_groups())
    assert values(compiled('"i" / 2').evaluate(given)) == [0, 1, 2]
    assert values(compiled('-"i"').evaluate(given)) == [0, -2, -4]
    assert data.tolist() == [0, 2, 4]


def test_the_columns_of_the_section_are_never_changed():
    given = section({"b": [True, False, True], "i": [1, 2, 3]})
    compiled('"b" AND "i" > 1 AND "b"').predicate(given)
    compiled('!"b"').predicate(given)
    assert given.fields["b"].data.tolist() == [True, False, True]


def test_regular_expressions_chosen_by_if_go_row_by_row():
    given = section({"b": [True, False, True]}, {"host": ["a", "a", "b"]})
    assert values(compiled('"host" =~ if("b", /a/, /b/)').evaluate(given)) == [True, False, False]


def test_the_right_side_is_evaluated_only_where_the_left_does_not_decide():
    expression = compiled('"b" AND int("s") > 0')
    result = expression.evaluate(section({"b": [True, False, True], "s": ["1", "x", "y"]}))
    assert [row for row, _ in result.errors] == [2]
    assert values(result)[:2] == [True, False]


def test_dictionaries_are_evaluated_once_for_each_value():
    calls = []
    each = PerValue(lambda value: calls.append(value) or len(value))
    first = Strings.of(["a", "bb"])
    assert each.table(first, list) == [1, 2]
    assert each.table(first.copy(), list) == [1, 2]
    assert each.table(Strings.of(["bb", "ccc"]), list) == [2, 3]
    assert calls == [b"a", b"bb", b"ccc"]


def test_what_is_remembered_of_values_is_bounded():
    each = PerValue(len)
    long = b"x" * (PerValue.SIZE + 1)
    each.results([long, b"short"])
    assert set(each._memo) == {b"short"}
    each.results([b"%d" % i for i in range(PerValue.BOUND)])
    assert len(each._memo) == PerValue.BOUND


def test_a_few_rows_of_a_large_dictionary_evaluate_only_their_values():
    names = [f"host{i}" for i in range(1000)]
    tag = TagColumn(np.array([3, 999], np.uint32), Strings.of(names))
    given = Section("m", np.zeros(2, np.int64), {"host": tag}, {}, nil_groups())
    assert values(compiled('strToUpper("host")').evaluate(given)) == ["HOST3", "HOST999"]
    assert compiled('"host" =~ /9/').predicate(given).mask.tolist() == [False, True]

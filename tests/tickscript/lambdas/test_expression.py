"""Compiling and evaluating: when errors are found, in which order, and what state sees."""

from __future__ import annotations

import functools

import pytest

from tickscript import ast
from tickscript.lambdas.environment import Environment
from tickscript.lambdas.errors import CompileError, DepthError, LambdaError
from tickscript.lambdas.expression import MAX_CHAIN, MAX_DEPTH, Expression, evaluate
from tickscript.lambdas.values import MISSING, NULL, Duration, Kind, Regex, Time
from tickscript.parser import parse_lambda

FIXED = Environment(now=lambda: 1_500_000_000_000_000_000, seed=lambda: 1)


def compiled(text):
    return Expression(parse_lambda(text), FIXED)


def run(text, scope=None, state=None):
    return compiled(text).evaluate(scope or {}, state)


def error(text, scope=None, method="evaluate"):
    with pytest.raises(LambdaError) as caught:
        getattr(compiled(text), method)(scope or {})
    return str(caught.value)


def count():
    return ast.Function("global", "count")


def test_references_are_listed_once_in_order_of_appearance():
    assert compiled('"b" > "a" AND abs("b") > "c"').references == ("b", "a", "c")


def test_an_expression_says_whether_it_remembers_and_whether_it_reads_the_clock():
    assert compiled("count() > 1").stateful
    assert not compiled('"a" > 1').stateful
    assert compiled("unixNano(now()) > 1").impure


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 + 'a' > 2", "Failed to handle left node: mismatched type to binary operator. got int + string. "),
        ("2 > 1 + 'a'", "Failed to handle right node: mismatched type to binary operator. got int + string. "),
        ("-(1 + 'a')", "Failed to handle node: mismatched type"),
        ("abs(1.0, 1 + 'a')", "Failed to handle 2 argument: mismatched type"),
        (
            '"x" == 1 AND TRUE + 1 > 2',
            "Failed to handle right node: Failed to handle left node: invalid math operator + ",
        ),
        ('1 AND TRUE AND "x"', "Failed to handle left node: invalid logical operator AND for type int"),
        ("abs(foo)", "Failed to handle 1 argument: Given node type is not valid evaluation node: *ast.IdentifierNode"),
        ("foo + 1 + 2", "Failed to handle left node: Failed to handle left node: Given node type"),
        ("1 + foo + 2", "Failed to handle left node: Failed to handle right node: Given node type"),
    ],
)
def test_constant_parts_are_typed_when_the_expression_is_compiled(text, message):
    with pytest.raises(CompileError) as caught:
        compiled(text)
    assert str(caught.value).startswith(message)


def test_lists_embed_in_scripts_but_are_no_expression():
    with pytest.raises(CompileError, match=r"^Given node type is not valid evaluation node: \*ast.ListNode$"):
        Expression(ast.List((ast.Star(),)))


def test_a_constant_division_by_zero_is_found_only_when_it_is_evaluated():
    assert error("1 / 0 == 1") == "runtime error: integer divide by zero"
    assert run("FALSE AND 1 / 0 == 1") is False


def test_an_unknown_function_is_found_only_when_it_is_called():
    assert run("FALSE AND nope() > 1") is False
    assert error("nope()") == 'undefined function: "nope"'


def test_a_deep_expression_is_refused_with_one_sentence():
    deep = functools.reduce(lambda inner, _: ast.Unary("!", inner), range(3000), ast.Reference("b"))
    with pytest.raises(DepthError, match=f"^expression nests deeper than {MAX_DEPTH} levels$"):
        Expression(deep)
    long = functools.reduce(lambda left, _: ast.Binary("+", left, ast.Reference("i")), range(3000), ast.Reference("i"))
    with pytest.raises(DepthError, match=f"^more than {MAX_CHAIN} operators follow each other$"):
        Expression(long)


def test_a_thousand_alternatives_are_one_level():
    long = functools.reduce(
        lambda left, i: ast.Binary("OR", left, ast.Binary("==", ast.Reference("i"), ast.Int(i))),
        range(1, 1000),
        ast.Binary("==", ast.Reference("i"), ast.Int(0)),
    )
    expression = Expression(long)
    assert expression.predicate({"i": 999})
    assert not expression.predicate({"i": 1000})


def test_both_sides_are_typed_before_the_left_is_evaluated():
    assert error('TRUE OR "gone"') == 'right reference value "gone" is missing value'
    assert error('count() > 0 AND "an_int"', {"an_int": 1}).startswith(
        "mismatched type to binary operator. got boolean"
    )
    assert run('TRUE OR "gone" > 1') is True


def test_the_last_operand_of_a_chain_is_typed_first():
    message = error('"x" AND "y" AND "z"')
    assert message == 'right reference value "z" is missing value'
    assert error('"x" AND "y" AND "z"', {"z": True}) == 'left reference value "x" is missing value'


def test_a_missing_operand_that_is_no_reference_has_its_own_text():
    assert error('-"x" > 1') == "expected leftEvaluator to be *EvalReferenceNode got *stateful.EvalUnaryNode"
    assert error('1 > -"x"') == "expected rightEvaluator to be *EvalReferenceNode got *stateful.EvalUnaryNode"


def test_a_null_is_an_error_wherever_it_is_used():
    assert error('"n"', {"n": NULL}) == 'referenced value "n" is nil.'
    assert error('isPresent("n")', {"n": NULL}) == 'Failed to handle 1 argument: referenced value "n" is nil.'
    assert run('FALSE AND "n" > 1', {"n": NULL}) is False


def test_only_is_present_takes_a_missing_value():
    assert run('isPresent("x")') is False
    assert run('isPresent("x")', {"x": MISSING}) is False
    assert run('isPresent("x")', {"x": ""}) is True
    assert error('isPresent("x") AND "x"') == 'right reference value "x" is missing value'


def test_results_are_of_five_kinds():
    scope = {"b": True, "i": 7, "f": 1.5, "s": "abc", "d": Duration(5)}
    for name, value in scope.items():
        result = run(f'"{name}"', scope)
        assert result == value
        assert type(result) is type(value)
    assert error('"t"', {"t": Time(0)}) == "expression returned unexpected type time"
    assert error('"r"', {"r": Regex("a")}) == "expression returned unexpected type regex"
    assert error('"x"') == 'missing value: "x"'


def test_a_predicate_names_what_is_not_bool_in_its_own_words():
    assert error("1 + 1", method="predicate") == "expression returned unexpected type int64"
    assert error("'a' + 'b'", method="predicate") == "expression returned unexpected type <nil>"
    assert error("1", method="predicate") == "TypeGuard: expression returned unexpected type int, expected boolean"
    assert error('"x"', method="predicate") == 'reference "x" is missing value'


def test_strings_that_are_not_utf8_come_through_unchanged():
    assert run("\"s\" + '!'", {"s": "a\udcff"}) == "a\udcff!"
    assert run('strLength("s")', {"s": "a\udcff"}) == 2


def test_calls_of_one_name_share_a_state():
    expression = compiled("count() * 10 + count()")
    state = expression.new_state()
    assert [expression.evaluate({}, state) for _ in range(3)] == [12, 34, 56]


def test_state_advances_only_where_the_call_is_reached():
    expression = compiled('"c" AND count() > 1')
    state = expression.new_state()
    assert [expression.evaluate({"c": c}, state) for c in (True, False, False, True)] == [False, False, False, True]


def test_a_type_error_before_the_call_leaves_the_state_alone():
    expression = compiled('spread("v")')
    state = expression.new_state()
    assert expression.evaluate({"v": 1.0}, state) == 0.0
    with pytest.raises(LambdaError):
        expression.evaluate({"v": 9}, state)
    assert expression.evaluate({"v": 4.0}, state) == 3.0


def test_an_embedded_lambda_has_a_state_that_all_groups_share():
    inner = ast.Lambda(ast.Binary(">=", count(), ast.Int(3)))
    expression = Expression(ast.Binary("AND", ast.Binary(">=", count(), ast.Int(1)), inner))
    first = expression.new_state()
    second = expression.new_state(first)
    assert [expression.evaluate({}, s) for s in (first, second, first)] == [False, False, True]
    assert (first.counted, second.counted) == (2, 1)


def test_now_is_the_clock_of_the_environment():
    assert run("unixNano(now())") == 1_500_000_000_000_000_000
    assert run("hour(now())") == 2


def test_values_in_scope_are_the_other_names_of_the_whole_expression():
    assert error('"a" > 1.0 AND abs("x") > "b"', {"a": 2.0, "b": 1.0}) == (
        'Cannot call function "abs" argument "x" is missing, values in scope are ["a", "b"]'
    )


def test_too_many_arguments_are_a_signature_error():
    assert error("max(1.0, 2.0, 3.0, 4.0, 5.0)").startswith('Cannot call function "max" with args (1: float,2: float,')


def test_scripts_fold_constants_without_a_scope():
    assert evaluate(parse_lambda("10 * 1s").expression) == Duration(10**10)
    assert evaluate(parse_lambda("'a' + string(1)").expression) == "a1"
    with pytest.raises(LambdaError, match="integer divide by zero"):
        evaluate(parse_lambda("1 / 0").expression)


def test_the_typing_pass_does_not_look_below_a_comparison():
    assert compiled('"x" > 1').kind({}) is Kind.BOOL
    assert compiled('!"i"').kind({"i": 1}) is Kind.BOOL
    assert compiled('-"s"').kind({"s": "a"}) is Kind.STRING

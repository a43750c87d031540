"""The tables: every entry gives what it declares, and what is declared total never refuses."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickscript.lambdas import mathematics
from tickscript.lambdas.errors import CallError, LambdaError
from tickscript.lambdas.library import LIBRARY, STATEFUL, Source, find
from tickscript.lambdas.operators import BINARY, OPERATORS, UNARY, lookup, negate
from tickscript.lambdas.state import State
from tickscript.lambdas.values import MISSING, Duration, Kind, Regex, Time, kind_of

INTS = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
VALUES = {
    Kind.BOOL: st.booleans(),
    Kind.INT: INTS,
    Kind.FLOAT: st.floats(),
    Kind.STRING: st.binary(max_size=8),
    Kind.REGEX: st.sampled_from(["a", "", "(a)(b)?", "."]).map(Regex),
    Kind.DURATION: INTS.map(Duration),
    Kind.TIME: INTS.map(Time),
    Kind.MISSING: st.just(MISSING),
}
SIGNATURES = [(name, s) for name, signatures in LIBRARY.items() for s in signatures]
# Orders beyond these take the C library seconds; their limits are tested by name.
SMALL_ORDERS = st.integers(-50, 50)


@pytest.mark.parametrize(
    ("name", "signature"), SIGNATURES, ids=[f"{n}({','.join(k.word for k in s.args)})" for n, s in SIGNATURES]
)
def test_a_function_gives_the_kind_it_declares(name, signature):
    @given(st.data())
    def call(data):
        args = [
            data.draw(SMALL_ORDERS if name in ("jn", "yn") and k is Kind.INT else VALUES[k]) for k in signature.args
        ]
        if signature.source is Source.STATE:
            args.insert(0, State())
        elif signature.source is Source.CLOCK:
            args.insert(0, Time(0))
        try:
            result = signature.call(*args)
        except (CallError, LambdaError):
            assert not signature.total
        else:
            assert kind_of(result) is signature.result

    call()


@pytest.mark.parametrize(("op", "left", "right"), sorted(BINARY))
def test_an_operator_gives_the_kind_it_declares(op, left, right):
    entry = BINARY[op, left, right]

    @given(VALUES[left], VALUES[right])
    def call(a, b):
        try:
            result = entry.call(a, b)
        except LambdaError:
            assert not entry.total
        else:
            assert kind_of(result) is entry.result

    call()


@pytest.mark.parametrize(("op", "kind"), sorted(UNARY))
def test_unary_operators_keep_the_kind(op, kind):
    assert UNARY[op, kind] is kind

    @given(VALUES[kind])
    def call(value):
        assert kind_of(negate(value, kind)) is kind

    call()


def test_what_is_not_in_the_matrix_blames_the_left_operand_first():
    for op in OPERATORS:
        for left in Kind:
            for right in Kind:
                if (op, left, right) in BINARY:
                    continue
                known = any(o == op and left in (a, b) for o, a, b in BINARY)
                with pytest.raises(LambdaError, match="^mismatched" if known else f"for type {left.word}$"):
                    lookup(op, left, right)


def test_functions_that_remember_are_four():
    assert {"count", "sigma", "spread", "rand"} == STATEFUL


def test_a_signature_is_found_by_all_its_kinds():
    assert find("max", (Kind.FLOAT, Kind.FLOAT)) is not None
    assert find("max", (Kind.FLOAT, Kind.INT)) is None
    assert find("max", (Kind.FLOAT,)) is None


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("max", (math.inf, math.nan), math.inf), ("max", (math.nan, 1.0), math.nan), ("min", (-math.inf, math.nan), -math.inf),
        ("mod", (-7.5, 2.0), -1.5), ("mod", (1.0, 0.0), math.nan), ("gamma", (0.0,), math.inf), ("gamma", (-1.0,), math.nan),
        ("gamma", (-math.inf,), math.nan), ("gamma", (200.0,), math.inf), ("pow", (-8.0, 0.5), math.nan),
        ("pow", (0.0, -1.0), math.inf), ("logb", (8.5,), 3.0), ("logb", (0.0,), -math.inf), ("logb", (-math.inf,), math.inf),
        ("logb", (math.nan,), math.nan), ("pow10", (-324,), 0.0), ("pow10", (309,), math.inf), ("log", (0.0,), -math.inf),
        ("acos", (2.0,), math.nan), ("y0", (0.0,), -math.inf), ("y1", (-1.0,), math.nan), ("j1", (-math.inf,), 0.0),
        ("jn", (10**12, 1.5), 0.0), ("yn", (10**12, 1.5), -math.inf), ("yn", (-(10**12) - 1, 1.5), math.inf),
        ("yn", (2, math.inf), 0.0), ("jn", (2, math.nan), math.nan), ("yn", (2, -1.0), math.nan),
        ("jn", (2**31, 2.0**30), math.nan), ("yn", (2**31, 2.0**30), math.nan), ("pow", (-math.inf, 0.5), math.inf),
        ("pow", (-math.inf, -0.5), 0.0), ("pow", (-math.inf, 3.0), -math.inf), ("pow", (1.0, math.nan), 1.0),
    ],
)  # fmt: skip
def test_mathematics_at_its_edges(name, args, result):
    found = LIBRARY[name][0].call(*args)
    assert (math.isnan(found) and math.isnan(result)) or found == result


@pytest.mark.parametrize("name", ["jn", "yn"])
@pytest.mark.parametrize("order", [2**31, 3 * 10**9 + 1, 2**63 - 1, -(2**31) - 1, -(10**15)])
def test_of_orders_beyond_int32_huge_arguments_know_only_the_remainder_by_four(name, order):
    call = LIBRARY[name][0].call
    small = (abs(order) % 4 + 4) * (1 if order > 0 else -1)
    assert call(order, 1e300) == call(small, 1e300) != 0.0


@pytest.mark.parametrize("exponent", [0.5, -1.0, 2.0, 0.0, 1.0, 3.7])
def test_a_power_is_the_same_alone_in_a_column_and_with_a_column_of_exponents(exponent):
    bases = np.array([-math.inf, -8.0, -0.0, 0.0, 3.0, 1e17, 1e300, math.inf])
    alone = [LIBRARY["pow"][0].call(float(base), exponent) for base in bases]
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(mathematics.TWO["pow"](bases, exponent), alone)
        np.testing.assert_array_equal(mathematics.TWO["pow"](bases, np.full(bases.size, exponent)), alone)


def test_the_larger_zero_is_positive():
    call = LIBRARY["max"][0].call
    assert math.copysign(1.0, call(0.0, -0.0)) == 1.0
    assert math.copysign(1.0, LIBRARY["min"][0].call(0.0, -0.0)) == -1.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30))
def test_sigma_is_the_distance_from_the_mean_in_sample_deviations(values):
    state = State()
    results = [state.sigma(x) for x in values]
    deviation = statistics.stdev(values)
    if deviation > 1e-3:
        wanted = abs(values[-1] - statistics.fmean(values)) / deviation
        assert math.isclose(results[-1], wanted, rel_tol=1e-6, abs_tol=1e-6)


def test_spread_ignores_nan_unless_it_comes_first():
    state = State()
    assert state.spread(math.nan) == -math.inf
    assert [state.spread(x) for x in (5.0, math.nan, 7.0, 1.0)] == [0.0, 0.0, 2.0, 6.0]


@given(st.integers(0, 2**64 - 1), st.integers(-5, 2**63 - 1))
def test_random_numbers_stay_in_range(seed, n):
    state = State(seed=seed)
    assert 0 <= state.rand() < 2**63
    drawn = state.rand_below(n)
    assert 0 <= drawn < max(n, 1)

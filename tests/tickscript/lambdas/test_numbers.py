"""Numbers as text, both ways."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickscript.lambdas.errors import CallError
from tickscript.lambdas.numbers import parse_bool, parse_float, parse_int, plain_float, short_float
from tickscript.lambdas.values import INT64_MAX, INT64_MIN, truncate, wrap


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_printed_floats_read_back_the_same(value):
    for text in (plain_float(value), short_float(value)):
        assert float(text) == value
        assert parse_float(text.encode()) == value
    assert "e" not in plain_float(value)


@pytest.mark.parametrize(
    ("value", "plain", "short"),
    [
        (1.0, "1", "1"),
        (1e20, "100000000000000000000", "1e+20"),
        (1e-7, "0.0000001", "1e-07"),
        (0.0001, "0.0001", "0.0001"),
        (123456.0, "123456", "123456"),
        (1234567.0, "1234567", "1.234567e+06"),
        (-0.5, "-0.5", "-0.5"),
        (math.inf, "+Inf", "+Inf"),
        (-math.inf, "-Inf", "-Inf"),
        (math.nan, "NaN", "NaN"),
    ],
)
def test_floats_print_in_two_forms(value, plain, short):
    assert (plain_float(value), short_float(value)) == (plain, short)


@given(st.integers(INT64_MIN, INT64_MAX))
def test_every_int64_reads_back(value):
    assert parse_int(b"%d" % value) == value


@pytest.mark.parametrize("text", ["", "+", "1.5", "0x10", " 1", "1_0", "1e3", "٣"])
def test_ints_are_a_sign_and_digits(text):
    with pytest.raises(CallError, match=r"invalid syntax$"):
        parse_int(text.encode())


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809", "9" * 5000])
def test_ints_beyond_int64_are_out_of_range(text):
    with pytest.raises(CallError, match=r"value out of range$"):
        parse_int(text.encode())
    assert parse_int(b"-" + b"0" * 50 + b"7") == -7


@pytest.mark.parametrize(
    ("text", "value"),
    [("1_0", 10.0), ("1e1_0", 1e10), ("0x1p4", 16.0), ("0x_1.8p1", 3.0), (".5", 0.5), ("5.", 5.0), ("-inf", -math.inf),
     ("INFINITY", math.inf), ("+Inf", math.inf), ("1e-400", 0.0)],
)  # fmt: skip
def test_floats_read_as_go_reads_them(text, value):
    assert parse_float(text.encode()) == value


@pytest.mark.parametrize(
    "text", ["", ".", "1__0", "_1", "1_", "1_.5", " 1", "1 ", "+nan", "0x1", "1e", "--1", "infinit", "٣"]
)
def test_what_go_does_not_read_is_invalid(text):
    with pytest.raises(CallError, match=r"invalid syntax$"):
        parse_float(text.encode())


@pytest.mark.parametrize("text", ["1e400", "-1e400", "0x1p5000"])
def test_floats_beyond_double_are_out_of_range(text):
    with pytest.raises(CallError, match=r"value out of range$"):
        parse_float(text.encode())


def test_bools_have_six_texts_each():
    assert all(parse_bool(t) for t in (b"1", b"t", b"T", b"true", b"TRUE", b"True"))
    assert not any(parse_bool(f) for f in (b"0", b"f", b"F", b"false", b"FALSE", b"False"))
    with pytest.raises(CallError, match=r'^strconv.ParseBool: parsing "yes": invalid syntax$'):
        parse_bool(b"yes")


@given(st.integers(-(2**130), 2**130))
def test_wrapping_is_modulo_two_to_the_64(value):
    wrapped = wrap(value)
    assert INT64_MIN <= wrapped <= INT64_MAX
    assert (wrapped - value) % 2**64 == 0


def test_floats_out_of_range_truncate_to_the_smallest_int64():
    assert [truncate(x) for x in (7.9, -7.9, math.nan, math.inf, 2.0**63, -(2.0**63))] == [7, -7] + [INT64_MIN] * 4

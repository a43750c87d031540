"""The three notations of durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickscript.durations import (
    INT64_MAX,
    format_duration,
    go_duration,
    parse_duration_literal,
    parse_duration_text,
)
from tickscript.errors import DurationError

INT64 = st.integers(-INT64_MAX - 1, INT64_MAX)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1h30m", 5_400_000_000_000),
        ("10ns", 10),
        ("-5s", -5_000_000_000),
        ("1w2d3h4m5s6ms7u8ns", 788_645_006_007_008),
        ("5µ", 5_000),
        ("000000000000000000000000001s", 1_000_000_000),
    ],
)
def test_duration_text_is_pairs_of_number_and_unit(text: str, expected: int) -> None:
    assert parse_duration_text(text) == expected


@pytest.mark.parametrize(
    "text", ["", "-", "5", "5x", "s", "1.5s", "+5s", "1 s", "--5s", "5n", "1h-30m", "٣s", "9" * 20 + "s"]
)
def test_anything_else_is_no_duration_text(text: str) -> None:
    with pytest.raises(DurationError, match=r"^invalid duration$"):
        parse_duration_text(text)


@pytest.mark.parametrize("text", ["200000w", "9223372036854775807ns1ns"])
def test_a_sum_beyond_int64_has_its_own_error(text: str) -> None:
    with pytest.raises(DurationError, match=f"^overflowed duration {text}: choose a smaller duration or INF$"):
        parse_duration_text(text)


def test_a_literal_that_wraps_to_a_positive_value_is_taken() -> None:
    assert parse_duration_literal("40000", "w", "40000w") == 40_000 * 604_800 * 10**9 - 2**64


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0s"),
        (90 * 10**9, "90s"),
        (86_400 * 10**9, "1d"),
        (1_500_000, "1500u"),
        (-90 * 10**9, "-90s"),
        (7 * 86_400 * 10**9, "1w"),
        (1, "1ns"),
        (3_600 * 10**9, "1h"),
        (-INT64_MAX - 1, "-9223372036854775808ns"),
    ],
)
def test_a_duration_prints_as_a_count_of_its_largest_exact_unit(value: int, expected: str) -> None:
    assert format_duration(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (3_600 * 10**9, "1h0m0s"),
        (61 * 10**9 + 1, "1m1.000000001s"),
        (-90 * 10**9, "-1m30s"),
        (INT64_MAX, "2562047h47m16.854775807s"),
        (-INT64_MAX - 1, "-2562047h47m16.854775808s"),
    ],
)
def test_the_long_form_is_that_of_go(value: int, expected: str) -> None:
    assert go_duration(value) == expected


@given(INT64)
def test_a_printed_duration_reads_back(value: int) -> None:
    assert parse_duration_text(format_duration(value)) == value


@given(st.text(alphabet="0123456789-unsmhdwµ ", max_size=30))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        value = parse_duration_text(text)
    except DurationError:
        return
    assert -INT64_MAX - 1 <= value <= INT64_MAX

"""Durations, sizes, booleans and integers as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.values import Duration, Size, parse_bool, parse_int


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("10s", 10 * 10**9),
        ("1m30s", 90 * 10**9),
        ("1h", 3600 * 10**9),
        ("100ms", 10**8),
        ("1.5s", 1_500_000_000),
        (".5s", 500_000_000),
        ("-2us", -2000),
        ("+7ns", 7),
        ("3µs", 3000),
        ("0", 0),
    ],
)
def test_a_duration_is_read_as_go_reads_it(text: str, nanoseconds: int) -> None:
    assert Duration.parse(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "1d", "1w", "zz", "10", "s", "1 s", "1s ", "--1s", "9999999999h"])
def test_what_is_no_duration_is_refused_with_gos_text(text: str) -> None:
    with pytest.raises(ValueError, match="time: invalid duration") as refused:
        Duration.parse(text)
    assert str(refused.value) == f'time: invalid duration "{text}"'


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (60 * 10**9, "1m0s"),
        (3600 * 10**9, "1h0m0s"),
        (1_500_000_000, "1.5s"),
        (250_000_000, "250ms"),
        (1_500, "1.5µs"),
        (-5, "-5ns"),
    ],
)
def test_a_duration_prints_as_in_go(nanoseconds: int, text: str) -> None:
    assert str(Duration(nanoseconds)) == text


@given(st.integers(-(2**62), 2**62))
def test_a_printed_duration_reads_back(nanoseconds: int) -> None:
    assert Duration.parse(str(Duration(nanoseconds))) == nanoseconds


@pytest.mark.parametrize(
    ("text", "size"), [("256MiB", 256 << 20), ("10MB", 10**7), ("64 KiB", 65536), ("12", 12), (7, 7), ("1gib", 1 << 30)]
)
def test_a_size_has_a_unit_or_none(text: str | int, size: int) -> None:
    assert Size.parse(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "1.5MiB", "-1", -1, "10 bytes"])
def test_what_is_no_size_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match="invalid size"):
        Size.parse(text)


@given(st.integers(0, 2**50))
def test_a_printed_size_reads_back(size: int) -> None:
    assert Size.parse(str(Size(size))) == size


def test_booleans_follow_go() -> None:
    assert [parse_bool(text) for text in ("1", "t", "T", "true", "TRUE", "True")] == [True] * 6
    assert [parse_bool(text) for text in ("0", "f", "F", "false", "FALSE", "False")] == [False] * 6
    with pytest.raises(ValueError, match="invalid syntax"):
        parse_bool("yes")


@pytest.mark.parametrize(("text", "value"), [("12", 12), ("0x20", 32), ("020", 16), ("0b101", 5), ("-3", -3), ("0", 0)])
def test_integers_take_gos_prefixes(text: str, value: int) -> None:
    assert parse_int(text) == value

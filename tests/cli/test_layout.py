"""Columns, dates and values."""

from __future__ import annotations

from typing import Any

import pytest

from cli import layout


def test_columns_are_padded_and_long_values_are_not_cut() -> None:
    columns = [("ID", layout.LONGEST), ("Type", 10), ("Rest", -1)]
    rows = [("a", "stream", "x"), ("longer_id", "a longer than ten", "y z")]
    assert layout.table(columns, rows) == [
        "ID        Type      Rest",
        "a         stream    x",
        "longer_id a longer than teny z",
    ]


def test_a_width_counts_bytes() -> None:
    assert layout.table([("ID", layout.LONGEST), ("T", 3)], [("é", "x"), ("abc", "y")]) == [
        "ID  T  ",
        "é  x  ",
        "abc y  ",
    ]


def test_the_heading_is_there_without_rows() -> None:
    assert layout.table([("ID", layout.LONGEST), ("Type", 6)], []) == ["ID Type  "]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-23T23:39:59.123456789Z", "23 Nov 26 23:39 UTC"),
        ("0001-01-01T00:00:00Z", "01 Jan 01 00:00 UTC"),
        ("1970-01-01T00:00:00Z", "01 Jan 70 00:00 UTC"),
    ],
)
def test_dates_are_short_and_utc(text: str, shown: str) -> None:
    assert layout.date(text) == shown


@pytest.mark.parametrize(
    ("var", "shown"),
    [
        ({"type": "string", "value": "cpu"}, "cpu"),
        ({"type": "int", "value": 3}, "3"),
        ({"type": "float", "value": 1.5}, "1.5"),
        ({"type": "bool", "value": True}, "true"),
        ({"type": "duration", "value": 60_000_000_000}, "1m0s"),
        ({"type": "lambda", "value": '"v" > 1'}, '"v" > 1'),
        ({"type": "list", "value": [{"type": "string", "value": "h"}, {"type": "star", "value": None}]}, "[h, *]"),
        ({"type": "star", "value": None}, "<nil>"),
    ],
)
def test_the_values_of_vars_print_as_in_show(var: dict[str, Any], shown: str) -> None:
    assert layout.value(var) == shown

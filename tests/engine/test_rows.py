"""The row form as JSON: numbers and times as Go prints them, columns as the reference chooses them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import FieldColumn, Kind, Span
from engine.rows import UnsupportedValueError, field_texts, float_text, rows_of, string_text, time_text, value_text
from tests.engine.nodes.messages import NIL, Batch, Group, Point, Row, frames_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "-0"), (1.0, "1"), (1.5, "1.5"), (1e20, "100000000000000000000"), (1e21, "1e+21"),
        (1.5e300, "1.5e+300"), (1e-6, "0.000001"), (1e-7, "1e-7"), (1.25e-10, "1.25e-10"), (123456789.125, "123456789.125"),
        (0.1, "0.1"), (1e16, "10000000000000000"), (-2.5e-5, "-0.000025"), (5e-324, "5e-324"),
    ],
)  # fmt: skip
def test_floats_print_as_in_go(value: float, text: str) -> None:
    assert float_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_read_back_the_same(value: float) -> None:
    assert float(float_text(value)) == value
    assert math.copysign(1, float(float_text(value))) == math.copysign(1, value)


@pytest.mark.parametrize(("value", "word"), [(math.nan, "NaN"), (math.inf, "+Inf"), (-math.inf, "-Inf")])
def test_what_json_does_not_have_is_an_error(value: float, word: str) -> None:
    with pytest.raises(UnsupportedValueError, match=f"json: unsupported value: \\{word}" if word[0] in "+-" else word):
        float_text(value)


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0, "1970-01-01T00:00:00Z"), (1_500_000_000, "1970-01-01T00:00:01.5Z"), (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"), (1_609_459_200_100_000_000, "2021-01-01T00:00:00.1Z"),
        (-(2**63), "1677-09-21T00:12:43.145224192Z"), (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
    ],
)  # fmt: skip
def test_times_are_rfc_3339_with_the_fraction_trimmed(time: int, text: str) -> None:
    assert time_text(time) == text


@given(st.text())
def test_strings_are_json(value: str) -> None:
    clean = value.encode("utf-8", "replace").decode()
    assert json.loads(string_text(clean)) == clean


def test_bytes_that_are_no_text_become_the_replacement_character() -> None:
    assert string_text("a\udcff") == '"a\ufffd"'


def test_values_of_any_kind() -> None:
    assert [value_text(v) for v in (None, True, 3, Span(5), 2.0, "x")] == ["null", "true", "3", "5", "2", '"x"']


def rows(message: Point | Batch) -> list[object]:
    [frame] = frames_of([message], "stream" if isinstance(message, Point) else "batch", [])
    return [json.loads(text) for text in rows_of(frame.sections[0]) if isinstance(text, str)]


def test_a_point_has_all_its_tags_and_sorted_fields() -> None:
    point = Point("m", 0, {"b": 1, "a": "x", "n": NIL}, {"z": "1", "h": "a"}, ("h",))
    [row] = rows(point)
    assert row == {
        "name": "m",
        "tags": {"h": "a", "z": "1"},
        "columns": ["time", "a", "b", "n"],
        "values": [["1970-01-01T00:00:00Z", "x", 1, None]],
    }


def test_a_batch_has_the_columns_of_its_first_point_and_tags_that_are_not_its_own() -> None:
    batch = Batch(
        "m",
        9,
        (
            Row(0, {"b": 1}, {"h": "a", "r": "1"}),
            Row(1, {"c": 2}, {"h": "a"}),
            Row(2, {"b": 3, "r": "field"}, {"h": "a"}),
        ),
        Group(("h",), ("a",)),
    )
    [row] = rows(batch)
    assert row == {
        "name": "m",
        "tags": {"h": "a"},
        "columns": ["time", "b", "r"],
        "values": [
            ["1970-01-01T00:00:00Z", 1, "1"],
            ["1970-01-01T00:00:00.000000001Z", None, None],
            ["1970-01-01T00:00:00.000000002Z", 3, "field"],
        ],
    }


def test_an_empty_batch_has_no_columns() -> None:
    assert rows(Batch("m", 9, (), Group(("h",), ("a",)))) == [{"name": "m", "tags": {"h": "a"}}]


def test_a_row_without_json_does_not_spoil_the_others() -> None:
    points = [Point("m", 0, {"v": 1.0}), Point("m", 1, {"v": math.nan}), Point("m", 2, {"v": 2.0})]
    [frame] = frames_of(points, "stream", [])
    found = rows_of(frame.sections[0])
    assert [isinstance(text, UnsupportedValueError) for text in found] == [False, True, False]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.floats(-1e6, 1e6, width=32), min_size=1))
def test_a_column_of_floats_prints_as_each_of_them_would(values: list[float]) -> None:
    assert field_texts(FieldColumn(Kind.FLOAT, np.array(values))) == [float_text(v) for v in values]

"""Reading bodies: whatever the reference's decoder would take means the same here."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.definitions.bodies import RefusedError, check_id, dbrps_of, read_object, text_of, word_of

_KNOWN = ("id", "script", "dbrps")
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_SPACE = st.text(" \t\r\n", max_size=3).map(str.encode)


@st.composite
def _mixed_case(draw: st.DrawFn, word: str) -> str:
    return "".join(draw(st.sampled_from((c, c.upper()))) for c in word)


@given(st.lists(st.tuples(_mixed_case("id"), _TEXT), min_size=1, unique_by=lambda pair: pair[0]))
def test_a_known_key_counts_in_any_case_and_the_last_of_them_wins(pairs: list[tuple[str, str]]) -> None:
    body = json.dumps({"other": 1, **dict(pairs)})
    assert read_object(body.encode(), _KNOWN) == {"id": pairs[-1][1]}


@given(_SPACE, st.dictionaries(st.sampled_from(_KNOWN), _TEXT), st.binary(max_size=20))
def test_space_before_and_anything_after_the_first_value_are_ignored(
    space: bytes, value: dict[str, str], rest: bytes
) -> None:
    assert read_object(space + json.dumps(value).encode() + rest, _KNOWN) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with suppress(RefusedError):
        assert isinstance(read_object(body, _KNOWN), dict)


def test_null_is_an_empty_object_and_nulls_in_it_are_absent() -> None:
    assert read_object(b"null", _KNOWN) == {}
    assert read_object(b'{"id":null,"script":""}', _KNOWN) == {"script": ""}


@pytest.mark.parametrize(
    "body", [b"NaN", b'{"id":Infinity}', b'{"a":-Infinity}', b"{'id':1}", b'{"id":"\n"}', b"\xef\xbb\xbf{}"]
)
def test_what_only_lenient_readers_take_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError, match="invalid JSON"):
        read_object(body, _KNOWN)


def test_values_of_the_wrong_kind_are_refused() -> None:
    for call in (
        lambda: text_of({"id": 1}, "id"),
        lambda: word_of({"status": []}, "status", ("a",)),
        lambda: dbrps_of({"dbrps": [1]}),
        lambda: dbrps_of({"dbrps": [{"rp": []}]}),
    ):
        with pytest.raises(RefusedError, match="invalid JSON"):
            call()
    assert dbrps_of({"dbrps": [{"DB": "a", "rp": None}, {}]}) == [("a", ""), ("", "")]


@given(st.text(st.characters(categories=["L"]) | st.sampled_from("-._0123456789"), min_size=1))
def test_letters_digits_and_three_signs_make_an_id(identity: str) -> None:
    check_id("task", identity)


@given(st.text(st.characters(exclude_categories=["L", "Cs"], exclude_characters="-._0123456789"), min_size=1))
def test_anything_else_does_not(identity: str) -> None:
    with pytest.raises(RefusedError, match="task ID must contain only letters"):
        check_id("task", f"a{identity}")

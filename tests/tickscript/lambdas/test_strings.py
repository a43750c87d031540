"""The string functions, over bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickscript.lambdas import strings
from tickscript.lambdas.errors import CallError, LambdaError
from tickscript.lambdas.values import Regex, decode

BYTES = st.binary(max_size=12)


def test_offsets_count_bytes_and_sets_hold_characters():
    text = "éaé".encode()
    assert strings.index_any(text, b"xa") == 2
    assert strings.last_index_any(text, "é".encode()) == 3
    assert strings.index_any(text, b"") == -1
    assert strings.last_index_any(text, b"z") == -1
    assert strings.contains_any(text, "xé".encode())
    assert strings.count(text, b"") == 4


@given(BYTES, BYTES)
def test_counting_and_replacing_take_any_bytes(text, part):
    n = strings.count(text, part)
    assert n >= 0
    replaced = strings.replace(text, part, b"<>", -1)
    assert len(replaced) == len(text) + n * (2 - len(part))


@given(BYTES, st.integers(-1, 6))
def test_an_empty_pattern_stands_before_each_character_and_at_the_end(text, n):
    places = len(decode(text)) + 1
    replaced = strings.replace(text, b"", b"|", n)
    assert replaced.replace(b"|", b"") == text.replace(b"|", b"")
    assert replaced.count(b"|") - text.count(b"|") == (places if n < 0 else min(n, places))


@given(BYTES, BYTES)
def test_trimming_both_ends_is_trimming_each(text, characters):
    both = strings.trim(text, characters)
    assert both == strings.trim_right(strings.trim_left(text, characters), characters)
    assert both in text


def test_white_space_is_that_of_unicode_and_no_more():
    assert strings.trim_space("\u00a0\u3000 a\u2028".encode()) == b"a"
    assert strings.trim_space(b"\x1ca\x1f") == b"\x1ca\x1f"
    assert strings.trim_space(b"   ") == b""


def test_case_is_mapped_character_by_character():
    assert strings.to_upper("straße ﬀ ᾳ é".encode()).decode() == "STRAßE ﬀ ᾼ É"
    assert strings.to_lower("İ ÀBC Σ".encode()).decode() == "i àbc \u03c3"
    assert strings.to_upper(b"a\xffb") == b"A\xef\xbf\xbdB"


def test_the_last_byte_of_a_string_cannot_be_taken():
    assert strings.substring(b"hello", 0, 4) == b"hell"
    assert strings.substring(b"hello", 2, 2) == b""
    for start, stop, message in [(0, 5, "stop index too large for string in strSubstring: 5"),
                                 (-1, 3, "found negative index for strSubstring: -1"),
                                 (1, -3, "found negative index for strSubstring: -3")]:  # fmt: skip
        with pytest.raises(CallError) as caught:
            strings.substring(b"hello", start, stop)
        assert str(caught.value) == message
    with pytest.raises(LambdaError, match=r"^runtime error: slice bounds out of range \[3:1\]$"):
        strings.substring(b"hello", 3, 1)


@pytest.mark.parametrize(
    ("pattern", "text", "replacement", "result"),
    [
        ("a(x*)b", "-ab-axxb-", "$1W", "---"),
        ("a(x*)b", "-ab-axxb-", "${1}W", "-W-xxW-"),
        ("a(?P<name>x*)b", "-axxb-", "<$name>", "-<xx>-"),
        ("a", "aaa", "$$", "$$$"),
        ("a", "banana", "$", "b$n$n$"),
        ("a", "ba", "${1", "b${1"),
        ("(a)|(b)", "ab", "[$1$2$3$01]", "[a][b]"),
        ("b*", "abc", "-", "-a-c-"),
        ("", "éa", "-", "-é-a-"),
        ("^", "ab", "-", "-ab"),
        ("z", "ab", "-", "ab"),
    ],
)
def test_matches_are_replaced_as_go_replaces_them(pattern, text, replacement, result):
    replaced = strings.regex_replace(Regex(pattern), text.encode(), replacement.encode())
    assert replaced.decode() == result


def test_bytes_that_are_no_character_match_a_dot_and_survive_replacement():
    assert Regex("^a.b$").matches(b"a\xffb")
    assert strings.regex_replace(Regex("(b)"), b"a\xff\xfebc\xff", b"[$1]") == b"a\xff\xfe[b]c\xff"
    assert strings.regex_replace(Regex("a(.)"), b"a\xffb", b"$1$1") == b"\xff\xffb"


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0 B"), (9, "9 B"), (10, "10 B"), (999, "999 B"), (1000, "1.0 kB"), (9950, "10 kB"), (82854982, "83 MB"),
     (12500, "12 kB"), (999999, "1000 kB"), (-1, "18 EB"), (2**63 - 1, "9.2 EB")],
)  # fmt: skip
def test_sizes_have_units_of_a_thousand(n, text):
    assert strings.human_bytes(n).decode() == text


def test_a_float_size_is_truncated_to_unsigned():
    assert strings.human_bytes_float(9.99) == b"9 B"
    assert strings.human_bytes_float(-1.0) == b"18 EB"
    assert strings.human_bytes_float(1.5e19) == b"15 EB"


def test_a_replacement_cannot_grow_by_the_square():
    long = b"x" * 5_000
    assert len(strings.replace(long, b"", b"yy", -1)) == 5_000 + 2 * 5_001
    for call in (
        lambda: strings.replace(long, b"", long, -1),
        lambda: strings.replace(long, b"x", long, 4_000),
        lambda: strings.regex_replace(Regex("x"), long, long),
        lambda: strings.regex_replace(Regex("(x*)y?"), long, b"$1" * 4_000),
    ):
        with pytest.raises(
            CallError, match=r"^result too long for (strReplace|regexReplace): more than 16777216 bytes$"
        ):
            call()
    assert strings.replace(long, b"x", long, 1) == long + long[1:]

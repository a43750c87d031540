"""Globs and pages as the API's lists have them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.store.listing import Page, matches


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("", "anything/at all", True),
        ("abc", "abc", True),
        ("abc", "abcd", False),
        ("*", "abc", True),
        ("*", "", True),
        ("*", "a/b", False),
        ("*c", "abc", True),
        ("a*", "a", True),
        ("a*", "ab/c", False),
        ("a*/b", "abc/b", True),
        ("a*/b", "a/c/b", False),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", True),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("a\\*b", "a*b", True),
        ("a\\*b", "ab", False),
        ("a?b", "aäb", True),
        ("a[^a]b", "aäb", True),
        ("a???b", "aäb", False),
        ("[a-ž]*", "é", True),
        ("*[a-ž]", "A", False),
        ("a?b", "a/b", False),
        ("a*b", "a/b", False),
        ("a[^x]b", "a/b", True),
        ("[\\]a]", "]", True),
        ("[\\-]", "-", True),
        ("[x\\-]", "x", True),
        ("[x\\-]", "-", True),
        ("[\\-x]", "a", False),
        ("[z-a]", "m", False),
        ("[^z-a]", "m", True),
        ("*x", "xxx", True),
        ("**x", "ax", True),
    ],
)
def test_globs_are_those_of_a_shell_path(pattern, name, expected):
    assert matches(pattern, name) is expected


@pytest.mark.parametrize(
    "pattern", ["[", "[]", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[^", "[^bc", "a[", "a\\", "[a", "[a-", "[\\"]
)
@pytest.mark.parametrize("name", ["", "a", "ab", "[", "]"])
def test_a_malformed_glob_matches_nothing(pattern, name):
    assert not matches(pattern, name)


@given(st.text("ab/*?", max_size=8), st.text("ab/", max_size=8))
def test_without_classes_a_glob_is_a_regular_expression(pattern, name):
    expression = "".join({"*": "[^/]*", "?": "[^/]"}.get(character, character) for character in pattern)
    assert matches(pattern, name) == (not pattern or re.fullmatch(expression, name) is not None)


@given(st.text("ab[]^-\\*?/", max_size=10), st.text("ab/-]", max_size=6))
def test_any_text_is_an_answer_and_no_error(pattern, name):
    assert matches(pattern, name) in {True, False}


def test_many_stars_cost_no_more_than_a_few_passes():
    assert not matches("*a" * 30 + "b", "a" * 2000)


def test_negative_offsets_and_limits_count_as_zero():
    assert Page().window == (100, 0)
    assert Page("", -3, -1).window == (0, 0)

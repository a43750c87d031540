"""Patterns are RE2: Go's syntax, Go's wording of faults, no exponential time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickscript.errors import RegexError
from tickscript.regex import compile_regex


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("[", "missing closing ]: `[`"),
        ("(a", "missing closing ): `(a`"),
        (")", "unexpected ): `)`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("(?=x)", "invalid or unsupported Perl syntax: `(?=`"),
        ("\\8", "invalid escape sequence: `\\8`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("a\\Cb", "invalid escape sequence: `\\C`"),
        ("\\\\\\C", "invalid escape sequence: `\\C`"),
        ("\\Q\\E\\C", "invalid escape sequence: `\\C`"),
        ("\\", "trailing backslash at end of expression: ``"),
    ],
)
def test_a_fault_has_the_wording_of_go(pattern: str, text: str) -> None:
    with pytest.raises(RegexError) as caught:
        compile_regex(pattern)
    assert str(caught.value) == f"error parsing regexp: {text}"


@pytest.mark.parametrize(
    "pattern", [r"\pL+", r"a\z", r"\Qa.b\E", r"\Q\C\E", r"\Q\C", r"\\C", "(?U)a+", "(?P<n>a)", "(?i)é"]
)
def test_what_go_accepts_compiles(pattern: str) -> None:
    assert compile_regex(pattern).search("") is None


def test_a_pattern_that_backtracking_would_choke_on_is_harmless() -> None:
    assert compile_regex("(a|aa)+$").search("a" * 5_000 + "b") is None


@given(st.text(max_size=30))
def test_any_pattern_compiles_or_is_a_regex_error(pattern: str) -> None:
    try:
        compiled = compile_regex(pattern)
    except RegexError as error:
        assert str(error).startswith("error parsing regexp: ")  # noqa: PT017  # both outcomes are right
    else:
        assert compile_regex(pattern) is compiled

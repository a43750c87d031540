"""Text quoted as Go's %q does."""

from __future__ import annotations

import pytest

from tickscript.gostrings import quote, quote_rune


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a'b", '"a\'b"'),
        ('a"b', '"a\\"b"'),
        ("a\\b\n\t", '"a\\\\b\\n\\t"'),
        ("é日", '"é日"'),
        ("\x00\x7f\u00a0\u2028", '"\\x00\\x7f\\u00a0\\u2028"'),
        ("\U000e0001", '"\\U000e0001"'),
        ("\udcff", '"\\xff"'),
    ],
)
def test_a_string_is_escaped_where_it_would_not_print(text: str, expected: str) -> None:
    assert quote(text) == expected


def test_a_rune_escapes_the_single_quote_instead_of_the_double() -> None:
    assert [quote_rune("'"), quote_rune('"'), quote_rune("\\")] == ["'\\''", "'\"'", "'\\\\'"]

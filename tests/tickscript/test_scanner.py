"""Tokens: the two modes of the scanner, places in bytes, comments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickscript.scanner import scan


def tokens(text: str) -> list[tuple[str, str]]:
    return [(token.type, token.text) for token in scan(text).tokens]


def kinds(text: str) -> list[str]:
    return [token.type for token in scan(text).tokens]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a / b", ["IDENTIFIER", "OPERATOR", "IDENTIFIER"]),
        ("( /b/", ["LPAR", "REGEX"]),
        ("a * b", ["IDENTIFIER", "OPERATOR", "IDENTIFIER"]),
        ("( * ,", ["LPAR", "STAR", "_COMMA"]),
        ("] * ]", ["_RSQB", "STAR", "_RSQB"]),
        ("a == /b/", ["IDENTIFIER", "OPERATOR", "REGEX"]),
        ("lambda: /a/", ["LAMBDA", "OPERATOR", "IDENTIFIER", "OPERATOR"]),
        ("AND *", ["OPERATOR", "OPERATOR"]),
        ("/a/ AND", ["REGEX", "OPERATOR"]),
        ("a!b", ["IDENTIFIER", "NOT", "IDENTIFIER"]),
        ("a != b", ["IDENTIFIER", "OPERATOR", "IDENTIFIER"]),
        ("a.1", ["IDENTIFIER", "NUMBER"]),
        ("a.b", ["IDENTIFIER", "DOT", "IDENTIFIER"]),
        ("1h30m", ["DURATION", "DURATION"]),
        ("10ns", ["NUMBER", "IDENTIFIER"]),
        ("1e3", ["NUMBER", "IDENTIFIER"]),
        ("var lambda : 1", ["VAR", "IDENTIFIER", "ERROR"]),
    ],
)
def test_a_character_means_what_the_token_before_it_allows(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


def test_behind_an_assignment_two_slashes_are_an_empty_regex() -> None:
    assert tokens("x = // why\n 5") == [
        ("IDENTIFIER", "x"),
        ("ASSIGN", "="),
        ("REGEX", "//"),
        ("IDENTIFIER", "why"),
        ("NUMBER", "5"),
    ]


def test_behind_an_equality_two_slashes_are_a_comment() -> None:
    scanned = scan("x == // why\n 5")
    assert [(token.text, token.comment) for token in scanned.tokens][-1] == ("5", ("why",))


def test_a_comment_ends_the_mode_after_an_operand() -> None:
    assert kinds("a // c\n * b") == ["IDENTIFIER", "STAR", "IDENTIFIER"]


@pytest.mark.parametrize("text", ["a_1", "été", "日本", "x٣", "lambda", "and", "true"])
def test_a_letter_then_letters_digits_and_underscores_are_one_identifier(text: str) -> None:
    assert tokens(text) == [("IDENTIFIER", text)]


def test_numbers_that_are_no_decimal_digits_do_not_belong_to_an_identifier() -> None:
    assert tokens("a½") == [("IDENTIFIER", "a"), ("ERROR", "unknown state, last char: '½'")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'a\\'", "unterminated string"),
        ("'''a''", "unterminated string"),
        ('"a', "unterminated field reference"),
        ("/a", "unterminated regex"),
        ("x =~ /a", "unterminated regex"),
        ("1.2.3", "multiple decimals in number"),
        ("#", "unknown state, last char: '#'"),
        ("\\", "unknown state, last char: '\\\\'"),
        ("\x00", "unknown state, last char: '\\x00'"),
        ("_a", "unknown state, last char: '_'"),
    ],
)
def test_what_is_no_token_is_an_error_token_and_the_last_one(text: str, message: str) -> None:
    last = scan(text + " rest").tokens if message.startswith(("mult", "unknown")) else scan(text).tokens
    assert (last[-1].type, last[-1].text) == ("ERROR", message)


def test_a_column_counts_bytes_and_a_line_counts_newlines_only() -> None:
    places = [(token.text, token.line, token.char) for token in scan("é日 b\r\n\u2003x 'a\nb' c").tokens]
    assert places == [("é日", 1, 1), ("b", 1, 7), ("x", 2, 4), ("'a\nb'", 2, 6), ("c", 3, 4)]


def test_the_end_is_one_behind_the_last_character() -> None:
    end = scan("a\né ").end
    assert (end.line, end.char) == (2, 4)


def test_comment_lines_lose_the_slashes_and_one_blank_and_blocks_are_kept_apart() -> None:
    token = scan("// a\n//b\n//   c\n//\n\n\n // d \n x").tokens[0]
    assert token.comment == ("a", "b", "  c", "", "\n", "d")


def test_a_line_that_begins_with_a_slash_continues_a_comment() -> None:
    scanned = scan("// a\n\t/x/")
    assert scanned.tokens == ()
    assert scanned.trailing is not None
    assert scanned.trailing.comment == ("a", "/x/")


def test_a_comment_belongs_to_the_token_behind_it_and_to_no_other() -> None:
    scanned = scan("a // one\n// two\n b c // end")
    assert [token.comment for token in scanned.tokens] == [None, ("one", "two"), None]
    assert scanned.trailing is not None
    assert (scanned.trailing.line, scanned.trailing.char, scanned.trailing.comment) == (3, 6, ("end",))


@given(st.text())
def test_any_text_scans_to_tokens_in_order_that_are_pieces_of_it(text: str) -> None:
    position = 0
    for token in scan(text).tokens:
        assert token.offset >= position
        if token.type == "ERROR":
            break
        assert text.startswith(token.text, token.offset)
        position = token.offset + len(token.text)
        before = text[: token.offset]
        assert token.line == before.count("\n") + 1
        assert token.char == len(before.rpartition("\n")[2].encode("utf-8", "surrogatepass")) + 1

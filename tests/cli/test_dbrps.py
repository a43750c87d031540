"""Pairs of database and retention policy on the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import dbrps


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("d.r", ("d", "r")),
        ("d.r.s", ("d", "r.s")),
        ("e.f g", ("e", "f g")),
        ('"d"."r"', ("d", "r")),
        ('"d.x".r', ("d.x", "r")),
        ('d."r.s"', ("d", "r.s")),
        (r'"a\"b"."c\"d"', ('a"b', 'c"d')),
    ],
)
def test_a_pair_is_split_at_the_first_dot_outside_quotes(text: str, pair: tuple[str, str]) -> None:
    assert dbrps.parse(text) == pair


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "dbrp cannot be empty"),
        ("d", 'does not contain a \'.\', it must be in the form "dbname"."rpname" where the quotes are optional.'),
        ("d.", "dbrp must specify retention policy, do you have a missing or extra '.'?"),
        (".r", "dbrp must specify retention policy, do you have a missing or extra '.'?"),
        (
            '"d.r',
            'has a quote that does not end, it must be in the form "dbname"."rpname" where the quotes are optional.',
        ),
        (
            '"d"."r"x',
            (
                'cannot be read after the retention policy, it must be in the form "dbname"."rpname" where the quotes are '
                "optional."
            ),
        ),
    ],
)
def test_what_is_no_pair_is_refused(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        dbrps.parse(text)
    assert str(refused.value) == error


_names = st.text(min_size=1, max_size=8).filter(lambda name: "\\" not in name)


@given(_names, _names)
def test_quoted_names_may_hold_anything(database: str, policy: str) -> None:
    quoted = ".".join('"' + name.replace('"', '\\"') + '"' for name in (database, policy))
    assert dbrps.parse(quoted) == (database, policy)


def test_pairs_print_as_in_lists() -> None:
    pairs = [{"db": "d", "rp": "r"}, {"db": "e", "rp": 'f "g'}]
    assert dbrps.show(pairs) == r'["d"."r" "e"."f \"g"]'
    assert dbrps.show([]) == "[]"

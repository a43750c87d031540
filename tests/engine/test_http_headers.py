"""Headers and credentials of requests, as the reference sends them."""

from __future__ import annotations

import pytest

from engine.http_headers import basic_auth, set_header, url_for


def test_a_header_is_set_once_whatever_the_case_of_its_name() -> None:
    headers = {"X-One": "1", "x-one": "2", "X-Two": "3"}
    set_header(headers, "X-ONE", "4")
    assert headers == {"X-Two": "3", "X-ONE": "4"}


@pytest.mark.parametrize(
    ("user", "password", "header"),
    [
        ("u", "p", {"Authorization": "Basic dTpw"}),
        ("ü:", "p", {"Authorization": "Basic w7w6OnA="}),
        ("u", "", {}),
        ("", "p", {}),
        (None, None, {}),
    ],
)
def test_basic_authentication_needs_both(user: str | None, password: str | None, header: dict[str, str]) -> None:
    assert basic_auth(user, password) == header


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://u:p@h:1/a?b=c#d", "http://h:1/a?b=c#d"),
        ("http://u@[::1]:1/a", "http://[::1]:1/a"),
        ("http://h/a@b", "http://h/a@b"),
        ("http://h/a", "http://h/a"),
    ],
)
def test_credentials_of_a_header_count_before_those_of_the_url(url: str, asked: str) -> None:
    assert url_for(url, {"authorization": "Bearer x"}) == asked
    assert url_for(url, {"X-Other": "x"}) == url

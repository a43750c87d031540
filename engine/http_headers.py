"""Headers of the requests that nodes and handlers make, as the reference sends them.

A name is known in any case. Basic authentication needs both a user and a password, is UTF-8, and takes a colon in the user's
name as it is. A header with credentials counts before those of the URL.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

_AUTHORIZATION: Final = "Authorization"


def set_header(headers: dict[str, str], name: str, value: str) -> None:
    """Set a header instead of what it was before."""
    for known in [k for k in headers if k.lower() == name.lower()]:
        del headers[known]
    headers[name] = value


def basic_auth(user: str | None, password: str | None) -> dict[str, str]:
    """The header of whoever has both; else none."""
    if not user or not password:
        return {}
    return {_AUTHORIZATION: "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def url_for(url: str, headers: Mapping[str, str]) -> str:
    """The URL to ask with these headers: without credentials of its own where a header has some. Raises ValueError."""
    if "@" not in url or all(k.lower() != _AUTHORIZATION.lower() for k in headers):
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

"""A server that something bad happens to, one a module: it survives, and its tests delete their tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.harness import Receiver, Server, nothing_left

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, scope="module")
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as opened:
        yield opened

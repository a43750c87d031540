"""Places for sockets, contexts and peer processes, each proven gone when its test is over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transports.peer import Peer
from transports.context import new_context
from transports.paths import open_run_directory


@pytest.fixture
def run_directory(tmp_path_factory):
    directory = open_run_directory(tmp_path_factory.mktemp("data"))
    yield directory
    directory.remove()
    assert not directory.path.exists()


@pytest.fixture
def context():
    """A context whose end, with all descriptors that were opened in it, is part of the test."""
    before = open_files()
    made = new_context()
    yield made
    made.term()
    assert open_files() == before


@pytest.fixture
def peer():
    with Peer() as made:
        yield made


def open_files() -> list[str]:
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())

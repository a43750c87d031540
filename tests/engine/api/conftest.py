"""A fresh application for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.api.servers import Api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with Api(tmp_path) as opened:
        yield opened

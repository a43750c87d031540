"""The recorded cases of the language, one test a case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conformance.tickscript import FAMILY_OF, Case, Runner, load

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = Path(__file__).with_name("tickscript-cases.json")
# Cases of this kind talk to a server, in order; they are one test of their own beside the server's.
_NEEDS_SERVER = frozenset({"define"})
_CASES = [case for case in load(_FILE) if case["kind"] not in _NEEDS_SERVER]


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    with Runner() as opened:
        yield opened


@pytest.mark.parametrize("case", _CASES, ids=lambda case: f"{case['kind']}: {case['name']}")
def test_the_product_agrees_with_the_recorded_case(runner: Runner, case: Case) -> None:
    assert runner.run(case) is None


def test_every_kind_of_case_belongs_to_a_family() -> None:
    assert {case["kind"] for case in load(_FILE)} <= FAMILY_OF.keys()

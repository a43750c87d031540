"""The recorded cases of definitions: they build on each other, so they are one test against one server."""

from __future__ import annotations

from pathlib import Path

from tests.conformance.tickscript import Runner, load, select

_FILE = Path(__file__).with_name("tickscript-cases.json")


def test_definitions_in_the_order_of_the_file_agree_with_the_recorded_ones() -> None:
    cases = select(load(_FILE), "define", None)
    assert len(cases) > 50
    with Runner() as runner:
        failures = {case["name"]: why for case in cases if (why := runner.run(case)) is not None}
    assert failures == {}

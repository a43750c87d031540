"""docs/alerts.md says what can be asked."""

from __future__ import annotations

import re

from engine.alerts import process
from engine.alerts.repeats import MOST
from tests.harness import ROOT


def test_every_operation_of_the_service_is_documented_with_who_asks() -> None:
    text = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (node|front end) \|", text, re.MULTILINE)
    assert {name for name, who in rows if who == "node"} == process._NODES
    assert {name for name, who in rows if who == "front end"} == process._CLIENTS
    assert f"{MOST:,} events remembered" in text

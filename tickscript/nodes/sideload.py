"""`|sideload()`: fields and tags from files or a web service (nodes.md 11.10)."""

from __future__ import annotations

from typing import ClassVar

from tickscript.declare import declare, many, pairs, slot
from tickscript.nodes.base import Demand, Node
from tickscript.nodes.types import ANY, STRING


@declare
class Sideload(Node):
    """Adds fields and tags that are looked up in files or a web service by the tags of the point.

    The source is loaded when the task starts and on demand. For each field and tag, the first key of the order that
    has it wins; else the default given here stands.
    """

    method: ClassVar[str] = "sideload"
    description: ClassVar[str] = "sideload"
    type_of: ClassVar[str] = "sideload"
    json_quiet: ClassVar[bool] = True
    json_order: ClassVar[tuple[str, ...]] = ("source", "order", "fields", "tags")
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |sideload()\n        .source('file:///etc/thresholds')\n"
        "        .order('host/{{.host}}.yml', 'default.yml')\n        .field('cpu_limit', 90.0)\n        .tag('team', 'none')\n"
        '    |where(lambda: "usage_user" > "cpu_limit")\n    |httpOut(\'over\')'
    )

    source: str = slot(STRING, "", "`file:///dir`, an http(s) URL, or the name of a configured httppost endpoint.")
    order: tuple[str, ...] = many(STRING, "Keys to look at, first to last: Go templates over the point's tags.")
    fields: dict[str, object] = pairs(ANY, "A field and its default; repeatable.", name="field", json="fields")
    tags: dict[str, str] = pairs(STRING, "A tag and its default; repeatable.", name="tag", json="tags")

    def demand(self, wanted: Demand) -> Demand:
        # The keys are templates over any tag.
        return wanted | Demand(frozenset(), None)

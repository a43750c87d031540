"""All node kinds, and which chaining methods a node has (nodes.md 5).

A new kind is listed here and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tickscript.nodes import autoscale, influxql
from tickscript.nodes.alert import Alert
from tickscript.nodes.barrier import Barrier
from tickscript.nodes.batch import Batch, Query, QueryFlux
from tickscript.nodes.combining import Combine, Flatten, Join, Union
from tickscript.nodes.expressions import Eval, StateCount, StateDuration, Where
from tickscript.nodes.groups import Default, Delete, GroupBy, Trickle
from tickscript.nodes.outputs import HTTPOut, HTTPPost, InfluxDBOut, KapacitorLoopback
from tickscript.nodes.rows import ChangeDetect, Derivative, Log, Noop, Sample, Shift
from tickscript.nodes.sideload import Sideload
from tickscript.nodes.stats import Stats
from tickscript.nodes.stream import From, Stream
from tickscript.nodes.udf import Udf
from tickscript.nodes.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickscript.nodes.base import Node

CHAINED: Final[tuple[type[Node], ...]] = (
    Alert, Barrier, ChangeDetect, Combine, Default, Delete, Derivative, Eval, Flatten, GroupBy, HTTPOut, HTTPPost,
    InfluxDBOut, Join, KapacitorLoopback, Log, Sample, Shift, Sideload, StateCount, StateDuration, Trickle, Union, Where,
    Window, *autoscale.KINDS, *influxql.KINDS,
)  # fmt: skip
"""The kinds that can follow every chain node."""

KINDS: Final[tuple[type[Node], ...]] = (Stream, From, Batch, Query, QueryFlux, Stats, *CHAINED, Udf, Noop)

BY_METHOD: Final[Mapping[str, type[Node]]] = {kind.method: kind for kind in KINDS}
"""Every kind by its key: the chaining method, "stream", "batch" and "noop" for those without, "@" for UDFs."""

BY_TYPE_OF: Final[Mapping[str, type[Node]]] = {kind.type_of: kind for kind in reversed(KINDS) if kind.type_of}
"""The kinds by their word in pipeline JSON; of the two Holt-Winters forms the one without fit."""

_ON_ALL: Final[tuple[type[Node], ...]] = (Stats,)
_ON_SOURCES: Final[Mapping[type[Node], tuple[type[Node], ...]]] = {
    Stream: (From, *_ON_ALL),
    Batch: (Query, QueryFlux, *_ON_ALL),
    From: (From, *CHAINED, *_ON_ALL),
}


def _table(kinds: tuple[type[Node], ...]) -> Mapping[str, type[Node]]:
    return {kind.method: kind for kind in kinds}


_TABLES: Final[Mapping[type[Node], Mapping[str, type[Node]]]] = {
    kind: _table(_ON_SOURCES.get(kind, (*CHAINED, *_ON_ALL) if kind.chains else _ON_ALL)) for kind in KINDS
}


def methods_of(node: Node) -> Mapping[str, type[Node]]:
    """The kinds that can follow `node`, by chaining method; `deadman`, which is no kind, follows any."""
    return _TABLES[type(node)]

"""The batch source and the queries that feed it (nodes.md 7)."""

from __future__ import annotations

from typing import ClassVar

from tickscript.declare import Shape, Signature, argument, declare, flag, slot, special
from tickscript.nodes.base import (
    BATCH,
    NO_EDGE,
    Demand,
    Node,
    StartError,
    dimension_names,
    has_star,
    print_dimensions,
    set_dimensions,
)
from tickscript.nodes.types import ANY, DURATION, STRING
from tickscript.scope import TimeDimension, go_type


@declare
class Batch(Node):
    """The source of every batch task: it holds the queries and handles no data itself.

    Named `batch` in the scripts of batch tasks. Only `|query()`, `|queryFlux()`, `|stats()` and `|deadman()` follow it.
    """

    method: ClassVar[str] = "batch"
    description: ClassVar[str] = "batch"
    type_of: ClassVar[str] = "batch"
    wants_edge: ClassVar[str | None] = NO_EDGE
    provides_edge: ClassVar[str | None] = BATCH
    chains: ClassVar[bool] = False
    json_quiet: ClassVar[bool] = True
    example: ClassVar[str] = (
        "batch\n    |query('SELECT mean(usage_user) FROM telegraf.autogen.cpu')\n        .period(5m)\n        .every(1m)\n"
        "    |httpOut('cpu')"
    )

    def demand(self, wanted: Demand) -> Demand:
        return wanted


class _Scheduled(Node):
    """What both kinds of query check before they start."""

    every: int
    cron: str

    def check_start(self) -> None:
        if self.every and self.cron:
            raise StartError("must not set both 'every' and 'cron' properties")
        if not self.every and not self.cron:
            raise StartError("must define one of 'every' or 'cron'")
        if self.every < 0:
            raise StartError("'every' duration must must non-negative")

    def demand(self, wanted: Demand) -> Demand:
        return wanted


@declare
class Query(_Scheduled):
    """Queries InfluxDB on a schedule; each series of the answer is a batch.

    The text is one InfluxQL SELECT that names database and retention policy. The range of time and the grouping are
    added to it: the range is `period` long and ends `offset` before the tick; a GROUP BY in the text is ignored.
    """

    method: ClassVar[str] = "query"
    description: ClassVar[str] = "query"
    type_of: ClassVar[str] = "query"
    wants_edge: ClassVar[str | None] = BATCH
    provides_edge: ClassVar[str | None] = BATCH
    json_order: ClassVar[tuple[str, ...]] = (
        "queryStr", "align", "cron", "alignGroup", "groupBy", "groupByMeasurement", "fill", "cluster", "period", "every",
        "offset",
    )  # fmt: skip
    example: ClassVar[str] = (
        "batch\n    |query('SELECT mean(usage_user) FROM telegraf.autogen.cpu')\n        .period(10m)\n        .every(5m)\n"
        "        .groupBy(time(1m), 'host')\n        .fill(0)\n    |httpOut('cpu')"
    )

    query: str = argument(STRING, "The SELECT statement.", default="", name="queryStr")
    period: int = slot(DURATION, 0, "Length of the range of time that is queried.")
    every: int = slot(DURATION, 0, "Time between queries; excludes cron.")
    align: bool = flag("Query at multiples of every; ignored with cron.")
    cron: str = slot(STRING, "", "Query at these times instead: five fields, six with the year, seven with seconds.")
    offset: int = slot(DURATION, 0, "Shift the range of time into the past.")
    align_group: bool = flag("Align the intervals of `time()` with the start of the range.")
    group_by: tuple[object, ...] = special(
        ANY, Signature((), ANY), set_dimensions, print_dimensions,
        "Group by these tags, or `*`, and by `time(length[, offset])` or a duration; a repeated call replaces.",
        default=(), shape=Shape.MANY,
    )  # fmt: skip
    group_by_measurement: bool = flag("Make the measurement's name part of the group.")
    fill: object = slot(ANY, None, "What fills empty intervals: a number, 'null', 'none', 'previous' or 'linear'.")
    cluster: str = slot(STRING, "", "The configured InfluxDB to ask; the default one if empty.")

    @property
    def group_names(self) -> tuple[str, ...]:
        """The tags to group by, sorted."""
        return dimension_names(self.group_by)

    @property
    def group_all(self) -> bool:
        return has_star(self.group_by)

    def check_start(self) -> None:
        super().check_start()
        times = 0
        for dimension in self.group_by:
            if go_type(dimension) == "time.Duration" or isinstance(dimension, TimeDimension):
                times += 1
            elif go_type(dimension) not in {"string", "*ast.StarNode"}:
                raise StartError(f"invalid dimension type:{go_type(dimension)}, must be string or time.Duration")
        if times > 1:
            raise StartError("groupBy cannot have more than one time dimension")
        if isinstance(self.fill, str) and self.fill not in {"null", "none", "previous", "linear"}:
            raise StartError(f"unexpected fill option {self.fill}")


@declare
class QueryFlux(_Scheduled):
    """Sends a Flux query to InfluxDB on a schedule; each table of the answer is a batch."""

    method: ClassVar[str] = "queryFlux"
    description: ClassVar[str] = "queryFlux"
    type_of: ClassVar[str] = "queryFlux"
    wants_edge: ClassVar[str | None] = BATCH
    provides_edge: ClassVar[str | None] = BATCH
    json_order: ClassVar[tuple[str, ...]] = (
        "queryStr", "align", "cron", "cluster", "org", "orgid", "period", "every", "offset",
    )  # fmt: skip
    example: ClassVar[str] = (
        "batch\n    |queryFlux('from(bucket: \"telegraf\") |> range(start: -1m)')\n        .every(1m)\n        .org('acme')\n"
        "    |httpOut('cpu')"
    )

    query: str = argument(STRING, "The Flux query.", default="", name="queryStr")
    period: int = slot(DURATION, 0, "Has no effect.")
    every: int = slot(DURATION, 0, "Time between queries; excludes cron.")
    align: bool = flag("Query at multiples of every; ignored with cron.")
    cron: str = slot(STRING, "", "Query at these times instead: five fields, six with the year, seven with seconds.")
    offset: int = slot(DURATION, 0, "Shift the `now` of the query into the past.")
    cluster: str = slot(STRING, "", "The configured InfluxDB to ask; the default one if empty.")
    org_id: str = slot(STRING, "", "Id of the organisation.", name="orgID", json="orgid")
    org: str = slot(STRING, "", "Name of the organisation.")

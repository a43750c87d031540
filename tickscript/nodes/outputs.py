"""The nodes that hand results on: httpOut, httpPost, influxDBOut, kapacitorLoopback (nodes.md 17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tickscript.declare import argument, arguments, declare, flag, many, pairs, slot
from tickscript.errors import EvaluationError
from tickscript.nodes.base import NO_EDGE, Node, StartError
from tickscript.nodes.types import DURATION, INT, STRING

if TYPE_CHECKING:
    from collections.abc import Collection

SECOND = 1_000_000_000


@declare
class HTTPOut(Node):
    """Serves the latest data of each group over HTTP, at `/kapacitor/v1/tasks/TASK/PATH`."""

    method: ClassVar[str] = "httpOut"
    description: ClassVar[str] = "http_out"
    type_of: ClassVar[str] = "httpOut"
    json_quiet: ClassVar[bool] = True
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n        .groupBy('host')\n    |window()\n        .period(10s)\n"
        "        .every(10s)\n    |mean('usage_user')\n    |httpOut('cpu')"
    )

    endpoint: str = argument(STRING, "Last part of the path.", default="")


@declare
class HTTPPost(Node):
    """Posts every point, or batch, as JSON to a URL and passes it on. It waits for the answer; it never tries again."""

    method: ClassVar[str] = "httpPost"
    description: ClassVar[str] = "http_post"
    type_of: ClassVar[str] = "httpPost"
    json_quiet: ClassVar[bool] = True
    json_order: ClassVar[tuple[str, ...]] = ("endpoints", "headers", "codeField", "captureResponse", "urls", "timeout")
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |httpPost('http://localhost:8080/points')\n        .header('X-Team', 'ops')\n"
        "        .timeout(5s)"
    )

    urls: tuple[str, ...] = arguments(STRING, "The URL; none when an endpoint is named.")
    code_field: str = slot(STRING, "", "Name of an int field to add: the status of the answer, 0 if there was none.")
    capture_response: bool = flag("Log the body of an answer that is not 2xx.")
    timeout: int = slot(DURATION, 0, "The longest time a request may take; 0 means any.")
    endpoints: tuple[str, ...] = many(
        STRING,
        "A configured httppost endpoint; at most one.",
        name="endpoint",
        json="endpoints",
        append=True,
        single=True,
    )
    headers: dict[str, str] = pairs(STRING, "A header of the request; repeatable.", name="header", json="headers")

    def check(self) -> None:
        if len(self.urls) > 1:
            raise EvaluationError(f"httpPost expects 0 or 1 arguments, got {len(self.urls)}")
        if len(self.endpoints) > 1:
            raise EvaluationError(f"httpPost expects 0 or 1 endpoints, got {len(self.endpoints)}")
        if not self.endpoints and not self.urls:
            raise EvaluationError("must provide url or endpoint")
        if self.endpoints and self.urls:
            raise EvaluationError("only one endpoint and url may be specified")
        if any(name.upper() == "AUTHENTICATE" for name in self.headers):
            raise EvaluationError("cannot set 'authenticate' header")


@declare
class InfluxDBOut(Node):
    """Writes data to InfluxDB, in lots of `.buffer()` points or every `.flushInterval()`."""

    method: ClassVar[str] = "influxDBOut"
    description: ClassVar[str] = "influxdb_out"
    type_of: ClassVar[str] = "influxdbOut"
    provides_edge: ClassVar[str | None] = NO_EDGE
    chains: ClassVar[bool] = False
    json_order: ClassVar[tuple[str, ...]] = (
        "cluster", "database", "retentionPolicy", "measurement", "writeConsistency", "precision", "buffer", "tags",
        "create", "flushInterval",
    )  # fmt: skip
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |eval(lambda: 100.0 - \"usage_idle\")\n        .as('used')\n"
        "    |influxDBOut()\n        .database('derived')\n        .retentionPolicy('autogen')\n        .measurement('cpu_used')\n"
        "        .tag('source', 'tickworks')"
    )

    cluster: str = slot(STRING, "", "The configured InfluxDB to write to; the default one if empty.")
    database: str = slot(STRING, "", "The database; that of the point if empty.")
    retention_policy: str = slot(STRING, "", "The retention policy; that of the point if empty.")
    measurement: str = slot(STRING, "", "The measurement; the name of the data if empty.")
    write_consistency: str = slot(STRING, "", "Consistency of the write in a cluster.")
    precision: str = slot(STRING, "", "Precision of the times written; ns if empty.")
    buffer: int = slot(INT, 1000, "Write when so many points wait.")
    flush_interval: int = slot(DURATION, 10 * SECOND, "Write when points have waited so long.")
    create: bool = flag("Create the database and retention policy when the task starts.")
    tags: dict[str, str] = pairs(STRING, "A tag to add to every point; repeatable.", name="tag", json="tags")


@declare
class KapacitorLoopback(Node):
    """Sends data back into the server, as if they had been written to it, for other tasks."""

    method: ClassVar[str] = "kapacitorLoopback"
    description: ClassVar[str] = "kapacitor_loopback"
    type_of: ClassVar[str] = "kapacitorLoopback"
    provides_edge: ClassVar[str | None] = NO_EDGE
    chains: ClassVar[bool] = False
    example: ClassVar[str] = (
        "stream\n    |from()\n        .measurement('cpu')\n    |eval(lambda: 100.0 - \"usage_idle\")\n        .as('used')\n"
        "    |kapacitorLoopback()\n        .database('derived')\n        .retentionPolicy('autogen')\n        .measurement('cpu_used')"
    )

    database: str = slot(STRING, "", "The database; mandatory.")
    retention_policy: str = slot(STRING, "", "The retention policy; mandatory.", json="retention_policy")
    measurement: str = slot(STRING, "", "The measurement; the name of the data if empty.")
    tags: dict[str, str] = pairs(STRING, "A tag to add to every point; repeatable.", name="tag", json="tags")

    def check(self) -> None:
        if not self.database:
            raise EvaluationError("must specify a database")
        if not self.retention_policy:
            raise EvaluationError("must specify a retention policy")

    def check_loop(self, dbrps: Collection[tuple[str, str]]) -> None:
        """StartError where the points would come back to the task, whose (database, retention policy) pairs these are."""
        if (self.database, self.retention_policy) in dbrps:
            raise StartError(f'loop detected on dbrp: "{self.database}"."{self.retention_policy}"')

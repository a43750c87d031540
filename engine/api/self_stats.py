"""The internal statistics stream: the server's own figures as points, every `stats-interval` (spec "TaskMaster" §12).

They go into the TaskMaster's stream like any other write, so tasks can watch the server. The front end with the number 0
sends them, so there is one sender however many front ends run. Go's `runtime` figures have no counterpart and are left out.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine import clock
from engine.api.figures import Figure, ask, figures
from engine.frames.model import ABSENT_CODE, FieldColumn, Frame, Kind, Section, TagColumn, nil_groups
from engine.frames.strings import Strings
from engine.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.api.callers import Servers
    from engine.api.figures import Known
    from engine.ingest import Ingest

_TIMEOUT_S: Final = 30.0


class SelfStats:
    """`run` sends until it is cancelled; a time at which somebody does not answer is left out."""

    def __init__(self, servers: Servers, ingest: Ingest, started: int, log: Any) -> None:
        """`started`: when the server did, in ns since 1970."""
        self._log = log
        self._servers = servers
        self._ingest = ingest
        self._started = started

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._servers.settings.stats.interval_s)
            try:
                known = await ask(self._servers)
                await self._ingest.write(self._frames(known), _TIMEOUT_S)
            except RpcError as error:
                self._log.debug("statistics were not sent", error=str(error))
            except Exception as error:  # noqa: BLE001 - a bug here must be seen, and costs nothing but statistics
                self._log.error("statistics cannot be sent", exc_info=error)

    def _frames(self, known: Known) -> list[Frame]:
        settings = self._servers.settings
        now = clock.now()
        common = {
            "cluster_id": known.identities["cluster"],
            "server_id": known.identities["server"],
            "host": settings.hostname,
        }
        points = [*_points(known, common), _server(known, (now - self._started) / 1e9)]
        return frames(
            points, settings.stats.database, settings.stats.retention_policy, now, settings.engine.max_frame_rows
        )


def _points(known: Known, common: Mapping[str, str]) -> Iterator[Figure]:
    for figure in figures(known):
        tags = {"topic": figure.tags["id"]} if figure.name == "topics" else figure.tags
        yield Figure(figure.name, {**tags, **common}, figure.values)


def _server(known: Known, uptime: float) -> Figure:
    values = {"num_tasks": known.counts["tasks"], "num_enabled_tasks": known.counts["enabled"], "num_subscriptions": 0}
    return Figure("kapacitor", {}, {**values, "uptime": uptime})


def frames(points: Sequence[Figure], db: str, rp: str, now: int, most: int) -> list[Frame]:
    """The points as frames of at most `most` rows, one for each schema; a tag without a value is absent."""
    alike: dict[Any, list[Figure]] = defaultdict(list)
    for point in points:
        kinds = tuple((name, type(value)) for name, value in sorted(point.values.items()))
        alike[point.name, tuple(sorted(point.tags)), kinds].append(point)
    found = []
    for (name, tags, fields), members in alike.items():
        for at in range(0, len(members), most):
            section = _section(name, tags, fields, members[at : at + most], now)
            found.append(Frame("stream", db, rp, (section,)))
    return found


def _section(
    name: str, tags: Sequence[str], fields: Sequence[tuple[str, type]], points: Sequence[Figure], now: int
) -> Section:
    columns = {}
    for key, kind in fields:
        values = [p.values[key] for p in points]
        if kind is float:
            columns[key] = FieldColumn(Kind.FLOAT, np.array(values, np.float64))
        else:
            columns[key] = FieldColumn(Kind.INT, np.array(values, np.int64))
    return Section(
        name,
        np.full(len(points), now, np.int64),
        {key: _tag([p.tags[key] for p in points]) for key in tags},
        columns,
        nil_groups(),
    )


def _tag(texts: Sequence[str]) -> TagColumn:
    values = {text: code for code, text in enumerate(dict.fromkeys(t for t in texts if t))}
    codes = [values.get(text, ABSENT_CODE) for text in texts]
    return TagColumn(np.array(codes, np.uint32), Strings.of(list(values)))

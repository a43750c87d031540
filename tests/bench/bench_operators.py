"""Operators in rows a second, and as ratios: `python -m tests.bench.bench_operators [NAME…]`.

For each operator and frames of 1, 100 and 8,192 rows: microseconds a frame, nanoseconds a row, rows a second, and the
time as a multiple of one plain numpy pass over a column of as many doubles. The input looks like Telegraf's: 3 tags (1,000
hosts), 4 fields, a point a second from every host, a window of 10 s; frames are decoded from the wire, as in a node.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.codec import decode, encode
from engine.frames.model import FieldColumn, Frame, Kind, Section, TagColumn, nil_groups
from engine.frames.strings import Strings
from engine.nodes.aggregates import AggregateOperator, CountOperator
from engine.nodes.changes import ChangeDetectOperator, DerivativeOperator
from engine.nodes.combine import CombineOperator
from engine.nodes.defaults import DefaultOperator, DeleteOperator
from engine.nodes.eval import EvalOperator
from engine.nodes.flatten import FlattenOperator
from engine.nodes.group_by import StreamGroupByOperator
from engine.nodes.http_out import HttpOutOperator
from engine.nodes.join import JoinOperator
from engine.nodes.lists import BestOperator, DistinctOperator
from engine.nodes.moving import SampleOperator, ShiftOperator
from engine.nodes.passing import PassOperator
from engine.nodes.selectors import FirstLastOperator, MinMaxOperator, PercentileOperator
from engine.nodes.source import FromOperator
from engine.nodes.states import StateOperator
from engine.nodes.transforms import TransformOperator
from engine.nodes.union import UnionOperator
from engine.nodes.where import WhereOperator
from engine.nodes.window import WindowOperator
from engine.runner.project import project
from tickscript.parser import parse_lambda

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from engine.operator import Operator

SIZES = (1, 100, 8192)
HOSTS = 1000
SECOND = 1_000_000_000
SPENT = 0.4


def stream(n: int) -> Iterator[Frame]:
    """Frames of `n` points, hosts in turn, a second later on each round."""
    hosts = Strings.of([f"server{i:04d}" for i in range(HOSTS)])
    regions = Strings.of([f"region-{i}" for i in range(8)])
    random = np.random.default_rng(1)
    values = [random.normal(size=n) for _ in range(3)]
    at = 0
    while True:
        number = np.arange(at, at + n)
        at += n
        host = (number % HOSTS).astype(np.uint32)
        used = hosts if n >= HOSTS else hosts.take(np.unique(host).astype(np.int64))
        if n < HOSTS:
            host = np.searchsorted(np.unique(host), host).astype(np.uint32)
        tags = {
            "cpu": TagColumn(np.zeros(n, np.uint32), Strings.of(["cpu-total"])),
            "host": TagColumn(host, used),
            "region": TagColumn((number % 8).astype(np.uint32), regions),
        }
        fields = {f"usage_{i}": FieldColumn(Kind.FLOAT, v) for i, v in enumerate(values)}
        fields["count"] = FieldColumn(Kind.INT, number)
        times = 1_600_000_000 * SECOND + number // HOSTS * SECOND
        yield Frame("stream", "telegraf", "autogen", (Section("cpu", times, tags, fields, nil_groups()),))


def grouped(n: int) -> Iterator[Frame]:
    """As `stream`, grouped by host."""
    group = FromOperator(group_by=["host"])
    for frame in stream(n):
        yield from group.collect(frame, 0)


def by_region(n: int) -> Iterator[Frame]:
    """As `stream`, grouped by region: 125 hosts each, with equal times."""
    group = FromOperator(group_by=["region"])
    for frame in stream(n):
        yield from group.collect(frame, 0)


def windows(n: int) -> Iterator[Frame]:
    """Batches of 10 s of each host, in frames of `n` rows' input or more."""
    window = WindowOperator(period=10 * SECOND, every=10 * SECOND)
    for frame in grouped(n):
        for out in window.collect(frame, 0):
            if out.rows:
                yield out


def twice(n: int) -> Iterator[Frame]:
    """As `grouped`, each frame once for each of two parents, with the one field that a join's children want of it."""
    for frame in grouped(n):
        [kept] = project([frame], frozenset({"usage_0"}))
        yield kept
        yield kept


def coarse_and_fine(n: int) -> Iterator[Frame]:
    """As `twice`, but the second parent is grouped by region, too."""
    coarse, fine = FromOperator(group_by=["host"]), FromOperator(group_by=["host", "region"])
    for frame in stream(n):
        for group in (coarse, fine):
            yield from project(group.collect(frame, 0), frozenset({"usage_0"}))


def window_twice(n: int) -> Iterator[Frame]:
    """As `windows`, each frame once for each of two parents."""
    for frame in windows(n):
        yield frame
        yield frame


class Alternating:
    """An operator whose two parents send in turn."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._parent = 1

    def collect(self, frame: Frame, parent: int) -> Sequence[Frame]:
        self._parent = 1 - self._parent + parent
        return self._operator.collect(frame, self._parent)


def _join(**more: Any) -> Callable[[], Any]:
    return lambda: Alternating(JoinOperator(parents=["a", "b"], as_=["a", "b"], tolerance=SECOND, **more))


def _function(make: type[Any], name: str, **more: Any) -> Callable[[], Operator]:
    return lambda: make(function=name, field="usage_0", stream=False, **more)


def _stream_function(make: type[Any], name: str, **more: Any) -> Callable[[], Operator]:
    return lambda: make(function=name, field="usage_0", stream=True, **more)


OPERATORS: dict[str, tuple[Callable[[int], Iterator[Frame]], Callable[[], Any]]] = {
    "stream": (stream, PassOperator),
    "from": (stream, lambda: FromOperator(measurement="cpu")),
    "from groupBy": (stream, lambda: FromOperator(measurement="cpu", group_by=["host"])),
    "from where": (stream, lambda: FromOperator(where=parse_lambda('"usage_0" > 0.0'))),
    "groupBy *": (stream, lambda: StreamGroupByOperator(group_all=True)),
    "where": (grouped, lambda: WhereOperator(condition=parse_lambda('"usage_0" > 1.0'))),
    "eval": (grouped, lambda: EvalOperator(lambdas=[parse_lambda('"usage_0" * 2.0 + "usage_1"')], as_=["x"])),
    "eval keep": (grouped, lambda: EvalOperator(lambdas=[parse_lambda('100.0 - "usage_0"')], as_=["x"], keep=())),
    "window": (grouped, lambda: WindowOperator(period=10 * SECOND, every=10 * SECOND)),
    "window overlap": (grouped, lambda: WindowOperator(period=30 * SECOND, every=10 * SECOND)),
    "window count": (grouped, lambda: WindowOperator(period_count=10, every_count=10)),
    "mean": (windows, _function(AggregateOperator, "mean")),
    "sum": (windows, _function(AggregateOperator, "sum")),
    "count": (windows, _function(CountOperator, "count")),
    "median": (windows, _function(AggregateOperator, "median")),
    "max": (windows, _function(MinMaxOperator, "max")),
    "last": (windows, _function(FirstLastOperator, "last")),
    "percentile": (windows, _function(PercentileOperator, "percentile", percentile=95.0)),
    "top": (windows, _function(BestOperator, "top", n=3)),
    "distinct": (windows, _function(DistinctOperator, "distinct")),
    "mean of a stream": (grouped, _stream_function(AggregateOperator, "mean")),
    "difference": (grouped, _stream_function(TransformOperator, "difference")),
    "movingAverage": (grouped, _stream_function(TransformOperator, "movingAverage", n=10)),
    "derivative": (grouped, lambda: DerivativeOperator(field="count")),
    "changeDetect": (grouped, lambda: ChangeDetectOperator(fields=["usage_0"])),
    "stateDuration": (grouped, lambda: StateOperator(condition=parse_lambda('"usage_0" > 0.0'), as_="s", unit=SECOND)),
    "sample": (grouped, lambda: SampleOperator(n=10)),
    "shift": (grouped, lambda: ShiftOperator(shift=SECOND)),
    "default": (grouped, lambda: DefaultOperator(fields={"x": 1.0}, tags={"dc": "none"})),
    "delete": (grouped, lambda: DeleteOperator(fields=["usage_1"], tags=["region"])),
    "join": (twice, _join()),
    "join on": (coarse_and_fine, _join(on=["host"])),
    "join of windows": (window_twice, _join(batch=True)),
    "union": (twice, lambda: Alternating(UnionOperator(parents=["a", "b"]))),
    "combine": (
        by_region,
        lambda: CombineOperator(
            lambdas=[parse_lambda("\"host\" == 'server0000'"), parse_lambda("TRUE")], as_=["a", "b"]
        ),
    ),
    "flatten": (by_region, lambda: FlattenOperator(on=["host"])),
    "httpOut": (grouped, lambda: HttpOutOperator(endpoint="x")),
}


def measure(source: Callable[[int], Iterator[Frame]], make: Callable[[], Any], n: int) -> tuple[float, float]:
    """Seconds a frame, and rows a frame."""
    operator = make()
    frames = source(n)
    spent, rows, count = 0.0, 0, 0
    warm = 3
    while spent < SPENT:
        frame = decode([bytes(part) for part in encode(next(frames))])
        started = time.perf_counter()
        operator.collect(frame, 0)
        took = time.perf_counter() - started
        if warm:
            warm -= 1
            continue
        spent += took
        rows += frame.rows
        count += 1
    return spent / count, rows / count


def numpy_pass(n: int) -> float:
    """Seconds of one plain pass over a column of `n` doubles."""
    column = np.random.default_rng(1).normal(size=n)
    best = 1.0
    for _ in range(200):
        started = time.perf_counter()
        column * 2.0
        best = min(best, time.perf_counter() - started)
    return best


def main(names: list[str]) -> int:
    print(f"{'operator':18}{'rows':>8}{'µs/frame':>11}{'ns/row':>10}{'rows/s':>14}{'passes':>9}")
    for name, (source, make) in OPERATORS.items():
        if names and name not in names:
            continue
        for n in SIZES:
            seconds, rows = measure(source, make, n)
            ratio = seconds / numpy_pass(max(1, int(rows)))
            print(
                f"{name:18}{rows:8.0f}{seconds * 1e6:11.1f}{seconds / rows * 1e9:10.1f}{rows / seconds:14,.0f}{ratio:9.1f}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

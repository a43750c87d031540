"""From a node's declaration to its operator.

The declaration's class decides; its typed properties become the operator's keyword arguments, here and nowhere else.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from engine.alerts.handlers import OptionsError, Surroundings, inline, make
from engine.alerts.texts import Texts
from engine.alerts.way_out import Introduction
from engine.nodes.aggregates import AggregateOperator, CountOperator
from engine.nodes.alert import AlertOperator, Rules
from engine.nodes.alert_output import Annotations
from engine.nodes.changes import ChangeDetectOperator, DerivativeOperator
from engine.nodes.combine import CombineOperator
from engine.nodes.defaults import DefaultOperator, DeleteOperator
from engine.nodes.eval import EvalOperator
from engine.nodes.flatten import FlattenOperator
from engine.nodes.forecasts import HoltWintersOperator
from engine.nodes.group_by import BatchGroupByOperator, StreamGroupByOperator
from engine.nodes.http_out import HttpOutOperator
from engine.nodes.http_post import HttpPostOperator, Target
from engine.nodes.join import JoinOperator
from engine.nodes.lists import BestOperator, DistinctOperator
from engine.nodes.log import LogOperator
from engine.nodes.loopback import LoopbackOperator
from engine.nodes.moving import SampleOperator, ShiftOperator, TrickleOperator
from engine.nodes.passing import PassOperator
from engine.nodes.selectors import FirstLastOperator, MinMaxOperator, PercentileOperator
from engine.nodes.sideload import SideloadOperator
from engine.nodes.sideload_sources import open_source
from engine.nodes.skew import DEFAULT_BYTES
from engine.nodes.source import FromOperator
from engine.nodes.states import StateOperator
from engine.nodes.transforms import TransformOperator
from engine.nodes.union import UnionOperator
from engine.nodes.where import WhereOperator
from engine.nodes.window import WindowOperator
from engine.operator import TaskError
from tickscript.lambdas.errors import CompileError
from tickscript.nodes import influxql
from tickscript.nodes.alert import Alert
from tickscript.nodes.base import BATCH, STREAM
from tickscript.nodes.combining import Combine, Flatten, Join, Union
from tickscript.nodes.expressions import Eval, StateCount, StateDuration, Where
from tickscript.nodes.groups import Default, Delete, GroupBy, Trickle
from tickscript.nodes.outputs import HTTPOut, HTTPPost, KapacitorLoopback
from tickscript.nodes.rows import ChangeDetect, Derivative, Log, Noop, Sample, Shift
from tickscript.nodes.sideload import Sideload
from tickscript.nodes.stream import From, Stream
from tickscript.nodes.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from engine.operator import Context, Operator, Outside
    from tickscript.nodes.base import Node

Maker = "Callable[[Any, Context], Operator | Outside]"


def _from(node: From, context: Context) -> Operator:
    return FromOperator(
        database=node.database, retention_policy=node.retention_policy, measurement=node.measurement,
        truncate=node.truncate, round_to=node.round, group_by=node.group_names, group_all=node.group_all,
        group_by_measurement=node.group_by_measurement, where=node.where, context=context, quiet=node.quiet,
    )  # fmt: skip


def _where(node: Where, context: Context) -> Operator:
    if node.lambda_ is None:
        raise TaskError("nil expression passed to WhereNode")
    return WhereOperator(condition=node.lambda_, context=context, quiet=node.quiet)


def _eval(node: Eval, context: Context) -> Operator:
    return EvalOperator(
        lambdas=node.lambdas, as_=node.as_, tags=node.tags, keep=node.keep_list if node.keep else None,
        quiet=node.quiet, context=context,
    )  # fmt: skip


def _group_by(node: GroupBy, _: Context) -> Operator:
    make = BatchGroupByOperator if node.wants == BATCH else StreamGroupByOperator
    return make(
        group_by=node.group_names, group_all=node.group_all, exclude=node.exclude, by_measurement=node.by_measurement
    )


def _window(node: Window, _: Context) -> Operator:
    return WindowOperator(
        period=node.period, every=node.every, align=node.align, fill_period=node.fill_period,
        period_count=node.period_count, every_count=node.every_count,
    )  # fmt: skip


def _function(node: influxql.Function) -> dict[str, Any]:
    return {
        "function": node.method, "field": node.field, "as_": node.as_, "stream": node.wants == STREAM,
        "use_point_times": node.use_point_times, "quiet": node.quiet,
    }  # fmt: skip


def _aggregate(node: influxql.Function, _: Context) -> Operator:
    return AggregateOperator(**_function(node))


def _count(node: influxql.Count, _: Context) -> Operator:
    return CountOperator(**_function(node))


def _first_last(node: influxql.Function, _: Context) -> Operator:
    return FirstLastOperator(**_function(node))


def _min_max(node: influxql.Function, _: Context) -> Operator:
    return MinMaxOperator(**_function(node))


def _percentile(node: influxql.Percentile, _: Context) -> Operator:
    return PercentileOperator(percentile=node.percentile, **_function(node))


def _best(node: influxql.Top | influxql.Bottom, _: Context) -> Operator:
    return BestOperator(n=node.n, **_function(node))


def _holt_winters(node: influxql.HoltWinters | influxql.HoltWintersWithFit, _: Context) -> Operator:
    return HoltWintersOperator(
        ahead=node.h, season=node.m, interval=node.interval, with_fit=node.with_fit, **_function(node)
    )


def _elapsed(node: influxql.Elapsed, _: Context) -> Operator:
    return TransformOperator(unit=node.unit, **_function(node))


def _moving_average(node: influxql.MovingAverage, _: Context) -> Operator:
    return TransformOperator(n=node.n, **_function(node))


def _transform(node: influxql.Function, _: Context) -> Operator:
    return TransformOperator(**_function(node))


def _derivative(node: Derivative, _: Context) -> Operator:
    return DerivativeOperator(
        field=node.field, as_=node.as_, unit=node.unit, non_negative=node.non_negative, quiet=node.quiet
    )


def _state(node: StateDuration | StateCount, context: Context) -> Operator:
    if node.lambda_ is None:
        raise TaskError(f"nil expression passed to {type(node).__name__}Node")
    unit = node.unit if isinstance(node, StateDuration) else None
    return StateOperator(condition=node.lambda_, as_=node.as_, unit=unit, context=context, quiet=node.quiet)


def _join(node: Join, context: Context) -> Operator:
    return JoinOperator(
        parents=node.parents, as_=node.as_, on=node.on, delimiter=node.delimiter, tolerance=node.tolerance,
        fill=node.fill, stream_name=node.stream_name, delete_all=node.delete_all, batch=node.wants == BATCH,
        most=context.settings.get("join_buffer_bytes", DEFAULT_BYTES),
    )  # fmt: skip


def _union(node: Union, context: Context) -> Operator:
    most = context.settings.get("join_buffer_bytes", DEFAULT_BYTES)
    return UnionOperator(parents=node.parents, rename=node.rename, batch=node.wants == BATCH, most=most)


def _combine(node: Combine, context: Context) -> Operator:
    return CombineOperator(
        lambdas=node.lambdas, as_=node.as_, delimiter=node.delimiter, tolerance=node.tolerance, most=node.max,
        stream=node.wants == STREAM, context=context, quiet=node.quiet,
    )  # fmt: skip


def _flatten(node: Flatten, _: Context) -> Operator:
    return FlattenOperator(
        on=node.on, delimiter=node.delimiter, tolerance=node.tolerance, bare=node.drop_original_field_name,
        stream=node.wants == STREAM, quiet=node.quiet,
    )  # fmt: skip


def _http_post(node: HTTPPost, context: Context) -> Outside:
    if node.endpoints:
        target = Target.of_endpoint(node.endpoints[0], context.settings.get("endpoints") or context.endpoints)
    else:
        target = Target.of_url(node.urls[0])
    return HttpPostOperator(
        target=target, headers=node.headers, code_field=node.code_field, capture_response=node.capture_response,
        timeout=node.timeout, step=context.step,
    )  # fmt: skip


def _sideload(node: Sideload, context: Context) -> Operator:
    source = open_source(node.source, context.settings.get("endpoints") or context.endpoints)
    return SideloadOperator(source=source, order=node.order, fields=node.fields, tags=node.tags, quiet=node.quiet)


def _loopback(node: KapacitorLoopback, _: Context) -> Outside:
    return LoopbackOperator(
        database=node.database, retention_policy=node.retention_policy, measurement=node.measurement, tags=node.tags
    )


def _alert(node: Alert, context: Context) -> Operator:
    texts = Texts.read(node.alert_id, node.message, node.details)
    handlers = tuple(inline(h) for h in node.all_handlers())
    endpoints = context.settings.get("endpoints") or context.endpoints
    for handler in handlers:
        _check_handler(handler.kind, handler.options, endpoints)
    introduction = Introduction(
        context.task,
        context.node,
        f"main:{context.task}:{context.node}",
        node.topic,
        handlers,
        tuple((i.category, i.tags) for i in node.inhibitors),
    )
    rules = Rules(
        changes_only=node.state_changes_only, interval=node.state_changes_only_duration,
        no_recoveries=node.no_recoveries, flapping=(node.flap_low, node.flap_high) if node.use_flapping else None,
        history=node.history, every=node.all,
    )  # fmt: skip
    annotations = Annotations(
        level_tag=node.level_tag, id_tag=node.id_tag, level_field=node.level_field, message_field=node.message_field,
        id_field=node.id_field, duration_field=node.duration_field,
    )  # fmt: skip
    return AlertOperator(
        lambdas=(node.info, node.warn, node.crit, node.info_reset, node.warn_reset, node.crit_reset), texts=texts,
        rules=rules, annotations=annotations, introduction=introduction, category=node.category, context=context,
    )  # fmt: skip


def _check_handler(kind: str, options: Mapping[str, Any], endpoints: Mapping[str, Any]) -> None:
    """Refuse what the alert service could not register: the task must not start."""

    def nowhere(*_: Any, **__: Any) -> None:
        """A handler that is only checked puts no event anywhere."""

    try:
        make(kind, options, Surroundings(None, nowhere, endpoints))
    except OptionsError as error:
        raise TaskError(str(error)) from error


MAKERS: Final[Mapping[type[Node], Callable[[Any, Context], Operator | Outside]]] = MappingProxyType(
    {
        Stream: lambda _node, _context: PassOperator(),
        Noop: lambda _node, _context: PassOperator(),
        From: _from,
        Where: _where,
        Eval: _eval,
        GroupBy: _group_by,
        Window: _window,
        influxql.Count: _count,
        **dict.fromkeys(
            (influxql.Sum, influxql.Mean, influxql.Median, influxql.Mode, influxql.Spread, influxql.Stddev), _aggregate
        ),
        **dict.fromkeys((influxql.First, influxql.Last), _first_last),
        **dict.fromkeys((influxql.Min, influxql.Max), _min_max),
        influxql.Percentile: _percentile,
        influxql.Distinct: lambda node, _context: DistinctOperator(**_function(node)),
        **dict.fromkeys((influxql.Top, influxql.Bottom), _best),
        **dict.fromkeys((influxql.HoltWinters, influxql.HoltWintersWithFit), _holt_winters),
        influxql.Elapsed: _elapsed,
        influxql.MovingAverage: _moving_average,
        **dict.fromkeys((influxql.Difference, influxql.CumulativeSum), _transform),
        Default: lambda node, _context: DefaultOperator(fields=node.fields, tags=node.tags),
        Delete: lambda node, _context: DeleteOperator(fields=node.fields, tags=node.tags),
        Trickle: lambda _node, _context: TrickleOperator(),
        Sample: lambda node, _context: SampleOperator(n=node.n, duration=node.duration),
        Shift: lambda node, _context: ShiftOperator(shift=node.shift),
        Derivative: _derivative,
        ChangeDetect: lambda node, _context: ChangeDetectOperator(fields=node.fields, quiet=node.quiet),
        StateDuration: _state,
        StateCount: _state,
        Sideload: _sideload,
        Combine: _combine,
        Flatten: _flatten,
        Join: _join,
        Union: _union,
        HTTPOut: lambda node, _context: HttpOutOperator(endpoint=node.endpoint, batch=node.wants == BATCH),
        HTTPPost: _http_post,
        KapacitorLoopback: _loopback,
        Alert: _alert,
        Log: lambda node, _context: LogOperator(level=node.level, prefix=node.prefix),
    }
)


_READ_OUTSIDE: Final = frozenset({Sideload.method})


def reads_outside(method: str) -> bool:
    """Whether making the operator of this kind of node waits for files or other servers."""
    return method in _READ_OUTSIDE


def build(node: Node, context: Context) -> Operator | Outside:
    """The operator of a declared node. Raises TaskError where the kind has none, or the node cannot be started."""
    maker = MAKERS.get(type(node))
    if maker is None:
        raise TaskError(f"node kind {node.method or node.kind!r} has no operator")
    try:
        return maker(node, context)
    except CompileError as error:
        raise TaskError(str(error)) from error

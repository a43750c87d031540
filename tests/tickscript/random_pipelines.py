"""Random pipelines, made of the declarations themselves: every kind, property and handler comes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tickscript import ast
from tickscript.declare import CallError, Declared, Form
from tickscript.nodes.catalogue import methods_of
from tickscript.nodes.handlers import Handler, HandlerType
from tickscript.nodes.stats import Stats
from tickscript.nodes.types import ANY, BOOL, DURATION, FLOAT, INT, LAMBDA, MODE, NANOSECONDS, NODE, STRING, Type
from tickscript.nodes.udf import Udf, UdfInfo
from tickscript.parser import parse_lambda
from tickscript.pipeline import Builder, Pipeline

if TYPE_CHECKING:
    from tickscript.nodes.base import Node

UDFS = {
    "shout": UdfInfo("stream", "stream", {"loud": (), "by": ("INT", "DOUBLE"), "flag": ("BOOL",)}),
    "squash": UdfInfo("batch", "stream", {"field": ("STRING",), "every": ("DURATION",)}),
}

_TEXTS = st.text(alphabet="abcz019 '\"{}.|$é日\n", max_size=8)
_INTS = st.integers(-(2**63), 2**63 - 1)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_DURATIONS = st.integers(-(2**53), 2**53).map(lambda count: ast.Duration(count * 1000))
_LAMBDAS = st.sampled_from(
    [
        parse_lambda(text)
        for text in (
            '"a" > 1',
            '"b" == \'it\\\'s\' OR ("c" < 5m AND !"d")',
            'sigma("a") > 3.0 AND "h" =~ /a\\/b/',
            'if(isPresent("x"), "x", -(1 + 2) * 3)',
        )
    ]
    + [
        ast.Lambda(ast.Binary("AND", ast.Reference("a"), ast.Binary("OR", ast.Reference("b"), ast.Reference("c")))),
        ast.Lambda(ast.Binary("-", ast.Int(-5), ast.Binary("-", ast.Int(1), ast.Duration(1_000_001)))),
        ast.Lambda(ast.Unary("!", ast.Binary("==", ast.Regex("a/b"), ast.Float(-1.5)))),
    ]
)
_SINGLE = {BOOL: st.booleans(), STRING: _TEXTS, INT: _INTS, FLOAT: _FLOATS, DURATION: _DURATIONS, LAMBDA: _LAMBDAS}
_VALUES: dict[Type, st.SearchStrategy[Any]] = {
    **_SINGLE,
    MODE: st.integers(0, 0o777),
    NANOSECONDS: _DURATIONS,
    ANY: st.one_of(*_SINGLE.values(), st.just(ast.Star()), st.just(ast.Regex("a/b"))),
}
_OPTIONS = {"BOOL": BOOL, "INT": INT, "DOUBLE": FLOAT, "DURATION": DURATION}


def _argument(draw: st.DrawFn, type_: Type, nodes: list[Node]) -> object:
    return draw(st.sampled_from(nodes)) if type_ is NODE else draw(_VALUES[type_])


def _call_properties(draw: st.DrawFn, owner: Declared, depth: int = 0) -> None:
    offered = [
        p
        for p in owner.declaration.properties
        if p.form not in {Form.ARGUMENT, Form.ARGUMENTS, Form.STATE} and not p.unprinted
    ]
    for declared in draw(st.lists(st.sampled_from(offered), max_size=5)) if offered else []:
        types = [declared.type] if declared.is_slot else list(declared.signature.fixed)
        if declared.signature.variadic is not None and not declared.is_slot:
            types += [declared.signature.variadic] * draw(st.integers(0, 2))
        left = declared.call(owner, [_argument(draw, type_, []) for type_ in types])
        if isinstance(left, Handler) and isinstance(declared.type, HandlerType) and not depth:
            _call_properties(draw, left, 1)


def _sample_rate(draw: st.DrawFn) -> object:
    return draw(st.integers(1, 100) | st.integers(1, 100).map(lambda count: ast.Duration(count * 1000)))


def _options(draw: st.DrawFn, node: Udf) -> None:
    for name in draw(st.lists(st.sampled_from(sorted(node.info.options)), max_size=3, unique=True)):
        words = node.info.options[name]
        # Text that reads as a duration comes back from JSON as one (udf.md 11).
        node.set_option(name, ["plain text" if word == "STRING" else draw(_VALUES[_OPTIONS[word]]) for word in words])


def _follow(draw: st.DrawFn, builder: Builder, parent: Node, nodes: list[Node]) -> Node | None:
    kinds = [kind for kind in methods_of(parent).values() if kind is not Stats]
    kind = draw(st.sampled_from([*kinds, Udf] if parent.chains else kinds))
    if kind is Udf:
        name = draw(st.sampled_from(sorted(UDFS)))
        udf = Udf.make(builder, parent, name, UDFS[name])
        _options(draw, udf)
        return udf
    signature = kind.declaration.signature
    types = [*signature.fixed, *([signature.variadic] * draw(st.integers(1, 2)) if signature.variadic else [])]
    chained = [node for node in nodes if node.chains]
    args = [_sample_rate(draw)] if kind.method == "sample" else [_argument(draw, type_, chained) for type_ in types]
    try:
        node = kind.chain(builder, parent, args)
    except CallError:
        # A window on batches, or a trickle on a stream.
        return None
    _call_properties(draw, node)
    return node


@st.composite
def pipelines(draw: st.DrawFn, max_nodes: int = 8) -> Pipeline:
    """A pipeline whose properties need not make sense together; stats come last, as a noop forgets its place."""
    builder = Builder(draw(st.sampled_from(["stream", "batch"])))
    nodes = [builder.source]
    for _ in range(draw(st.integers(1, max_nodes))):
        parents = [node for node in nodes if {*methods_of(node)} != {Stats.method}]
        made = _follow(draw, builder, draw(st.sampled_from(parents)), nodes)
        if made is not None:
            nodes.append(made)
    for watched in draw(st.lists(st.sampled_from(nodes), max_size=2)):
        Stats.chain(builder, watched, [draw(_DURATIONS)])
    return Pipeline(builder.source.method, builder.finish())


def attributes(value: object, *, given: bool = True) -> object:
    """A declared thing as a tuple of its attributes, handlers and all; any other value as it is.

    `given`: with the lists that a call has set to nothing.
    """
    if isinstance(value, Declared):
        own = tuple(attributes(getattr(value, p.attribute), given=given) for p in value.declaration.properties)
        emptied = frozenset(name for name in value.given if not getattr(value, name)) if given else frozenset()
        return type(value).__name__, own, emptied
    if isinstance(value, tuple):
        return tuple(attributes(item, given=given) for item in value)
    return value


def edges(node: Node) -> tuple[object, ...]:
    return (
        node.id,
        node.name,
        node.wants,
        node.provides,
        [p.name for p in node.parents],
        [c.name for c in node.children],
    )

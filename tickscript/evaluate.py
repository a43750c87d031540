"""A script's statements, run in order, build the pipeline (spec "TICKscript" 3).

Always: each statement runs once; the left side of a chain is evaluated before its arguments, these from left to right,
then the call is made, so node ids come out in the order of spec 9. Chains are followed in a loop, however long.
Errors are EvaluationError with the text of spec 3.4; those with a place carry it, and the names that were possible.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from tickscript import ast
from tickscript.declare import CallError, Declared, Property, Signature, capitalise
from tickscript.errors import EvaluationError
from tickscript.fold import constant, embed, look_up
from tickscript.nodes.base import Node
from tickscript.nodes.catalogue import methods_of
from tickscript.nodes.handlers import Handler
from tickscript.nodes.stats import DEADMAN_SIGNATURE, DeadmanConfig, deadman
from tickscript.nodes.types import DURATION
from tickscript.nodes.udf import Udf, UdfInfo
from tickscript.pipeline import DBRP, Builder
from tickscript.scope import (
    NOTHING,
    Scope,
    TimeDimension,
    TimeFunction,
    Unbound,
    go_kind,
    go_text,
    go_type,
    is_pointer,
    var_type,
)
from tickscript.vars import Var, describe, shown_var, type_word, zero_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_TIME_SIGNATURE: Final = Signature((DURATION,), DURATION)
_DEADMAN: Final = "Deadman"
MAX_LIST_ITEMS: Final = 20_000
# Methods of the reference's node class that scripts can reach by accident.
_BOOKKEEPING: Final[Mapping[str, Callable[[Node], object]]] = {
    "Desc": lambda node: node.kind,
    "Name": lambda node: node.name,
    "ID": lambda node: node.id,
    "Parents": lambda node: tuple(node.parents),
    "Children": lambda node: tuple(node.children),
    "Wants": lambda node: node.wants,
    "Provides": lambda node: node.provides,
    "IsQuiet": lambda node: node.quiet,
    "SetName": lambda _node: NOTHING,
}
_USE: Final = {
    "chaining": "but chaining method does exist. Use '|' operator instead: 'node|{}(..)'.",
    "property": "but property does exist. Use '.' operator instead: 'node.{}(..)'.",
    "dynamic": "but dynamic method does exist. Use '@' operator instead: 'node@{}(..)'.",
}


class Evaluator:
    """One evaluation. `supplied` are the values of vars by name; a template has zero values for what is missing."""

    def __init__(
        self,
        task_type: str,
        *,
        supplied: Mapping[str, object],
        supplied_types: Mapping[str, str],
        udfs: Mapping[str, UdfInfo],
        deadman_config: DeadmanConfig,
        template: bool,
    ) -> None:
        self.builder = Builder(task_type)
        self.scope = Scope({"time": TimeFunction(), task_type: self.builder.source})
        self.builder.scope = self.scope
        self.dbrps: list[DBRP] = []
        self._supplied = supplied
        self._supplied_types = supplied_types
        self._udfs = udfs
        self._deadman = deadman_config
        self._template = template

    def run(self, program: ast.Program) -> None:
        """Run all statements; EvaluationError of the first that fails."""
        for statement in program.statements:
            try:
                self._run(statement)
            except EvaluationError as error:
                # The texts of the reference name a place only for calls; who reads them at a terminal wants one always.
                error.locate(*_beginning(statement))
                raise

    def _run(self, statement: ast.Statement) -> None:
        match statement:
            case ast.Dbrp(db=db, rp=rp):
                self.dbrps.append(DBRP(db.name, rp.name))
            case ast.Declaration():
                self._declare(statement)
            case ast.TypeDeclaration():
                self._declare_type(statement)
            case ast.Comment() | ast.Identifier():
                pass
            case ast.Function():
                self._call_global(statement, self._arguments(statement))
            case _:
                self._value(statement)

    # -- vars (3.2)

    def _declare(self, statement: ast.Declaration) -> None:
        name = statement.name.name
        with _at(statement.name, len(name)):
            self.scope.check_free(name)
        value = self._value(statement.value)
        if name in self._supplied:
            with _at(statement.name, len(name)):
                self._check_type(name, var_type(value))
            value = self._supplied[name]
        self.scope.set(name, value)
        shown = shown_var(value, describe(statement.comment))
        if shown is not None:
            self.scope.vars[name] = shown

    def _declare_type(self, statement: ast.TypeDeclaration) -> None:
        name, kind = statement.name.name, statement.type.name
        with _at(statement.type, len(kind)):
            value = zero_value(kind)
        if name in self._supplied:
            with _at(statement.name, len(name)):
                self._check_type(name, type_word(kind))
            value = self._supplied[name]
        elif not self._template:
            place = statement.name
            raise EvaluationError(
                f'missing value for var "{name}".', line=place.line, char=place.char, length=len(name)
            )
        self.scope.set(name, value)
        self.scope.vars[name] = Var(kind, None, describe(statement.comment))

    def _check_type(self, name: str, expected: str) -> None:
        given = self._supplied_types[name]
        if given != expected:
            raise EvaluationError(f"invalid type supplied for {name}, got {given} exp {expected}")

    # -- expressions (3.1)

    def _value(self, expression: ast.Expr) -> object:
        match expression:
            case ast.Bool(value=value) | ast.Int(value=value) | ast.Float(value=value) | ast.String(value=value):
                return value
            case ast.Duration() | ast.Regex() | ast.Star() | ast.Reference():
                return expression
            case ast.Identifier():
                return look_up(expression, self.scope)
            case ast.Unary():
                return self._unary(expression)
            case ast.Binary():
                with _at(expression, len(expression.op)):
                    return constant(expression, self.scope)
            case ast.Lambda():
                with _at(expression, len("lambda:")):
                    return embed(expression, self.scope)
            case ast.List(items=items):
                return _bounded(expression, tuple(self._value(item) for item in items))
            case ast.Function():
                return Unbound(expression, tuple(self._arguments(expression)))
            case ast.Chain():
                return self._chain(expression)
            case _:
                raise AssertionError(expression)

    def _unary(self, expression: ast.Unary) -> object:
        value = self._value(expression.operand)
        match expression.op, value:
            case "!", bool():
                return not value
            case "-", int() | float() if not isinstance(value, bool):
                return -value if value != -(2**63) or isinstance(value, float) else value
            case "-", ast.Duration(value=nanoseconds):
                return ast.Duration(-nanoseconds)
            case _:
                raise _located(expression, f"invalid arugument to '{expression.op}' {go_text(value)}")

    def _arguments(self, function: ast.Function) -> list[object]:
        """The values of the arguments; calls are made, and a list that stands alone is spread (3.3)."""
        values = [
            self._call_global(arg, self._arguments(arg)) if isinstance(arg, ast.Function) else self._value(arg)
            for arg in function.args
        ]
        if len(values) == 1 and isinstance(values[0], tuple):
            return list(values[0])
        return values

    def _call_global(self, function: ast.Function, args: Sequence[object]) -> object:
        name = function.name
        if name not in self.scope:
            raise _located(function, f'no global function "{name}" defined', word=name, candidates=("time",))
        try:
            return _apply(self.scope.lookup(name), args)
        except CallError as error:
            raise _called(function, "<nil>", error) from None

    # -- chains (3.3)

    def _chain(self, expression: ast.Chain) -> object:
        first, links = ast.left_spine(expression)
        value = self._value(first)
        for link in links:
            assert isinstance(link, ast.Chain)
            if isinstance(link.right, ast.Identifier):
                value = self._read(value, link, link.right.name)
            else:
                value = self._call(value, link.op, link.right)
        return value

    def _read(self, owner: object, link: ast.Chain, name: str) -> object:
        _check_pointer(owner, link)
        declared = _property(owner, name) if link.op == "." else None
        if declared is None or not declared[1].is_slot:
            candidates = _property_names(owner) if isinstance(owner, Declared) else ()
            text = f"object {go_type(owner)} has no property {name}"
            raise _located(link, text, word=name, candidates=candidates)
        value = getattr(declared[0], declared[1].attribute)
        if declared[1].type is DURATION:
            return ast.Duration(value)
        return NOTHING if value is None else value

    def _call(self, owner: object, operator: str, function: ast.Function) -> object:
        args = self._arguments(function)
        _check_pointer(owner, function)
        if isinstance(owner, Declared):
            try:
                match operator:
                    case ".":
                        return self._call_property(owner, function, args)
                    case "|":
                        return self._call_chain(owner, function, args)
                    case _:
                        return self._call_udf(owner, function)
            except CallError as error:
                raise _called(function, go_type(owner), error) from None
        raise _located(function, f'no method or property "{function.name}" on {go_type(owner)}', word=function.name)

    def _call_property(self, owner: Declared, function: ast.Function, args: Sequence[object]) -> object:
        if isinstance(owner, Udf) and owner.info.takes(function.name):
            owner.set_option(function.name, args)
            return owner
        found = _property(owner, function.name)
        if found is None:
            self._unknown(owner, function, "property")
        holder, declared = found
        left = declared.call(holder, args)
        # A slot of the alert, set through one of its handlers, leaves the handler in place.
        return owner if declared.is_slot else left

    def _call_chain(self, owner: Declared, function: ast.Function, args: Sequence[object]) -> object:
        node = _node(owner)
        name = capitalise(function.name)
        kind = _chain_methods(node).get(name)
        if kind is not None:
            return _placed(kind.chain(self.builder, node, args), function)
        if name == _DEADMAN:
            DEADMAN_SIGNATURE.check(args)
            threshold, interval, *conditions = args
            assert isinstance(threshold, float)
            alert = deadman(self.builder, node, self._deadman, threshold, DURATION.convert(interval), *conditions)  # type: ignore[arg-type]
            return _placed(alert, function)
        if name in _BOOKKEEPING:
            return _BOOKKEEPING[name](node)
        return self._unknown(owner, function, "chaining")

    def _call_udf(self, owner: Declared, function: ast.Function) -> object:
        info = self._udfs.get(function.name)
        if info is None:
            self._unknown(owner, function, "dynamic")
        return _placed(Udf.make(self.builder, _node(owner), function.name, info), function)

    def _unknown(self, owner: Declared, function: ast.Function, wanted: str) -> NoReturn:
        """Raise the error for a name that does not exist behind this operator, but perhaps behind another."""
        name = function.name
        chains = {*_chain_methods(_node(owner)), _DEADMAN}
        exists = {
            "property": _property(owner, name) is not None or name in _options(owner),
            "chaining": capitalise(name) in chains,
            "dynamic": name in self._udfs,
        }
        for other in ("property", "chaining", "dynamic"):
            if exists[other] and other != wanted:
                text = f'no {wanted} method "{name}" on {go_type(owner)}, {_USE[other].format(name)}'
                raise _located(function, text)
        candidates = [*_property_names(owner), *(_lower(chain) for chain in chains), *self._udfs]
        text = f'no method or property "{name}" on {go_type(owner)}'
        raise _located(function, text, word=name, candidates=candidates)


@contextmanager
def _at(place: ast.Node, length: int) -> Iterator[None]:
    """Errors that come out of the block are there, unless they know better."""
    try:
        yield
    except EvaluationError as error:
        error.locate(place.line, place.char, length)
        raise


def _beginning(statement: ast.Statement) -> tuple[int, int]:
    """Where the text of a statement begins."""
    node: ast.Node = statement
    while isinstance(node, ast.Chain | ast.Binary):
        node = node.left
    return node.line, node.char


def _bounded(place: ast.Node, items: tuple[object, ...]) -> tuple[object, ...]:
    """The list; EvaluationError when it, with the lists in it, has too many items: each use of a var copies them."""
    waiting: list[object] = [items]
    count = 0
    while waiting:
        item = waiting.pop()
        count += 1
        if count > MAX_LIST_ITEMS:
            raise _located(place, f"list has more than {MAX_LIST_ITEMS} items with those of the lists in it")
        if isinstance(item, tuple):
            waiting += item
    return items


def _placed(node: Node, function: ast.Function) -> Node:
    node.place = function.line, function.char, len(function.name)
    return node


def _apply(function: object, args: Sequence[object]) -> TimeDimension:
    """Call the only global function there is; CallError for anything else and for arguments that do not fit."""
    if not isinstance(function, TimeFunction):
        raise CallError(f"reflect: call of reflect.Value.Call on {go_kind(function)} Value")
    _TIME_SIGNATURE.check(args)
    if len(args) > 2:
        raise CallError(f"time() function expects 1 or 2 args, got {len(args)}")
    return TimeDimension(*map(DURATION.convert, args))


def _node(owner: Declared) -> Node:
    """The node that a chain goes on from: an alert, where a handler of it stands."""
    node = owner.alert if isinstance(owner, Handler) else owner
    assert isinstance(node, Node)
    return node


def _property(owner: object, name: str) -> tuple[Declared, Property] | None:
    """The property and who holds it: a handler's own properties come before those of its alert."""
    if not isinstance(owner, Declared):
        return None
    for holder in (owner, owner.alert) if isinstance(owner, Handler) else (owner,):
        declared = holder.declaration.lookup(name)
        if declared is not None:
            return holder, declared
    return None


def _options(owner: Declared) -> Mapping[str, tuple[str, ...]]:
    return owner.info.options if isinstance(owner, Udf) else {}


def _property_names(owner: Declared) -> list[str]:
    holders = (owner, owner.alert) if isinstance(owner, Handler) else (owner,)
    names = [declared.name for holder in holders for declared in holder.declaration.by_name.values()]
    return [*names, *_options(owner)]


def _chain_methods(node: Node) -> Mapping[str, type[Node]]:
    return {capitalise(method): kind for method, kind in methods_of(node).items()}


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _check_pointer(owner: object, place: ast.Node) -> None:
    if owner is NOTHING:
        raise _located(place, "object is invalid <nil> of type <nil>")
    if not is_pointer(owner):
        raise _located(place, "cannot get properties of non pointer value")


def _located(place: ast.Node, text: str, *, word: str | None = None, candidates: Sequence[str] = ()) -> EvaluationError:
    length = len(word) if word else len(place.name) if isinstance(place, ast.Function) else 1
    return EvaluationError(
        f"line {place.line} char {place.char}: {text}",
        line=place.line, char=place.char, length=length, word=word, candidates=candidates,
    )  # fmt: skip


def _called(function: ast.Function, owner: str, error: CallError) -> EvaluationError:
    if error.bare:
        return _located(function, str(error))
    return _located(function, f'error calling func "{function.name}" on obj {owner}: {error}')

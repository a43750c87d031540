"""A template ready to render: the tree compiled to closures.

`Template.render(data)` writes literal text and values in turn. Rendering has no state of its own, so one template
serves any number of renders. A template that calls itself without end stops with an error.
"""
# ruff: noqa: ARG001, ARG005  (every closure has the signature of Value or Run, whether it needs both or not)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.templates import tree, values
from engine.templates.errors import CallFailed, ExecutionError
from engine.templates.formatting import printed
from engine.templates.functions import BUILTINS, SHORT_CIRCUIT, Builtin
from engine.templates.parser import parse_tree
from engine.templates.plain import Parts, plain_parts

_MOST_CALLS = 200


@dataclass(slots=True)
class _State:
    """One render: what is written, variables by name (innermost last), and how deep templates call each other."""

    out: list[str]
    variables: list[tuple[str, Any]]
    depth: int = 0


class _Leave(Exception):  # control flow of break and continue
    pass


class _Next(Exception):  # control flow of continue
    pass


Value = Callable[[_State, Any], Any]
Run = Callable[[_State, Any], None]


class Final(Protocol):
    """How an operand becomes a value when a piped value is its last argument."""

    def __call__(self, state: _State, dot: Any, final: Sequence[Any]) -> Any: ...


@dataclass(slots=True)
class Template:
    """`name` stands in error texts."""

    name: str
    bodies: dict[str, Run] = field(default_factory=dict)
    literal: str | None = None
    """The text, where the template is nothing but text."""
    plain: Parts | None = None
    """Its parts, where it is nothing but text and plain values."""

    def render(self, data: Any) -> str:
        """Raises ExecutionError."""
        if self.literal is not None:
            return self.literal
        state = _State([], [("$", data)])
        self.bodies[self.name](state, data)
        return "".join(state.out)


def parse(text: str, name: str = "", functions: Mapping[str, Builtin] | None = None) -> Template:
    """Read a template; `functions` are there beside Go's own. Raises ParseError."""
    known = {**BUILTINS, **(functions or {})}
    return from_bodies(name, parse_tree(name, text, {*known, *SHORT_CIRCUIT}), known)


def from_bodies(
    name: str, bodies: Mapping[str, tree.Body], known: Mapping[str, Builtin], *, html: bool = False
) -> Template:
    """The template of a tree that is read already; `known` has every function that it calls but `and` and `or`."""
    template = Template(name)
    compiler = _Compiler(template, known)
    template.bodies = {key: compiler.body(body) for key, body in bodies.items()}
    whole = bodies[name]
    template.plain = plain_parts(whole, html=html)
    if all(isinstance(statement, tree.Text) for statement in whole):
        template.literal = "".join(s.text for s in whole if isinstance(s, tree.Text))
    return template


class _Compiler:
    def __init__(self, template: Template, functions: Mapping[str, Builtin]) -> None:
        self.template = template
        self.functions = functions

    def error(self, node: tree.Node, text: str) -> ExecutionError:
        name = self.template.name
        return ExecutionError(
            f'template: {name}:{node.line}:{node.column}: executing "{name}" at <{node.source}>: {text}'
        )

    def body(self, statements: tree.Body) -> Run:
        parts = [self.statement(s) for s in statements]

        def run(state: _State, dot: Any) -> None:
            for part in parts:
                part(state, dot)

        return run

    def statement(self, statement: tree.Statement) -> Run:
        match statement:
            case tree.Text(text=text):
                return lambda state, dot: state.out.append(text)
            case tree.Action(pipeline=pipeline):
                return self.action(pipeline)
            case tree.Branch(kind="range"):
                return self.loop(statement)
            case tree.Branch():
                return self.branch(statement)
            case tree.Call():
                return self.call(statement)
            case tree.Jump(kind=kind):
                return self.jump(kind)

    @staticmethod
    def jump(kind: str) -> Run:
        def run(state: _State, dot: Any) -> None:
            raise _Leave if kind == "break" else _Next

        return run

    def action(self, pipeline: tree.Pipeline) -> Run:
        value = self.pipeline(pipeline)
        if pipeline.names:

            def silent(state: _State, dot: Any) -> None:
                value(state, dot)

            return silent

        def run(state: _State, dot: Any) -> None:
            state.out.append(printed(value(state, dot)))

        return run

    def branch(self, node: tree.Branch) -> Run:
        value, body, otherwise = self.pipeline(node.pipeline), self.body(node.body), self.body(node.otherwise)
        moves = node.kind == "with"

        def run(state: _State, dot: Any) -> None:
            mark = len(state.variables)
            found = value(state, dot)
            if values.truth(found):
                body(state, found if moves else dot)
            else:
                otherwise(state, dot)
            del state.variables[mark:]

        return run

    def loop(self, node: tree.Branch) -> Run:
        inner = tree.Pipeline(node.pipeline.commands, line=node.line, column=node.column, source=node.pipeline.source)
        value, body, otherwise = self.pipeline(inner), self.body(node.body), self.body(node.otherwise)
        names, assigns = node.pipeline.names, node.pipeline.assigns

        def run(state: _State, dot: Any) -> None:
            found = value(state, dot)
            items = self.items(node, found)
            if not items:
                otherwise(state, dot)
                return
            for key, item in items:
                mark = len(state.variables)
                pair = (item,) if len(names) == 1 else (key, item)
                for name, one in zip(names, pair, strict=False):
                    if assigns:
                        _assign(state, name, one)
                    else:
                        state.variables.append((name, one))
                try:
                    body(state, item)
                except _Next:
                    pass
                except _Leave:
                    del state.variables[mark:]
                    break
                if not assigns:
                    del state.variables[mark:]

        return run

    def items(self, node: tree.Branch, value: Any) -> list[tuple[Any, Any]]:
        if isinstance(value, Mapping):
            return [(k, value[k]) for k in sorted(value)]
        if isinstance(value, Sequence) and not isinstance(value, str):
            return list(enumerate(value))
        if isinstance(value, int) and not isinstance(value, bool):
            return [(i, i) for i in range(value)]
        if value is None:
            return []
        raise self.error(node.pipeline, f"range can't iterate over {printed(value)}")

    def call(self, node: tree.Call) -> Run:
        value = None if node.pipeline is None else self.pipeline(node.pipeline)
        template = self.template

        def run(state: _State, dot: Any) -> None:
            body = template.bodies.get(node.name)
            if body is None:
                raise self.error(node, f'template "{node.name}" not defined')
            if state.depth >= _MOST_CALLS:
                raise self.error(node, f"exceeded maximum template depth ({_MOST_CALLS})")
            data = None if value is None else value(state, dot)
            body(_State(state.out, [("$", data)], state.depth + 1), data)

        return run

    def pipeline(self, node: tree.Pipeline) -> Value:
        commands = [self.command(c) for c in node.commands]
        first, rest = commands[0], commands[1:]
        names, assigns = node.names, node.assigns
        if not rest and not names:
            operands = node.commands[0].operands
            if len(operands) == 1 and isinstance(operands[0], tree.Fields):
                return self.operand(operands[0])
            return lambda state, dot: first(state, dot, ())

        def run(state: _State, dot: Any) -> Any:
            value = first(state, dot, ())
            for command in rest:
                value = command(state, dot, (value,))
            for name in names:
                if assigns:
                    _assign(state, name, value)
                else:
                    state.variables.append((name, value))
            return value

        return run

    def command(self, node: tree.Command) -> Final:
        head, rest = node.operands[0], node.operands[1:]
        match head:
            case tree.Function(name=name):
                return self.short(node, name, rest) if name in SHORT_CIRCUIT else self.function(node, name, rest)
            case tree.Fields():
                return self.method(head, rest)
        value = self.operand(head)

        def run(state: _State, dot: Any, final: Sequence[Any]) -> Any:
            if isinstance(head, tree.Nil):
                raise self.error(node, "nil is not a command")
            if rest or final:
                raise self.error(node, f"can't give argument to non-function {head.source}")
            return value(state, dot)

        return run

    def function(self, node: tree.Command, name: str, operands: Sequence[tree.Operand]) -> Final:
        function = self.functions[name]
        args = [self.operand(o) for o in operands]

        def run(state: _State, dot: Any, final: Sequence[Any]) -> Any:
            try:
                return function([*[a(state, dot) for a in args], *final])
            except CallFailed as failed:
                counted = str(failed).startswith("wrong number of args")
                raise self.error(node, str(failed) if counted else f"error calling {name}: {failed}") from None

        if name != "index" or len(args) != 2:
            return run
        item, key = args

        def entry(state: _State, dot: Any, final: Sequence[Any]) -> Any:
            """What almost every alert's id is: a tag."""
            if not final:
                found, wanted = item(state, dot), key(state, dot)
                if type(found) is values.TextMap and type(wanted) is str:
                    return found.get(wanted, "")
            return run(state, dot, final)

        return entry

    def short(self, node: tree.Command, name: str, operands: Sequence[tree.Operand]) -> Final:
        args = [self.operand(o) for o in operands]
        stops = name == "or"

        def run(state: _State, dot: Any, final: Sequence[Any]) -> Any:
            if not args and not final:
                raise self.error(node, f"wrong number of args for {name}: want at least 1 got 0")
            value: Any = None
            for arg in args:
                value = arg(state, dot)
                if values.truth(value) == stops:
                    return value
            return final[0] if final else value

        return run

    def method(self, node: tree.Fields, operands: Sequence[tree.Operand]) -> Final:
        base = self.operand(node.base)
        path, last = node.names[:-1], node.names[-1]
        args = [self.operand(o) for o in operands]

        def run(state: _State, dot: Any, final: Sequence[Any]) -> Any:
            value: Any = None
            holder: Any = None
            try:
                value, holder = base(state, dot), None
                for name in path:
                    value, holder = values.field(value, name), value
                if args or final:
                    return values.method(value, last, [*[a(state, dot) for a in args], *final])
                return values.field(value, last)
            except CallFailed as failed:
                text = str(failed)
                if isinstance(holder, Mapping) and not isinstance(holder, values.TextMap):
                    # The entry of such a map is of that type to Go, whatever it holds.
                    text = text.replace(f"in type {values.type_word(value)}", "in type interface {}")
                raise self.error(node, text) from None

        return run

    def operand(self, node: tree.Operand) -> Value:
        match node:
            case tree.Literal(value=value):
                return lambda state, dot: value
            case tree.Dot():
                return lambda state, dot: dot
            case tree.Nil():
                return lambda state, dot: None
            case tree.Variable(name=name):
                return lambda state, dot: _look_up(state, name)
            case tree.Function():
                command = self.command(tree.Command((node,), line=node.line, column=node.column, source=node.source))
                return lambda state, dot: command(state, dot, ())
            case tree.Fields():
                return self.fields(node)
            case tree.Pipeline():
                return self.pipeline(node)

    def fields(self, node: tree.Fields) -> Value:
        """Fields without arguments; the commonest, one field of dot, without detours."""
        called = self.method(node, ())
        if len(node.names) > 1 or not isinstance(node.base, tree.Dot):
            return lambda state, dot: called(state, dot, ())
        name = node.names[0]

        def field_of_dot(state: _State, dot: Any) -> Any:
            if isinstance(dot, values.Struct):
                try:
                    return dot.go_field(name)
                except KeyError:
                    pass
            return called(state, dot, ())

        return field_of_dot


def _look_up(state: _State, name: str) -> Any:
    for known, value in reversed(state.variables):
        if known == name:
            return value
    return None


def _assign(state: _State, name: str, value: Any) -> None:
    for i in range(len(state.variables) - 1, -1, -1):
        if state.variables[i][0] == name:
            state.variables[i] = (name, value)
            return

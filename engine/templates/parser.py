"""From tokens to the syntax tree: recursive descent over Go's small template grammar.

Always: a function that is called is known, a variable that is read is declared in the scope, so these are errors before
anything is rendered, as in Go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from engine.templates import tree
from engine.templates.errors import ParseError
from engine.templates.scanner import T, Token, scan

if TYPE_CHECKING:
    from collections.abc import Collection

_DEPTH = 100
_OPERANDS = {T.FIELD, T.VARIABLE, T.DOT, T.STRING, T.NUMBER, T.CHARACTER, T.BOOL, T.NIL, T.IDENTIFIER, T.LEFT}


def parse_tree(name: str, text: str, functions: Collection[str]) -> dict[str, tree.Body]:
    """The named bodies of the template; that of the whole under its own name. Raises ParseError."""
    parser = _Parser(name, scan(name, text), functions)
    parser.bodies[name] = parser.whole()
    return parser.bodies


class _Parser:
    def __init__(self, name: str, tokens: list[Token], functions: Collection[str]) -> None:
        self.name = name
        self.tokens = tokens
        self.functions = functions
        self.at = 0
        self.depth = 0
        self.ranges = 0
        self.variables: list[str] = ["$"]
        self.bodies: dict[str, tree.Body] = {}

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def fail(self, text: str) -> NoReturn:
        raise ParseError(self.name, self.token.line, text)

    def next(self) -> Token:
        token = self.token
        self.at += 1
        return token

    def skip_space(self) -> None:
        while self.token.type is T.SPACE:
            self.at += 1

    def take(self, kind: T, context: str) -> Token:
        self.skip_space()
        if self.token.type is not kind:
            self.fail(f"unexpected {_shown(self.token)} in {context}")
        return self.next()

    def keyword(self) -> str:
        """The keyword of the action that begins here, or ""."""
        at = self.at + 1
        while self.tokens[at].type is T.SPACE:
            at += 1
        token = self.tokens[at]
        return token.text if token.type is T.KEYWORD else ""

    def whole(self) -> tree.Body:
        statements: list[tree.Statement] = []
        while self.token.type is not T.END:
            if self.token.type is T.OPEN and self.keyword() in {"end", "else"}:
                self.enter()
                self.fail(f"unexpected {{{{{self.token.text}}}}}")
            statements += self.statement()
        return tuple(statements)

    def enter(self) -> Token:
        """Go to the first token inside the action."""
        opened = self.take(T.OPEN, "action")
        self.skip_space()
        return opened

    def body(self) -> tree.Body:
        """Statements up to `end` or `else`, which is left standing."""
        self.depth += 1
        if self.depth > _DEPTH:
            self.fail("template nested too deeply")
        statements: list[tree.Statement] = []
        while True:
            if self.token.type is T.END:
                self.fail("unexpected EOF")
            if self.token.type is T.OPEN and self.keyword() in {"end", "else"}:
                break
            statements += self.statement()
        self.depth -= 1
        return tuple(statements)

    def statement(self) -> list[tree.Statement]:
        if self.token.type is T.TEXT:
            token = self.next()
            return [tree.Text(token.text, line=token.line, column=token.column)]
        self.enter()
        token = self.token
        if token.type is not T.KEYWORD:
            if token.type is T.CLOSE:
                self.fail("missing value for command")
            pipeline = self.pipeline("command", T.CLOSE)
            return [tree.Action(pipeline, line=token.line, column=token.column, source=pipeline.source)]
        self.next()
        if token.text in {"if", "with", "range"}:
            return [self.branch(token)]
        if token.text in {"break", "continue"}:
            if not self.ranges:
                self.fail(f"{{{{{token.text}}}}} outside {{{{range}}}}")
            self.take(T.CLOSE, token.text)
            return [tree.Jump(token.text, line=token.line, column=token.column)]
        if token.text == "define":
            self.define()
            return []
        return [self.call(token)]

    def branch(self, token: Token) -> tree.Branch:
        marked = len(self.variables)
        pipeline = self.pipeline(token.text, T.CLOSE)
        self.ranges += token.text == "range"
        body = self.body()
        self.ranges -= token.text == "range"
        otherwise: tree.Body = ()
        self.enter()
        if self.next().text == "else":
            self.skip_space()
            chained = self.token
            if chained.type is T.KEYWORD and chained.text == token.text and token.text in {"if", "with"}:
                self.next()
                otherwise = (self.branch(chained),)
                del self.variables[marked:]
                return tree.Branch(token.text, pipeline, body, otherwise, line=token.line, column=token.column)
            self.take(T.CLOSE, "else")
            otherwise = self.body()
            self.enter()
            if self.next().text != "end":
                self.fail("expected end; found {{else}}")
        self.take(T.CLOSE, "end")
        del self.variables[marked:]
        return tree.Branch(token.text, pipeline, body, otherwise, line=token.line, column=token.column)

    def define(self) -> None:
        name = str(self.take(T.STRING, "define clause").value)
        self.take(T.CLOSE, "define clause")
        self.bodies[name] = self.inner_body()

    def inner_body(self) -> tree.Body:
        """The body of a define or block, with variables of its own, and its end."""
        saved, self.variables = self.variables, ["$"]
        ranges, self.ranges = self.ranges, 0
        body = self.body()
        self.enter()
        if self.next().text != "end":
            self.fail("unexpected {{else}} in define clause")
        self.take(T.CLOSE, "end")
        self.variables, self.ranges = saved, ranges
        return body

    def call(self, token: Token) -> tree.Call:
        name = str(self.take(T.STRING, f"{token.text} clause").value)
        self.skip_space()
        pipeline = None
        if self.token.type is T.CLOSE:
            self.next()
        else:
            pipeline = self.pipeline(f"{token.text} clause", T.CLOSE)
        if token.text == "block":
            self.bodies[name] = self.inner_body()
        return tree.Call(name, pipeline, line=token.line, column=token.column, source=name)

    def pipeline(self, context: str, end: T) -> tree.Pipeline:
        self.skip_space()
        begin = self.at
        names, assigns = self.declarations(context)
        commands: list[tree.Command] = []
        while True:
            self.skip_space()
            if self.token.type is end:
                if not commands:
                    self.fail(f"missing value for {context}")
                source = "".join(t.text for t in self.tokens[begin : self.at]).strip()
                self.next()
                break
            if commands:
                if self.token.type is not T.PIPE:
                    self.fail(f"unexpected {_shown(self.token)} in {context}")
                self.next()
                self.skip_space()
            commands.append(self.command(context))
        self.check(commands)
        if not assigns:
            self.variables += names
        first = commands[0]
        return tree.Pipeline(
            tuple(commands), tuple(names), assigns, line=first.line, column=first.column, source=source
        )

    def check(self, commands: list[tree.Command]) -> None:
        for number, command in enumerate(commands[1:], 2):
            if isinstance(command.operands[0], tree.Literal | tree.Dot | tree.Nil):
                self.fail(f"non executable command in pipeline stage {number}")

    def declarations(self, context: str) -> tuple[list[str], bool]:
        """`$a :=`, `$a, $b :=` or `$a =` at the beginning of a pipeline."""
        begin = self.at
        names: list[str] = []
        while self.token.type is T.VARIABLE:
            names.append(self.next().text)
            self.skip_space()
            if self.token.type in {T.DECLARE, T.ASSIGN}:
                assigns = self.next().type is T.ASSIGN
                if assigns and names[0] not in self.variables:
                    self.fail(f'undefined variable "{names[0]}"')
                return names, assigns
            if context != "range" or len(names) == 2 or not self.comma():
                break
        self.at = begin
        return [], False

    def comma(self) -> bool:
        """Step over a comma and the space behind it, if there is one."""
        if self.token.type is not T.COMMA:
            return False
        self.next()
        self.skip_space()
        return True

    def command(self, context: str) -> tree.Command:
        operands: list[tree.Operand] = []
        first = self.token
        begin = self.at
        while True:
            self.skip_space()
            if self.token.type not in _OPERANDS:
                break
            operands.append(self.operand())
            if self.token.type not in {T.SPACE, T.CLOSE, T.RIGHT, T.PIPE}:
                self.fail(f"unexpected {_shown(self.token)} in operand")
        if not operands:
            if self.token.type in {T.CLOSE, T.RIGHT, T.PIPE}:
                self.fail("empty command" if self.token.type is not T.PIPE else f"missing value for {context}")
            self.fail(f"unexpected {_shown(self.token)} in {context}")
        source = "".join(t.text for t in self.tokens[begin : self.at]).strip()
        return tree.Command(tuple(operands), line=first.line, column=first.column, source=source)

    def operand(self) -> tree.Operand:
        begin = self.at
        base = self.term()
        names: list[str] = []
        while self.token.type is T.FIELD:
            names.append(str(self.next().value))
        if not names:
            return base
        if isinstance(base, tree.Literal | tree.Nil | tree.Dot):
            self.fail(f"unexpected . after term {base.source!r}")
        source = "".join(t.text for t in self.tokens[begin : self.at])
        if isinstance(base, tree.Fields):
            return tree.Fields(base.base, (*base.names, *names), line=base.line, column=base.column, source=source)
        return tree.Fields(base, tuple(names), line=base.line, column=base.column, source=source)

    def term(self) -> tree.Operand:
        token = self.next()
        line, column, text = token.line, token.column, token.text
        match token.type:
            case T.FIELD:
                return tree.Fields(
                    tree.Dot(line=line, column=column), (str(token.value),), line=line, column=column, source=text
                )
            case T.DOT:
                return tree.Dot(line=line, column=column, source=text)
            case T.NIL:
                return tree.Nil(line=line, column=column, source=text)
            case T.VARIABLE:
                if text not in self.variables:
                    self.at -= 1
                    self.fail(f'undefined variable "{text}"')
                return tree.Variable(text, line=line, column=column, source=text)
            case T.IDENTIFIER:
                if text not in self.functions:
                    self.at -= 1
                    self.fail(f'function "{text}" not defined')
                return tree.Function(text, line=line, column=column, source=text)
            case T.LEFT:
                self.depth += 1
                if self.depth > _DEPTH:
                    self.fail("template nested too deeply")
                inner = self.pipeline("parenthesized pipeline", T.RIGHT)
                self.depth -= 1
                return inner
            case _:
                constant = token.type in {T.NUMBER, T.CHARACTER}
                return tree.Literal(token.value, constant, line=line, column=column, source=text)


def _shown(token: Token) -> str:
    """A token as Go's error texts show it."""
    if token.type is T.END:
        return "EOF"
    if token.type is T.KEYWORD:
        return f"<{token.text}>"
    return f'"{token.text}"' if token.type is not T.STRING else token.text

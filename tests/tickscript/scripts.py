"""Random TICKscripts for property tests: by the grammar, with comments and newlines wherever a token ends.

Drawn from a `random.Random`, so that hypothesis chooses the seed and a failure repeats.
"""

from __future__ import annotations

from random import Random

NAMES = ("a", "b", "stream", "x1", "été", "lambda", "f")
LITERALS = ("1", "0", "010", "00", "1.5", ".5", "1.", "10s", "5µ", "3ms", "'s'", "''", r"'it\'s'", r"'a\b'", "TRUE")
STRANGE_LITERALS = ("'''a'b'''", "'''a\\'''", '"x"', r'"q\"q"', '"日本"', "/re/", r"/a\/b\d/", "*", "FALSE", "100")
OPERATORS = ("+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "=~", "!~", "AND", "OR")
COMMENTS = ("// c", "//", "//  two", "// /x/", "// a\n// b", "// a\n\n// b", "//x\n\n\n   // y")


class ScriptMaker:
    """Makes the tokens of a script; `text` puts white space and, with some probability, comments between them."""

    def __init__(self, seed: int, comments: float = 0.0, newlines: float = 0.15) -> None:
        self._random = Random(seed)
        self._comments = comments
        self._newlines = newlines

    def script(self) -> str:
        tokens: list[str] = []
        for _ in range(self._random.randint(0, 4)):
            tokens += self._statement()
        return self.text(tokens)

    def lambda_body(self) -> str:
        return self.text(self._operation(4, inner=True))

    def text(self, tokens: list[str]) -> str:
        parts = []
        for token in tokens:
            parts += [token, self._separator()]
        return "".join(parts)

    def _separator(self) -> str:
        chance = self._random.random()
        if chance < self._comments:
            return " " + self._random.choice(COMMENTS) + "\n"
        if chance < self._comments + self._newlines:
            return self._random.choice(("\n", "\n\n", "\r\n  ", "\n\t"))
        return self._random.choice((" ", " ", "  "))

    def _name(self) -> str:
        return self._random.choice(NAMES)

    def _statement(self) -> list[str]:
        kind = self._random.randint(0, 9)
        if kind == 0:
            return ["dbrp", '"a"', ".", r'"b\"c"']
        if kind == 1:
            return ["var", self._name(), self._name()]
        if kind <= 4:
            return ["var", self._name(), "=", *self._expression(3)]
        return self._expression(3)

    def _expression(self, depth: int) -> list[str]:
        kind = self._random.randint(0, 9)
        if kind <= 3:
            return self._chain(depth)
        if kind == 4:
            return ["lambda:", *self._operation(depth, inner=True)]
        if kind == 5:
            items = [self._random.choice((self._name(), "'s'", "*")) for _ in range(self._random.randint(0, 3))]
            return ["[", *self._joined([[item] for item in items]), "]"]
        return self._operation(depth, inner=False)

    def _joined(self, items: list[list[str]]) -> list[str]:
        tokens: list[str] = []
        for index, item in enumerate(items):
            tokens += [",", *item] if index else item
        if items and self._random.random() < 0.2:
            tokens.append(",")
        return tokens

    def _call(self, depth: int, *, inner: bool) -> list[str]:
        count = self._random.randint(0, 3) if depth > 0 else 0
        args = [self._operation(depth - 1, inner=True) if inner else self._expression(depth - 1) for _ in range(count)]
        return [self._name(), "(", *self._joined(args), ")"]

    def _chain(self, depth: int) -> list[str]:
        tokens = [self._name()] if self._random.random() < 0.8 else self._call(depth - 1, inner=False)
        for _ in range(self._random.randint(1, 3)):
            operator = self._random.choice("|.@")
            tokens.append(operator)
            if operator != "|" and self._random.random() < 0.3:
                tokens.append(self._name())
            else:
                tokens += self._call(depth - 1, inner=False)
        return tokens

    def _operation(self, depth: int, *, inner: bool) -> list[str]:
        tokens = self._operand(depth, inner=inner)
        for _ in range(self._random.choice((0, 0, 1, 1, 2, 3))):
            tokens += [self._random.choice(OPERATORS), *self._operand(depth, inner=True)]
        return tokens

    def _operand(self, depth: int, *, inner: bool) -> list[str]:
        kind = self._random.randint(0, 9)
        if kind == 0 and depth > 0:
            return ["(", *self._operation(depth - 1, inner=True), ")"]
        if kind == 1:
            return [self._random.choice("-!"), *self._operand(depth - 1, inner=True)]
        if kind == 2 and depth > 0:
            return self._call(depth - 1, inner=inner)
        if kind == 3:
            return [self._name()]
        if kind <= 5:
            literal = self._random.choice(STRANGE_LITERALS)
            return ["(", literal, ")"] if self._random.random() < 0.5 else [literal]
        return [self._random.choice(LITERALS)]

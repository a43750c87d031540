"""`docs/lambda-matrix.md`, generated from the tables: `python -m engine.lambdas.matrix_docs [FILE]`.

It stands here and not beside the tables because it says how columns evaluate each entry, which the language does not
know. A test fails when the page is not current.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.lambdas.calls import form
from tickscript.lambdas.library import LIBRARY
from tickscript.lambdas.operators import BINARY, OPERATORS, UNARY
from tickscript.lambdas.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = Path(__file__).parents[2] / "docs" / "lambda-matrix.md"
_HEAD: Final = """\
# Operators and functions of lambdas

This page is generated from the tables that evaluate lambdas: `python -m engine.lambdas.matrix_docs`.

Every entry has two evaluators. The *interpreter* (`tickscript.lambdas`) goes row by row and decides what an expression
means; the *columns* (`engine.lambdas`) evaluate whole sections, and a property test holds the two equal: values,
errors, their order, and the states of `count`, `sigma`, `spread` and `rand`. The last column says how columns evaluate
an entry whose operands vary; constants are folded when a plan is made.

Row by row through the interpreter go: expressions that refer to a field whose type changes within a section, two calls
of one stateful function in one expression, and regular expressions that are chosen by `if`. A name that is missing or
null in some rows splits a section into parts, each of which is evaluated as columns.

There is no implicit conversion, except that comparisons take int with float, through double. What is not listed is an
error of the row.
"""


def _forms(op: str, left: Kind, right: Kind) -> str:
    if op in ("AND", "OR"):
        return "column; the right side only where the left does not decide, unless it can neither fail nor remember"
    if op in ("=~", "!~"):
        return "once a distinct value"
    if left is Kind.STRING:
        return "kernel" if op == "+" else "kernel; once a distinct value against a constant"
    if op in ("/", "%") and Kind.FLOAT not in (left, right):
        return "column; a zero divisor is an error of its row"
    return "column"


def lines() -> Iterator[str]:
    """The page, line by line."""
    yield from _HEAD.splitlines()
    yield from (
        "",
        "## Binary operators",
        "",
        "| operator | left | right | result | columns |",
        "|---|---|---|---|---|",
    )
    for op in OPERATORS:
        for (entry, left, right), operation in BINARY.items():
            if entry == op:
                result = operation.result.word
                yield f"| `{op}` | {left.word} | {right.word} | {result} | {_forms(op, left, right)} |"
    yield from ("", "## Unary operators", "", "| operator | operand | result |", "|---|---|---|")
    for (op, kind), outcome in UNARY.items():
        note = " (negates logically)" if (op, kind) == ("-", Kind.BOOL) else ""
        yield f"| `{op}` | {kind.word} | {outcome.word}{note} |"
    yield from ("", "## Functions", "", "| function | result | can fail | columns |", "|---|---|---|---|")
    for name in sorted(LIBRARY, key=str.lower):
        for signature in LIBRARY[name]:
            args = ", ".join(kind.word for kind in signature.args)
            fails = "" if signature.total else "yes"
            yield f"| `{name}({args})` | {signature.result.word} | {fails} | {form(name, signature)} |"


def page() -> str:
    """The whole page."""
    return "\n".join(lines()) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page; returns the exit status."""
    target = Path(arguments[0]) if arguments else PAGE
    target.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Random and mutated scripts: whatever the text, the library answers or raises an error of its own, and soon.

5,000 scripts by default; the environment variable `TICKWORKS_FUZZ` sets another number. Every script is made from its
own index, so a failure names the one index that repeats it.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.tickscript.scripts import COMMENTS, LITERALS, OPERATORS, STRANGE_LITERALS, ScriptMaker
from tickscript import ast
from tickscript.ast_json import from_json, to_json
from tickscript.compile import compile_script, compile_template
from tickscript.errors import TickscriptError
from tickscript.formatter import format_program, lost_comments
from tickscript.parser import parse, parse_lambda

if TYPE_CHECKING:
    from collections.abc import Callable

_COUNT = int(os.environ.get("TICKWORKS_FUZZ", "5000"))
_SHARDS = 8
_CASES = Path(__file__).parents[1] / "conformance" / "tickscript-cases.json"
_WORDS = (
    *LITERALS, *STRANGE_LITERALS, *OPERATORS, *COMMENTS, *"()[],.|@!=:;#\\\"'`\x00",
    "var", "dbrp", "lambda:", "stream", "batch", "from()", "query('')", "window()", "where(", "'''", "//", "1h30m",
    "\n", "\r\n", "\t", "\u00a0", "é", "日", "\U0001f600", "\ufeff", "\ud800", "/(a|b)*/", "9223372036854775808",
)  # fmt: skip


@lru_cache(maxsize=1)
def corpus() -> tuple[str, ...]:
    """The scripts and expressions of the recorded cases."""
    cases = json.loads(_CASES.read_text(encoding="utf-8"))
    return tuple(sorted({case["input"] for case in cases if isinstance(case["input"], str)}))


def mutated(random: Random, text: str) -> str:
    """The text with one to four pieces cut, doubled, moved, replaced or inserted."""
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(text))
        end = min(len(text), start + random.choice((0, 1, 1, 2, 5, 20)))
        piece = random.choice(("", text[start:end] * 2, random.choice(_WORDS), random.choice(corpus())[:40]))
        text = text[:start] + piece + text[end:]
    return text


def script(index: int) -> str:
    """The script of an index: of the grammar, mutated, or a row of words."""
    random = Random(index)
    match index % 4:
        case 0:
            return ScriptMaker(index, comments=random.choice((0.0, 0.1))).script()
        case 1:
            return mutated(random, ScriptMaker(index, comments=0.05).script())
        case 2:
            return mutated(random, random.choice(corpus()))
    words = random.choices(_WORDS, k=random.randint(1, 30))
    return random.choice(("", " ")).join(words)


def check(text: str) -> None:
    """All that must hold of any text; raises `TickscriptError` when it is no script."""
    program = parse(text)
    printed = format_program(program)
    assert parse(printed) == program
    again = format_program(parse(printed))
    assert parse(again) == program
    assert format_program(parse(again)) == again
    assert not lost_comments(printed)
    assert from_json(to_json(program)) == program
    build = compile_template if any(isinstance(node, ast.TypeDeclaration) for node in program.statements) else None
    (build or compile_script)(text, "stream")


def answer(attempt: Callable[[str], object], text: str) -> str:
    """The text of the error that an attempt ends with, or "ok"."""
    try:
        attempt(text)
    except TickscriptError as error:
        return str(error)
    return "ok"


@pytest.mark.parametrize("shard", range(_SHARDS))
def test_no_text_brings_anything_but_an_answer_or_an_error_of_ours(shard: int) -> None:
    for index in range(shard, _COUNT, _SHARDS):
        text = script(index)
        try:
            answers = (answer(check, text), answer(parse_lambda, text))
        except Exception as error:
            raise AssertionError(f"script {index}: {text!r}") from error
        assert all(answers), f"script {index} has an error without a text: {text!r}"


@pytest.mark.parametrize(
    "piece",
    ["(", "f(", "[", "-", "!(", "1 OR (", "lambda:", "'", '"', "/", "//\n\n", "a|b(", "é ", "\\", "'''", "1.", "x =~ "],
)
def test_long_repetitions_are_answered_in_time_and_within_the_limits(piece: str) -> None:
    text = piece * 20_000
    found = answer(parse, text)
    assert len(found) < 1_000
    if found == "ok":
        program = parse(text)
        assert parse(format_program(program)) == program

"""What the language costs, as ratios: `python -m tests.bench.bench_tickscript [LINES]`.

For a script of 1,000 lines (or as many as asked for): milliseconds, microseconds a line, the time as a multiple of
splitting the same text into words with one regular expression, and the growth when the script is ten times as long
(10 is linear). The first line is what importing the parser and building its tables costs a process once.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tickscript.ast_json import to_json
from tickscript.compile import compile_script
from tickscript.formatter import format_program
from tickscript.parser import parse, parse_lambda
from tickscript.scanner import scan

if TYPE_CHECKING:
    from collections.abc import Callable

SPENT = 0.3
WORDS = re.compile(r"\w+|\s+|.", re.DOTALL)
_PART = """var w{i} = stream
    |from()
        .measurement('cpu')
        .where(lambda: "host" =~ /^web\\d+$/ AND "usage" > 10.5 * {i})
        .groupBy('host', 'cpu')
    |window()
        .period(10s)
        .every(5s)
    |mean('usage')
        .as('m{i}')
"""
LAMBDA = """ "host" =~ /^web/ AND ("usage_user" + "usage_system" > 90.0 OR "usage_idle" < 5.0) """


def script(lines: int) -> str:
    """A script of about as many lines: chains with properties and a lambda, ten lines each."""
    return "".join(_PART.format(i=i) for i in range(1, max(1, lines // 10) + 1))


def best(work: Callable[[], object]) -> float:
    """The fastest of the runs that fit the time, in seconds."""
    fastest, begin = float("inf"), time.perf_counter()
    while time.perf_counter() - begin < SPENT or fastest == float("inf"):
        start = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - start)
    return fastest


def measure(name: str, work: Callable[[str], object], text: str, longer: str, baseline: float) -> None:
    """Prints the row of one piece of work."""
    seconds = best(lambda: work(text))
    growth = best(lambda: work(longer)) / seconds
    per_line = seconds / text.count("\n") * 1e6
    sys.stdout.write(f"{name:<18}{seconds * 1e3:>10.1f}{per_line:>10.1f}{seconds / baseline:>12.1f}{growth:>10.1f}\n")


def main() -> None:
    """Prints the table."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    text, longer = script(lines), script(10 * lines)
    program = "import time; t = time.perf_counter(); from tickscript.parser import parse; parse('')"
    first = subprocess.run(
        [sys.executable, "-c", f"{program}; print((time.perf_counter() - t) * 1e3)"],
        check=True,
        capture_output=True,
        text=True,
    )
    sys.stdout.write(f"import and tables, once: {float(first.stdout):.0f} ms\n\n")
    sys.stdout.write(f"{'':<18}{'ms':>10}{'us/line':>10}{'x words':>12}{'10 times':>10}\n")
    baseline = best(lambda: WORDS.findall(text))
    measure("words (baseline)", WORDS.findall, text, longer, baseline)
    measure("scan", scan, text, longer, baseline)
    measure("parse", parse, text, longer, baseline)
    measure("parse and format", lambda source: format_program(parse(source)), text, longer, baseline)
    measure("parse to JSON", lambda source: to_json(parse(source)), text, longer, baseline)
    measure("compile", lambda source: compile_script(source, "stream"), text, longer, baseline)
    seconds = best(lambda: parse_lambda(LAMBDA))
    sys.stdout.write(f"\none lambda of five operators: {seconds * 1e6:.0f} us\n")


if __name__ == "__main__":
    main()

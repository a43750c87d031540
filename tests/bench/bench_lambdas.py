"""Lambdas over columns as ratios: `python -m tests.bench.bench_lambdas`.

Prints for each expression the time for sections of 1, 100 and 8,192 rows, and for the largest the ratio to one plain
numpy pass over a column of as many doubles. Two lines are held to a bound: an expression of five operators costs
less than ten passes at 8,192 rows and less than 20 µs at one row; the exit status is 1 when it does not.
"""

from __future__ import annotations

import sys
import timeit
from typing import TYPE_CHECKING

import numpy as np

from engine.frames.model import FieldColumn, Kind, Section, TagColumn, nil_groups
from engine.frames.strings import Strings
from engine.lambdas.columns import compile_columns
from tickscript.parser import parse_lambda

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1, 100, 8192)
FIVE = ('"f" > 0.5 AND "g" < 0.3 OR "i" >= 90', '"f" * 2.0 + "g" * 0.5 - 1.0 > 0.25')
OTHERS = (
    '"f" > 0.5',
    '"host" == \'server007\' AND "f" > 0.5',
    '"host" =~ /7$/',
    "\"s\" == 'v3'",
    '"s" =~ /3$/',
    '"i" / 7',
    'float("i") / 2.0',
    'strToUpper("host")',
    '"host" + "s"',
    'hour("time") >= 8',
    'sigma("f") > 3.0',
    "count()",
)
MAX_PASSES = 10.0
MAX_SINGLE = 20.0


def section(n: int) -> Section:
    """Rows of 3 numeric fields, a string field and a tag of 100 values."""
    random = np.random.default_rng(1)
    hosts = min(n, 100)
    return Section(
        "m",
        np.arange(n, dtype=np.int64) * 10**9,
        {
            "host": TagColumn(
                np.arange(n, dtype=np.uint32) % hosts, Strings.of([f"server{i:03d}" for i in range(hosts)])
            )
        },
        {
            "f": FieldColumn(Kind.FLOAT, random.normal(size=n)),
            "g": FieldColumn(Kind.FLOAT, random.normal(size=n)),
            "i": FieldColumn(Kind.INT, random.integers(0, 100, n)),
            "s": FieldColumn(Kind.STRING, Strings.of([f"v{i % 50}" for i in range(n)])),
        },
        nil_groups(),
    )


def microseconds(call: Callable[[], object], n: int) -> float:
    """The least mean time of a call, over several rounds."""
    number = 2000 if n < SIZES[-1] else 200
    return min(timeit.repeat(call, number=number, repeat=7)) / number * 1e6


def measure(text: str, sections: list[Section]) -> list[float]:
    """Microseconds for each section."""
    expression = compile_columns(parse_lambda(text))
    states = expression.new_states()
    times = []
    for given in sections:
        slots = np.zeros(len(given.time), np.int64)
        expression.evaluate(given, slots, states)
        times.append(microseconds(lambda g=given, s=slots: expression.evaluate(g, s, states), len(given.time)))
    return times


def main() -> int:
    sections = [section(n) for n in SIZES]
    values = sections[-1].fields["f"].data
    one_pass = microseconds(lambda: values * 2.0, SIZES[-1])
    sys.stdout.write(f"one numpy pass over {SIZES[-1]} doubles: {one_pass:.2f} µs\n\n")
    sys.stdout.write(f"{'µs':44s}" + "".join(f"{n:>9d}" for n in SIZES) + f"{'passes':>9s}\n")
    good = True
    for text in FIVE + OTHERS:
        times = measure(text, sections)
        passes = times[-1] / one_pass
        held = text in FIVE
        within = not held or (passes < MAX_PASSES and times[0] < MAX_SINGLE)
        good = good and within
        mark = "" if not held else "  within its bounds" if within else "  TOO SLOW"
        sys.stdout.write(f"{text:44s}" + "".join(f"{t:9.1f}" for t in times) + f"{passes:9.1f}{mark}\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

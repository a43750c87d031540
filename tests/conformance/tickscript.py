"""Runs a file of TICKscript cases: `python -m tests.conformance.tickscript FILE.json [--kind K] [--filter RE] [-v]`.

Prints a block for each failure and ends with `N passed, M failed`; exit status 1 when a case failed. A case counts as
passed only when a family ran it: a kind without a family fails.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.conformance.tickscript_compare import CaseError, Mismatch, difference, error_difference
from tickscript.errors import TickscriptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FAMILIES = {
    "parse_format": ("parse", "format", "ast_json"),
    "pipelines": ("script_error", "nodes", "dot", "pipeline_json", "from_json", "vars", "vars_json"),
    "expressions": ("eval", "predicate", "lambda_type"),
    "define": ("define",),
}
FAMILY_OF = {kind: family for family, kinds in FAMILIES.items() for kind in kinds}
_PACKAGE = "tests.conformance.tickscript_cases"

Case = dict[str, Any]


class Runner:
    """Loads families when their first case comes, and closes at its own exit what they opened."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._kinds: dict[str, dict[str, Callable[[Case], Any]] | str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _family(self, name: str) -> dict[str, Callable[[Case], Any]] | str:
        if name not in self._kinds:
            module_name = f"{_PACKAGE}.{name}"
            if importlib.util.find_spec(module_name) is None:
                self._kinds[name] = f"there is no module {module_name} yet"
            else:
                module = importlib.import_module(module_name)
                opened = getattr(module, "family", None)
                self._kinds[name] = self._stack.enter_context(opened()) if opened else module.KINDS
        return self._kinds[name]

    def run(self, case: Case) -> str | None:
        """Why the case fails, or `None` when it passes."""
        family = FAMILY_OF.get(case["kind"])
        if family is None:
            return f"unknown kind {case['kind']!r}"
        kinds = self._family(family)
        if isinstance(kinds, str):
            return kinds
        if case["kind"] not in kinds:
            return f"the family {family} does not run the kind {case['kind']!r}"
        try:
            actual = kinds[case["kind"]](case)
        except (TickscriptError, CaseError) as error:
            if "error" not in case:
                return f"unexpected error: {error}"
            return error_difference(case, str(error))
        except Mismatch as mismatch:
            return str(mismatch)
        except Exception as error:  # noqa: BLE001  # whatever a case raises is that case's failure
            return f"{type(error).__name__}: {error}"
        if "error" in case:
            return f"expected the error {case['error']!r}, got {actual!r}"
        return difference(case["expect"], actual)


def load(path: Path) -> list[Case]:
    """The cases of a file, in its order."""
    cases: list[Case] = json.loads(path.read_text(encoding="utf-8"))
    return cases


def select(cases: Iterable[Case], kind: str | None, pattern: str | None) -> list[Case]:
    """The cases of one kind whose name or input matches; `None` means any."""
    wanted = re.compile(pattern) if pattern else None
    return [
        case
        for case in cases
        if (kind is None or case["kind"] == kind)
        and (wanted is None or wanted.search(case["name"]) or wanted.search(str(case["input"])))
    ]


def main(arguments: list[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.tickscript")
    parser.add_argument("file", type=Path)
    parser.add_argument("--kind")
    parser.add_argument("--filter", help="regular expression searched in name and input")
    parser.add_argument("-v", "--verbose", action="store_true", help="name the cases that pass, too")
    options = parser.parse_args(arguments)
    passed = failed = 0
    with Runner() as runner:
        for case in select(load(options.file), options.kind, options.filter):
            reason = runner.run(case)
            if reason is None:
                passed += 1
                if options.verbose:
                    sys.stdout.write(f"ok   {case['kind']}: {case['name']}\n")
                continue
            failed += 1
            sys.stdout.write(f"FAIL {case['kind']}: {case['name']}\n     input: {case['input']!r}\n     {reason}\n\n")
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

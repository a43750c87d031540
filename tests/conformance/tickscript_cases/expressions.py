"""Cases of the kinds eval, predicate and lambda_type."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from tests.conformance.tickscript_compare import error_difference
from tickscript.errors import TickscriptError
from tickscript.lambdas.expression import Expression
from tickscript.lambdas.values import MISSING, NULL, Duration, Kind, Regex, Time, Value, kind_of
from tickscript.parser import parse_lambda

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_TYPE_NAMES = {Kind.BOOL: "bool"}


def _nanoseconds(text: str) -> int:
    match = _TIME.fullmatch(text)
    assert match is not None, text
    seconds = datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp()
    return int(seconds) * 10**9 + int((match[2] or "").ljust(9, "0"))


def decode(given: dict[str, Any]) -> Value:
    """A value of the case file as a value of the language."""
    content = given.get("value")
    match given["type"]:
        case "int":
            return int(content)
        case "float":
            return float(content)
        case "duration":
            return Duration(content)
        case "time":
            return Time(_nanoseconds(content))
        case "regex":
            return Regex(content)
        case "missing":
            return MISSING
        case "null":
            return NULL
        case _:
            return content


def encode(value: Value) -> dict[str, Any]:
    """A result in the form of the case file."""
    kind = kind_of(value)
    return {"type": _TYPE_NAMES.get(kind, kind.word), "value": int(value) if isinstance(value, Duration) else value}


def _scope(given: dict[str, Any]) -> dict[str, Value]:
    return {name: decode(value) for name, value in given.items()}


def _run(case: dict[str, Any], method: str) -> Any:
    expression = Expression(parse_lambda(case["input"]))
    evaluate = getattr(expression, method)
    if "scopes" not in case:
        return encode(evaluate(_scope(case.get("scope", {}))))
    state = expression.new_state()
    results: list[Any] = []
    for index, scope in enumerate(case["scopes"]):
        try:
            results.append(encode(evaluate(_scope(scope), state)))
        except TickscriptError as error:
            wanted = case["expect"][index]
            agrees = "error" in wanted and error_difference(case | wanted, str(error)) is None
            results.append(wanted if agrees else {"error": str(error)})
    return results


def run_eval(case: dict[str, Any]) -> Any:
    return _run(case, "evaluate")


def run_predicate(case: dict[str, Any]) -> Any:
    return _run(case, "predicate")


def run_lambda_type(case: dict[str, Any]) -> Any:
    return Expression(parse_lambda(case["input"])).kind(_scope(case.get("scope", {}))).word


KINDS = {"eval": run_eval, "predicate": run_predicate, "lambda_type": run_lambda_type}

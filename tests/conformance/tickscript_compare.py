"""How a case of the TICKscript case file is compared with what the product says.

Spec "TICKscript" section 11: numbers have a relative tolerance, big ints and special floats are strings, error texts are
exact unless the case is `loose`, `unordered` or `crash`.
"""

from __future__ import annotations

import math
import re
from typing import Any

TOLERANCE = 1e-12
_PLACE = re.compile(r"^line \d+ char \d+: ")
_SEPARATORS = re.compile(r"[,\s\[\]]+")


class CaseError(Exception):
    """What the product said where it has an error class of its own; the text is compared like any error."""


class Mismatch(Exception):
    """A key of the case other than `expect` and `error` does not hold."""


def _same_float(expected: float, actual: float) -> bool:
    if math.isnan(expected) or math.isnan(actual):
        return math.isnan(expected) and math.isnan(actual)
    return expected == actual or math.isclose(expected, actual, rel_tol=TOLERANCE, abs_tol=0.0)


def _same_scalar(expected: Any, actual: Any) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool) or expected is None or actual is None:
        return expected is actual
    if isinstance(expected, str) and isinstance(actual, int):
        return re.fullmatch(r"-?\d+", expected) is not None and int(expected) == actual
    if isinstance(expected, str) and isinstance(actual, float):
        return expected in ("NaN", "+Inf", "-Inf") and _same_float(float(expected), actual)
    if isinstance(expected, int) and isinstance(actual, int):
        return expected == actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return _same_float(float(expected), float(actual))
    return type(expected) is type(actual) and bool(expected == actual)


def difference(expected: Any, actual: Any, path: str = "") -> str | None:
    """Where two values first differ, in words, or `None` when they agree."""
    where = path or "value"
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in expected:
            if key not in actual:
                return f"{where}: key {key!r} is missing"
            found = difference(expected[key], actual[key], f"{path}.{key}")
            if found is not None:
                return found
        extra = sorted(str(key) for key in actual if key not in expected)
        return f"{where}: further keys {extra}" if extra else None
    if isinstance(expected, list) and isinstance(actual, list | tuple):
        for index, (left, right) in enumerate(zip(expected, actual, strict=False)):
            found = difference(left, right, f"{path}[{index}]")
            if found is not None:
                return found
        return None if len(expected) == len(actual) else f"{where}: {len(actual)} items instead of {len(expected)}"
    return None if _same_scalar(expected, actual) else f"{where}: expected {expected!r}, got {actual!r}"


def error_difference(case: dict[str, Any], text: str) -> str | None:
    """How an error text differs from the one the case wants, or `None`."""
    wanted = case["error"]
    if case.get("crash"):
        return None
    if case.get("loose"):
        place = _PLACE.match(wanted)
        if place is None or text.startswith(place[0]):
            return None
        return f"error: expected one that begins with {place[0]!r}, got {text!r}"
    if case.get("unordered") and sorted(_SEPARATORS.split(wanted)) == sorted(_SEPARATORS.split(text)):
        return None
    return None if wanted == text else f"error: expected {wanted!r}\n            got {text!r}"

"""The mathematical functions over arrays of doubles, with Go's results at the edges (spec 5.3).

Every function takes float64 arrays (or scalars, which numpy lifts) and returns a float64 array of the same shape. The
interpreter calls them with one value, the column engine with whole columns: one implementation, hence one result.
Functions that numpy lacks go value by value through the C library, whose results they take as they are.
"""

from __future__ import annotations

import ctypes
import math
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Floats = Any
"""A float64 array, or something that numpy makes one of."""


def _each(function: Callable[..., float]) -> Callable[..., NDArray[np.float64]]:
    """Lift a function of Python floats over arrays."""
    lifted = np.frompyfunc(function, _arity(function), 1)

    def over(*columns: Floats) -> NDArray[np.float64]:
        return np.asarray(lifted(*columns), dtype=np.float64)

    return over


def _arity(function: Callable[..., float]) -> int:
    return 2 if function in (_jn, _yn) else 1


@cache
def _library() -> ctypes.CDLL:
    """The C library that holds the Bessel functions: the process has it mapped already where it can be."""
    # The interpreter itself is linked against it; where a platform loads it apart, it goes by one of these names.
    for name in (None, "libm.so.6", "libm.dylib"):
        library = ctypes.CDLL(name)
        if hasattr(library, "jn"):
            break
    for single in ("j0", "j1", "y0", "y1"):
        function = getattr(library, single)
        function.restype, function.argtypes = ctypes.c_double, (ctypes.c_double,)
    for order in ("jn", "yn"):
        function = getattr(library, order)
        function.restype, function.argtypes = ctypes.c_double, (ctypes.c_int, ctypes.c_double)
    return library


def _bessel(name: str) -> Callable[[float], float]:
    def call(x: float) -> float:
        if math.isinf(x):
            # Go's first-kind functions vanish at both infinities; of the second kind only at the positive one.
            return 0.0 if x > 0 or name.startswith("j") else math.nan
        return float(getattr(_library(), name)(x))

    return call


_ORDER_LIMIT: Final = 1100
"""From this order on, and beyond four times the argument, J is below the smallest double and Y above the largest."""

_LONGEST_RECURRENCE: Final = 1_000_000
"""The C library takes a step for each order, so one call of a huge order would hold a node for seconds or years."""

_ASYMPTOTIC: Final = 2.0**302
"""From this argument on the C library needs no steps, and of the order counts only its remainder by four."""


def _reduced(n: int) -> int:
    """An order of int32 that means the same for arguments from `_ASYMPTOTIC` on."""
    small = abs(n) % 4 + 4
    return -small if n < 0 else small


def _jn(n: int, x: float) -> float:
    if math.isnan(x):
        return math.nan
    if math.isinf(x):
        return 0.0
    if abs(n) > _ORDER_LIMIT and abs(n) > 4.0 * abs(x):
        return 0.0
    if abs(n) > _LONGEST_RECURRENCE:
        return float(_library().jn(_reduced(n), x)) if abs(x) >= _ASYMPTOTIC else math.nan
    return float(_library().jn(n, x))


def _yn(n: int, x: float) -> float:
    if math.isnan(x) or x < 0.0:
        return math.nan
    if math.isinf(x):
        return 0.0
    if abs(n) > _ORDER_LIMIT and abs(n) > 4.0 * x:
        return math.inf if n < 0 and n % 2 else -math.inf
    if abs(n) > _LONGEST_RECURRENCE:
        return float(_library().yn(_reduced(n), x)) if x >= _ASYMPTOTIC else math.nan
    return float(_library().yn(n, x))


def _gamma(x: float) -> float:
    if x == 0.0:
        return math.copysign(math.inf, x)
    if math.isinf(x):
        return math.inf if x > 0 else math.nan
    try:
        return math.gamma(x)
    except ValueError:
        return math.nan
    except OverflowError:
        return math.inf if x > 0 or math.floor(x) % 2 == 0 else -math.inf


def _logb(x: Floats) -> NDArray[np.float64]:
    values = np.asarray(x, np.float64)
    exponents = np.frexp(values)[1] - 1.0
    exponents = np.where(values == 0.0, -np.inf, exponents)
    return np.where(np.isfinite(values), exponents, np.abs(values))


def _maximum(x: Floats, y: Floats) -> NDArray[np.float64]:
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    # Adding zeros settles the sign: +0 wins over -0.
    larger = np.where((a == 0.0) & (b == 0.0), a + b, np.maximum(a, b))
    return np.where((a == np.inf) | (b == np.inf), np.inf, larger)


def _minimum(x: Floats, y: Floats) -> NDArray[np.float64]:
    return -_maximum(-np.asarray(x, np.float64), -np.asarray(y, np.float64))


def _power(x: Floats, y: Floats) -> NDArray[np.float64]:
    # For a scalar exponent of 0.5 numpy takes the square root, of which -Inf has none; -1 and 2 differ in the last
    # digit from what a column of exponents gives. Exponents that lie one by one in memory go the general way.
    shape = np.broadcast_shapes(np.shape(x), np.shape(y))
    base = np.broadcast_to(np.asarray(x, np.float64), shape or (1,))
    exponent = np.full(shape or (1,), y, np.float64)
    return np.power(base, exponent).reshape(shape)


_POWERS: Final = np.array([float(f"1e{n}") for n in range(-323, 309)])


def _pow10(n: Floats) -> NDArray[np.float64]:
    orders = np.asarray(n, np.int64)
    powers = _POWERS[np.clip(orders, -323, 308) + 323]
    return np.where(orders > 308, np.inf, np.where(orders < -323, 0.0, powers))


ONE: Final[dict[str, Callable[..., Any]]] = {
    "abs": np.abs, "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh,
    "atan": np.arctan, "atanh": np.arctanh, "cbrt": np.cbrt, "ceil": np.ceil, "cos": np.cos, "cosh": np.cosh,
    "erf": _each(math.erf), "erfc": _each(math.erfc), "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1,
    "floor": np.floor, "gamma": _each(_gamma), "j0": _each(_bessel("j0")), "j1": _each(_bessel("j1")),
    "log": np.log, "log10": np.log10, "log1p": np.log1p, "log2": np.log2, "logb": _logb, "sin": np.sin,
    "sinh": np.sinh, "sqrt": np.sqrt, "tan": np.tan, "tanh": np.tanh, "trunc": np.trunc,
    "y0": _each(_bessel("y0")), "y1": _each(_bessel("y1")),
}  # fmt: skip
"""float → float."""

TWO: Final[dict[str, Callable[..., Any]]] = {
    "atan2": np.arctan2, "hypot": np.hypot, "max": _maximum, "min": _minimum, "mod": np.fmod, "pow": _power,
}  # fmt: skip
"""float, float → float."""

ORDER: Final[dict[str, Callable[..., Any]]] = {"jn": _each(_jn), "yn": _each(_yn)}
"""int, float → float."""

POW10: Final = _pow10
"""int → float."""


def scalar(function: Callable[..., Any]) -> Callable[..., float]:
    """The function on single values, as a Python float and without floating-point warnings."""

    def call(*values: float) -> float:
        with np.errstate(all="ignore"):
            return float(function(*values))

    return call

"""Forecasts by the method of Holt and Winters, as numbers: a series in, its fit and forecast out (nodes.md §16.3).

The reference's results are reproduced to the last bit, so the order of operations is part of the meaning, and so are its
oddities: each evaluation clamps the smoothing parameters and moves the seasonal values in the vertex itself, and after a
failed contraction only the worst two vertices are valued anew. Nothing here knows of points or batches.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from engine.frames.jit import F64, F64_OUT, INT, helper, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_STEPS = 1000
_NEAR_ENOUGH = 1e-4
_LOW, _STEP = 0.3, 0.4
_PLAIN = 6
"""Parameters before the seasonal ones: alpha, beta, gamma, phi, level, trend."""
_TINY = -(1 << 12)


@helper
def _ratio(a: Any, b: Any) -> Any:
    """Division as hardware has it: by zero it gives an infinity or NaN."""
    if b != 0.0:
        return a / b
    if a == 0.0 or math.isnan(a):
        return np.nan
    return math.copysign(np.inf, a) * math.copysign(1.0, b)


@helper
def _power(x: Any, n: Any) -> Any:
    """x to the n (0 <= x <= 1, n >= 1) by squaring the mantissa: correct rounding would differ in the last bit."""
    if x == 1.0 or n == 1 or math.isnan(x):
        return x
    product = 1.0
    exponent = 0
    mantissa, order = math.frexp(x)
    while n != 0:
        if order < _TINY:
            exponent += order
            break
        if n & 1 == 1:
            product *= mantissa
            exponent += order
        mantissa *= mantissa
        order *= 2
        if mantissa < 0.5:
            mantissa += mantissa
            order -= 1
        n >>= 1
    return math.ldexp(product, exponent)


@helper
def _forecast(y: Any, p: Any, season: Any, out: Any) -> None:
    """Values from the first of `y` on, as many as `out` has; `season` 0 is none. Changes the parameters `p`."""
    for i in range(4):
        if p[i] > 1.0:
            p[i] = 1.0
        elif not p[i] >= 0.0 and not math.isnan(p[i]):
            p[i] = 0.0
    alpha, beta, gamma, phi = p[0], p[1], p[2], p[3]
    level, trend = p[4], p[5]
    damped = phi
    value = y[0]
    out[0] = value
    for t in range(1, len(out)):
        now, ahead = 1.0, 1.0
        place = 0
        if season > 0:
            place = (2 * t - 2) % season
            now = p[_PLAIN + place]
            ahead = p[_PLAIN + (place + t % season) % season]
        before = level + phi * trend
        new = alpha * _ratio(value, now) + (1 - alpha) * before
        moved = beta * (new - level) + (1 - beta) * phi * trend
        if season > 0:
            p[_PLAIN + place] = gamma * _ratio(value, before) + (1 - gamma) * now
        value = (new + damped * moved) * ahead
        level, trend = new, moved
        damped += _power(phi, t)
        out[t] = value


@helper
def _deviation(y: Any, p: Any, season: Any, scratch: Any) -> Any:
    """The sum of squared errors over the values that there are."""
    _forecast(y, p, season, scratch)
    total = 0.0
    for i in range(len(y)):
        if not math.isnan(y[i]):
            if math.isnan(scratch[i]):
                return np.inf
            difference = scratch[i] - y[i]
            total += difference * difference
    return total


@helper
def _spread_of(f: Any) -> Any:
    """How far the values at the vertices are from their mean."""
    total = 0.0
    for i in range(len(f)):
        total += f[i]
    mean = total / len(f)
    squares = 0.0
    for i in range(len(f)):
        squares += (f[i] - mean) * (f[i] - mean) / (len(f) - 1)
    return math.sqrt(squares)


@helper
def _minimise(y: Any, start: Any, season: Any, v: Any, f: Any, scratch: Any, found: Any) -> Any:
    """Nelder-Mead from `start`; the error of the best vertex, which is copied to `found` before it is valued once more.

    `v` holds a vertex a row, one more than there are parameters, and behind them three rows to work with.
    """
    n = len(start)
    middle, mirror, further = v[n + 1], v[n + 2], v[n + 3]
    near = (math.sqrt(n + 1) - 1) / (n * math.sqrt(2))
    far = (math.sqrt(n + 1) - 1 + n) / (n * math.sqrt(2))
    for i in range(n + 1):
        for j in range(n):
            v[i, j] = start[j] + (0.0 if i == 0 else far if i == j + 1 else near)
        f[i] = _deviation(y, v[i], season, scratch)
    for _ in range(_MOST_STEPS):
        worst, best = 0, 0
        for i in range(n + 1):
            if f[i] > f[worst]:
                worst = i
            if f[i] < f[best]:
                best = i
        second = best
        for i in range(n + 1):
            if f[i] > f[second] and f[i] < f[worst]:
                second = i
        for j in range(n):
            total = 0.0
            for i in range(n + 1):
                if i != worst:
                    total += v[i, j]
            middle[j] = total / n
            mirror[j] = middle[j] + (middle[j] - v[worst, j])
        at_mirror = _deviation(y, mirror, season, scratch)
        if at_mirror < f[best]:
            for j in range(n):
                further[j] = middle[j] + 2.0 * (mirror[j] - middle[j])
            at_further = _deviation(y, further, season, scratch)
            if at_further < at_mirror:
                v[worst, :] = further
                f[worst] = at_further
            else:
                v[worst, :] = mirror
                f[worst] = at_mirror
        elif at_mirror < f[second]:
            v[worst, :] = mirror
            f[worst] = at_mirror
        if at_mirror >= f[second]:
            for j in range(n):
                if at_mirror < f[worst]:
                    further[j] = middle[j] + 0.5 * (mirror[j] - middle[j])
                else:
                    further[j] = middle[j] - 0.5 * (middle[j] - v[worst, j])
            at_further = _deviation(y, further, season, scratch)
            if at_further < f[worst]:
                v[worst, :] = further
                f[worst] = at_further
            else:
                for i in range(n + 1):
                    if i != best:
                        for j in range(n):
                            v[i, j] = v[best, j] + (v[i, j] - v[best, j]) / 2.0
                f[worst] = _deviation(y, v[worst], season, scratch)
                f[second] = _deviation(y, v[second], season, scratch)
        if _spread_of(f) < _NEAR_ENOUGH:
            break
    best = 0
    for i in range(n + 1):
        if f[i] < f[best]:
            best = i
    found[:] = v[best]
    return _deviation(y, v[best], season, scratch)


@helper
def _guess(y: Any, season: Any, p: Any) -> None:
    """The level, trend and seasonal values to start from."""
    p[4], p[5] = 0.0, 0.0
    if season == 0:
        p[4] = 0.5 * y[0]
        if not math.isnan(y[1]):
            p[5] = 0.5 * (y[1] - y[0])
        return
    for i in range(min(season, len(y))):
        if not math.isnan(y[i]):
            p[4] += (1.0 / season) * y[i]
    for i in range(min(season, len(y) - season)):
        if not math.isnan(y[i]) and not math.isnan(y[season + i]):
            p[5] += 1.0 / (season * season) * (y[season + i] - y[i])
    for i in range(season):
        p[_PLAIN + i] = _ratio(y[i], p[4]) if i < len(y) and not math.isnan(y[i]) else 0.0


@kernel(types.void, F64, INT, F64_OUT)
def _fit(y: Any, season: Any, out: Any) -> None:
    n = _PLAIN + season
    start, winner, found = np.empty(n), np.empty(n), np.empty(n)
    v, f, scratch = np.empty((n + 4, n)), np.empty(n + 1), np.empty(len(y))
    _guess(y, season, start)
    least = np.inf
    for k in range(16):
        for i in range(4):
            start[i] = _LOW + _STEP if k >> (3 - i) & 1 else _LOW
        error = _minimise(y, start, season, v, f, scratch, found)
        if error < least or k == 0:
            least = error
            winner[:] = found
    _forecast(y, winner, season, out)


def fit(y: NDArray[np.float64], ahead: int, season: int) -> NDArray[np.float64]:
    """The fit of `y` (NaN: no value; at least two) and, behind it, `ahead` values more; `season` below 2 is none."""
    out = np.empty(len(y) + ahead)
    # Run as plain Python, the kernel would warn of overflows, which only make a start a bad one.
    with np.errstate(all="ignore"):
        _fit(y, season if season >= 2 else 0, out)
    return out

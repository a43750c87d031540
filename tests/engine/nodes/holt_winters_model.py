"""Holt-Winters with lists and loops: what the spec "Pipeline nodes" §16.3 says, as plain as can be."""

from __future__ import annotations

import math
from itertools import product


def divide(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)


def power(x: float, n: int) -> float:
    """By squaring the mantissa, as the reference's language has it."""
    if x == 1 or n == 1 or math.isnan(x):
        return x
    mantissa, exponent = math.frexp(x)
    product_, total = 1.0, 0
    for bit in bin(n)[:1:-1]:
        if exponent < -4096:
            return 0.0
        if bit == "1":
            product_, total = product_ * mantissa, total + exponent
        mantissa, exponent = mantissa * mantissa, exponent * 2
        if mantissa < 0.5:
            mantissa, exponent = mantissa * 2, exponent - 1
    return math.ldexp(product_, total)


def forecast(y0: float, count: int, p: list[float], season: int) -> list[float]:
    p[:4] = [min(max(v, 0.0), 1.0) if not math.isnan(v) else v for v in p[:4]]
    alpha, beta, gamma, phi, level, trend = p[:6]
    out, damped = [y0], phi
    for t in range(1, count):
        place = (2 * t - 2) % season if season else 0
        now = p[6 + place] if season else 1.0
        ahead = p[6 + (place + t % season) % season] if season else 1.0
        reached = level + phi * trend
        new = alpha * divide(out[-1], now) + (1 - alpha) * reached
        moved = beta * (new - level) + (1 - beta) * phi * trend
        if season:
            p[6 + place] = gamma * divide(out[-1], reached) + (1 - gamma) * now
        out.append((new + damped * moved) * ahead)
        level, trend = new, moved
        damped += power(phi, t)
    return out


def error(y: list[float], p: list[float], season: int) -> float:
    total = 0.0
    for wanted, got in zip(y, forecast(y[0], len(y), p, season), strict=True):
        if math.isnan(wanted):
            continue
        if math.isnan(got):
            return math.inf
        total += (got - wanted) * (got - wanted)
    return total


def minimise(y: list[float], start: list[float], season: int) -> tuple[float, list[float]]:
    n = len(start)
    near, far = (
        (math.sqrt(n + 1) - 1) / (n * math.sqrt(2)),
        (math.sqrt(n + 1) - 1 + n) / (n * math.sqrt(2)),
    )
    v = [list(start), *([s + (far if i == j else near) for j, s in enumerate(start)] for i in range(n))]
    f = [error(y, x, season) for x in v]
    for _ in range(1000):
        worst, best = f.index(max(f)), f.index(min(f))
        second = best
        for i in range(n + 1):
            if f[second] < f[i] < f[worst]:
                second = i
        middle = []
        for j in range(n):
            total = 0.0
            for i in range(n + 1):
                if i != worst:
                    total += v[i][j]
            middle.append(total / n)
        mirror = [m + (m - w) for m, w in zip(middle, v[worst], strict=True)]
        at_mirror = error(y, mirror, season)
        if at_mirror < f[best]:
            further = [m + 2.0 * (r - m) for m, r in zip(middle, mirror, strict=True)]
            at_further = error(y, further, season)
            f[worst], v[worst] = (at_further, further) if at_further < at_mirror else (at_mirror, list(mirror))
        elif at_mirror < f[second]:
            f[worst], v[worst] = at_mirror, list(mirror)
        if at_mirror >= f[second]:
            if at_mirror < f[worst]:
                nearer = [m + 0.5 * (r - m) for m, r in zip(middle, mirror, strict=True)]
            else:
                nearer = [m - 0.5 * (m - w) for m, w in zip(middle, v[worst], strict=True)]
            at_nearer = error(y, nearer, season)
            if at_nearer < f[worst]:
                f[worst], v[worst] = at_nearer, nearer
            else:
                for i in range(n + 1):
                    if i != best:
                        v[i] = [b + (x - b) / 2.0 for b, x in zip(v[best], v[i], strict=True)]
                f[worst] = error(y, v[worst], season)
                f[second] = error(y, v[second], season)
        total = 0.0
        for x in f:
            total += x
        mean, squares = total / (n + 1), 0.0
        for x in f:
            squares += (x - mean) * (x - mean) / n
        if math.sqrt(squares) < 1e-4:
            break
    best = f.index(min(f))
    found = list(v[best])
    return error(y, v[best], season), found


def fitted(y: list[float], ahead: int, m: int) -> list[float]:
    season = m if m >= 2 else 0
    level, trend, s = 0.0, 0.0, []
    if season:
        for v in y[:season]:
            level += 0.0 if math.isnan(v) else (1 / season) * v
        for a, b in zip(y[:season], y[season : 2 * season], strict=False):
            trend += 0.0 if math.isnan(a + b) else 1 / (season * season) * (b - a)
        s = [0.0 if math.isnan(v) else divide(v, level) for v in (y + [math.nan] * season)[:season]]
    else:
        level = 0.5 * y[0]
        trend = 0.0 if math.isnan(y[1]) else 0.5 * (y[1] - y[0])
    least, winner = math.inf, None
    for guess in product((0.3, 0.7), repeat=4):
        found, p = minimise(y, [*guess, level, trend, *s], season)
        if found < least or winner is None:
            least, winner = found, p
    assert winner is not None
    return forecast(y[0], len(y) + ahead, winner, season)

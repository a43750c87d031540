"""What stateful functions remember: one state for each expression and group (spec 4.6, 5.6).

A state belongs to function *names*: two calls of `sigma` in one expression share one running mean. An embedded lambda
has a state of its own, which the states of all groups share. All numbers follow the order of calls exactly, so that
states kept in arrays by the column engine stay equal bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

_MASK: Final = 2**64 - 1
GOLDEN: Final = 0x9E3779B97F4A7C15
"""The step of the generator (SplitMix64: the state is a counter, so any number of draws is one addition)."""


@dataclass(slots=True)
class State:
    """The state of one expression for one group; `embedded` are those of its embedded lambdas, in order."""

    counted: int = 0
    sigma_n: float = 0.0
    sigma_mean: float = 0.0
    sigma_m2: float = 0.0
    spread_min: float = math.inf
    spread_max: float = -math.inf
    seed: int = 0
    embedded: list[State] = field(default_factory=list)

    def count(self) -> int:
        """The number of calls so far, this one included."""
        self.counted += 1
        return self.counted

    def sigma(self, x: float) -> float:
        """The distance of x from the running mean in running sample standard deviations, x included."""
        self.sigma_n += 1.0
        delta = x - self.sigma_mean
        self.sigma_mean += delta / self.sigma_n
        self.sigma_m2 += delta * (x - self.sigma_mean)
        if self.sigma_n < 2.0:
            return 0.0
        variance = self.sigma_m2 / (self.sigma_n - 1.0)
        if variance == 0.0:
            return 0.0
        # Rounding cannot make the sum of squares negative, but infinities can make it NaN.
        return abs(x - self.sigma_mean) / math.sqrt(variance) if variance > 0.0 else math.nan

    def spread(self, x: float) -> float:
        """Running maximum less running minimum; NaN changes neither."""
        self.spread_min = min(self.spread_min, x)
        self.spread_max = max(self.spread_max, x)
        return self.spread_max - self.spread_min

    def rand(self) -> int:
        """A random int from 0 to 2**63 - 1."""
        self.seed = (self.seed + GOLDEN) & _MASK
        z = self.seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return (z ^ (z >> 31)) >> 1

    def rand_below(self, n: int) -> int:
        """A random int from 0 to n - 1, or 0 when n is not positive."""
        drawn = self.rand()
        return drawn % n if n > 0 else 0

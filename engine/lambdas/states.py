"""The states of one expression for all its groups: arrays indexed by group slot (spec 4.6).

The numbers are those of `tickscript.lambdas.state.State`, held in columns so that a kernel can run over the rows of
many groups. An embedded lambda has one state for all groups, hence arrays of length one. Slots are the caller's: it
gives each group one, and calls `reset` before it gives a slot away again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tickscript.lambdas.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

_COLUMNS: Final[dict[str, tuple[str, Any, float]]] = {
    "counted": ("<i8", np.int64, 0),
    "sigma_n": ("<f8", np.float64, 0.0),
    "sigma_mean": ("<f8", np.float64, 0.0),
    "sigma_m2": ("<f8", np.float64, 0.0),
    "spread_min": ("<f8", np.float64, np.inf),
    "spread_max": ("<f8", np.float64, -np.inf),
    "seed": ("<u8", np.uint64, 0),
}
_NEEDED: Final = {
    "count": ("counted",),
    "sigma": ("sigma_n", "sigma_mean", "sigma_m2"),
    "spread": ("spread_min", "spread_max"),
    "rand": ("seed",),
}


class Scope:
    """The arrays of one expression, or of one embedded lambda; `columns` holds those that its calls need."""

    __slots__ = ("_seed", "capacity", "columns")

    def __init__(self, calls: Iterable[str], seed: Callable[[], int], capacity: int) -> None:
        names = [name for call in sorted(calls) for name in _NEEDED.get(call, ())]
        self.columns: dict[str, NDArray[Any]] = {name: np.empty(0, _COLUMNS[name][1]) for name in names}
        self._seed = seed
        self.capacity = 0
        self.grow(capacity)

    def grow(self, capacity: int) -> None:
        """Room for slots below `capacity`, new ones in their first state."""
        if capacity <= self.capacity:
            return
        room = max(capacity, 2 * self.capacity)
        for name, old in self.columns.items():
            column = np.full(room, _COLUMNS[name][2], _COLUMNS[name][1])
            column[: len(old)] = old
            if name == "seed":
                column[len(old) :] = [self._seed() for _ in range(room - len(old))]
            self.columns[name] = column
        self.capacity = room

    def reset(self, slot: int) -> None:
        if slot < self.capacity:
            for name, column in self.columns.items():
                column[slot] = self._seed() if name == "seed" else _COLUMNS[name][2]

    def load(self, slot: int, embedded: list[State]) -> State:
        """The state of one slot as the interpreter takes it."""
        return State(embedded=embedded, **{name: column[slot].item() for name, column in self.columns.items()})

    def store(self, slot: int, state: State) -> None:
        for name, column in self.columns.items():
            column[slot] = getattr(state, name)

    def snapshot(self) -> dict[str, bytes]:
        return {name: column.astype(_COLUMNS[name][0]).tobytes() for name, column in self.columns.items()}

    def restore(self, state: dict[str, bytes]) -> None:
        for name in self.columns:
            self.columns[name] = np.frombuffer(state[name], _COLUMNS[name][0]).astype(_COLUMNS[name][1])
            self.capacity = len(self.columns[name])


class States:
    """`own` is indexed by slot; `embedded` are those of embedded lambdas, in depth-first order of the `shape`."""

    __slots__ = ("_shape", "embedded", "own")

    def __init__(self, calls: Iterable[str], shape: list[Any], seed: Callable[[], int]) -> None:
        self.own = Scope(calls, seed, 1)
        self._shape = shape
        self.embedded = [Scope(calls, seed, 1) for _ in range(_size(shape))]

    def grow(self, capacity: int) -> None:
        """Make room for slots below `capacity`."""
        self.own.grow(capacity)

    def reset(self, slot: int) -> None:
        """Forget a group; what embedded lambdas remember is not a group's."""
        self.own.reset(slot)

    def borrow(self) -> list[State]:
        """The embedded lambdas' states as the interpreter takes them, nested as in the expression."""
        return _nest(self._shape, iter([scope.load(0, []) for scope in self.embedded]))

    def give_back(self, borrowed: list[State]) -> None:
        """Take over what the interpreter made of `borrow()`."""
        for scope, state in zip(self.embedded, _flatten(borrowed), strict=True):
            scope.store(0, state)

    def snapshot(self) -> dict[str, Any]:
        """All states as plain msgpack values."""
        return {"own": self.own.snapshot(), "embedded": [scope.snapshot() for scope in self.embedded]}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `snapshot` of the same expression gave."""
        self.own.restore(state["own"])
        for scope, saved in zip(self.embedded, state["embedded"], strict=True):
            scope.restore(saved)


def _size(shape: list[Any]) -> int:
    return sum(1 + _size(inner) for inner in shape)


def _nest(shape: list[Any], states: Any) -> list[State]:
    nested = []
    for inner in shape:
        state: State = next(states)
        state.embedded = _nest(inner, states)
        nested.append(state)
    return nested


def _flatten(states: list[State]) -> list[State]:
    return [s for state in states for s in (state, *_flatten(state.embedded))]

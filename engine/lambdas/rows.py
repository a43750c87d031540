"""Row by row through the interpreter: columns whose kind changes, shared states, and what has no column form.

The states are those of the columns, loaded for the slots that occur and stored again, so an expression may change
between the two ways from frame to frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tickscript.lambdas.errors import LambdaError
from tickscript.lambdas.values import MISSING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.lambdas.sources import Source
    from engine.lambdas.states import States
    from tickscript.lambdas.expression import Expression
    from tickscript.lambdas.state import State
    from tickscript.lambdas.values import Value


def conflict(name: str) -> str:
    """The error of a name that is a field and a tag of one point."""
    return f'cannot have field and tags with same name "{name}"'


def each_row(
    expression: Expression,
    sources: list[Source],
    n: int,
    slots: NDArray[Any] | None,
    states: States | None,
    *,
    predicate: bool,
) -> list[Value | LambdaError]:
    """The value of each of `n` rows in order, or its error. `states` is changed."""
    names = expression.references
    zone = expression.environment.zone
    columns = [source.values(n, zone) for source in sources]
    rows: Any = zip(*columns, strict=True) if columns else ((),) * n
    evaluate = expression.predicate if predicate else expression.evaluate
    slot_of = [0] * n if slots is None else slots.tolist()
    embedded = [] if states is None else states.borrow()
    loaded: dict[int, State] = {}
    blank = expression.new_state()
    results: list[Value | LambdaError] = []
    for slot, row in zip(slot_of, rows, strict=True):
        state = blank
        if states is not None:
            found = loaded.get(slot)
            state = loaded[slot] = states.own.load(slot, embedded) if found is None else found
        if None in row:
            results.append(LambdaError(conflict(names[row.index(None)])))
            continue
        try:
            scope = {name: value for name, value in zip(names, row, strict=True) if value is not MISSING}
            results.append(evaluate(scope, state))
        except LambdaError as error:
            results.append(error)
    if states is not None:
        for slot, state in loaded.items():
            states.own.store(slot, state)
        states.give_back(embedded)
    return results

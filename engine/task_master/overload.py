"""When writers are slowed: the server as a whole is overloaded, not one task of it (DESIGN §4). Pure.

That is when at least one fork is not stalled, and all that are not stalled lag by more than half of the retention. Beside a
healthy fork a slow task never slows a writer; a stalled one never does. A fork of which nothing is known to be wrong but
whose processes are down counts as stalled: nobody would be helped by waiting for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from engine.task_master.forks import Fork

ENOUGH = 0.5


def overloaded(forks: Iterable[Fork], stalled: Container[str], lag: Callable[[Fork], float]) -> bool:
    """`stalled` are the tasks with a stalled node; `lag` gives how far a fork is behind as a share of the retention."""
    counted = False
    for fork in forks:
        if fork.dead or fork.drained or fork.task in stalled:
            continue
        if fork.live or lag(fork) <= ENOUGH:
            return False
        counted = True
    return counted

"""How failures of lambdas are told: all are counted, one line a frame says what the first of them was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.operator import Report


def report_failures(
    report: Report, message: str, errors: Sequence[tuple[int, str]], failed: int, *, log: bool = True
) -> None:
    """Count `failed` points; `errors` has the row and text of the first of them."""
    if failed:
        more: dict[str, Any] = {"points": failed} if failed > 1 else {}
        report.error(message, errors[0][1] if errors else "", times=failed, log=log, **more)

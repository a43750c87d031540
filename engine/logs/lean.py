"""structlog without rich: it would load its 50 modules into every process, for tracebacks in a form that is not used here."""

from __future__ import annotations

import sys

_ABSENT = object()

_rich = sys.modules.get("rich", _ABSENT)
sys.modules["rich"] = None  # type: ignore[assignment]  # how an import is made to fail
try:
    import structlog
finally:
    if _rich is _ABSENT:
        del sys.modules["rich"]
    else:
        sys.modules["rich"] = _rich  # type: ignore[assignment]

__all__ = ["structlog"]

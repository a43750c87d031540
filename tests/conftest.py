"""How property tests run: without a deadline (machines differ) and without a database, so that a run leaves no file behind."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

# Without the phase that explains a failure: it runs the failing test many times under a tracer, for minutes.
_PHASES = (Phase.explicit, Phase.generate, Phase.target, Phase.shrink)
_COMMON = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow],
    "phases": _PHASES,
}

settings.register_profile("default", **_COMMON)
settings.register_profile("few", max_examples=10, **_COMMON)
settings.load_profile("few" if os.environ.get("TICKWORKS_TEST_EXAMPLES") == "few" else "default")

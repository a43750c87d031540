"""How property tests run: without a deadline (machines differ) and without a database, so that a run leaves no file behind."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("default", **_COMMON)
settings.register_profile("few", max_examples=10, **_COMMON)
settings.load_profile("few" if os.environ.get("TICKWORKS_TEST_EXAMPLES") == "few" else "default")

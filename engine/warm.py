"""Kernels are compiled when the code is set up, so that no user waits for them in operation.

Importing a module that declares kernels compiles them, or loads them from Numba's disk cache (`engine.frames.jit`), so
warming is importing every such module once.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING

# numpy's own threads would be copied by no fork and are used by nothing here.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if TYPE_CHECKING:
    from collections.abc import Iterator

_DECLARES = re.compile(r"^from engine\.frames(\.jit import | import .*\bjit\b)", re.MULTILINE)


def modules() -> list[str]:
    """The modules that declare kernels, by name, sorted."""
    package = importlib.import_module("engine")
    return sorted(info.name for info in pkgutil.walk_packages(package.__path__, "engine.") if _declares(info.name))


def _declares(name: str) -> bool:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None or not found.origin.endswith(".py"):
        return False
    return _DECLARES.search(Path(found.origin).read_text(encoding="utf-8")) is not None


def warm() -> Iterator[tuple[int, int, str]]:
    """Load them one by one; yields (number, of how many, name) before each."""
    names = modules()
    for number, name in enumerate(names, 1):
        yield number, len(names), name
        importlib.import_module(name)

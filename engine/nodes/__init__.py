"""The operators: one for each node kind, made of its declaration by `build`."""

from engine.nodes.registry import build, reads_outside

__all__ = ["build", "reads_outside"]

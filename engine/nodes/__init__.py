"""The operators: one for each node kind, made of its declaration by `build`."""

from engine.nodes.registry import build

__all__ = ["build"]

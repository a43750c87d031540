"""What can go wrong with a template: when it is read, and when it is rendered."""

from __future__ import annotations


class TemplateError(Exception):
    """Base of both."""


class ParseError(TemplateError):
    """`template: NAME:LINE: TEXT`, as Go says it."""

    def __init__(self, name: str, line: int, text: str) -> None:
        super().__init__(f"template: {name}:{line}: {text}")


class ExecutionError(TemplateError):
    """`template: NAME:LINE:COLUMN: executing "NAME" at <CONTEXT>: TEXT`."""


class CallFailed(Exception):  # turned into an ExecutionError by the action that called
    """A function or operand cannot do what is asked; the text alone."""

"""The errors of lambdas; their texts are those of the reference."""

from __future__ import annotations

from typing import ClassVar

from tickscript.errors import EvaluationError


class CompileError(EvaluationError):
    """The expression cannot be evaluated whatever the values are; found when a task starts (spec 4.2)."""

    name: ClassVar[str] = "lambda.compile"


class DepthError(CompileError):
    """The expression nests deeper, or chains longer, than the evaluators follow; said without the way there."""


class LambdaError(EvaluationError):
    """The expression cannot be evaluated on these values."""

    name: ClassVar[str] = "lambda.evaluate"


class CallError(Exception):
    """A library function refuses its arguments; the caller puts `error calling "NAME": ` in front."""


DIVIDE_BY_ZERO = "runtime error: integer divide by zero"

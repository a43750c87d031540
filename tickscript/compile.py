"""From the text of a script to its pipeline: the one way in for everything that runs or shows tasks.

Order of the checks, and so of the errors: supplied vars, parse, type, evaluation, properties, then that the task does
something at all (spec "TICKscript" 6.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from tickscript import ast
from tickscript.errors import EvaluationError, TickscriptError
from tickscript.evaluate import Evaluator
from tickscript.nodes.stats import DeadmanConfig, deadman
from tickscript.parser import parse
from tickscript.pipeline import DBRP, Pipeline
from tickscript.vars import Var, VarValueError, check_vars, script_value, type_word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickscript.nodes.udf import UdfInfo

_NO_VARS: Final[Mapping[str, Var]] = {}
_NO_UDFS: Final[Mapping[str, UdfInfo]] = {}
DEFAULT_DEADMAN: Final = DeadmanConfig()


class TaskTypeError(TickscriptError):
    """No type can be derived from the script; the text stands alone, without `invalid TICKscript: `."""

    name: ClassVar[str] = "tickscript.task_type"


def api_text(error: TickscriptError) -> str:
    """The text of the API for an error of `compile_script`."""
    alone = isinstance(error, TaskTypeError | VarValueError)
    return str(error) if alone else f"invalid TICKscript: {error}"


def task_type_of(program: ast.Program) -> str:
    """ "stream" or "batch", from the leftmost names of top-level chains and vars; TaskTypeError when neither or both."""
    found = set()
    for statement in program.statements:
        expression: ast.Node = statement.value if isinstance(statement, ast.Declaration) else statement
        if isinstance(expression, ast.Chain):
            expression, _ = ast.left_spine(expression)
        elif statement is expression:
            continue
        if isinstance(expression, ast.Identifier) and expression.name in {"stream", "batch"}:
            found.add(expression.name)
    if len(found) != 1:
        raise TaskTypeError("invalid task type: invalid")
    return found.pop()


def dbrps_of(program: ast.Program) -> tuple[DBRP, ...]:
    """What the `dbrp` statements name, in order."""
    return tuple(DBRP(s.db.name, s.rp.name) for s in program.statements if isinstance(s, ast.Dbrp))


def compile_script(
    script: str,
    task_type: str | None = None,
    *,
    vars: Mapping[str, Var] | None = None,  # noqa: A002  (the word of the API)
    udfs: Mapping[str, UdfInfo] | None = None,
    deadman: DeadmanConfig | None = None,
) -> Pipeline:
    """The pipeline of a task's script.

    `task_type` "stream" or "batch", None to derive it as tasks do (spec 6.4); `vars` the supplied ones; `udfs` the
    configured UDFs by name; `deadman` the configuration's section. Raises TickscriptError; see `api_text`.
    """
    return _compile(script, task_type, vars or _NO_VARS, udfs or _NO_UDFS, deadman or DEFAULT_DEADMAN, template=False)


def compile_template(
    script: str,
    task_type: str | None = None,
    *,
    udfs: Mapping[str, UdfInfo] | None = None,
    deadman: DeadmanConfig | None = None,
) -> Pipeline:
    """The pipeline of a template: vars without value have the zero value of their type (spec 6.3). It cannot run."""
    return _compile(script, task_type, _NO_VARS, udfs or _NO_UDFS, deadman or DEFAULT_DEADMAN, template=True)


def _compile(
    script: str,
    task_type: str | None,
    supplied: Mapping[str, Var],
    udfs: Mapping[str, UdfInfo],
    config: DeadmanConfig,
    *,
    template: bool,
) -> Pipeline:
    check_vars(supplied)
    values = {name: script_value(name, var) for name, var in supplied.items()}
    program = parse(script)
    evaluator = Evaluator(
        task_type_of(program) if task_type is None else task_type,
        supplied=values,
        supplied_types={name: type_word(var.type) for name, var in supplied.items()},
        udfs=udfs,
        deadman_config=config,
        template=template,
    )
    evaluator.run(program)
    builder = evaluator.builder
    alone = len(builder.sources) == 1 and not builder.source.children
    if config.everywhere and not alone:
        deadman(builder, builder.source, config, config.threshold, config.interval)
    pipeline = Pipeline(builder.source.method, builder.finish(), tuple(evaluator.dbrps), evaluator.scope.vars)
    pipeline.check()
    if not template:
        if alone:
            raise EvaluationError("task does nothing")
        pipeline.refuse()
    return pipeline

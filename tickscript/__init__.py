"""TICKscript as a library: parse, check, evaluate, format and draw scripts without an engine.

Needs neither a server nor a running task: of this distribution it imports only itself. What stands in `__all__` is the
public interface, told in `docs/tickscript.md`; modules are loaded when a name is first used, so that importing the
package costs nothing.

A script becomes a tree, and the tree canonical text:

>>> import tickscript
>>> program = tickscript.parse("stream|from().measurement('cpu')|mean('idle').as('idle')")
>>> print(tickscript.format_program(program), end="")
stream
    |from()
        .measurement('cpu')
    |mean('idle')
        .as('idle')

Compiling links it to the declarations of the nodes; what is wrong is said with its place, in the words of Kapacitor:

>>> pipeline = tickscript.compile_script("stream|from().measurement('cpu')|window().period(10s).every(10s)|log()")
>>> [node.name for node in pipeline.nodes]
['stream0', 'from1', 'window2', 'log3']
>>> print(tickscript.static_dot(pipeline, "cpu"))
digraph cpu {
stream0 -> from1;
from1 -> window2;
window2 -> log3;
}
>>> try:
...     tickscript.compile_script("stream|from().measurment('cpu')|log()")
... except tickscript.TickscriptError as error:
...     print(error)
...     print(error.line, error.char, error.length, tickscript.hint(error))
line 1 char 15: no method or property "measurment" on *pipeline.FromNode
1 15 10 did you mean "measurement" or "groupByMeasurement"?

Pipelines travel as JSON and come back as scripts:

>>> form = tickscript.pipeline_to_json(pipeline)
>>> form["edges"][0]
{'parent': '0', 'child': '1'}
>>> print(tickscript.pipeline_to_tick(tickscript.pipeline_from_json(form)), end="")
stream
    |from()
        .measurement('cpu')
    |window()
        .period(10s)
        .every(10s)
    |log()
        .level('INFO')

Templates show their vars, and a task supplies values for them:

>>> template = tickscript.compile_template("// the measurement\\nvar m string\\nstream|from().measurement(m)|log()")
>>> template.vars["m"]
Var(type='string', value=None, description='the measurement')
>>> supplied = tickscript.decode_vars({"m": {"type": "string", "value": "cpu"}})
>>> script = "var m string\\nstream|from().measurement(m)|log()"
>>> tickscript.compile_script(script, vars=supplied)["from1"].measurement
'cpu'

Lambdas are evaluated row by row; a state carries `count`, `sigma` and `spread` from one row to the next:

>>> expression = tickscript.Expression(tickscript.parse_lambda('"used" / "total" > 0.9 AND count() > 1'))
>>> expression.references
('used', 'total')
>>> state = expression.new_state()
>>> [expression.predicate({"used": 9.5, "total": 10.0}, state) for _ in range(2)]
[False, True]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tickscript.ast_json import from_json as ast_from_json
    from tickscript.ast_json import to_json as ast_to_json
    from tickscript.compile import api_text, compile_script, compile_template, dbrps_of, task_type_of
    from tickscript.definition_files import Definition, parse_definition, parse_vars
    from tickscript.dot import static_dot
    from tickscript.errors import EvaluationError, ParseError, TickscriptError
    from tickscript.formatter import format_expr, format_program, format_script, lost_comments
    from tickscript.lambdas.expression import Expression
    from tickscript.nodes.base import StartError
    from tickscript.nodes.stats import DeadmanConfig
    from tickscript.nodes.udf import UdfInfo
    from tickscript.parser import parse, parse_lambda
    from tickscript.pipeline import DBRP, Pipeline
    from tickscript.pipeline_json import from_json as pipeline_from_json
    from tickscript.pipeline_json import to_json as pipeline_to_json
    from tickscript.pipeline_tick import to_tick as pipeline_to_tick
    from tickscript.suggest import hint, unknown_functions
    from tickscript.templates import Template, read_template
    from tickscript.vars import Var, decode_vars, encode_vars

__all__ = [
    "DBRP",
    "DeadmanConfig",
    "Definition",
    "EvaluationError",
    "Expression",
    "ParseError",
    "Pipeline",
    "StartError",
    "Template",
    "TickscriptError",
    "UdfInfo",
    "Var",
    "api_text",
    "ast_from_json",
    "ast_to_json",
    "compile_script",
    "compile_template",
    "dbrps_of",
    "decode_vars",
    "encode_vars",
    "format_expr",
    "format_program",
    "format_script",
    "hint",
    "lost_comments",
    "parse",
    "parse_definition",
    "parse_lambda",
    "parse_vars",
    "pipeline_from_json",
    "pipeline_to_json",
    "pipeline_to_tick",
    "read_template",
    "static_dot",
    "task_type_of",
    "unknown_functions",
]

_HOMES: Final = {
    "ast_json": ("ast_from_json", "ast_to_json"),
    "compile": ("api_text", "compile_script", "compile_template", "dbrps_of", "task_type_of"),
    "definition_files": ("Definition", "parse_definition", "parse_vars"),
    "dot": ("static_dot",),
    "errors": ("EvaluationError", "ParseError", "TickscriptError"),
    "formatter": ("format_expr", "format_program", "format_script", "lost_comments"),
    "lambdas.expression": ("Expression",),
    "nodes.base": ("StartError",),
    "nodes.stats": ("DeadmanConfig",),
    "nodes.udf": ("UdfInfo",),
    "parser": ("parse", "parse_lambda"),
    "pipeline": ("DBRP", "Pipeline"),
    "pipeline_json": ("pipeline_from_json", "pipeline_to_json"),
    "pipeline_tick": ("pipeline_to_tick",),
    "suggest": ("hint", "unknown_functions"),
    "templates": ("Template", "read_template"),
    "vars": ("Var", "decode_vars", "encode_vars"),
}
_HOME: Final = {name: module for module, names in _HOMES.items() for name in names}
# Names that say more here than in the module that they come from.
_THERE: Final = {
    "ast_from_json": "from_json",
    "ast_to_json": "to_json",
    "pipeline_from_json": "from_json",
    "pipeline_to_json": "to_json",
    "pipeline_to_tick": "to_tick",
}


def __getattr__(name: str) -> Any:
    """A public name, from its module; kept, so that each is looked up once."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{home}"), _THERE.get(name, name))
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

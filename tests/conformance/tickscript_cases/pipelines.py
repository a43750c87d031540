"""Cases of the kinds script_error, nodes, dot, pipeline_json, from_json, vars and vars_json."""

from __future__ import annotations

from typing import Any

from tests.conformance.tickscript_compare import Mismatch
from tickscript.compile import compile_script, compile_template
from tickscript.dot import static_dot
from tickscript.errors import TickscriptError
from tickscript.pipeline_json import from_json, to_json
from tickscript.pipeline_tick import to_tick
from tickscript.vars import decode_vars, encode_vars

Case = dict[str, Any]


def run_script_error(case: Case) -> Any:
    compile_script(case["input"], case["type"], vars=decode_vars(case.get("vars")))
    return "ok"


def run_nodes(case: Case) -> Any:
    return [
        {
            "name": node.name,
            "wants": node.wants,
            "provides": node.provides,
            "parents": [parent.name for parent in node.parents],
        }
        for node in compile_script(case["input"], case["type"]).nodes
    ]


def run_dot(case: Case) -> Any:
    return static_dot(compile_script(case["input"], case["type"]), case["id"])


def run_pipeline_json(case: Case) -> Any:
    pipeline = compile_script(case["input"], case["type"])
    try:
        text = to_tick(pipeline, as_reference=True)
    except TickscriptError as error:
        if "tick_error" not in case:
            raise Mismatch(f"no text: {error}") from None
    else:
        if "tick_error" in case:
            raise Mismatch(f"expected that no text can be made, got {text!r}")
        if text != case["tick"]:
            raise Mismatch(f"text\n{text}\nexpected\n{case['tick']}")
    return to_json(pipeline, as_reference=True)


def run_from_json(case: Case) -> Any:
    return to_tick(from_json(case["input"]), as_reference=True)


def run_vars(case: Case) -> Any:
    return encode_vars(compile_template(case["input"], case["type"]).vars)


def run_vars_json(case: Case) -> Any:
    return encode_vars(decode_vars(case["input"]))


KINDS = {
    "script_error": run_script_error,
    "nodes": run_nodes,
    "dot": run_dot,
    "pipeline_json": run_pipeline_json,
    "from_json": run_from_json,
    "vars": run_vars,
    "vars_json": run_vars_json,
}

"""The reference pages of the node kinds, made of their declarations: `python -m tickscript.reference_docs DIRECTORY`.

Always: a page holds nothing that the declaration does not say; a test compiles every example and holds the pages in
the repository against what this module makes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tickscript.declare import Form, Shape
from tickscript.durations import format_duration
from tickscript.formatter import format_expr
from tickscript.nodes import handlers
from tickscript.nodes.catalogue import CHAINED, KINDS, methods_of
from tickscript.nodes.handlers import HandlerType
from tickscript.nodes.stats import DEADMAN_SIGNATURE, DeadmanConfig, Stats
from tickscript.nodes.udf import Udf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickscript.declare import Declared, Property, Signature
    from tickscript.nodes.base import Node

DEADMAN_EXAMPLE: Final = "stream\n    |from()\n        .measurement('cpu')\n        .groupBy('host')\n    |deadman(1.0, 30s)\n        .slack()"
_NOTE: Final = (
    "<!-- Made by `python -m tickscript.reference_docs docs/reference` from the declarations: do not edit. -->"
)


def pages() -> Mapping[str, str]:
    """All pages, by file name."""
    made = {f"{_stem(kind)}.md": _node_page(kind) for kind in KINDS}
    return {**made, "deadman.md": _deadman_page(), "handlers.md": _handlers_page(), "README.md": _index()}


def _stem(kind: type[Node]) -> str:
    return "udf" if kind is Udf else kind.method


def _title(kind: type[Node]) -> str:
    if kind is Udf:
        return "@name()"
    return f"|{kind.method}()" if any(kind in after for after in _FOLLOWERS.values()) else kind.method


def _first_line(text: str) -> str:
    return text.partition("\n\n")[0].replace("\n", " ")


def _index() -> str:
    lines = [_NOTE, "# Nodes of TICKscript", "", "| | |", "|---|---|"]
    rows = {_title(kind): (f"{_stem(kind)}.md", _first_line(kind.declaration.doc)) for kind in KINDS}
    rows["|deadman()"] = ("deadman.md", "An alert on too few points.")
    for title in sorted(rows, key=lambda title: title.strip("|@").lower()):
        page, doc = rows[title]
        lines.append(f"| [`{_cell(title)}`]({page}) | {_cell(doc)} |")
    lines += ["", "The handlers of alerts are on [a page of their own](handlers.md).", ""]
    return "\n".join(lines)


def _node_page(kind: type[Node]) -> str:
    declaration = kind.declaration
    lines = [_NOTE, f"# `{_title(kind)}`", "", declaration.doc, ""]
    lines += _edges(kind)
    parameters = [p for p in declaration.properties if p.form in {Form.ARGUMENT, Form.ARGUMENTS}]
    if parameters:
        lines += ["## Parameters", "", "| Parameter | Type | |", "|---|---|---|"]
        lines += [f"| {p.name} | {_type(p)} | {_cell(p.doc)} |" for p in parameters]
        lines.append("")
    lines += _properties("## Properties", kind)
    if any(isinstance(p.type, HandlerType) for p in declaration.properties):
        lines += ["The [handlers](handlers.md) are properties, too.", ""]
    lines += ["## Example", "", "```tickscript", kind.example, "```", ""]
    return "\n".join(lines)


def _edges(kind: type[Node]) -> list[str]:
    if kind is Udf:
        return ["Takes and gives what the process says.", ""]
    taken = "what its parent gives" if kind.wants_edge is None else _EDGES[kind.wants_edge]
    given = "the same" if kind.provides_edge is None else _EDGES[kind.provides_edge]
    lines = [f"Takes {taken}; gives {given}." if kind is not Stats else f"Gives {given}.", ""]
    parents = [parent for parent in KINDS if kind in _FOLLOWERS[parent]]
    if len(parents) == len(KINDS):
        lines += ["Follows any node.", ""]
    elif parents and kind not in CHAINED:
        lines += [f"Follows {' and '.join(f'`{_title(parent)}`' for parent in parents)}.", ""]
    if not kind.chains:
        names = sorted({*(f"`{_title(child)}`" for child in _FOLLOWERS[kind]), "`|deadman()`"})
        lines += [f"Only {', '.join(names)} can follow.", ""]
    return lines


_FOLLOWERS: Final = {kind: frozenset(methods_of(kind()).values()) for kind in KINDS}
_EDGES: Final = {"stream": "a stream", "batch": "batches", "noedge": "nothing"}


def _properties(title: str, kind: type[Declared]) -> list[str]:
    shown = [
        p
        for p in kind.declaration.properties
        if p.form not in {Form.ARGUMENT, Form.ARGUMENTS, Form.STATE} and not isinstance(p.type, HandlerType)
    ]
    if not shown:
        return []
    lines = [title, ""] if title else []
    lines += ["| Property | Default | |", "|---|---|---|"]
    owner = kind()
    lines += [f"| `.{p.name}({_cell(_arguments(p))})` | {_default(p, owner)} | {_cell(p.doc)} |" for p in shown]
    return [*lines, ""]


def _arguments(declared: Property) -> str:
    match declared.form:
        case Form.SLOT:
            return declared.type.word
        case Form.PAIRS:
            return f"string, {declared.type.word}"
        case _:
            return _signature(declared.signature)


def _signature(signature: Signature) -> str:
    words = [type_.word for type_ in signature.fixed]
    return ", ".join([*words, f"{signature.variadic.word}…"] if signature.variadic else words)


def _default(declared: Property, owner: Declared) -> str:
    value = getattr(owner, declared.attribute)
    if declared.shape is not Shape.ONE or declared.form is not Form.SLOT or value == declared.type.zero:
        return ""
    return f"`{_cell(format_expr(declared.type.literal(value)))}`"


def _type(declared: Property) -> str:
    return f"{declared.type.word}…" if declared.form is Form.ARGUMENTS else declared.type.word


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _deadman_page() -> str:
    config = DeadmanConfig()
    lines = [
        _NOTE, f"# `|deadman({_signature(DEADMAN_SIGNATURE)})`", "",
        "An alert that is CRITICAL while a node emits no more than `threshold` points in an `interval`, and while all",
        "further lambdas are true. It stands for these nodes, of which the alert goes on:", "",
        "```tickscript", "node", "    |stats(interval)", "        .align()", "    |derivative('emitted')",
        "        .unit(interval)", "        .nonNegative()", "    |alert()",
        '        .crit(lambda: "emitted" <= threshold AND condition)', "```", "",
        "Follows any node.", "",
        "The section `[deadman]` of the configuration gives the templates: `NODE_NAME` in the id stands for the node's",
        "name, `INTERVAL` in the message for the interval. With `global = true` every task has a deadman on its source,",
        f"with the `threshold` ({config.threshold}) and `interval` ({format_duration(config.interval)}) of that section.", "",
        "```toml", "[deadman]", f'id = """{config.id}"""', f"message = '{config.message}'", "```", "",
        "## Example", "", "```tickscript", DEADMAN_EXAMPLE, "```", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _handlers_page() -> str:
    lines = [
        _NOTE, "# Handlers of alerts", "",
        "A handler is a property of [`|alert()`](alert.md); each call adds one. The handler's own properties follow the",
        "call, and go before properties of the alert that have the same name. An empty value means the configured one.", "",
    ]  # fmt: skip
    for kind in sorted(handlers.KINDS, key=lambda kind: kind.method.lower()):
        declaration = kind.declaration
        lines += [f"## `.{kind.method}({_signature(declaration.signature)})`", "", declaration.doc, ""]
        lines += [f"- {_type(p)}: {p.doc}" for p in declaration.properties if p.form in {Form.ARGUMENT, Form.ARGUMENTS}]
        if lines[-1]:
            lines.append("")
        lines += _properties("", kind)
        lines += ["```tickscript", handler_example(kind), "```", ""]
    return "\n".join(lines)


def handler_example(kind: type[handlers.Handler]) -> str:
    """A whole script that uses the handler."""
    return (
        "stream\n    |from()\n        .measurement('cpu')\n    |alert()\n        .crit(lambda: \"usage_user\" > 90.0)\n"
        f"        .{kind.example}"
    )


def main(arguments: list[str]) -> int:
    """Write the pages into a directory and remove those that are no more; the exit status."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tickscript.reference_docs DIRECTORY\n")
        return 2
    directory = Path(arguments[0])
    directory.mkdir(parents=True, exist_ok=True)
    made = pages()
    for path in directory.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (directory / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

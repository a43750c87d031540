"""Templates that are text with values in it and nothing else, as most are: they can be rendered a column at a time.

`plain_parts` finds out; a value is a field of dot (`{{ .ID }}`), an entry of one of its maps (`{{ .Tags.host }}`,
`{{ index .Tags "host" }}`), or its JSON. None of them can fail.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.templates import tree

TEXT_ESCAPER = "_html_text"
"""The function that an HTML template gives to a value in text and quoted attributes."""


@dataclass(frozen=True, slots=True)
class Value:
    """`field` of dot; with `key`, that entry of it, by `index` or by name. `json` is dot's JSON, with `end` behind it."""

    field: str = ""
    key: str | None = None
    index: bool = False
    json: bool = False
    end: str = ""


Parts = tuple["str | Value", ...]


def plain_parts(body: tree.Body, *, html: bool = False) -> Parts | None:
    """Texts and values in their order; None where the template needs more than that.

    `html`: every value is to be escaped as text of a document.
    """
    out: list[str | Value] = []
    for statement in body:
        if isinstance(statement, tree.Text):
            out.append(statement.text)
            continue
        value = _value(statement, html=html) if isinstance(statement, tree.Action) else None
        if value is None:
            return None
        out.append(value)
    return tuple(out)


def _value(action: tree.Action, *, html: bool) -> Value | None:
    commands = [c.operands for c in action.pipeline.commands]
    if action.pipeline.names:
        return None
    if html:
        match commands:
            case [first, (tree.Function(name=name),)] if name == TEXT_ESCAPER:
                commands = [first]
            case _:
                return None
    match commands:
        case [(tree.Fields(base=tree.Dot(), names=(field,)),)]:
            return Value(field)
        case [(tree.Fields(base=tree.Dot(), names=(field, key)),)]:
            return Value(field, key)
        case [
            (
                tree.Function(name="index"),
                tree.Fields(base=tree.Dot(), names=(field,)),
                tree.Literal(value=str() as key),
            )
        ]:
            return Value(field, key, index=True)
        case [(tree.Function(name="json" | "jsonCompact" as name), tree.Dot())]:
            return Value(json=True, end="\n" if name == "json" else "")
    return None

"""Go's html/template: a template whose values are escaped for the place of the document in which they stand.

The tree is rewritten once: every printed value gets the function that escapes it there, in text, an attribute, a URL, a
style or a script. Branches must end in the same context, and the whole where markup is text.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from engine.templates import tree
from engine.templates.errors import ParseError
from engine.templates.formatting import sprint
from engine.templates.functions import BUILTINS, SHORT_CIRCUIT, Builtin, go_json
from engine.templates.html_context import START, Context, Holds, Place, behind_value, walk
from engine.templates.parser import parse_tree
from engine.templates.plain import TEXT_ESCAPER
from engine.templates.template import Template, from_bodies
from engine.templates.values import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_UNSAFE: Final = "ZgotmplZ"
_NOSPACE: Final = {ord(c): f"&#{ord(c)};" for c in "\t\n\v\f\r =`"}
_SCHEMES: Final = frozenset({"http", "https", "mailto"})
_STYLE_SAFE: Final = re.compile(r"[\w \t.,%!#+*-]*\Z")
_NAME_SAFE: Final = re.compile(r"[a-zA-Z0-9]+\Z")
_NOT_IN_URL: Final = re.compile(rb"[^A-Za-z0-9!#$%&*+,\-./:;=?@\[\]_~]")
_NOT_IN_QUERY: Final = re.compile(rb"[^A-Za-z0-9\-._~]")
_ATTRIBUTE: Final = frozenset({Place.VALUE, Place.BEFORE})


class ScriptText(str):
    """Text that is JavaScript already, as `json` gives it."""

    __slots__ = ()


def _text(args: Sequence[Any]) -> str:
    """What is printed of values; nothing of one that is not there."""
    return args[0] if len(args) == 1 and isinstance(args[0], str) else sprint([a for a in args if a is not None])


def escape_text(value: str) -> str:
    """For text and quoted attributes."""
    if "&" in value:
        value = value.replace("&", "&amp;")
    for char, entity in _ENTITIES:
        if char in value:
            value = value.replace(char, entity)
    return value


_ENTITIES: Final = (
    ('"', "&#34;"), ("'", "&#39;"), ("+", "&#43;"), ("<", "&lt;"), (">", "&gt;"), ("\0", "&#xfffd;"),
)  # fmt: skip


def _bare(value: str) -> str:
    """For an attribute without quotes."""
    return escape_text(value).translate(_NOSPACE) if value else _UNSAFE


def _normal_url(value: str) -> str:
    """A URL whose escapes stay as they are."""
    return _percent(value, _NOT_IN_URL)


def _percent(value: str, unsafe: re.Pattern[bytes]) -> str:
    return unsafe.sub(lambda found: b"%%%02x" % found.group()[0], value.encode("utf-8", "surrogateescape")).decode()


def _whole_url(value: str) -> str:
    scheme, colon, _ = value.partition(":")
    if colon and "/" not in scheme and scheme.lower() not in _SCHEMES:
        return f"#{_UNSAFE}"
    return _normal_url(value)


def _url_part(value: str) -> str:
    return _percent(value, _NOT_IN_QUERY)


def _style(value: str) -> str:
    """A value within a style; anything that could be more than a value is refused."""
    lowered = value.lower()
    safe = _STYLE_SAFE.match(value) and "--" not in value and "expression" not in lowered
    return value if safe and "mozbinding" not in lowered else _UNSAFE


def _script(args: Sequence[Any]) -> str:
    """A value as JavaScript."""
    value = args[0] if len(args) == 1 else sprint(args)
    if isinstance(value, ScriptText):
        return str(value)
    if isinstance(value, str):
        return _script_json(json.dumps(value))
    text = _script_json("null" if value is None else go_json(value))
    return f" {text} " if text and (text[0].isalnum() or text[0] == "-") else text


def _script_json(text: str) -> str:
    for char in "<>&'":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _script_string(value: str) -> str:
    """Within a string of a script."""
    out = []
    for c in value:
        if c in "\"'`&<>+/" or ord(c) < 0x20 or c in "\u2028\u2029":
            out.append("\\/" if c == "/" else f"\\u{ord(c):04x}")
        else:
            out.append("\\\\" if c == "\\" else c)
    return "".join(out)


def _name(value: str) -> str:
    return value.lower() if _NAME_SAFE.match(value) and not value.lower().startswith("on") else _UNSAFE


def _chain(first: Callable[[str], str], second: Callable[[str], str] | None = None) -> Builtin:
    if second is None:
        return lambda args: first(_text(args))
    return lambda args: second(first(_text(args)))


_ESCAPERS: Final[Mapping[str, Builtin]] = {
    TEXT_ESCAPER: _chain(escape_text),
    "_html_bare": _chain(_bare),
    "_html_url": _chain(_whole_url, escape_text),
    "_html_url_path": _chain(_normal_url, escape_text),
    "_html_url_query": _chain(_url_part, escape_text),
    "_html_url_bare": _chain(_whole_url, _bare),
    "_html_style": _chain(_style, escape_text),
    "_html_script": _script,
    "_html_script_value": lambda args: escape_text(_script(args)),
    "_html_script_string": _chain(_script_string),
    "_html_name": _chain(_name),
    "_html_nothing": lambda _args: "",
}


def _escaper(context: Context) -> str:
    """The function that a value needs here."""
    place, holds = context.place, context.holds
    if place is Place.COMMENT:
        return "_html_nothing"
    if place in (Place.TAG, Place.NAME, Place.EQUALS):
        return "_html_name"
    if holds is Holds.STYLE and place is not Place.TEXT:
        return "_html_style"
    if holds is Holds.SCRIPT and place is not Place.TEXT:
        if context.string:
            return "_html_script_string"
        return "_html_script" if place is Place.SPECIAL else "_html_script_value"
    if holds is Holds.URL:
        if context.part:
            return "_html_url_query" if context.part == "query" else "_html_url_path"
        return "_html_url" if context.quote else "_html_url_bare"
    if place in _ATTRIBUTE and not context.quote:
        return "_html_bare"
    return TEXT_ESCAPER


class _Rewriter:
    """Carries the context through a tree."""

    def __init__(self, name: str, bodies: Mapping[str, tree.Body]) -> None:
        self.name = name
        self.bodies = bodies
        self.done: dict[str, tree.Body] = {}
        self._ends: dict[str, Context] = {}

    def fail(self, line: int, text: str) -> ParseError:
        return ParseError(self.name, line, text)

    def template(self, name: str, context: Context) -> tuple[str, Context]:
        """The named template for this context: its name there, and the context behind it."""
        key = name if context == START else f"{name}$htmltemplate_{context}"
        if key not in self._ends and name in self.bodies:
            # One that calls itself is taken to end where it began.
            self._ends[key] = context
            self.done[key], self._ends[key] = self.body(self.bodies[name], context)
        return key, self._ends.get(key, context)

    def body(self, statements: tree.Body, context: Context) -> tuple[tree.Body, Context]:
        out: list[tree.Statement] = []
        for statement in statements:
            written, context = self.statement(statement, context)
            out.append(written)
        return tuple(out), context

    def statement(self, statement: tree.Statement, context: Context) -> tuple[tree.Statement, Context]:
        match statement:
            case tree.Text(text=text):
                context, printed = walk(context, text)
                return replace(statement, text=printed), context
            case tree.Action(pipeline=pipeline):
                if pipeline.names:
                    return statement, context
                return replace(statement, pipeline=_escaped(pipeline, _escaper(context))), behind_value(context)
            case tree.Branch():
                body, end = self.body(statement.body, context)
                otherwise, other = self.body(statement.otherwise, context)
                if end != other:
                    raise self.fail(statement.line, f"{{{{{statement.kind}}}}} branches end in different contexts")
                return replace(statement, body=body, otherwise=otherwise), end
            case tree.Call():
                name, end = self.template(statement.name, context)
                return replace(statement, name=name), end
            case tree.Jump():
                return statement, context


def _escaped(pipeline: tree.Pipeline, function: str) -> tree.Pipeline:
    last = pipeline.commands[-1].operands[0]
    if function == TEXT_ESCAPER and isinstance(last, tree.Function) and last.name == "html":
        return pipeline
    where = {"line": pipeline.line, "column": pipeline.column, "source": pipeline.source}
    command = tree.Command((tree.Function(function, **where),), **where)  # type: ignore[arg-type]
    return replace(pipeline, commands=(*pipeline.commands, command))


def parse_html(text: str, name: str = "", functions: Mapping[str, Builtin] | None = None) -> Template:
    """Read an HTML template; `functions` are there beside Go's own. Raises ParseError."""
    known = {**BUILTINS, **_ESCAPERS, **(functions or {})}
    rewriter = _Rewriter(name, parse_tree(name, text, {*known, *SHORT_CIRCUIT} - set(_ESCAPERS)))
    _, end = rewriter.template(name, START)
    if end.place is not Place.TEXT:
        raise ParseError(name, 1, "ends in a non-text context")
    return from_bodies(name, {**rewriter.bodies, **rewriter.done}, known, html=True)


def _json(args: Sequence[Any], end: str) -> ScriptText:
    value = args[0]
    return ScriptText((value.go_json() if isinstance(value, Struct) else go_json(value)) + end)


HTML_FUNCTIONS: Final[Mapping[str, Builtin]] = {
    "json": lambda args: _json(args, "\n"),
    "jsonCompact": lambda args: _json(args, ""),
}
"""What details templates have beside the built-ins."""

"""Where in an HTML document a template's text stands, which decides how values that follow it are escaped.

A small tokenizer over the literal text: elements, attributes with what they hold (text, a URL, a style, a script), the
elements whose content is no markup, and comments. Comments are dropped, and a `<` that begins no markup is escaped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final


class Place(Enum):
    """What surrounds the next character."""

    TEXT = "text"
    TAG = "tag"
    NAME = "attribute name"
    EQUALS = "behind an attribute name"
    BEFORE = "before an attribute value"
    VALUE = "attribute value"
    SPECIAL = "element without markup"
    COMMENT = "comment"


class Holds(Enum):
    """What an attribute's value, or an element without markup, is made of."""

    PLAIN = "text"
    URL = "URL"
    STYLE = "CSS"
    SCRIPT = "JavaScript"


@dataclass(frozen=True, slots=True)
class Context:
    """`element`: the element without markup that is open, or whose tag is. `quote`: of the value, "" for none.

    `string`: the quote of the string inside a script. `part` of a URL: "" at its begin, "path", "query".
    """

    place: Place = Place.TEXT
    element: str = ""
    holds: Holds = Holds.PLAIN
    quote: str = ""
    string: str = ""
    part: str = ""


START: Final = Context()
_SPECIAL: Final = {
    "script": Holds.SCRIPT, "style": Holds.STYLE, "textarea": Holds.PLAIN, "title": Holds.PLAIN,
}  # fmt: skip
_URLS: Final = frozenset(
    {
        "action", "archive", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon",
        "longdesc", "manifest", "poster", "profile", "src", "usemap", "xmlns",
    }
)  # fmt: skip
_OPENS: Final = re.compile(r"<!--|<(/?)([a-zA-Z][a-zA-Z0-9]*)|<")
_TAG: Final = re.compile(r"\s+|/?>|[^\s>=/]+|=|/")
_VALUE_END: Final = {'"': re.compile('"'), "'": re.compile("'"), "": re.compile(r"[\s>]")}
_NAME_GOES_ON: Final = re.compile(r"[^\s=>/]+")


def walk(context: Context, text: str) -> tuple[Context, str]:
    """The context behind the text, and the text as it is to be printed."""
    out: list[str] = []
    at = 0
    while at < len(text):
        match context.place:
            case Place.TEXT:
                context, at = _text(context, text, at, out)
            case Place.COMMENT:
                end = text.find("-->", at)
                if end < 0:
                    return context, "".join(out)
                context, at = replace(context, place=Place.TEXT), end + 3
            case Place.SPECIAL:
                context, at = _special(context, text, at, out)
            case Place.VALUE:
                context, at = _value(context, text, at, out)
            case _:
                context, at = _tag(context, text, at, out)
    return context, "".join(out)


def _text(context: Context, text: str, at: int, out: list[str]) -> tuple[Context, int]:
    found = _OPENS.search(text, at)
    if found is None:
        out.append(text[at:])
        return context, len(text)
    out.append(text[at : found.start()])
    if found.group() == "<!--":
        return replace(context, place=Place.COMMENT), found.end()
    if found[2] is None:
        # `<!doctype …>` and the like are markup that needs no look; any other `<` is text.
        markup = text.startswith(("<!", "<?"), found.start())
        out.append("<" if markup else "&lt;")
        return context, found.end()
    out.append(found.group())
    name = found[2].lower()
    element = name if name in _SPECIAL and not found[1] else ""
    return Context(Place.TAG, element), found.end()


def _special(context: Context, text: str, at: int, out: list[str]) -> tuple[Context, int]:
    end = re.compile(rf"</{context.element}(?=[\s/>]|$)", re.IGNORECASE).search(text, at)
    stop = len(text) if end is None else end.start()
    out.append(text[at:stop])
    if context.holds is Holds.SCRIPT:
        context = replace(context, string=_string(context.string, text[at:stop]))
    if end is None:
        return context, stop
    out.append(end.group())
    return Context(Place.TAG), end.end()


def _tag(context: Context, text: str, at: int, out: list[str]) -> tuple[Context, int]:
    """Inside a tag, between `<name` and `>`, outside of values."""
    if context.place is Place.NAME:
        found = _NAME_GOES_ON.match(text, at)
        if found is not None:
            out.append(found.group())
            return context, found.end()
        return replace(context, place=Place.EQUALS), at
    if context.place is Place.BEFORE and not text[at].isspace():
        quote = text[at] if text[at] in "\"'" else ""
        out.append(quote)
        return replace(context, place=Place.VALUE, quote=quote), at + len(quote)
    found = _TAG.match(text, at)
    assert found is not None
    piece = found.group()
    out.append(piece)
    if piece.endswith(">"):
        element = context.element
        if element:
            return Context(Place.SPECIAL, element, _SPECIAL[element]), found.end()
        return START, found.end()
    if piece.isspace() or piece == "/":
        return context, found.end()
    if piece == "=":
        place = Place.BEFORE if context.place is Place.EQUALS else Place.TAG
        return replace(context, place=place), found.end()
    name = piece.lower()
    ends = found.end() == len(text)
    place = Place.NAME if ends else Place.EQUALS
    return Context(place, context.element, _held(name)), found.end()


def _held(name: str) -> Holds:
    """What the attribute of this name holds."""
    bare = name.removeprefix("data-").rpartition(":")[2]
    if bare.startswith("on"):
        return Holds.SCRIPT
    if bare == "style":
        return Holds.STYLE
    return Holds.URL if bare in _URLS or "src" in bare or "uri" in bare or "url" in bare else Holds.PLAIN


def _value(context: Context, text: str, at: int, out: list[str]) -> tuple[Context, int]:
    found = _VALUE_END[context.quote].search(text, at)
    stop = len(text) if found is None else found.start()
    piece = text[at:stop]
    out.append(piece)
    if found is not None:
        out.append(context.quote)
        return Context(Place.TAG, context.element), stop + len(context.quote)
    if context.holds is Holds.URL and piece:
        part = "query" if context.part == "query" or "?" in piece or "#" in piece else "path"
        context = replace(context, part=part)
    elif context.holds is Holds.SCRIPT:
        context = replace(context, string=_string(context.string, piece))
    return context, stop


def _string(quote: str, script: str) -> str:
    """The quote of the string that is open behind a piece of a script, or ""."""
    skip = False
    for c in script:
        if skip:
            skip = False
        elif c == "\\":
            skip = bool(quote)
        elif quote:
            if c == quote:
                quote = ""
        elif c in "\"'`":
            quote = c
    return quote


def behind_value(context: Context) -> Context:
    """The context behind a value that was printed."""
    if context.place is Place.BEFORE:
        return replace(context, place=Place.VALUE)
    if context.place is Place.VALUE and context.holds is Holds.URL and not context.part:
        return replace(context, part="path")
    if context.place in (Place.TAG, Place.EQUALS):
        return Context(Place.NAME, context.element)
    return context

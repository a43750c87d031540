"""Go's fmt: how values print, and `printf` with its verbs, flags and complaints.

Numbers print as Go prints them: floats the shortest way, with an exponent below 1e-4 and from 1e6; maps by sorted key.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from engine.frames.model import Span
from engine.templates.values import Int, Struct, type_word
from tickscript.durations import go_duration

_NO_VALUE = "<no value>"
_VERB = re.compile(r"%(?P<flags>[-+# 0]*)(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d*))?(?P<verb>.)?", re.DOTALL)


def float_text(value: float, low: int = -4, high: int = 6) -> str:
    """The shortest text, with an exponent below 1e`low` and from 1e`high`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    text = text.removesuffix(".0")
    if value == 0.0:
        return text
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    plain = "".join(map(str, digits)).rstrip("0") or "0"
    power = len(digits) + exponent - 1
    if low <= power < high:
        return f"{Decimal(text):f}"
    mantissa = plain[0] + (f".{plain[1:]}" if len(plain) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def text(value: Any) -> str:
    """A value as `{{ . }}` and `%v` print it."""
    if isinstance(value, str):
        return value
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Span):
        return go_duration(int(value))
    if isinstance(value, int):
        return value.word if isinstance(value, Int) and value.word else str(int(value))
    if isinstance(value, float):
        return float_text(value)
    if isinstance(value, Struct):
        return value.go_text()
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{k}:{text(value[k])}" for k in sorted(value)) + "]"
    return "[" + " ".join(map(text, value)) + "]"


def printed(value: Any) -> str:
    """A value as the result of an action."""
    return value if type(value) is str else _NO_VALUE if value is None else text(value)


def sprint(args: Sequence[Any]) -> str:
    """`print`: a space between operands where neither is a string."""
    out = ""
    for i, arg in enumerate(args):
        if i and not isinstance(arg, str) and not isinstance(args[i - 1], str):
            out += " "
        out += text(arg)
    return out


def sprintln(args: Sequence[Any]) -> str:
    return " ".join(map(text, args)) + "\n"


def sprintf(pattern: str, args: Sequence[Any]) -> str:
    """`printf`."""
    used = 0
    out: list[str] = []
    at = 0
    for found in _VERB.finditer(pattern):
        out.append(pattern[at : found.start()])
        at = found.end()
        verb = found["verb"]
        if verb is None:
            out.append("%!(NOVERB)")
            continue
        flags, bad = set(found["flags"]), ""
        width, precision = found["width"], found["precision"]
        if width == "*":
            width, used, bad = _star(args, used, "%!(BADWIDTH)")
            if width is not None and width.startswith("-"):
                flags, width = flags | {"-"}, width[1:]
            out.append(bad)
        if precision == "*":
            precision, used, bad = _star(args, used, "%!(BADPREC)")
            out.append(bad)
        if verb == "%":
            out.append("%")
            continue
        if used >= len(args):
            out.append(f"%!{verb}(MISSING)")
            continue
        places = None if precision is None else int(precision or 0)
        out.append(_pad(_verb(verb, args[used], flags, places, int(width or 0)), flags, int(width or 0)))
        used += 1
    out.append(pattern[at:])
    if used < len(args):
        extra = ", ".join("<nil>" if a is None else f"{type_word(a)}={text(a)}" for a in args[used:])
        out.append(f"%!(EXTRA {extra})")
    return "".join(out)


def _star(args: Sequence[Any], used: int, complaint: str) -> tuple[str | None, int, str]:
    if used < len(args) and isinstance(args[used], int) and not isinstance(args[used], bool):
        return str(int(args[used])), used + 1, ""
    return None, used + 1, complaint


def _pad(body: str, flags: set[str], width: int) -> str:
    if len(body) >= width:
        return body
    if "-" in flags:
        return body.ljust(width)
    return body.rjust(width)


def _wrong(verb: str, value: Any, flags: set[str], precision: int | None, width: int) -> str:
    """`%!verb(type=value)`, where the value keeps flags, width and precision."""
    if value is None:
        return f"%!{verb}(<nil>)"
    inner = _pad(_value(value, flags, precision, width), flags, width)
    return f"%!{verb}({type_word(value)}={inner})"


def _verb(verb: str, value: Any, flags: set[str], precision: int | None, width: int) -> str:
    if verb == "T":
        return type_word(value)
    if verb == "v":
        return _value(value, flags, precision, width)
    if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
        return _composite(verb, value, flags, precision, width)
    body = ""
    if verb in "sq" and (isinstance(value, Span | Struct) or (isinstance(value, Int) and value.word)):
        return _string(verb, text(value), flags, precision)
    if isinstance(value, bool):
        body = text(value) if verb == "t" else ""
    elif isinstance(value, int):
        body = _integer(verb, int(value), flags, precision, width)
    elif isinstance(value, float):
        body = _floating(verb, value, flags, precision, width)
    elif isinstance(value, str):
        if verb == "s":
            return value if precision is None else value[:precision]
        body = _string(verb, value, flags, precision)
    return body or _wrong(verb, value, flags, precision, width)


def _value(value: Any, flags: set[str], precision: int | None, width: int) -> str:
    """%v, %+v and %#v."""
    if isinstance(value, bool) or value is None or isinstance(value, Span | Struct):
        return text(value)
    if isinstance(value, Int) and value.word:
        return value.word
    if isinstance(value, int):
        return _integer("d", value, flags, precision, width)
    if isinstance(value, float):
        return _floating("g" if precision is not None else "v", value, flags, precision, width)
    if isinstance(value, str):
        return _string("q" if "#" in flags else "s", value, flags - {"#"}, precision)
    return text(value)


def _composite(verb: str, value: Any, flags: set[str], precision: int | None, width: int) -> str:
    """A verb for every element."""
    if isinstance(value, Mapping):
        inner = (
            f"{_verb(verb, k, flags, precision, width)}:{_verb(verb, value[k], flags, precision, width)}"
            for k in sorted(value)
        )
        return "map[" + " ".join(inner) + "]"
    return "[" + " ".join(_verb(verb, v, flags, precision, width) for v in value) + "]"


def _sign(negative: bool, flags: set[str]) -> str:
    return "-" if negative else "+" if "+" in flags else " " if " " in flags else ""


_BASES = {"d": "d", "b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}
_PREFIXES = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}


def _integer(verb: str, value: int, flags: set[str], precision: int | None, width: int) -> str:
    if verb in _BASES:
        digits = format(abs(value), _BASES[verb])
        if precision is not None:
            digits = "" if precision == 0 and value == 0 else digits.zfill(precision)
        prefix = "0o" if verb == "O" else _PREFIXES.get(verb, "") if "#" in flags else ""
        sign = _sign(value < 0, flags)
        if "0" in flags and "-" not in flags and precision is None:
            digits = digits.zfill(width - len(sign))
        return sign + prefix + digits
    if verb == "c":
        return chr(value) if 0 <= value <= 0x10FFFF else "\ufffd"
    if verb == "q":
        return f"'{chr(value)}'" if 0 <= value <= 0x10FFFF else "'\ufffd'"
    if verb == "U":
        return f"U+{value:04X}"
    return ""


def _floating(verb: str, value: float, flags: set[str], precision: int | None, width: int) -> str:
    if verb not in "vgGeEfF":
        return ""
    sign = _sign(math.copysign(1.0, value) < 0, flags)
    if math.isnan(value):
        return f"{sign}NaN"
    if math.isinf(value):
        return f"{sign or '+'}Inf"
    size = abs(value)
    if verb in "fF":
        body = f"{size:.{6 if precision is None else precision}f}"
    elif verb in "eE":
        body = f"{size:.{6 if precision is None else precision}e}"
    elif precision is None:
        body = float_text(size)
    else:
        body = f"{size:.{precision or 1}g}"
    if verb in "EG":
        body = body.upper()
    if "0" in flags and "-" not in flags:
        body = body.zfill(width - len(sign))
    return sign + body


_QUOTED = {
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
}


def quote(value: str) -> str:
    """`%q` of a string."""
    return '"' + "".join(_QUOTED.get(c, c if c.isprintable() else f"\\x{ord(c):02x}") for c in value) + '"'


def _string(verb: str, value: str, flags: set[str], precision: int | None) -> str:
    if precision is not None:
        value = value[:precision]
    if verb == "s":
        return value
    if verb == "q":
        return quote(value)
    if verb in "xX":
        body = value.encode("utf-8", "surrogateescape").hex(" " if " " in flags else "\0")
        return body.replace("\0", "") if verb == "x" else body.replace("\0", "").upper()
    return ""

"""A record as clients of the API see it: the reference's keys and messages, as logfmt or JSON (spec "HTTP API" §19).

    ts=2026-11-23T23:43:12.455Z lvl=info msg="started task" service=kapacitor task_master=main task=lg

First stand `ts`, `lvl`, `msg`, `service`, then `task_master`, `task` and `node` where there is a task, then what the record has besides.
Levels are `debug`, `info` and `error`: the reference has no other, so a warning is shown as an error.
"""

from __future__ import annotations

import json
import logging
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tickscript.gostrings import quote
from tickscript.lambdas.numbers import plain_float

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = list[tuple[str, Any]]

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "error": logging.ERROR}
_SHOWN_LEVELS: Final = {"debug": "debug", "info": "info"}
_SERVICES: Final = {
    "launcher": "run",
    "supervisor": "kapacitor",
    "zygote": "kapacitor",
    "node": "kapacitor",
    "store": "task_store",
    "alerts": "alert",
    "frontend": "http",
}
_MESSAGES: Final = {
    "task starting": "starting task",
    "task started": "started task",
    "task stopped": "stopped task",
    "edge closed": "closing edge",
}
_OF_LOG_NODES: Final = frozenset({"point", "begin batch", "batch point", "end batch"})
_FIRST: Final = frozenset({"ts", "level", "msg", "process", "task", "node"})
_RENAMED: Final = {"error": "err"}
_MS: Final = 10**6
_EXPONENT_FROM: Final = 1e21


def present(record: Mapping[str, Any]) -> Fields:
    """The fields in order."""
    process = str(record.get("process", ""))
    message = str(record.get("msg", ""))
    fields: Fields = [
        ("ts", _time(record.get("ts", 0))),
        ("lvl", _SHOWN_LEVELS.get(str(record.get("level")), "error")),
        ("msg", _MESSAGES.get(message, message)),
        ("service", _SERVICES.get(process, process)),
    ]
    if "task" in record:
        fields += [("task_master", "main"), ("task", record["task"])]
    if "node" in record:
        fields.append(("node", record["node"]))
    if message in _OF_LOG_NODES and process == "node" and "prefix" not in record:
        fields.append(("prefix", ""))
    fields += [(_RENAMED.get(k, k), v) for k, v in record.items() if k not in _FIRST]
    return fields


def _time(ns: int) -> str:
    millis = ns // _MS
    return f"{datetime.fromtimestamp(millis // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"


def text_of(value: Any) -> str:
    """A value as it stands in logfmt, without quotes; filters compare with it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return plain_float(value)
    if value is None:
        return ""
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return str(value)


def logfmt(fields: Fields) -> bytes:
    """One line. The dimensions of a point that has none are two blanks in a row, as in the reference."""
    parts = [
        "" if key == "dimension" and value == "" else f"{_key(key)}={_quoted(text_of(value))}" for key, value in fields
    ]
    return (" ".join(parts) + "\n").encode("utf-8", "backslashreplace")


def _key(key: str) -> str:
    return key if key.isprintable() and not set(key) & {" ", "=", '"'} else "_".join(key.split()).replace("=", "_")


def _quoted(text: str) -> str:
    return quote(text) if not text.isprintable() or any(c in text for c in ' ="') else text


def json_line(fields: Fields) -> bytes:
    """One line; tags and fields of a point are objects of their own."""
    nested = any(key == "msg" and value in _OF_LOG_NODES for key, value in fields)
    out: dict[str, Any] = {}
    for key, value in fields:
        kind, _, name = key.partition("_")
        if nested and name and kind in ("tag", "field"):
            out.setdefault(kind, {})[name] = _go(value)
        else:
            out[key] = _go(value)
    return json.dumps(out, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace") + b"\n"


def _go(value: Any) -> Any:
    """Floats that are whole numbers as Go writes them; what is no JSON number is text."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return plain_float(value)
    return int(value) if value.is_integer() and abs(value) < _EXPONENT_FROM else value

"""Where `|sideload()` takes values from: a directory of files, or a web service (nodes.md §11.10, io.md §18).

A source is a map from keys to flat maps of values, loaded whole and replaced whole: a load that fails leaves what was
there. Values are as JSON has them, so every number is a float.
"""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import yaml

from engine.http_headers import basic_auth
from engine.operator import TaskError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_S = 10.0
_MOST_BYTES: Final = 64 << 20
"""More than this is not read of an answer."""


class SourceError(Exception):
    """The source cannot be loaded; str() says which part of it, and why."""


class _Yaml(yaml.SafeLoader):
    """YAML 1.1 as the reference reads it: `y` and `n` are booleans, dates and sexagesimal numbers are text."""

    yaml_implicit_resolvers: Any = {}  # noqa: RUF012 - the base class declares it so


_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
    list("yYnNtTfFoO"),
)
_Yaml.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$"),
    list("-+0123456789"),
)
_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?$"),
    list("-+0123456789."),
)
_Yaml.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])


def _boolean(_: yaml.SafeLoader, node: Any) -> bool:
    return str(node.value).lower() in {"y", "yes", "true", "on"}


def _float(_: yaml.SafeLoader, node: Any) -> float:
    return float(str(node.value).replace("_", ""))


def _int(_: yaml.SafeLoader, node: Any) -> int:
    text = str(node.value).replace("_", "")
    sign, digits = (text[:1], text[1:]) if text[:1] in {"-", "+"} else ("", text)
    if re.fullmatch(r"0[0-7]+", digits):
        digits = f"0o{digits[1:]}"
    return int(sign + digits, 0)


_Yaml.add_constructor("tag:yaml.org,2002:bool", _boolean)
_Yaml.add_constructor("tag:yaml.org,2002:float", _float)
_Yaml.add_constructor("tag:yaml.org,2002:int", _int)


def _plain(value: Any) -> Any:
    """A value as it is after a way through JSON."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def _flat(found: Any, what: str) -> dict[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise SourceError(f"{what}: not a map but a {type(found).__name__}")
    return {_key(k): _plain(v) for k, v in found.items()}


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def read_file(text: str, name: str) -> dict[str, Any]:
    """The values of one file by its name's ending; a file of another kind has none. Raises SourceError."""
    try:
        if name.endswith(".json"):
            return _flat(json.loads(text) if text.strip() else None, name)
        if name.endswith((".yml", ".yaml")):
            # The loader is a safe one.
            return _flat(yaml.load(text, _Yaml), name)  # noqa: S506
    except (ValueError, yaml.YAMLError) as error:
        raise SourceError(f"{name}: {error}") from error
    return {}


def read_directory(folder: Path) -> dict[str, dict[str, Any]]:
    """All files below the directory by their relative paths. Raises SourceError."""
    found: dict[str, dict[str, Any]] = {}

    def refuse(error: OSError) -> None:
        raise SourceError(str(error)) from error

    for at, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            path = Path(at) / name
            key = path.relative_to(folder).as_posix()
            if key.startswith("."):
                raise SourceError(f"invalid path {key}")
            try:
                found[key] = read_file(path.read_text(encoding="utf-8", errors="replace"), key)
            except OSError as error:
                raise SourceError(str(error)) from error
    return found


class _Directory:
    def __init__(self, folder: str) -> None:
        self.name = f"source file {json.dumps(folder)}"
        self._folder = Path(folder)

    def load(self) -> dict[str, dict[str, Any]]:
        return read_directory(self._folder)


class _Service:
    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        self.name = f"source {json.dumps(url)}"
        self._request = urllib.request.Request(url)  # noqa: S310 - its scheme was checked
        for header, value in basic_auth(user, password).items():
            self._request.add_header(header, value)

    def load(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._body())
        except (OSError, ValueError) as error:
            raise SourceError(str(error)) from error
        if not isinstance(found, dict):
            raise SourceError("the answer is no object of objects")
        return {str(key): _flat(values, str(key)) for key, values in found.items()}

    def _body(self) -> bytes:
        try:
            with urllib.request.urlopen(self._request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                body: bytes = answer.read(_MOST_BYTES)
        except urllib.error.HTTPError as error:
            # The status is not looked at.
            with error:
                body = error.read(_MOST_BYTES)
        return body


class Source:
    """What is loaded of one source. `generation` counts the loads."""

    def __init__(self, place: _Directory | _Service) -> None:
        """Raises TaskError when it cannot be loaded."""
        self._place = place
        self._values: Mapping[str, Mapping[str, Any]] = {}
        self.generation = 0
        try:
            self.reload()
        except SourceError as error:
            raise TaskError(str(error)) from error

    def reload(self) -> None:
        """Load anew. Raises SourceError; what was loaded stays then."""
        try:
            self._values = self._place.load()
        except SourceError as error:
            raise SourceError(f"failed to update sideload cache for {self._place.name}: {error}") from error
        self.generation += 1

    def get(self, key: str) -> Mapping[str, Any]:
        """The values under a key; none where there is no such key."""
        return self._values.get(key, {})


def open_source(text: str, endpoints: Mapping[str, Any]) -> Source:
    """The source that `.source(text)` names. Raises TaskError."""
    parts = urlsplit(text)
    if not parts.scheme:
        found = endpoints.get(text)
        if found is None:
            raise TaskError(f"Specified endpoint does not exist: {text}")
        auth = found.get("basic-auth") or {}
        return Source(_Service(found["url"], auth.get("username") or "", auth.get("password") or ""))
    if parts.scheme in {"http", "https"}:
        return Source(_Service(text))
    if parts.scheme != "file":
        raise TaskError(f"unsupported source scheme \"{parts.scheme}\", must be 'file', 'http', or 'https'")
    path = unquote(parts.path)
    if not path.startswith("/"):
        raise TaskError(f"sideload source path must be absolute {json.dumps(path)}")
    return Source(_Directory(path))

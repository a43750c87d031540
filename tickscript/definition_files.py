"""Files that define a task by template and vars, or a topic handler, for the command line and the load directory (cli.md 2
and 4, io.md 21).

    {"id": "optional", "template-id": "t", "dbrps": [{"db": "d", "rp": "r"}], "vars": {"x": {"type": "int", "value": 1}}}

The extension says whether a file is JSON or YAML. Always: what comes out has passed the first layer of checks of vars
(`tickscript.vars.decode_vars`); the server makes the others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar

from tickscript.errors import TickscriptError
from tickscript.pipeline import DBRP
from tickscript.vars import VarsJsonError, decode_vars

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickscript.vars import Var

_YAML = frozenset({".yaml", ".yml"})


class DefinitionFileError(TickscriptError):
    """A file is no definition; the text names the file."""

    name: ClassVar[str] = "definition_file"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a file says; "" and empty for what it leaves out."""

    id: str = ""
    template_id: str = ""
    dbrps: tuple[DBRP, ...] = ()
    vars: Mapping[str, Var] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HandlerDefinition:
    """What a file says of a topic handler; "" and empty for what it leaves out. The server checks it."""

    topic: str = ""
    id: str = ""
    kind: str = ""
    match: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def parse_handler(text: str, path: str) -> HandlerDefinition:
    """The topic handler in the text of the file `path`; DefinitionFileError if it is none."""
    kind = _kind(path)
    try:
        return _handler(_load_yaml(text) if kind == "yaml" else json.loads(text))
    except (ValueError, RecursionError) as error:
        raise DefinitionFileError(f'failed to unmarshal {kind} handler spec file "{path}": {error}') from None


def _handler(data: Any) -> HandlerDefinition:
    if not isinstance(data, dict):
        raise ValueError("expected an object")  # noqa: TRY004  (one kind of error for all that a file can get wrong)
    texts = {key: data.get(key) or "" for key in ("topic", "id", "kind", "match")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("topic, id, kind and match must be strings")
    if not texts["topic"] or not texts["id"]:
        raise ValueError("topic and id must not be empty")
    options = data.get("options") or {}
    if not isinstance(options, dict):
        raise ValueError("options must be an object")  # noqa: TRY004  (as above)
    return HandlerDefinition(**texts, options=options)


def parse_definition(text: str, path: str) -> Definition:
    """The definition in the text of the file `path`; DefinitionFileError if it is none."""
    kind = _kind(path)
    try:
        return _definition(_load_yaml(text) if kind == "yaml" else json.loads(text))
    except (ValueError, RecursionError, VarsJsonError) as error:
        raise DefinitionFileError(f'failed to unmarshal {kind} task vars file "{path}": {error}') from None


def _kind(path: str) -> str:
    suffix = PurePath(path).suffix
    if suffix not in _YAML and suffix != ".json":
        raise DefinitionFileError("bad file extension. Must be YAML or JSON")
    return "yaml" if suffix in _YAML else "json"


def parse_vars(text: str, path: str) -> dict[str, Var]:
    """The vars in a JSON file: an object of vars, or one that has them under `vars`. DefinitionFileError if it is none."""
    try:
        data = json.loads(text)
        if isinstance(data, dict) and isinstance(data.get("vars"), dict) and "type" not in data["vars"]:
            data = data["vars"]
        return decode_vars(data)
    except (ValueError, RecursionError, VarsJsonError) as error:
        raise DefinitionFileError(f"invalid JSON in file {path}: {error}") from None


def _definition(data: Any) -> Definition:
    if not isinstance(data, dict):
        raise ValueError("expected an object")  # noqa: TRY004  (one kind of error for all that a file can get wrong)
    texts = {key: data.get(key) or "" for key in ("id", "template-id")}
    dbrps = data.get("dbrps") or []
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("id and template-id must be strings")
    if not isinstance(dbrps, list):
        raise ValueError("dbrps must be a list")  # noqa: TRY004  (as above)
    return Definition(texts["id"], texts["template-id"], tuple(map(_dbrp, dbrps)), decode_vars(data.get("vars")))


def _dbrp(data: Any) -> DBRP:
    match data:
        case {"db": str(db), "rp": str(rp)}:
            return DBRP(db, rp)
        case _:
            raise ValueError("each of dbrps must have a db and an rp")


def _load_yaml(text: str) -> Any:
    """The value of a YAML text, with dates left as text; ValueError if it is none."""
    import yaml  # noqa: PLC0415  (most users never read YAML, and the import costs as much as a small command)

    class Loader(yaml.SafeLoader):
        """Resolves what JSON knows."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, Loader)  # noqa: S506  (the loader is a SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from None

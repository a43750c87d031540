"""`tickworks tick`: checks, formats and draws TICKscripts without a server, for editors, hooks and CI.

Always: findings and results go to standard output, trouble with arguments and files to standard error; the exit status
is 1 when there was a finding, 2 for wrong usage or a file that cannot be read or written, else 0. The language is imported when a
command runs, so that `--help` stays quick.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

import typer

from cli.excerpts import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tickscript.errors import TickscriptError
    from tickscript.nodes.udf import UdfInfo
    from tickscript.pipeline import Pipeline

app = typer.Typer(
    name="tick",
    help="Check, format and draw TICKscripts, without a server.",
    no_args_is_help=True,
    add_completion=False,
)

_STDIN: Final = "-"
_FINDING: Final = 1
_USAGE: Final = 2

Files = Annotated[list[str], typer.Argument(help="TICKscript files; - is standard input.", metavar="FILE...")]
TaskType = Annotated[
    Literal["stream", "batch"] | None, typer.Option("--type", help="Task type; by default what the script uses.")
]
VarsFile = Annotated[Path | None, typer.Option("--vars", help="JSON file with values of vars, in the form of the API.")]
Udfs = Annotated[
    list[str] | None,
    typer.Option(
        "--udf",
        metavar="NAME[=WANTS:PROVIDES]",
        help="A UDF that scripts may use; repeatable. Its options are not checked, since only its process knows them. "
        "It passes on what it is given, streams or batches, unless its edges are named.",
    ),
]
Configuration = Annotated[
    Path | None,
    typer.Option(
        "--config", help="Configuration file of a server; each of its [udf.functions] is as if named by --udf."
    ),
]
Template = Annotated[
    bool, typer.Option("--template", help="Vars may lack a value; the default when one does and --vars is not given.")
]


@dataclass(frozen=True, slots=True)
class _Source:
    """A script that was read: the name to show, its text, and its path unless it came from standard input."""

    name: str
    text: str
    path: Path | None


class _Run:
    """What a command has met so far; ends with the exit status that follows from it."""

    def __init__(self) -> None:
        self.findings = False
        self.unreadable = False

    def sources(self, files: list[str]) -> Iterator[_Source]:
        for file in files:
            name = "<stdin>" if file == _STDIN else file
            try:
                data = sys.stdin.buffer.read() if file == _STDIN else Path(file).read_bytes()
            except OSError as error:
                self.unreadable = True
                typer.echo(f"{name}: cannot be read: {error.strerror}", err=True)
                continue
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError as error:
                self.finding(f"{name}: not UTF-8: byte {data[error.start]:#04x} at offset {error.start}")
                continue
            yield _Source(name, text, None if file == _STDIN else Path(file))

    def finding(self, text: str) -> None:
        self.findings = True
        typer.echo(text)

    def error(self, source: _Source, error: TickscriptError) -> None:
        from tickscript.suggest import hint  # noqa: PLC0415  # lazy, see the top

        if error.word and f"@{error.word}" in source.text:
            error.hint = (
                f"UDFs are processes of a server: if {error.word} is one, say --udf {error.word}, or give the server's "
                "configuration with --config"
            )
        self.place(source, str(error), error.line, error.char, error.length, hint(error))

    def place(
        self, source: _Source, message: str, line: int | None, char: int | None, length: int, hint: str | None
    ) -> None:
        """A finding at a place of a script, with the line and a caret below it."""
        where = f"{source.name}:{line}:{char}" if line else source.name
        rows = [f"{where}: {message}"]
        if line and char:
            rows += excerpt(source.text, line, char, length)
        if hint:
            rows.append(f"  hint: {hint}")
        self.finding("\n".join(rows))

    def written(self, source: _Source, text: str, backup: bool) -> bool:
        """Writes the text back to the file of a source; whether that could be done."""
        assert source.path is not None
        try:
            _write_back(source.path, text, backup)
        except OSError as error:
            self.unreadable = True
            typer.echo(f"{source.name}: cannot be written: {error.strerror}", err=True)
            return False
        return True

    def end(self) -> None:
        if self.unreadable:
            raise typer.Exit(_USAGE)
        if self.findings:
            raise typer.Exit(_FINDING)


def _each(files: list[str], handle: Callable[[_Run, _Source], None]) -> None:
    """Has every script that can be read handled; an error of the language in one is a finding, and the others go on."""
    from tickscript.errors import TickscriptError  # noqa: PLC0415  # lazy, see the top

    run = _Run()
    for source in run.sources(files):
        try:
            handle(run, source)
        except TickscriptError as error:
            run.error(source, error)
    run.end()


def _read_vars(path: Path | None) -> Any:
    """The vars of a file, `None` without one. Raises `typer.BadParameter` when they cannot be used."""
    import json  # noqa: PLC0415  # lazy, see the top

    from tickscript.errors import TickscriptError  # noqa: PLC0415
    from tickscript.vars import decode_vars  # noqa: PLC0415

    if path is None:
        return None
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{path}: cannot be read: {error.strerror}", param_hint="--vars") from None
    except ValueError as error:
        raise typer.BadParameter(f"{path}: not JSON: {error}", param_hint="--vars") from None
    if isinstance(data, dict) and isinstance(data.get("vars"), dict) and "type" not in data["vars"]:
        data = data["vars"]
    try:
        return decode_vars(data)
    except TickscriptError as error:
        raise typer.BadParameter(f"{path}: {error}", param_hint="--vars") from None


def _known_udfs(names: list[str] | None, configuration: Path | None) -> dict[str, UdfInfo]:
    """The UDFs that scripts may use. Raises `typer.BadParameter` when the options cannot be used."""
    import dataclasses  # noqa: PLC0415  # lazy, see the top
    import tomllib  # noqa: PLC0415

    from tickscript.nodes.udf import OPAQUE  # noqa: PLC0415

    known: dict[str, UdfInfo] = {}
    if configuration is not None:
        try:
            functions = tomllib.loads(configuration.read_text(encoding="utf-8")).get("udf", {}).get("functions", {})
            known |= dict.fromkeys(functions, OPAQUE)
        except OSError as error:
            text = f"{configuration}: cannot be read: {error.strerror}"
            raise typer.BadParameter(text, param_hint="--config") from None
        except (ValueError, AttributeError, TypeError) as error:
            raise typer.BadParameter(f"{configuration}: no configuration: {error}", param_hint="--config") from None
    for text in names or ():
        name, _, edges = text.partition("=")
        wants, _, provides = edges.partition(":")
        if not name.isidentifier() or ({wants, provides} - {"stream", "batch"} and edges) or text.endswith("="):
            raise typer.BadParameter(
                f"{text}: must be a name, or NAME=WANTS:PROVIDES, where both are stream or batch", param_hint="--udf"
            )
        known[name] = dataclasses.replace(OPAQUE, wants=wants, provides=provides)
    return known


@dataclass(frozen=True, slots=True)
class _Options:
    """What the command line says of all files: see the options of the same names."""

    task_type: str | None
    supplied: Any
    template: bool
    udfs: dict[str, UdfInfo]

    @classmethod
    def read(
        cls,
        task_type: str | None,
        vars_file: Path | None,
        template: bool,
        udfs: list[str] | None,
        configuration: Path | None,
    ) -> Self:
        """With what the files of options say. Raises `typer.BadParameter` when they cannot be used."""
        return cls(task_type, _read_vars(vars_file), template, _known_udfs(udfs, configuration))

    def is_template(self, source: _Source) -> bool:
        """Whether the vars of a script have no values yet."""
        from tickscript import ast  # noqa: PLC0415  # lazy, see the top
        from tickscript.parser import parse  # noqa: PLC0415

        if self.template or self.supplied is not None:
            return self.template
        return any(isinstance(node, ast.TypeDeclaration) for node in parse(source.text).statements)

    def compile(self, source: _Source) -> Pipeline:
        from tickscript.compile import TaskTypeError, compile_script, compile_template  # noqa: PLC0415  # lazy, see the top

        try:
            if self.is_template(source):
                return compile_template(source.text, self.task_type, udfs=self.udfs)
            return compile_script(source.text, self.task_type, vars=self.supplied, udfs=self.udfs)
        except TaskTypeError as error:
            error.hint = "a script starts from either stream or batch; --type says which"
            raise


@app.command()
def check(
    files: Files,
    task_type: TaskType = None,
    vars_file: VarsFile = None,
    template: Template = False,
    udfs: Udfs = None,
    configuration: Configuration = None,
) -> None:
    """Report what a server would refuse when a task is defined or enabled, and calls of functions that do not exist.

    UDFs are processes of a server's: their names can be given with --udf or --config, their options cannot be checked.
    """
    from tickscript.lambdas.library import LIBRARY  # noqa: PLC0415  # lazy, see the top
    from tickscript.nodes.base import StartError  # noqa: PLC0415
    from tickscript.parser import parse  # noqa: PLC0415
    from tickscript.suggest import did_you_mean, unknown_functions  # noqa: PLC0415

    options = _Options.read(task_type, vars_file, template, udfs, configuration)

    def handle(run: _Run, source: _Source) -> None:
        for call in unknown_functions(parse(source.text)):
            hint = did_you_mean(call.name, LIBRARY)
            run.place(source, f'undefined function: "{call.name}"', call.line, call.char, len(call.name), hint)
        pipeline = options.compile(source)
        if options.is_template(source):
            return
        try:
            pipeline.check_start()
        except StartError as error:
            node = f"{error.node}: " if error.node else ""
            line, char, length = error.place or (None, None, 1)
            run.place(source, f"the task would not start: {node}{error}", line, char, length, None)

    _each(files, handle)


@app.command()
def dot(
    files: Files,
    task_type: TaskType = None,
    vars_file: VarsFile = None,
    template: Template = False,
    udfs: Udfs = None,
    configuration: Configuration = None,
) -> None:
    """Print the pipeline of each script as a DOT graph, named after its file."""
    from tickscript.dot import static_dot  # noqa: PLC0415  # lazy, see the top

    options = _Options.read(task_type, vars_file, template, udfs, configuration)
    _each(files, lambda _, source: typer.echo(static_dot(options.compile(source), _graph_name(source))))


def _graph_name(source: _Source) -> str:
    """The file's name as an identifier of DOT."""
    stem = source.path.stem if source.path else "stdin"
    name = "".join(character if character.isalnum() or character == "_" else "_" for character in stem)
    return f"_{name}" if not name or name[0].isdigit() else name


@app.command(name="ast")
def print_ast(files: Files) -> None:
    """Print the syntax tree of each script as JSON."""
    import json  # noqa: PLC0415  # lazy, see the top

    from tickscript.ast_json import to_json  # noqa: PLC0415
    from tickscript.parser import parse  # noqa: PLC0415

    def handle(run: _Run, source: _Source) -> None:
        tree = to_json(parse(source.text))
        try:
            text = json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False)
        except RecursionError:
            run.finding(f"{source.name}: a chain of this script is too long to be shown as nested JSON")
        else:
            typer.echo(text)

    _each(files, handle)


@app.command()
def fmt(
    files: Files,
    write: Annotated[bool, typer.Option("--write", "-w", help="Write the result back to the file.")] = False,
    check_only: Annotated[bool, typer.Option("--check", help="Only name the files that are not formatted.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Only show what would change.")] = False,
    backup: Annotated[
        bool, typer.Option("--backup", "-b", help="With --write, keep the old file as FILE.orig.")
    ] = False,
) -> None:
    """Format scripts: to standard output, or back to their files.

    A file is left alone when a comment would be lost, because the language has no place for it there.
    """
    from tickscript.formatter import format_script, lost_comments  # noqa: PLC0415  # lazy, see the top

    if write and (check_only or diff):
        raise typer.BadParameter("cannot be combined with --check or --diff", param_hint="--write")
    if write and _STDIN in files:
        raise typer.BadParameter("cannot write back to standard input", param_hint="--write")

    def handle(run: _Run, source: _Source) -> None:
        text = format_script(source.text)
        lost = lost_comments(source.text)
        if lost and (write or check_only or diff):
            for token in lost:
                message = "the comment before this would be lost; move it to a line before a statement, | or ."
                run.place(source, message, token.line, token.char, len(token.text), None)
        elif check_only or diff:
            if text != source.text:
                run.finding(_diff(source, text) if diff else f"{source.name}: not formatted")
        elif source.path is not None and write:
            if text != source.text and run.written(source, text, backup):
                typer.echo(f"{source.name}: formatted")
        else:
            for token in lost:
                typer.echo(
                    f"{source.name}:{token.line}:{token.char}: warning: the comment before this is lost", err=True
                )
            typer.echo(text, nl=False)

    _each(files, handle)


def _diff(source: _Source, text: str) -> str:
    import difflib  # noqa: PLC0415  # lazy, see the top

    old, new = source.text.splitlines(keepends=True), text.splitlines(keepends=True)
    rows = difflib.unified_diff(old, new, source.name, f"{source.name} (formatted)")
    return "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows).rstrip("\n")


def _write_back(path: Path, text: str, backup: bool) -> None:
    """Replaces a file at once, so that it is never half written; keeps its mode and follows links."""
    target = path.resolve()
    if backup:
        shutil.copy2(target, target.with_name(target.name + ".orig"))
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        shutil.copymode(target, temporary)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

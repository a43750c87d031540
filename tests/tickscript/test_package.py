"""The package stands alone: it imports nothing of the product, costs nothing to import, and its interface is documented."""

from __future__ import annotations

import doctest
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tickscript
from cli.tick import app

PAGE = (Path(__file__).parents[2] / "docs" / "tickscript.md").read_text(encoding="utf-8")


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def test_every_module_imports_where_the_rest_of_the_product_is_not() -> None:
    names = [module.name for module in pkgutil.walk_packages(tickscript.__path__, "tickscript.")]
    assert len(names) > 40
    program = (
        "import sys, importlib\n"
        "for name in ('engine', 'transports', 'cli', 'demo', 'numba', 'zmq', 'starlette', 'typer', 'msgspec'):\n"
        "    sys.modules[name] = None\n"
        f"for name in {names}:\n"
        "    importlib.import_module(name)\n"
        "import tickscript\n"
        "print(tickscript.format_script('stream|from()'), end='')\n"
    )
    assert run(program) == "stream\n    |from()\n"


def test_importing_the_package_loads_nothing() -> None:
    program = (
        "import sys, tickscript; print([m for m in sys.modules if m in ('numpy', 'lark', 're2', 'tickscript.ast')])"
    )
    assert run(program) == "[]\n"


def test_the_examples_of_the_package_hold() -> None:
    result = doctest.testmod(tickscript)
    assert (result.failed, result.attempted > 10) == (0, True)


@pytest.mark.parametrize("name", tickscript.__all__)
def test_every_public_name_exists_has_a_docstring_and_stands_on_the_page(name: str) -> None:
    assert getattr(tickscript, name).__doc__
    assert name in dir(tickscript)
    assert re.search(rf"`{name}\b", PAGE), f"{name} is missing in docs/tickscript.md"


def test_the_page_names_nothing_that_is_not_public() -> None:
    section = PAGE.split("\n## As a library\n")[1]
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert named == set(tickscript.__all__)


def test_public_names_are_sorted_and_others_are_no_attributes() -> None:
    assert tickscript.__all__ == sorted(tickscript.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = tickscript.nope


def test_a_public_name_is_the_thing_of_its_module() -> None:
    from tickscript.parser import parse  # noqa: PLC0415  # after the attribute, on purpose
    from tickscript.pipeline_json import to_json  # noqa: PLC0415

    assert tickscript.parse is parse
    assert tickscript.pipeline_to_json is to_json


def test_the_finding_on_the_page_is_what_a_check_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cpu.tick").write_text("stream\n    |from()\n        .measurment('cpu')\n    |log()\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", "cpu.tick"])
    assert result.exit_code == 1
    assert "".join(f"    {line}\n" for line in result.stdout.splitlines()) in PAGE


def test_the_page_has_every_command_and_every_option_of_a_check() -> None:
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        assert f"tickworks tick {name} FILE" in PAGE
    options = set(re.findall(r"--\w+", CliRunner().invoke(app, ["check", "--help"]).stdout)) - {"--help"}
    assert {option for option in options if f"`{option}" not in PAGE} == set()

"""The README's commands and scripts are those of the repository, and so are its links."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from demo.run import TASKS, script

_ROOT = Path(__file__).parents[1]
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
_PAGES = [
    _ROOT / "README.md",
    _ROOT / "CONTRIBUTING.md",
    _ROOT / "CHANGELOG.md",
    *sorted((_ROOT / "docs").glob("*.md")),
]


def _commands(section: str) -> list[str]:
    """The indented lines of a section that stand alone, as commands to type."""
    text = _README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [line.strip() for line in text.splitlines() if line.startswith("    ./tw") and "```" not in line]


def test_one_command_sets_up_and_shows_and_one_sets_up_and_tests() -> None:
    assert _commands("Try it") == ["./tw demo"]
    assert _commands("Test it") == ["./tw test"]


def test_ci_runs_the_readmes_test_command() -> None:
    assert _commands("Test it")[0] in (_ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_readmes_scripts_are_those_of_the_demo() -> None:
    blocks = re.findall(r"^```\n(.*?)^```$", _README, re.MULTILINE | re.DOTALL)
    assert blocks == [script(task) for task in TASKS]


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    inside = [link for link in links if "://" not in link]
    assert [link for link in inside if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_have_exact_versions_with_hashes_and_no_addresses(name: str) -> None:
    text = (_ROOT / name).read_text(encoding="utf-8")
    requirements = re.findall(r"^[a-z].*?(?=^[a-z]|\Z)", text, re.MULTILINE | re.DOTALL)
    assert len(requirements) > 30
    assert [r for r in requirements if "==" not in r or "--hash=sha256:" not in r] == []
    assert "://" not in text


def test_the_development_lock_holds_the_other_one() -> None:
    def pinned(name: str) -> set[str]:
        return set(re.findall(r"^[a-z].*==\S+", (_ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))

    assert pinned("requirements.lock") < pinned("requirements-dev.lock")


@pytest.mark.parametrize("name", ["tw", ".ci/run", "scripts/lock"])
def test_shell_scripts_are_executable_and_parse(name: str) -> None:
    path = _ROOT / name
    assert path.stat().st_mode & 0o111
    interpreter = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("#!").split()[-1]
    subprocess.run([interpreter, "-n", str(path)], check=True)


def _setup(tmp_path: Path, **pythons: str) -> subprocess.CompletedProcess[str]:
    """The set-up where PATH has just these Pythons, a folder each in alphabetical order, and a few tools."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("dirname", "basename", "cat", "cksum", "id", "sh"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    for name, text in pythons.items():
        python = tmp_path / name / "python3"
        python.parent.mkdir()
        python.write_text(f"#!/bin/sh\n{text}\n")
        python.chmod(0o755)
    path = ":".join(str(tmp_path / folder) for folder in (*sorted(pythons), "tools"))
    return subprocess.run(
        [str(_ROOT / "tw"), "setup"],
        env={"PATH": path, "TICKWORKS_VENV": str(tmp_path / "venv")},
        capture_output=True,
        text=True,
        check=False,
    )


_OLD = '[ "$1" = -V ] && echo "Python 3.9.2" || exit 1'


def _serves(microseconds: int) -> str:
    """A Python that needs so long for the work that it is compared by, and only says that it was taken."""
    return f'case "$*" in *process_time*) echo {microseconds} ;; "-m venv"*) echo "taken: {microseconds}" >&2; exit 3 ;; esac'


def test_an_old_python_is_named_in_one_line(tmp_path: Path) -> None:
    ended = _setup(tmp_path, a=_OLD)
    assert ended.returncode == 2
    assert ended.stderr == "[tickworks] missing: Python 3.11 or later (Python 3.9.2 is too old)\n"


@pytest.mark.parametrize(("first", "second", "taken"), [(900, 500, 500), (500, 900, 500), (900, 850, 900)])
def test_the_clearly_faster_python_is_taken(tmp_path: Path, first: int, second: int, taken: int) -> None:
    ended = _setup(tmp_path, a=_OLD, b=_serves(first), c=_serves(second))
    assert ended.returncode == 3
    assert f"taken: {taken}\n" in ended.stderr

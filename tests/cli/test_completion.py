"""Completion, as the shells ask for it; bash is there in earnest, the others by their protocol."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.harness import ROOT, clean_environment, tickworks

if TYPE_CHECKING:
    from pathlib import Path

_NOWHERE = {"KAPACITOR_URL": "http://127.0.0.1:1"}
# Typer asks the shell's name of the processes above it; a test says which one it means.
_NAMED = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}


def _bash(line: str) -> list[str]:
    """What bash would offer at the end of the line."""
    words = line.split(" ")
    asked = {"_TICKWORKS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return tickworks(env={**_NOWHERE, **asked}).stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("tickworks en", ["enable"]),
        ("tickworks -u", ["-url"]),
        ("tickworks -url http://127.0.0.1:1 dis", ["disable"]),
        ("tickworks define x -t", ["-tick", "-type", "-template"]),
        ("tickworks define x -tick a.tick -d", ["-dbrp"]),
        ("tickworks define x -dbrp d.r --no", ["--no-reload"]),
        ("tickworks level ", ["debug", "info", "error"]),
        ("tickworks logs -level e", ["error"]),
        ("tickworks top --sort m", ["memory"]),
        ("tickworks stats g", ["general"]),
        ("tickworks list ta", ["tasks"]),
        ("tickworks tick f", ["fmt"]),
        # A server that is not there has nothing to offer, and that is no error.
        ("tickworks enable x", []),
    ],
)
def test_commands_and_options_of_one_dash_and_of_two_are_completed(line: str, offered: list[str]) -> None:
    assert _bash(line) == offered


def test_zsh_and_fish_get_explanations_as_well() -> None:
    asked = {"_TICKWORKS_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "tickworks define x -no"}
    assert '"-no-reload":"Do not restart' in tickworks(env=asked).stdout
    asked = {"_TICKWORKS_COMPLETE": "complete_fish", "_TYPER_COMPLETE_ARGS": "tickworks define x -no"}
    shown = tickworks(env={**asked, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}).stdout
    assert shown.startswith("-no-reload\tDo not restart")


@pytest.fixture
def on_path(tmp_path: Path) -> dict[str, str]:
    """An environment in which `tickworks` is a command, with a home of its own."""
    command = tmp_path / "bin" / "tickworks"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}:{os.environ['PATH']}"
    return clean_environment(PATH=path, HOME=str(tmp_path), **_NOWHERE, **_NAMED)


def test_bash_itself_completes_with_what_is_shown_and_with_what_is_installed(
    on_path: dict[str, str], tmp_path: Path
) -> None:
    ask = (
        "COMP_WORDS=(tickworks define x -t); COMP_CWORD=3; _tickworks_completion tickworks; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    tickworks("--install-completion", "bash", env={k: on_path[k] for k in ("HOME", *_NAMED)})
    installed = f"source {tmp_path}/.bash_completions/tickworks.sh; "
    assert str(tmp_path) in (tmp_path / ".bashrc").read_text()
    for source in ('eval "$(tickworks --show-completion bash)"; ', installed):
        ended = subprocess.run(
            ["bash", "--norc", "-c", source + ask], cwd=ROOT, env=on_path, capture_output=True, text=True, check=True
        )
        assert ended.stdout.split() == ["-tick", "-type", "-template"]


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", ".bash_completions/tickworks.sh"),
        ("zsh", ".zfunc/_tickworks"),
        ("fish", ".config/fish/completions/tickworks.fish"),
    ],
)
def test_each_shell_has_a_script_and_a_place_for_it(tmp_path: Path, shell: str, place: str) -> None:
    shown = tickworks("--show-completion", shell, env=_NAMED)
    assert f"_TICKWORKS_COMPLETE=complete_{shell}" in shown.stdout
    assert re.search(r"\btickworks\b", shown.stdout)
    installed = tickworks("--install-completion", shell, env={"HOME": str(tmp_path), **_NAMED})
    assert installed.returncode == 0
    assert f"complete_{shell}" in (tmp_path / place).read_text()

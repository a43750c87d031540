"""The golden corpus, folder by folder, against a real server: with default settings, and with frames cut to one row."""

from __future__ import annotations

import filecmp
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness import PATIENCE_S, ROOT, Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HERE = Path(__file__).parent
_CORPUS = _HERE / "corpus"
_ORIGINALS = ROOT.parent / "shared"
_CHECKER = _HERE / "check_corpus.py"

_FOLDERS = sorted(path.name for path in _CORPUS.iterdir())
_SETTINGS = {"default settings": "", "frames of one row": "[tickworks]\nmax-frame-rows = 1\n"}


@pytest.fixture(scope="module", params=_SETTINGS, ids=lambda name: name.replace(" ", "-"))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(config=_SETTINGS[request.param]) as started:
        yield started


def _check(server: Server, folder: str, cases: Iterable[str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run the checker over some cases of a folder."""
    return subprocess.run(
        [
            *(sys.executable, str(_CHECKER), "--url", server.url, "--influx-port", "0", "--jobs", "12"),
            *("--timeout", str(timeout), "--filter", f"^{folder}/({'|'.join(cases)})$", str(_CORPUS / folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def _runs(case: Path) -> bool:
    """Whether the checker runs the case without a database for batch tasks to query."""
    about = json.loads((case / "case.json").read_bytes())
    return about["type"] != "batch" or about.get("no_influx", False)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("folder", _FOLDERS)
def test_every_case_of_the_folder_agrees_with_the_reference(server: Server, folder: str) -> None:
    wanted = {case.name for case in (_CORPUS / folder).iterdir() if _runs(case)}
    ran = _check(server, folder, wanted, PATIENCE_S)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}\n{server.story()}"
    assert f"{len(wanted)} passed, 0 failed" in ran.stdout


def _differences(ours: Path, theirs: Path) -> list[str]:
    compared = filecmp.dircmp(ours, theirs, ignore=["__pycache__"])
    found = [f"{ours / name}" for name in (*compared.left_only, *compared.right_only, *compared.funny_files)]
    _, different, unreadable = filecmp.cmpfiles(ours, theirs, compared.common_files, shallow=False)
    found += [f"{ours / name}" for name in (*different, *unreadable)]
    for name in compared.common_dirs:
        found += _differences(ours / name, theirs / name)
    return found


def test_the_copies_are_what_they_were_copied_from() -> None:
    """Where the originals lie beside the checkout; elsewhere there is nothing to compare."""
    pairs = [
        (_CHECKER, _ORIGINALS / "corpus" / "check_corpus.py"),
        (ROOT / "tests/bench/load.py", _ORIGINALS / "bench/load.py"),
    ]
    for ours, theirs in pairs:
        assert not theirs.exists() or ours.read_bytes() == theirs.read_bytes()
    for folder in _FOLDERS:
        theirs = _ORIGINALS / "corpus" / folder
        assert not theirs.exists() or _differences(_CORPUS / folder, theirs) == []

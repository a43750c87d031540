"""The golden corpus, folder by folder, against a real server: with default settings, and with frames cut to one row."""

from __future__ import annotations

import filecmp
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.harness import PATIENCE_S, ROOT, Server

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
_CORPUS = _HERE / "corpus"
_ORIGINALS = ROOT.parent / "shared"
_CHECKER = _HERE / "check_corpus.py"

# Cases of a folder that stands here whole, but that need a node kind which this version does not have.
_NEED_MORE = {
    "httpPost": {"header_alert_post": "alert"},
    "noop": {"dangling_join": "join", "dangling_union": "union"},
}
_FOLDERS = sorted(path.name for path in _CORPUS.iterdir())
_SETTINGS = {"default settings": "", "frames of one row": "[tickworks]\nmax-frame-rows = 1\n"}


@pytest.fixture(scope="module", params=_SETTINGS, ids=lambda name: name.replace(" ", "-"))
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(config=_SETTINGS[request.param]) as started:
        yield started


@pytest.mark.timeout(900)
@pytest.mark.parametrize("folder", _FOLDERS)
def test_every_case_of_the_folder_agrees_with_the_reference(server: Server, folder: str) -> None:
    needs = _NEED_MORE.get(folder, {})
    wanted = [case.name for case in (_CORPUS / folder).iterdir() if case.name not in needs]
    ran = subprocess.run(
        [
            *(sys.executable, str(_CHECKER), "--url", server.url, "--influx-port", "0", "--jobs", "8"),
            *("--timeout", str(PATIENCE_S), "--filter", f"^{folder}/({'|'.join(wanted)})$", str(_CORPUS / folder)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}\n{server.story()}"
    assert f"{len(wanted)} passed, 0 failed" in ran.stdout


def test_a_case_that_is_left_out_is_one_that_the_server_names_the_missing_node_of(server: Server) -> None:
    for folder, cases in _NEED_MORE.items():
        for case, kind in cases.items():
            script = (_CORPUS / folder / case / "script.tick").read_text().replace("{{POST_URL}}", "http://127.0.0.1:1")
            server.define("needs_more", script)
            answer = server.http.patch("/kapacitor/v1/tasks/needs_more", json={"status": "enabled"})
            assert answer.status_code == 500
            assert f"'{kind}'" in answer.json()["error"]
            server.delete("needs_more")


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

"""The run directory: private, short, one name a use."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from transports.errors import RunDirectoryError
from transports.paths import SUFFIX, SUN_PATH, open_run_directory


@pytest.fixture
def place():
    """A directory whose own path is short, which pytest's is not."""
    with tempfile.TemporaryDirectory(prefix="t") as made:
        yield Path(made)


def test_a_short_data_directory_has_its_run_directory_within(place):
    run = open_run_directory(place, memory=(), fallbacks=())
    assert run.path == place / "run"
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700


def test_a_long_data_directory_falls_back_to_a_name_of_its_own(place):
    short = place / "s"
    short.mkdir()
    first, second = (place / (letter * 90) for letter in "ab")
    for long in (first, second):
        long.mkdir()
    places = [
        open_run_directory(long, memory=(), fallbacks=(place / "none", short)).path for long in (first, second, first)
    ]
    assert {place.parent for place in places} == {short}
    assert places[0] == places[2] != places[1]


def test_every_path_fits_into_a_socket_address(place):
    path = place
    made = []
    # Whatever the length of the data directory, either it is refused or a socket can be bound at every name.
    while len(os.fsencode(path)) < SUN_PATH:
        path /= "ab"
        path.mkdir()
        with contextlib.suppress(RunDirectoryError):
            run = open_run_directory(path, memory=(), fallbacks=())
            made.append(run)
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(run.new_path("abcd") + "x" * SUFFIX)
    with pytest.raises(RunDirectoryError, match="the path is longer than"):
        open_run_directory(path, memory=(), fallbacks=())
    assert made


def test_no_path_is_given_out_twice(place):
    run = open_run_directory(place, memory=(), fallbacks=())
    again = open_run_directory(place, memory=(), fallbacks=())
    paths = [maker.new_path() for maker in (run, again) for _ in range(1000)]
    assert len(set(paths)) == len(paths)


def test_what_an_earlier_server_left_is_removed(place):
    run = open_run_directory(place, memory=(), fallbacks=())
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(run.new_path())
    (run.path / "deep" / "deeper").mkdir(parents=True)
    (run.path / "link").symlink_to(place)
    open_run_directory(place, memory=(), fallbacks=())
    assert list(run.path.iterdir()) == []
    assert place.is_dir()


def test_a_directory_that_others_could_enter_is_closed_to_them(place):
    (place / "run").mkdir(mode=0o777)
    (place / "run").chmod(0o777)
    assert stat.S_IMODE(open_run_directory(place, memory=(), fallbacks=()).path.stat().st_mode) == 0o700


def test_a_directory_of_another_user_is_refused(place, monkeypatch):
    (place / "run").mkdir()
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(RunDirectoryError, match=f"it belongs to user {other - 1}"):
        open_run_directory(place, memory=(), fallbacks=())


def test_a_symbolic_link_is_refused(place):
    (place / "elsewhere").mkdir()
    (place / "run").symlink_to(place / "elsewhere")
    with pytest.raises(RunDirectoryError, match="it is not a directory"):
        open_run_directory(place, memory=(), fallbacks=())


def test_a_file_in_the_way_is_refused(place):
    (place / "run").write_text("")
    with pytest.raises(RunDirectoryError, match="File exists"):
        open_run_directory(place, memory=(), fallbacks=())


def test_the_error_names_every_place_that_was_tried(place):
    (place / "run").touch()
    with pytest.raises(RunDirectoryError) as caught:
        open_run_directory(place, memory=(place / "nowhere",), fallbacks=(place / "neither",))
    for tried in (place / "run", place / "nowhere", place / "neither"):
        assert f"{tried}" in str(caught.value)


def test_a_data_directory_that_is_not_there_is_named(place):
    with pytest.raises(RunDirectoryError, match=f"{place / 'none'}: No such file or directory"):
        open_run_directory(place / "none")


def test_the_directory_that_systemd_made_for_the_unit_comes_first(place, monkeypatch):
    unit = place / "u"
    unit.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{unit}:{place / 'other'}")
    run = open_run_directory(place)
    assert run.path.parent == unit
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no shared memory here")
def test_without_one_the_sockets_of_root_and_services_are_in_memory_and_those_of_users_are_not(place, monkeypatch):
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    run = open_run_directory(place)
    try:
        assert run.path.parent == (Path("/dev/shm") if os.geteuid() < 1000 else place)
    finally:
        run.remove()


def test_data_directories_that_share_memory_and_a_name_have_directories_of_their_own(place):
    memory = place / "m"
    memory.mkdir()
    data = place / "data"
    data.mkdir()
    first = open_run_directory(data, memory=(memory,))
    # Another one of the same name, as in another container.
    data.rename(place / "moved")
    data.mkdir()
    assert open_run_directory(data, memory=(memory,)).path != first.path


def test_the_runtime_directory_of_the_user_is_the_first_fallback(place, monkeypatch):
    runtime = place / "r"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    long = place / ("a" * 90)
    long.mkdir()
    run = open_run_directory(long, memory=())
    assert run.path.parent == runtime
    run.remove()
    run.remove()
    assert list(runtime.iterdir()) == []


@pytest.mark.parametrize("label", ["", "abcde", "a/b"])
def test_a_label_that_would_lengthen_or_leave_the_directory_is_refused(place, label):
    with pytest.raises(ValueError, match="a label is"):
        open_run_directory(place, memory=(), fallbacks=()).new_path(label)

"""The run directory: where the sockets of one server lie.

It always holds: the directory belongs to this user, nobody else can enter it (0700), it is no symbolic link, and its path is
so short that every name in it fits into a socket address. Each name is given out once, for one incarnation of one edge or
control socket. The server that holds the lock of a data directory owns that data directory's run directory alone, so it may
empty it at start, and removes it at the end.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import secrets
import shutil
import stat
from pathlib import Path

from transports.errors import RunDirectoryError

SUN_PATH = 107
"""Bytes of a Unix socket's path on Linux, without the closing zero."""

SUFFIX = 4
"""Bytes that an edge appends to its path for the names of its own."""

_NAME = 22
_FIRST_USER = 1000
"""Lower user ids are root's and those of services, nearly everywhere."""


class RunDirectory:
    """A private directory that gives out socket paths, each once."""

    __slots__ = ("_serial", "path")

    def __init__(self, path: Path) -> None:
        """Take `path`, made or checked by `open_run_directory`."""
        self.path = path
        self._serial = itertools.count()

    def new_path(self, label: str = "e") -> str:
        """A path that was never given out before, by this process or an earlier one. `label`: up to 4 letters, for people."""
        if len(label) > 4 or not label.isalnum():
            raise ValueError(f"a label is one to four letters or digits, not {label!r}")
        return str(self.path / f"{label}{next(self._serial):x}-{secrets.token_hex(4)}")

    def remove(self) -> None:
        """Delete the directory and what is left in it. May be called again."""
        shutil.rmtree(self.path, ignore_errors=True)


def open_run_directory(
    data_dir: Path, *, memory: tuple[Path, ...] | None = None, fallbacks: tuple[Path, ...] | None = None
) -> RunDirectory:
    """Make (or empty) the run directory of `data_dir`, which exists and whose lock the caller holds.

    It is a directory named after the data directory in `memory`, else `<data_dir>/run` where that is short enough, else
    one in `fallbacks`. `memory`: by default $RUNTIME_DIRECTORY (systemd's RuntimeDirectory=), and for root and system users
    /dev/shm; `fallbacks`: $XDG_RUNTIME_DIR, /run/user/<uid>, /tmp. Sockets in memory are made and removed several times as
    fast as on a disk's file system. Raises RunDirectoryError when none of them will do.
    """
    data_dir = data_dir.absolute()
    # The path alone is not enough: containers can share memory, and have data directories of the same name.
    try:
        found = data_dir.stat()
    except OSError as error:
        raise RunDirectoryError(f"no directory for sockets: {data_dir}: {error.strerror}") from error
    identity = b"%d/%d/%s" % (found.st_dev, found.st_ino, os.fsencode(data_dir))
    name = f"tickworks-{os.geteuid()}-{hashlib.sha256(identity).hexdigest()[:8]}"
    places = [
        *(place / name for place in (_memory() if memory is None else memory)),
        data_dir / "run",
        *(place / name for place in (_fallbacks() if fallbacks is None else fallbacks)),
    ]
    reasons = []
    for place in places:
        reason = _prepare(place)
        if reason is None:
            return RunDirectory(place)
        reasons.append(f"{place}: {reason}")
    raise RunDirectoryError("no directory for sockets: " + "; ".join(reasons))


def _memory() -> tuple[Path, ...]:
    unit = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    # What users who log in own there is removed when they log out (systemd's RemoveIPC=), whatever still runs.
    shared = (Path("/dev/shm"),) if os.geteuid() < _FIRST_USER else ()  # noqa: S108 -- owner and mode are checked
    return (*([Path(unit)] if unit else []), *shared)


def _fallbacks() -> tuple[Path, ...]:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return (*([Path(runtime)] if runtime else []), Path(f"/run/user/{os.geteuid()}"), Path("/tmp"))  # noqa: S108 -- owner and mode are checked


def _prepare(place: Path) -> str | None:
    """Make `place` an empty private directory; the reason when that cannot be."""
    room = SUN_PATH - SUFFIX - _NAME - 1
    if len(os.fsencode(place)) > room:
        return f"the path is longer than {room} bytes"
    try:
        if not place.parent.is_dir():
            return "the directory above it does not exist"
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return "it is not a directory"
        if found.st_uid != os.geteuid():
            return f"it belongs to user {found.st_uid}"
        place.chmod(0o700)
        for entry in place.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return None

"""What every process of the server does first: tie its life to its parent's, say what it is, listen to signals.

No process outlives its parent: the kernel kills it when the parent dies (PDEATHSIG, set from the main thread), and a
parent that died before that was set is noticed by asking for it afterwards.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import setproctitle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_M_ARENA_MAX = -8
_KEPT_BYTES = 8 << 20
EXIT_USAGE = 2
"""Exit status for what the user must mend: a port in use, an unreadable file."""


# Looked up once, here: a forked child that looks up for itself dirties half a megabyte of what it shares with its parent.
_libc_prctl = ctypes.CDLL(None, use_errno=True).prctl
_mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
# Through PyDLL the child has the interpreter's lock, as its parent had.
_libc_fork = ctypes.PyDLL(None, use_errno=True).fork


def _prctl(option: int, value: int) -> None:
    if _libc_prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def die_with(parent: int) -> None:
    """Be killed when process `parent`, which must be the parent, dies."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def become_subreaper() -> None:
    """Inherit the orphans among this process's descendants, so that it can wait for them."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def keep_memory() -> None:
    """Have the allocator keep up to `_KEPT_BYTES` of freed memory, so that every frame does not fault its pages in anew.

    Without it each message above 128 KiB is mapped, faulted in page by page, and unmapped again. A C library without
    this setting goes on as it was.
    """
    if _mallopt is not None:
        _mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        _mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        _mallopt(_M_ARENA_MAX, 1)


def set_title(title: str) -> None:
    """What `ps` shows, after `tickworks: `."""
    setproctitle.setproctitle(f"tickworks: {title}")


def ignore_terminal() -> None:
    """Leave SIGINT to the launcher, which passes on what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def default_signals() -> None:
    """Undo what a parent's Python installed."""
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    # A terminal that closes sends it to all; whom it means something to says so, and until then it must not kill.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def close_inherited(keep: Iterable[int]) -> None:
    """Close every descriptor but the standard ones and `keep`."""
    kept = {0, 1, 2, *keep}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - a list of numbers, not of paths
        descriptor = int(name)
        if descriptor not in kept:
            try:
                os.close(descriptor)
            except OSError:
                continue


def fork_into(title: str, body: Callable[[], int], keep: Iterable[int] = ()) -> int:
    """Fork a child that runs `body` and exits with its result; the child's pid."""
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()

    def prepare() -> None:
        default_signals()
        ignore_terminal()
        close_inherited(keep)
        keep_memory()

    pid = os.fork()
    if pid == 0:
        _run_child(parent, title, prepare, body)
    return pid


def fork_alike(title: str, body: Callable[[], int]) -> int:
    """As `fork_into`, from a process that `fork_into` made, that changed nothing of what a child sets up and has one thread.

    The child keeps the standard descriptors alone. It is forked without what Python does after a fork (new locks, no other
    threads, a fresh seed for `random`): there is nothing to put right, and each page that it would write to is one that the
    child no longer shares. Raises OSError where there can be no process.
    """
    parent = os.getpid()
    pid: int = _libc_fork()
    if pid == 0:
        _run_child(parent, title, _close_all, body)
    if pid < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return pid


def _close_all() -> None:
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _run_child(parent: int, title: str, prepare: Callable[[], None], body: Callable[[], int]) -> NoReturn:
    status = 1
    try:
        die_with(parent)
        prepare()
        set_title(title)
        status = body()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - the last stop of a forked child: report, never run the parent's code
        import traceback  # noqa: PLC0415 - only here

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

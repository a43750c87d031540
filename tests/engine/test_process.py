"""Forked children: how they end, and what they hold."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import textwrap

import pytest

# A process with threads (a test runner's has some) is no parent for `fork_alike`, so that the parent is one of its own.
_PARENT = """
    import os, signal, sys
    from engine import process

    def run() -> int:
        {body}

    pid = process.fork_into("parent", run)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)
"""


def outcome(body: str) -> subprocess.CompletedProcess[str]:
    script = textwrap.dedent(_PARENT).format(body=textwrap.indent(body, "    ").lstrip())
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("fork", ["fork_into", "fork_alike"])
def test_a_child_ends_with_the_result_of_its_body(fork):
    body = f"pid = process.{fork}('x', lambda: 7)\nreturn os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"
    assert outcome(body).returncode == 7


@pytest.mark.parametrize("fork", ["fork_into", "fork_alike"])
def test_a_child_whose_body_fails_says_so_and_ends_with_1(fork):
    body = f"pid = process.{fork}('x', lambda: 1 // 0)\nreturn os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])"
    done = outcome(body)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("fork", ["fork_into", "fork_alike"])
def test_a_child_holds_none_of_its_parents_descriptors(fork):
    body = textwrap.dedent(f"""\
        pipes = [os.pipe() for _ in range(20)]
        def count() -> int:
            return len(os.listdir('/proc/self/fd'))
        pid = process.{fork}('x', count)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])""")
    # The standard ones, and the one that lists.
    assert outcome(body).returncode == 4


@pytest.mark.parametrize("fork", ["fork_into", "fork_alike"])
def test_a_child_dies_with_its_parent(fork):
    body = textwrap.dedent(f"""\
        def wait() -> int:
            signal.pause()
            return 0
        pid = process.{fork}('x', wait)
        os.write(1, str(pid).encode())
        os.kill(os.getpid(), signal.SIGKILL)
        return 0""")
    done = outcome(body)
    try:
        descriptor = os.pidfd_open(int(done.stdout))
    except ProcessLookupError:
        return
    # Whoever inherited it may not have reaped it yet: it is dead as soon as its descriptor is readable.
    try:
        assert select.select([descriptor], [], [], 60)[0]
    finally:
        os.close(descriptor)


def test_a_child_cannot_be_where_there_may_be_no_more_processes():
    body = textwrap.dedent("""\
        import resource
        if os.geteuid() == 0:
            os.setuid(65534)
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        try:
            process.fork_alike('x', lambda: 0)
        except OSError as error:
            return 9 if error.errno else 1
        return 0""")
    assert outcome(body).returncode == 9

"""The rehearsal before the first fork: nothing that is dear the first time is left to the nodes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from numba.core import dispatcher

from engine.frames.codec import encode
from engine.inputs.line_protocol import LineParser
from engine.runner import rehearsal
from tickscript import plan
from tickscript.compile import compile_script
from transports.paths import open_run_directory

FROM = "stream|from().measurement('m')"
HOSTS = f"{FROM}.groupBy('host')"
WINDOW = "|window().period(10s).every(10s)"
SCRIPTS = [
    f"{FROM}|where(lambda: \"f\" > 0.0)|eval(lambda: \"f\" * 2.0, lambda: \"v\" + 1).as('w', 'x')|httpOut('o')",
    f"{FROM}{WINDOW}|mean('f')|httpOut('o')",
    f"{HOSTS}{WINDOW}|mean('f')|httpOut('o')",
    f"{HOSTS}{WINDOW}|max('v')|httpOut('o')",
    f"{HOSTS}|window().period(10s).every(5s)|percentile('f', 90.0)|httpOut('o')",
    f"{FROM}.groupBy(*)|window().periodCount(10).everyCount(10)|sum('v')|httpOut('o')",
    f"{FROM}|groupBy('host', 't')|derivative('f').unit(1s)|httpOut('o')",
    f"{HOSTS}|alert().crit(lambda: \"f\" > 1000.0).stateChangesOnly()|httpOut('o')",
    f'{HOSTS}|where(lambda: "s" =~ /x1/)|log()',
    f"var a = {HOSTS}\nvar b = {HOSTS}\na|join(b).as('a', 'b')|eval(lambda: \"a.f\" + \"b.f\").as('q')|httpOut('o')",
    f"{HOSTS}{WINDOW}|count('s')|default().field('k', 1)|delete().field('count')|httpOut('o')",
    f"{HOSTS}{WINDOW}|stddev('f')|shift(5s)|httpOut('o')",
]


@pytest.fixture(scope="module")
def rehearsed():
    rehearsal.rehearse(rehearsal.plans())


def frames(line: str, rows: int, most: int):
    parser = LineParser(most)
    parser.begin(db="d", rp="r", precision="n", now=0)
    parser.feed("\n".join(line.format(k=k, host=k % 7, time=k * 10**9) for k in range(rows)).encode())
    return list(parser.finish().frames)


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="without Numba nothing is looked for")
@pytest.mark.usefixtures("rehearsed")
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_common_frame_makes_numba_look_for_the_version_of_a_kernel_that_fits(script, monkeypatch):
    found = []
    search = dispatcher._DispatcherBase._search_new_conversions

    def tell(self, *arguments, **named):
        found.append((self.py_func.__qualname__, [type(a) for a in arguments]))
        return search(self, *arguments, **named)

    monkeypatch.setattr(dispatcher._DispatcherBase, "_search_new_conversions", tell)
    for line in ('m f={k}.5,v={k}i,s="x{k}",b=t {time}', 'm,host=h{host},t=a f={k}.5,v={k}i,s="x{k}",b=t {time}'):
        for rows, most in ((12, 1), (500, 100), (2000, 8192)):
            rehearsal.run(plan.encode(compile_script(script)), frames(line, rows, most))
    assert found == []


def test_processes_are_rehearsed_and_leave_nothing_behind(tmp_path):
    run_directory = open_run_directory(tmp_path, memory=())
    before = set(Path("/proc/self/fd").iterdir())
    rehearsal.rehearse_processes(str(run_directory.path), plan.encode(compile_script(rehearsal.SCRIPTS[0])))
    assert list(run_directory.path.iterdir()) == []
    assert set(Path("/proc/self/fd").iterdir()) <= before


def test_what_a_node_gives_is_what_the_next_one_takes():
    given = rehearsal.run(
        plan.encode(compile_script(f'{FROM}|where(lambda: "f" > 3.0)|log()')), frames("m f={k}.0 {time}", 10, 8)
    )
    assert list(given) == ["", "stream0", "from1", "where2", "log3"]
    assert given["stream0"] == [encode(f) for f in frames("m f={k}.0 {time}", 10, 8)]

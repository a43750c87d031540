"""Placement: processes, edges, and the columns that later nodes can still refer to."""

from __future__ import annotations

import itertools

import pytest

from engine.task_master.placement import PlacementError, place
from tickscript import plan
from tickscript.compile import compile_script


def laid_out(script):
    numbers = itertools.count()
    return place(plan.encode(compile_script(script)), lambda: f"edge{next(numbers)}")


def test_every_node_is_a_process_and_stream_rides_with_its_only_child():
    layout = laid_out("stream|from().measurement('cpu')|window().period(10s).every(10s)|mean('v')|httpOut('o')")
    assert [p.nodes for p in layout.processes] == [["stream0", "from1"], ["window2"], ["mean3"], ["http_out4"]]
    assert layout.measurements == {"cpu"}
    assert layout.roots == layout.processes[0].parents


def test_stream_with_several_children_is_a_process_of_its_own():
    layout = laid_out("stream|from().measurement('a')|log()\nstream|from()|log()")
    assert ["stream0"] in [p.nodes for p in layout.processes]
    assert layout.measurements == {"a", ""}


def test_edges_join_parents_and_children_slot_by_slot():
    layout = laid_out(
        "var a = stream|from().measurement('a')\nvar b = stream|from().measurement('b')\na|union(b, a)|log()"
    )
    by_name = {p.nodes[-1]: p for p in layout.processes}
    union = next(p for n, p in by_name.items() if n.startswith("union"))
    given = [path for n in ("from1", "from2") for path, _ in by_name[n].children]
    assert sorted(path for path, _ in union.parents) == sorted(given)
    assert len(set(given)) == 3
    everything = [path for p in layout.processes for path, _ in p.parents]
    assert len(everything) == len(set(everything))


def test_what_no_later_node_can_refer_to_is_dropped_by_from():
    def kept(script):
        return laid_out(script).keep["from1"]

    assert kept("stream|from().groupBy('host')|window().period(1s)|mean('v')|httpOut('o')") == (["v"], [])
    assert kept("stream|from()|where(lambda: \"a\" > 1)|window().period(1s)|sum('v')|log()") == (["a", "v"], ["a"])
    assert kept("stream|from()|window().period(1s)|httpOut('all')") == (None, None)
    assert kept("stream|from()|log()") == (None, None)


def test_what_talks_to_the_outside_runs_on_asyncio():
    layout = laid_out("stream|from()|httpPost('http://localhost/')")
    assert [p.outside for p in layout.processes] == [False, True]


def test_mismatched_edges_are_refused_with_the_reference_text():
    script = "var w = stream|from()|window().period(1s)\nvar f = stream|from()\nf|join(w).as('a','b')|log()"
    with pytest.raises(PlacementError, match=r"cannot add child mismatched edges: window\d:batch -> join\d:stream"):
        laid_out(script)


def columns(script):
    return {p.nodes[0]: p.columns for p in laid_out(script).processes}


def test_the_root_reads_only_the_columns_that_somebody_can_refer_to():
    grouped = "stream|from().where(lambda: \"region\" == 'eu').groupBy('host')"
    assert columns(f"{grouped}|window().period(1s)|mean('v')|httpOut('o')") == {
        "stream0": (["region", "v"], ["host", "region"]),
        "window2": (None, None),
        "mean3": (None, None),
        "http_out4": (None, None),
    }
    assert columns("stream|from()|window().period(1s)|httpOut('all')")["stream0"] == (None, None)
    assert columns("stream|from().groupBy(*)|window().period(1s)|mean('v')|httpOut('o')")["stream0"] == (["v"], None)
    two = "stream|from().measurement('a')|mean('v')|httpOut('a')\nstream|from().measurement('b')|sum('w')|httpOut('b')"
    assert columns(two)["stream0"] == (["v", "w"], [])

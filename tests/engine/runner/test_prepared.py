"""What of a process is made before it is forked."""

from __future__ import annotations

import msgspec
import pytest

from engine.nodes import reads_outside
from engine.nodes.where import WhereOperator
from engine.runner.prepared import prepare, prepare_early
from engine.runner.spec import NodeSpec, ProcessSpec
from engine.status import StatusFile
from tickscript import plan
from tickscript.compile import compile_script


@pytest.fixture
def spec_of(tmp_path):
    pages = StatusFile.create(tmp_path / "pages", 4)

    def make(script, name, **changes):
        (node,) = [n for n in plan.encode(compile_script(script))["nodes"] if n["name"] == name]
        member = NodeSpec(name, node["kind"], pages.take(), {**node, **changes}, 1)
        return ProcessSpec("t/x#1", "t", [member], [], [], "", str(pages.path))

    yield make
    pages.close()


def test_the_operators_of_a_process_are_made_before_it_is_forked(spec_of):
    prepared = prepare_early(spec_of('stream|from()|where(lambda: "v" > 1)|log()', "where2"))
    assert prepared is not None
    assert [type(o) for o in prepared.operators] == [WhereOperator]
    assert prepared.failure is None
    assert [c.name for c in prepared.counted] == ["where2"]


def test_a_node_that_cannot_start_is_told_of_and_not_raised(spec_of):
    spec = spec_of("stream|from()|httpPost().endpoint('nowhere')", "http_post2")
    prepared = prepare_early(spec)
    assert prepared is not None
    assert prepared.operators == []
    assert prepared.failure is not None
    assert prepared.failure[0] == "http_post2"


def test_what_reads_files_or_asks_servers_is_left_to_its_own_process(spec_of, tmp_path):
    script = f"stream|from()|sideload().source('file://{tmp_path}').order('a.yml').field('x', 1.0)|log()"
    assert reads_outside("sideload")
    assert prepare_early(spec_of(script, "sideload2")) is None
    assert len(prepare(spec_of(script, "sideload2")).operators) == 1


def test_what_may_have_killed_a_zygote_is_left_to_its_own_process(spec_of):
    spec = spec_of("stream|from()|log()", "log2")
    assert prepare_early(spec) is not None
    assert prepare_early(msgspec.structs.replace(spec, early=False)) is None


def test_what_goes_wrong_in_any_other_way_is_left_to_its_own_process_too(spec_of):
    spec = spec_of("stream|from()|log()", "log2", method="none such")
    assert prepare_early(spec) is None
    with pytest.raises(KeyError):
        prepare(spec)

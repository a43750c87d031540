"""DOT text of tasks that execute; that of others is in the recorded cases."""

from __future__ import annotations

from tickscript.compile import compile_script
from tickscript.dot import LiveStats, live_dot, static_dot

STREAM = compile_script("stream|from()")
IDLE = {"avg_exec_time_ns": 0, "errors": 0, "working_cardinality": 0}


def test_attributes_stand_sorted_in_brackets_each_with_a_blank_behind() -> None:
    stats = LiveStats(nodes={"stream0": IDLE, "from1": IDLE})
    assert live_dot(STREAM, "a1", stats) == (
        "digraph a1 {\n"
        'graph [throughput="0.00 points/s"];\n'
        "\n"
        'stream0 [avg_exec_time_ns="0s" errors="0" working_cardinality="0" ];\n'
        'stream0 -> from1 [processed="0"];\n'
        "\n"
        'from1 [avg_exec_time_ns="0s" errors="0" working_cardinality="0" ];\n'
        "}"
    )


def test_labels_are_joined_by_a_backslash_and_an_r() -> None:
    stats = LiveStats(
        throughput=12.345,
        nodes={"stream0": IDLE, "from1": {**IDLE, "avg_exec_time_ns": 1234}},
        processed={("stream0", 0): 7},
    )
    assert live_dot(STREAM, "a1", stats, "labels") == (
        "digraph a1 {\n"
        'graph [label="Throughput: 12.35 points/s" forcelabels=true pad="0.8,0.5"];\n'
        "\n"
        'stream0 [xlabel="avg_exec_time_ns=0s\\rerrors=0\\rworking_cardinality=0"];\n'
        'stream0 -> from1 [label="processed=7"];\n'
        "\n"
        'from1 [xlabel="avg_exec_time_ns=1.234µs\\rerrors=0\\rworking_cardinality=0"];\n'
        "}"
    )


def test_the_batch_source_has_no_block_and_its_unit_is_batches() -> None:
    pipeline = compile_script("batch|query('q').every(1s)|log()")
    query = {"batches_queried": 2, "avg_exec_time_ns": 0, "errors": 0}
    text = live_dot(pipeline, "b", LiveStats(nodes={"query1": query}))
    assert "batch0" not in text
    assert 'throughput="0.00 batches/s"' in text
    assert 'query1 [avg_exec_time_ns="0s" batches_queried="2" errors="0" ];' in text


def test_each_of_two_links_between_two_nodes_has_a_line_and_a_count_of_its_own() -> None:
    pipeline = compile_script("var s = stream|from()\ns|union(s)")
    text = live_dot(pipeline, "u", LiveStats(processed={("from1", 0): 1, ("from1", 1): 2}))
    assert 'from1 -> union3 [processed="1"];\nfrom1 -> union3 [processed="2"];' in text
    assert static_dot(pipeline, "u").count("from1 -> union3;") == 2

"""Which alert nodes start: properties that are refused in the reference's words, and handlers of a script."""

from __future__ import annotations

import pytest

from engine.alerts.handlers import inline
from engine.nodes import build
from engine.operator import Context, TaskError
from tests.engine.nodes.alerting import alert
from tests.engine.nodes.messages import SECOND as S
from tickscript import plan
from tickscript.compile import compile_script


@pytest.mark.parametrize(
    ("properties", "error"),
    [
        (".message('{{ .Level ')", "template: message:1: unclosed action"),
        (".id('{{ json . }}')", 'template: id:1: function "json" not defined'),
        (".details('<a href=\"{{ .ID }}')", "template: details:1: ends in a non-text context"),
        (".post()", "Either URL or endpoint must be non-empty"),
        (".post().endpoint('x')", "An appropriately formatted url must be specified if an endpoint is not specified"),
        (".log('alerts.log')", "log path must be absolute: alerts.log is not absolute"),
        (".log('/tmp/alerts.log').mode(0444)", "invalid file mode -r--r--r--, must be user writable"),
        (
            ".critReset(lambda: 'a' - 'b').warn(lambda: TRUE).warnReset(lambda: 1 > 'a')",
            (
                "Failed to compile stateful expression for warnReset: mismatched type to binary operator. got int > string. "
                "see bool(), int(), float(), string(), duration()"
            ),
        ),
        (
            ".info(lambda: 'a' - 'b')",
            "Failed to compile stateful expression for info: invalid math operator - for type string",
        ),
        (".flapping(0.1, 1.1)", "alert flap thresholds are percentages and should be between 0 and 1"),
        (".flapping(1.1, 0.1)", "alert flap thresholds are percentages and should be between 0 and 1"),
    ],
)
def test_what_cannot_start_is_refused_with_the_reference_s_words(properties: str, error: str) -> None:
    script = f'stream|from()|alert().crit(lambda: "v" > 1.0){properties}'
    node = plan.encode(compile_script(script))["nodes"][-1]
    with pytest.raises(TaskError) as failed:
        build(plan.decode_node(node), Context("task", node["name"], lambda: 0))
    assert str(failed.value) == error


def test_any_share_up_to_one_is_a_bound_of_flapping_and_so_is_one_below_none() -> None:
    for low, high in [(0.0, 1.0), (0.5, 0.25), (-1.0, -2.0)]:
        alert(flapping=(low, high))


def test_handlers_of_a_script_become_kinds_with_options() -> None:
    script = "stream|from()|alert().exec('p', 'a').slack().email('x@y').post('http://u').header('k', 'v').timeout(1s)"
    declared = compile_script(script).nodes[-1]
    assert [(h.kind, h.options) for h in map(inline, declared.all_handlers())] == [
        ("post", {"url": "http://u", "endpoint": "", "headers": {"k": "v"}, "capture-response": False, "timeout": S}),
        ("smtp", {}),
        ("exec", {"prog": "p", "args": ["a"]}),
        ("slack", {}),
    ]

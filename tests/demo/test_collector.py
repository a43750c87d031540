"""This host's metrics as line protocol."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from demo.collector import Collector, line
from engine.inputs.line_protocol import LineParser


def _rows(lines: list[str]) -> int:
    """How many points the server's own parser finds; none may be bad."""
    parser = LineParser()
    parser.begin(db="d", rp="r", precision="n", now=0)
    parser.feed("\n".join(lines).encode())
    parsed = parser.finish()
    assert not parsed.errors
    return sum(frame.rows for frame in parsed.frames)


def test_a_point_is_one_line_with_types() -> None:
    assert line("m", {"b": "x y", "a": "1,2=3", "empty": ""}, {"i": 3, "f": 1.5}, 7) == (
        r"m,a=1\,2\=3,b=x\ y i=3i,f=1.5 7"
    )


@given(st.text(min_size=1, max_size=12))
def test_any_name_makes_a_line_that_the_server_takes(name: str) -> None:
    text = line("process", {"name": name}, {"count": 1}, 1)
    assert "\n" not in text
    assert _rows([text.encode("utf-8", "replace").decode()]) == 1


def test_a_collection_has_every_family_of_metrics_at_one_time() -> None:
    lines = Collector().collect()
    assert {text.split(",")[0] for text in lines} >= {"cpu", "mem", "net", "process"}
    assert len({text.rsplit(" ", 1)[1] for text in lines}) == 1
    assert _rows(lines) == len(lines)

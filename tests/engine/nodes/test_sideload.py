"""`|sideload()`: against a model, its conversions, and the sources it is loaded from."""

from __future__ import annotations

import http.server
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM, Span
from engine.nodes.sideload import CannotConvertError, SideloadOperator, convert
from engine.nodes.sideload_sources import Source, SourceError, open_source, read_file
from engine.operator import TaskError
from tests.engine.nodes.messages import Barrier, Batch, Delete, Group, Message, Point, Row, through
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, check, streams

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

VALUES: dict[str, dict[str, Any]] = {
    "h/a": {"x": 10.0, "h": "renamed", "s": True},
    "h/b": {"x": "7", "team": 5.0, "f": "1.5"},
    "h/": {"x": 1.5, "s": None},
    "all": {"x": -1.0, "f": 0.25, "b": "T"},
}


class Fixed:
    """A source that is always loaded."""

    generation = 1

    def __init__(self, values: dict[str, dict[str, Any]]) -> None:
        self.values = values

    def get(self, key: str) -> Mapping[str, Any]:
        return self.values.get(key, {})

    def reload(self) -> None:
        self.generation += 1


class Model:
    """One point at a time."""

    cardinality = 0

    def __init__(self, order: list[str], fields: dict[str, Any], tags: dict[str, str]) -> None:
        self.order, self.fields, self.tags = order, fields, tags
        self.errors = 0

    def keys(self, tags: dict[str, str]) -> list[str]:
        return [part.replace("{{.h}}", tags.get("h", "<no value>")) for part in self.order]

    def value(self, tags: dict[str, str], name: str, default: Any) -> Any:
        for key in self.keys(tags):
            if name in VALUES.get(key, {}):
                try:
                    return convert(VALUES[key][name], default)
                except CannotConvertError:
                    self.errors += 1
                    return default
        return default

    def row(self, row: Any) -> Any:
        fields = {**row.fields, **{k: self.value(row.tags, k, v) for k, v in self.fields.items()}}
        tags = {**row.tags, **{k: self.value(row.tags, k, v) for k, v in self.tags.items()}}
        if isinstance(row, Point):
            return Point(row.name, row.time, fields, tags, row.dims, row.by_name)
        return Row(row.time, fields, tags)

    def handle(self, message: Message) -> list[Message]:
        if isinstance(message, Barrier | Delete):
            return [message]
        if isinstance(message, Batch):
            return [Batch(message.name, message.time, tuple(map(self.row, message.rows)), message.group)]
        return [self.row(message)]


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(data=st.data())
def test_points_get_what_the_first_key_has(edge: str, data: st.DataObject) -> None:
    fields = data.draw(
        st.fixed_dictionaries(
            {}, optional={"x": st.sampled_from([1, 1.0, "d"]), "f": st.just(0.5), "b": st.just(False), "s": st.just("")}
        )
    )
    tags = data.draw(st.fixed_dictionaries({}, optional={"h": st.just("none"), "team": st.just("t")}))
    order = data.draw(st.lists(st.sampled_from(["h/{{.h}}", "all", "nowhere"]), max_size=3))
    messages = data.draw((streams if edge == STREAM else batches)(ODD_VALUES))
    check(
        lambda: SideloadOperator(source=Fixed(VALUES), order=order, fields=fields, tags=tags),
        Model(order, fields, tags),
        messages,
        data,
        edge,
    )


def test_a_template_that_fails_leaves_the_point_as_it_is() -> None:
    order = ["{{ if .h }}{{ index .h 9 }}{{ end }}all"]
    messages: list[Message] = [
        Point("m", 1, {"x": "old"}, {"h": "a"}),
        Point("m", 2, {"v": 1.0}),
        Point("m", 3, {}, {"h": "b"}),
    ]
    for cuts in ([], None):
        operator = SideloadOperator(source=Fixed(VALUES), order=order, fields={"x": 0}, tags={"h": "t"})
        out = through(operator, messages, cuts=cuts)
        assert out == [messages[0], Point("m", 2, {"v": 1.0, "x": -1}, {"h": "t"}), messages[2]]
        assert operator.report.errors == 2
        assert {r.message for r in operator.report.records} == {"failed to evaluate order template"}


def test_what_was_found_is_forgotten_when_the_source_is_loaded_anew() -> None:
    source = Fixed({"all": {"x": 1.0}})
    operator = SideloadOperator(source=source, order=["all"], fields={"x": 0})
    point: list[Message] = [Point("m", 1, {})]
    assert through(operator, point) == [Point("m", 1, {"x": 1})]
    source.values = {"all": {"x": 2.0}}
    operator.reload()
    assert through(operator, point) == [Point("m", 1, {"x": 2})]


def test_a_tag_that_is_a_dimension_changes_the_group_of_a_point_and_not_of_a_batch() -> None:
    operator = SideloadOperator(source=Fixed(VALUES), order=["h/{{.h}}"], tags={"h": "none"})
    assert through(operator, [Point("m", 1, {}, {"h": "a"}, ("h",))]) == [Point("m", 1, {}, {"h": "renamed"}, ("h",))]
    group = Group(("h",), ("a",))
    out = through(operator, [Batch("m", 1, (Row(1, {}, {"h": "a"}),), group)], BATCH)
    assert out == [Batch("m", 1, (Row(1, {}, {"h": "renamed"}),), group)]


@pytest.mark.parametrize(
    ("value", "default", "wanted"),
    [
        (10.0, 0, 10), ("-12", 0, -12), (1.5, 0.0, 1.5), ("1e3", 0.0, 1000.0), (True, False, True), ("F", True, False),
        (10.0, "", "10"), (1e6, "", "1000000"), (1.5, "", "1.5"), (False, "", "false"), ("a", "", "a"),
    ],
)  # fmt: skip
def test_a_value_becomes_what_its_default_is(value: Any, default: Any, wanted: Any) -> None:
    made = convert(value, default)
    assert (type(made), made) == (type(wanted), wanted)


@pytest.mark.parametrize(
    ("value", "default", "text"),
    [
        ("text", 0, "cannot convert string to int64"),
        (1.5, 0, "cannot convert float64 to int64"),
        (1e300, 0, "cannot convert float64 to int64"),
        ("9223372036854775808", 0, "cannot convert string to int64"),
        (True, 0.0, "cannot convert bool to float64"),
        (1.0, False, "cannot convert float64 to bool"),
        (None, "", "cannot convert <nil> to string"),
        ([1.0], "", "cannot convert []interface {} to string"),
    ],
)
def test_a_value_that_cannot_is_told(value: Any, default: Any, text: str) -> None:
    with pytest.raises(CannotConvertError) as caught:
        convert(value, default)
    assert str(caught.value) == text


def test_a_default_of_another_type_is_refused() -> None:
    with pytest.raises(TaskError, match='default of field "x"'):
        SideloadOperator(source=Fixed({}), fields={"x": Span(1)})


def test_yaml_is_read_as_the_reference_reads_it() -> None:
    text = "a: 1\nb: y\nc: 2001-01-01\nd: 1:30\ne: 1e3\nf: 'no'\ng:\nh: 010\ni: 0x1f\n1: on\nj: text\nk: [1]\n"
    assert read_file(text, "x.yml") == {
        "a": 1.0, "b": True, "c": "2001-01-01", "d": "1:30", "e": 1000.0, "f": "no", "g": None, "h": 8.0, "i": 31.0,
        "1": True, "j": "text", "k": [1],
    }  # fmt: skip
    assert read_file("", "x.yaml") == {}
    assert read_file('{"a": 1, "b": {"c": 2}}', "x.json") == {"a": 1.0, "b": {"c": 2}}
    assert read_file("anything", "x.txt") == {}


@pytest.mark.parametrize(("text", "name"), [("a: [", "x.yml"), ("[1]", "x.json"), ("{", "x.json"), ("- a", "x.yaml")])
def test_what_is_no_map_is_refused(text: str, name: str) -> None:
    with pytest.raises(SourceError, match=name):
        read_file(text, name)


def test_a_directory_is_loaded_whole_and_a_failed_load_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "a.yml").write_text("x: 1")
    (tmp_path / "all.json").write_text('{"x": 2}')
    source = open_source(f"file://{tmp_path}", {})
    assert (source.get("host/a.yml"), source.get("all.json"), source.get("gone")) == ({"x": 1.0}, {"x": 2.0}, {})
    (tmp_path / "all.json").write_text("{")
    before = source.generation
    with pytest.raises(SourceError, match=f'failed to update sideload cache for source file "{tmp_path}": all.json'):
        source.reload()
    assert (source.get("all.json"), source.generation) == ({"x": 2.0}, before)
    (tmp_path / "all.json").write_text('{"x": 3}')
    source.reload()
    assert source.get("all.json") == {"x": 3.0}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("ftp://host/x", "unsupported source scheme \"ftp\", must be 'file', 'http', or 'https'"),
        ("file:relative", 'sideload source path must be absolute "relative"'),
        ("file:///nowhere/at/all", 'failed to update sideload cache for source file "/nowhere/at/all": '),
        ("nobody", "Specified endpoint does not exist: nobody"),
        ("", "Specified endpoint does not exist: "),
    ],
)
def test_a_source_that_is_none_is_refused(text: str, error: str) -> None:
    with pytest.raises(TaskError) as caught:
        open_source(text, {})
    assert str(caught.value).startswith(error)


@pytest.fixture
def service() -> Iterator[tuple[str, list[Any]]]:
    """The URL of a web service, and (the answer, then the Authorization headers that came)."""
    said: list[Any] = [{"k": {"x": 1}}]

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

        def do_GET(self) -> None:
            said.append(self.headers.get("Authorization"))
            self.send_response(500)
            self.end_headers()
            self.wfile.write(json.dumps(said[0]).encode())

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/x", said
        server.shutdown()
        thread.join()


def test_a_web_service_is_asked_whatever_its_status(service: tuple[str, list[Any]]) -> None:
    url, said = service
    source = open_source(url, {})
    assert source.get("k") == {"x": 1.0}
    auth = {"username": "user", "password": "word"}
    named: Source = open_source("named", {"named": {"url": url, "basic-auth": auth}})
    assert named.get("k") == {"x": 1.0}
    assert said[1:] == [None, "Basic dXNlcjp3b3Jk"]
    said[0] = [1]
    with pytest.raises(SourceError, match="the answer is no object of objects"):
        source.reload()
    assert source.get("k") == {"x": 1.0}

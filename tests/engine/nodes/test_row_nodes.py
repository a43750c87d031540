"""derivative, changeDetect, sample, shift, trickle, default and delete against their models and the spec's vectors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM
from engine.nodes.changes import ChangeDetectOperator, DerivativeOperator
from engine.nodes.defaults import DefaultOperator, DeleteOperator
from engine.nodes.moving import SampleOperator, ShiftOperator, TrickleOperator
from engine.operator import TaskError
from tests.engine.nodes import row_models
from tests.engine.nodes.messages import NIL, Batch, Group, Message, Point, Row, through
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.strategies import ODD_VALUES, SOME, batches, check, streams

EDGES = pytest.mark.parametrize("edge", [STREAM, BATCH])


def drawn(data: st.DataObject, edge: str) -> list[Message]:
    return data.draw(streams(ODD_VALUES) if edge == STREAM else batches(ODD_VALUES))


@pytest.mark.parametrize("cuts", [None, []])
class TestVectors:
    """Section 21, numbers 26 to 28, 34, 37 to 39."""

    def test_a_second_point_of_one_time_becomes_previous(self, cuts: Any) -> None:
        points: list[Message] = [Point("m", t * S, {"v": v}) for t, v in ((0, 0.0), (1, 1.0), (1, 2.0), (3, 4.0))]
        operator = DerivativeOperator(field="v")
        out = through(operator, points, cuts=cuts)
        assert [(p.time / S, p.fields["v"]) for p in out if isinstance(p, Point)] == [(1, 1.0), (3, 1.0)]
        assert operator.report.errors == 1

    def test_derivative_without_negative_results(self, cuts: Any) -> None:
        points: list[Message] = [
            Point("m", 1 * S, {"v": 1}), Point("m", 2 * S, {"w": 1}), Point("m", 3 * S, {"v": "x"}),
            Point("m", 5 * S, {"v": 5}), Point("m", 6 * S, {"v": 3}), Point("m", 7 * S, {"v": 4}),
        ]  # fmt: skip
        operator = DerivativeOperator(field="v", non_negative=True)
        out = through(operator, points, cuts=cuts)
        assert [(p.time / S, p.fields["v"]) for p in out if isinstance(p, Point)] == [(5, 1.0), (7, 1.0)]
        assert operator.report.errors == 2

    def test_changes_of_value_and_type(self, cuts: Any) -> None:
        points: list[Message] = [
            Point("m", 1, {"v": 1.0}), Point("m", 2, {"w": 1.0}), Point("m", 3, {"v": 1.0}), Point("m", 4, {"v": 1}),
            Point("m", 5, {"v": 2.0}),
        ]  # fmt: skip
        operator = ChangeDetectOperator(fields=["v"])
        assert [p.time for p in through(operator, points, cuts=cuts) if isinstance(p, Point)] == [1, 4, 5]
        assert operator.report.errors == 1

    def test_the_first_point_of_each_batch_has_changed(self, cuts: Any) -> None:
        rows = (Row(0, {"v": 1.0}), Row(1, {"v": 1.0}))
        out = through(ChangeDetectOperator(fields=["v"]), [Batch("m", t, rows) for t in (0, 1)], BATCH, cuts)
        assert [len(b.rows) for b in out if isinstance(b, Batch)] == [1, 1]

    def test_samples_are_of_points_inside_a_batch(self, cuts: Any) -> None:
        rows = tuple(Row(i, {"v": i}) for i in range(4))
        [batch] = through(SampleOperator(n=3), [Batch("m", 0, rows)], BATCH, cuts)
        assert isinstance(batch, Batch)
        assert [r.time for r in batch.rows] == [0, 3]

    def test_a_default_tag_becomes_a_dimension_of_batches(self, cuts: Any) -> None:
        rows = (Row(0, {"v": 1.0}), Row(1, {"v": 1.0}, {"z": "p"}))
        operator = DefaultOperator(tags={"z": "q"})
        [batch] = through(operator, [Batch("m", 0, rows)], BATCH, cuts)
        assert isinstance(batch, Batch)
        assert batch.group == Group(("z",), ("q",))
        assert [r.tags for r in batch.rows] == [{"z": "q"}, {"z": "p"}]
        assert operator.report.counters == {"tags_defaulted": 2}

    def test_a_deleted_tag_is_no_dimension(self, cuts: Any) -> None:
        tags = {"h": "a", "g": "b"}
        rows = (Row(0, {"v": 1.0}, tags), Row(1, {"v": 1.0}, tags))
        operator = DeleteOperator(tags=["g"])
        [batch] = through(operator, [Batch("m", 0, rows, Group(("g", "h"), ("b", "a")))], BATCH, cuts)
        assert isinstance(batch, Batch)
        assert batch.group == Group(("h",), ("a",))
        assert operator.report.counters == {"tags_deleted": 3}


def test_nan_differs_from_itself_and_zero_is_zero() -> None:
    points: list[Message] = [Point("m", i, {"v": v}) for i, v in enumerate((0.0, -0.0, float("nan"), float("nan")))]
    out = through(ChangeDetectOperator(fields=["v"]), points, cuts=[])
    assert [p.time for p in out if isinstance(p, Point)] == [0, 2, 3]


def test_absent_and_null_are_alike_to_change_detect() -> None:
    points: list[Message] = [Point("m", 0, {"v": NIL}), Point("m", 1, {"v": 1.0}), Point("m", 2, {"v": NIL})]
    out = through(ChangeDetectOperator(fields=["v"]), points, cuts=[])
    assert [p.time for p in out if isinstance(p, Point)] == [1, 2]


def test_properties_that_mean_nothing_are_refused() -> None:
    with pytest.raises(TaskError, match="invalid sample rate: must be positive integer or duration"):
        SampleOperator()
    with pytest.raises(TaskError, match="invalid shift value: must be non zero duration"):
        ShiftOperator(shift=0)


@EDGES
@SOME
@given(unit=st.sampled_from([S, 7]), positive=st.booleans(), name=st.sampled_from(["v", "rate"]), data=st.data())
def test_derivative_is_its_model(edge: str, unit: int, positive: bool, name: str, data: st.DataObject) -> None:
    check(
        lambda: DerivativeOperator(field="v", as_=name, unit=unit, non_negative=positive),
        row_models.Derivative(unit=unit, non_negative=positive, as_=name),
        drawn(data, edge),
        data,
        edge,
    )


@EDGES
@SOME
@given(fields=st.sampled_from([("v",), ("v", "w"), ("x", "v", "none")]), data=st.data())
def test_change_detect_is_its_model(edge: str, fields: tuple[str, ...], data: st.DataObject) -> None:
    model = row_models.ChangeDetect(*fields)
    check(lambda: ChangeDetectOperator(fields=fields), model, drawn(data, edge), data, edge)


@EDGES
@SOME
@given(properties=st.sampled_from([{"n": 1}, {"n": 2}, {"n": 3}, {"duration": S}, {"duration": 7 * S}]), data=st.data())
def test_sample_is_its_model(edge: str, properties: dict[str, int], data: st.DataObject) -> None:
    model = row_models.Sample(**properties)
    check(lambda: SampleOperator(**properties), model, drawn(data, edge), data, edge)


@EDGES
@SOME
@given(by=st.sampled_from([S, -5 * S, 1]), data=st.data())
def test_shift_is_its_model(edge: str, by: int, data: st.DataObject) -> None:
    check(lambda: ShiftOperator(shift=by), row_models.Shift(by), drawn(data, edge), data, edge)


@SOME
@given(messages=batches(ODD_VALUES), data=st.data())
def test_trickle_is_its_model(messages: list[Message], data: st.DataObject) -> None:
    check(TrickleOperator, row_models.Trickle(), messages, data, BATCH)


@EDGES
@SOME
@given(
    fields=st.dictionaries(st.sampled_from(["v", "w", "q"]), st.sampled_from([1.0, 2, True, "z"]), max_size=2),
    tags=st.dictionaries(st.sampled_from(["h", "r", "q"]), st.sampled_from(["", "z"]), max_size=2),
    data=st.data(),
)
def test_default_is_its_model(edge: str, fields: dict[str, Any], tags: dict[str, str], data: st.DataObject) -> None:
    model = row_models.Default(fields, tags)
    check(lambda: DefaultOperator(fields=fields, tags=tags), model, drawn(data, edge), data, edge)


@EDGES
@SOME
@given(
    fields=st.lists(st.sampled_from(["v", "w"]), max_size=2, unique=True),
    tags=st.lists(st.sampled_from(["h", "r", "q"]), max_size=2, unique=True),
    data=st.data(),
)
def test_delete_is_its_model(edge: str, fields: list[str], tags: list[str], data: st.DataObject) -> None:
    model = row_models.Remove(tuple(fields), tuple(tags))
    check(lambda: DeleteOperator(fields=fields, tags=tags), model, drawn(data, edge), data, edge)


@EDGES
@SOME
@given(data=st.data())
def test_default_and_delete_count_what_they_do(edge: str, data: st.DataObject) -> None:
    messages = drawn(data, edge)
    default, delete = DefaultOperator(fields={"v": 1.0}, tags={"h": "z"}), DeleteOperator(fields=["w"], tags=["r"])
    models = row_models.Default({"v": 1.0}, {"h": "z"}), row_models.Remove(("w",), ("r",))
    for operator, model in zip((default, delete), models, strict=True):
        for message in messages:
            model.handle(message)
        through(operator, messages, edge, [])
        assert {k: v for k, v in model.counters.items() if v} == {
            k: v for k, v in operator.report.counters.items() if v
        }

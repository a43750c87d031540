"""Joins: the vectors of the spec, and random streams of several parents against a model."""

from __future__ import annotations

from typing import Any
from unittest import mock

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.frames.model import BATCH, STREAM, Frame, Span
from engine.nodes import join
from engine.nodes.join import JoinOperator
from engine.operator import TaskError
from tests.engine.nodes.fan_in import JoinModel, check_fan_in, frames_by_parent, interleaved
from tests.engine.nodes.messages import NIL, Barrier, Batch, Delete, Group, Message, Point, Row, frames_of, messages_of
from tests.engine.nodes.messages import SECOND as S
from tests.engine.nodes.strategies import NAMES, SOME, TAGS, VALUES, fields, plain, times

DIMS = st.sampled_from([(), ("h",), ("h",), ("h", "r"), ("r",)])
FILLS = st.sampled_from([None, "none", "null", "null", 0, 0.0, 7, -1.5, True])
ODD = st.one_of(VALUES, VALUES, st.just(NIL), st.just(Span(5)))


@st.composite
def source(draw: Any, edge: str, dims: tuple[str, ...], *, by_name: bool, most: int = 14) -> list[Message]:
    """What one parent sends."""
    out: list[Message] = []
    for time in draw(times(draw(st.integers(0, most)))):
        tags, name = draw(TAGS), draw(NAMES)
        group = Group(dims, tuple(tags.get(d, "") for d in dims), by_name, name if by_name else "")
        kind = draw(st.integers(0, 15))
        if kind == 0:
            out.append(Barrier(group, time))
        elif kind == 1:
            out.append(Delete(group))
        elif edge == STREAM:
            out.append(Point(name, time, draw(fields(ODD)), tags, dims, by_name))
        else:
            inside = draw(times(draw(st.integers(0, 4))))
            out.append(Batch(name, time, tuple(Row(t, draw(fields(ODD)), group.tags) for t in inside), group))
    return out


@st.composite
def properties(draw: Any, sources: int) -> dict[str, Any]:
    prefixes = draw(st.sampled_from([("a", "b", "c"), ("a", "av", "avv")]))
    return {
        "as_": prefixes[:sources],
        "delimiter": draw(st.sampled_from([".", "_", "", "#"])),
        "tolerance": draw(st.sampled_from([0, 0, S, 2 * S, 7 * S])),
        "fill": draw(FILLS),
        "stream_name": draw(st.sampled_from(["", "", "joined"])),
        "delete_all": draw(st.booleans()),
    }


def made(given_properties: dict[str, Any]) -> JoinOperator:
    names = [f"from{i}" for i in range(len(given_properties["as_"]))]
    edge = given_properties.pop("edge", STREAM)
    return JoinOperator(parents=names, batch=edge == BATCH, **given_properties)


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(st.integers(2, 3), st.data())
def test_joins_are_those_of_the_model(edge: str, sources: int, data: st.DataObject) -> None:
    how = data.draw(properties(sources))
    dims, by_name = data.draw(DIMS), data.draw(st.booleans())
    sent = interleaved(data, [data.draw(source(edge, dims, by_name=by_name)) for _ in range(sources)])
    model = {**how, "fill": None if how["fill"] is True else how["fill"]}
    check_fan_in(lambda: made({**how, "edge": edge}), JoinModel(**model), sent, data, edge)


@pytest.mark.parametrize("edge", [STREAM, BATCH])
@SOME
@given(st.integers(2, 3), st.sampled_from([("h",), ("r",), ("r", "h"), ("x",)]), st.data())
def test_joins_on_fewer_dimensions_are_those_of_the_model(
    edge: str, sources: int, on: tuple[str, ...], data: st.DataObject
) -> None:
    how = {**data.draw(properties(sources)), "on": on}
    by_name = data.draw(st.booleans())
    sent = interleaved(
        data, [data.draw(source(edge, data.draw(DIMS), by_name=by_name, most=20)) for _ in range(sources)]
    )
    model = {**how, "fill": None if how["fill"] is True else how["fill"]}
    check_fan_in(lambda: made({**how, "edge": edge}), JoinModel(**model), sent, data, edge, logged=False)


@pytest.mark.parametrize("on", [(), ("h",)])
@SOME
@given(st.data())
def test_room_for_sets_and_output_grows_as_it_is_needed(on: tuple[str, ...], data: st.DataObject) -> None:
    how = {**data.draw(properties(2)), "on": on, "fill": "null"}
    dims = [("h",), ("h", "r") if on else ("h",)]
    sent = interleaved(data, [data.draw(source(STREAM, d, by_name=False, most=20)) for d in dims])
    with (
        mock.patch.object(join, "_FIRST_LINES", 1),
        mock.patch.object(join, "_SHRINK", data.draw(st.sampled_from([1, 4]))),
    ):
        check_fan_in(lambda: made(how), JoinModel(**how), sent, data, logged=not on)


def points(name: str, *times_of: float, value: str = "v", **more: Any) -> list[Message]:
    return [Point(name, int(t * S), {value: float(t)}, **more) for t in times_of]


def sent_of(script: str, **values: str) -> list[tuple[int, Message]]:
    """`a1 b2.5`: points of sources a, b, … with these times, in this order."""
    out = []
    for word in script.split():
        src, time = "abc".index(word[0]), float(word[1:])
        out.append((src, points(word[0], time, value=values.get(word[0], "v"))[0]))
    return out


def through(operator: Any, sent: list[tuple[int, Message]], edge: str = STREAM, cuts: Any = None) -> list[Message]:
    """What comes out, without the end; each message in a frame of its own unless cut otherwise."""
    ends = list(range(len(sent))) if cuts is None else cuts
    out = []
    for src, frame in frames_by_parent(sent, edge, ends):
        out += operator.collect(frame, src)
    return messages_of(out)


def shown(messages: list[Message]) -> list[Any]:
    return [(m.time / S, m.fields) for m in messages if isinstance(m, Point)]


def joined(sources: int = 2, **how: Any) -> JoinOperator:
    names = ["a", "b", "c"][:sources]
    return JoinOperator(parents=names, as_=names, **how)


@pytest.mark.parametrize("cuts", [None, []])
class TestVectors:
    """Section 21, numbers 11 to 15."""

    def test_several_messages_of_one_bucket_meet_in_order(self, cuts: Any) -> None:
        sent = sent_of("a5 a6 b5 b6")
        out = through(joined(tolerance=2 * S), sent, cuts=cuts)
        assert shown(out) == [(6.0, {"a.v": 5.0, "b.v": 5.0}), (6.0, {"a.v": 6.0, "b.v": 6.0})]

    def test_without_a_fill_what_misses_a_partner_is_dropped(self, cuts: Any) -> None:
        out = through(joined(), sent_of("a1 a2 b2 b1 a3 b3"), cuts=cuts)
        assert [time for time, _ in shown(out)] == [2.0, 3.0]

    def test_a_number_stands_for_what_misses(self, cuts: Any) -> None:
        operator = joined(fill=0)
        out = through(operator, sent_of("a1 a2 b3 a4 b5"), cuts=cuts)
        out += messages_of(operator.finish())
        assert shown(out)[:3] == [
            (1.0, {"a.v": 1.0, "b.v": 0}),
            (2.0, {"a.v": 2.0, "b.v": 0}),
            (3.0, {"a.v": 0, "b.v": 3.0}),
        ]

    def test_null_has_the_names_of_the_other_source(self, cuts: Any) -> None:
        operator = joined(fill="null")
        out = through(operator, sent_of("b1 b2 a3 a4 b5", b="w"), cuts=cuts)
        out += messages_of(operator.finish())
        assert shown(out)[:3] == [
            (1.0, {"b.w": 1.0, "a.w": NIL}),
            (2.0, {"b.w": 2.0, "a.w": NIL}),
            (3.0, {"a.v": 3.0, "b.v": NIL}),
        ]
        assert [m.name for m in out[:3] if isinstance(m, Point)] == ["b", "b", "a"]

    def test_an_incomplete_set_of_batches_leaves_without_points(self, cuts: Any) -> None:
        a = [(0, Batch("a", t * S, (Row(t * S, {"v": 1.0}),))) for t in (5, 10, 15, 20)]
        b = [(1, Batch("b", t * S, (Row(t * S, {"v": 2.0}),))) for t in (5, 15, 20)]
        out = through(joined(batch=True), [*a, *b], BATCH, cuts)
        assert [(m.time / S, len(m.rows)) for m in out if isinstance(m, Batch)] == [(5, 1), (10, 0), (15, 1), (20, 1)]


def test_a_complete_set_behind_an_incomplete_one_waits_for_the_next_message() -> None:
    operator = joined()
    assert not through(operator, sent_of("a2 a1 b2"))
    assert [t for t, _ in shown(through(operator, sent_of("b1")))] == [1.0]
    assert [t for t, _ in shown(through(operator, sent_of("a3")))] == [2.0]


def test_only_group_tags_are_left_and_the_first_source_present_gives_the_name() -> None:
    tags = {"h": "x", "r": "1"}
    sent = [(1, Point("b", S, {"v": 1}, {**tags, "r": "2"}, ("h",))), (0, Point("a", S, {"v": 2}, tags, ("h",)))]
    assert through(joined(), sent) == [Point("a", S, {"a.v": 2, "b.v": 1}, {"h": "x"}, ("h",))]
    by_name = [(src, Point("m", S, {"v": src}, {}, (), by_name=True)) for src in (0, 1)]
    assert through(joined(stream_name="j"), by_name) == [Point("j", S, {"a.v": 0, "b.v": 1}, {}, (), by_name=True)]


def test_groups_of_other_dimensions_never_meet() -> None:
    sent: list[Any] = [(0, Point("a", S, {"v": 1}, {"h": "x"}, ("h",))), (1, Point("b", S, {"v": 1}, {"h": "x"}))]
    operator = joined(fill="null")
    assert not through(operator, sent)
    assert operator.cardinality == 2
    assert len(messages_of(operator.finish())) == 2


def test_a_later_source_wins_where_two_names_become_one() -> None:
    operator = JoinOperator(parents=["x", "y"], as_=["a", "ab"], delimiter="")
    sent = [(0, Point("m", S, {"bv": 1, "c": 2})), (1, Point("m", S, {"v": "later"}))]
    assert through(operator, sent) == [Point("m", S, {"abv": "later", "ac": 2})]


class TestBatches:
    """How the rows of batches meet (nodes.md §12.4)."""

    def test_rows_meet_by_rounded_time_one_of_each_batch_a_round(self) -> None:
        a = Batch("a", 9 * S, tuple(Row(t, {"v": t}) for t in (S, S + 1, 3 * S)))
        b = Batch("b", 9 * S, tuple(Row(t, {"w": t}) for t in (S + 2, 2 * S, 3 * S)))
        [out] = through(joined(batch=True, tolerance=S, fill="null"), [(0, a), (1, b)], BATCH)
        assert isinstance(out, Batch)
        assert [(r.time // S, r.fields) for r in out.rows] == [
            (1, {"a.v": S, "b.w": S + 2}),
            (1, {"a.v": S + 1, "b.v": NIL}),
            (2, {"a.v": NIL, "b.w": 2 * S}),
            (3, {"a.v": 3 * S, "b.w": 3 * S}),
        ]

    def test_a_fill_has_the_names_of_the_first_row_looked_at(self) -> None:
        a = Batch("a", S, (Row(0, {"v": 1.0}), Row(1, {"w": "text"})))
        b = Batch("b", S, (Row(2, {"x": True}),))
        [out] = through(joined(batch=True, fill=7), [(0, a), (1, b)], BATCH)
        assert isinstance(out, Batch)
        assert [r.fields for r in out.rows] == [
            {"a.v": 1.0, "b.v": 7},
            {"a.w": "text", "b.v": 7},
            {"a.v": 7, "b.x": True},
        ]

    def test_rows_have_the_tags_of_the_batch(self) -> None:
        group = Group(("h",), ("x",))
        sent: list[Any] = [(i, Batch("ab"[i], S, (Row(S, {"v": i}, {"h": "x", "r": "1"}),), group)) for i in (0, 1)]
        assert through(joined(batch=True, stream_name="j"), sent, BATCH) == [
            Batch("j", S, (Row(S, {"a.v": 0, "b.v": 1}, {"h": "x"}),), group)
        ]


class TestOn:
    """Joins on fewer dimensions (nodes.md §12.5)."""

    def test_one_match_serves_many_specific_messages_and_their_groups_stay(self) -> None:
        floors = [(1, Point("floor", S, {"v": n}, {"b": "x", "f": f}, ("b", "f"))) for n, f in ((1, "1"), (2, "2"))]
        building = (0, Point("building", S, {"v": 9}, {"b": "x"}, ("b",)))
        for order in ([*floors, building], [building, *floors]):
            out = through(joined(on=["b"]), order)
            assert [(m.name, m.tags, m.fields) for m in out if isinstance(m, Point)] == [
                ("building", {"b": "x", "f": f}, {"a.v": 9, "b.v": n}) for n, f in ((1, "1"), (2, "2"))
            ]

    def test_a_gap_in_the_dimensions_is_fine(self) -> None:
        a = Point("a", S, {"v": 1}, {"service": "s"}, ("service",))
        b = Point("b", S, {"v": 2}, {"dc": "d", "rack": "r", "service": "s"}, ("dc", "rack", "service"))
        [out] = through(joined(on=["service"]), [(0, a), (1, b)])
        assert isinstance(out, Point)
        assert (out.dims, out.fields) == (("dc", "rack", "service"), {"a.v": 1, "b.v": 2})

    def test_a_specific_message_that_all_have_passed_is_filled_in_its_own_group(self) -> None:
        specific = [(1, Point("b", t * S, {"v": t}, {"b": "x", "f": "1"}, ("b", "f"))) for t in (1, 2, 3)]
        match = [(0, Point("a", t * S, {"v": -t}, {"b": "x"}, ("b",))) for t in (2, 3)]
        out = through(joined(on=["b"], fill="null"), [specific[0], *match, specific[1], specific[2]])
        assert shown(out) == [
            (1.0, {"b.v": 1, "a.v": NIL}),
            (2.0, {"a.v": -2, "b.v": 2}),
            (3.0, {"a.v": -3, "b.v": 3}),
        ]

    def test_a_match_message_without_a_specific_one_never_leaves(self) -> None:
        operator = joined(on=["b"], fill="null")
        sent = [(0, Point("a", t * S, {"v": t}, {"b": "x"}, ("b",))) for t in (1, 2, 3)]
        assert not through(operator, sent)
        assert not operator.finish()
        assert operator.cardinality == 0

    def test_names_count_where_groups_are_by_name(self) -> None:
        a = Point("a", S, {"v": 1}, {"b": "x"}, ("b",), by_name=True)
        b = Point("b", S, {"v": 2}, {"b": "x", "f": "1"}, ("b", "f"), by_name=True)
        assert not through(joined(on=["b"]), [(0, a), (1, b)])


@st.composite
def steady_stream(draw: Any) -> list[tuple[int, Message]]:
    """Points in the order of their times: of each source and group at most one a second, and groups come and go."""
    match = draw(st.integers(0, 1))
    could_come = [(match, {"b": key}) for key in "xy"]
    could_come += [(1 - match, {"b": key, "f": finer}) for key in "xy" for finer in "12"]
    return [
        (src, Point("ab"[src], t * S, {"v": t}, tags, tuple(tags)))
        for t in range(draw(st.integers(1, 6)))
        for src, tags in draw(st.permutations(could_come))[draw(st.integers(0, len(could_come) - 1)) :]
    ]


def by_position(sent: list[tuple[int, Message]], data: st.DataObject) -> list[tuple[int, Any]]:
    """The stream as its parents give it on: each in frames of its own that say how far they go, in any interleaving."""
    frames: list[list[Any]] = []
    for src in range(2):
        cuts = sorted(data.draw(st.sets(st.integers(1, len(sent)))) | {len(sent)})
        mine: list[Any] = []
        for start, stop in zip([0, *cuts], cuts, strict=False):
            pieces = [m for s, m in sent[start:stop] if s == src]
            made_of = frames_of(pieces, STREAM, []) if pieces else [Frame(STREAM)]
            mine += [*made_of[:-1], made_of[-1].at(stop)]
        frames.append(mine)
    return interleaved(data, frames)


def on_b() -> JoinOperator:
    """A join on `b` whose parents have both reported already."""
    operator = joined(on=["b"], fill="null")
    assert not through(operator, [(src, Point("ab"[src], -S, {"v": 0}, {"b": "z"}, ("b",))) for src in range(2)])
    return operator


@SOME
@given(st.data())
def test_which_parent_is_ahead_in_the_log_changes_nothing_of_what_meets(data: st.DataObject) -> None:
    sent = data.draw(steady_stream())
    row_by_row, operator = on_b(), on_b()
    wanted = messages_of([f for src, m in sent for f in row_by_row.collect(*frames_of([m], STREAM, []), src)])
    wanted += messages_of(row_by_row.finish())
    out = []
    for src, frame in by_position(sent, data):
        out += operator.collect(frame, src)
        if data.draw(st.integers(0, 3)) == 0:
            state = msgpack.unpackb(msgpack.packb(operator.snapshot()), strict_map_key=False)
            operator = on_b()
            operator.restore(state)
    got = messages_of([*out, *operator.finish()])
    assert sorted(map(repr, map(plain, got))) == sorted(map(repr, map(plain, wanted)))


class TestParentsInTheLog:
    """A key that one source has not sent yet (nodes.md §12.5, 1) while its process is behind."""

    def sends(self, operator: JoinOperator, src: int, position: int, *seconds: int) -> list[Any]:
        """What comes of a frame of source 0 ("a", by building) or 1 ("b", by floor)."""
        tags = {"b": "x"} if src == 0 else {"b": "x", "f": "1"}
        sent = [Point("ab"[src], t * S, {"v": t}, tags, tuple(tags)) for t in seconds]
        frames = frames_of(sent, STREAM, []) if sent else [Frame(STREAM)]
        return shown(messages_of([m for f in frames for m in operator.collect(f.at(position), src)]))

    def test_what_is_on_its_way_meets_what_came_before_it(self) -> None:
        operator = on_b()
        assert self.sends(operator, 1, 4, 1, 2, 3) == []
        assert self.sends(operator, 0, 3, 1, 2) == [(1.0, {"a.v": 1, "b.v": 1}), (2.0, {"a.v": 2, "b.v": 2})]

    def test_a_source_that_has_come_as_far_is_waited_for_no_longer(self) -> None:
        operator = on_b()
        assert self.sends(operator, 1, 4, 1, 2, 3) == []
        assert self.sends(operator, 1, 6, 4) == []
        # Up to 5 it has sent nothing: what came before 4 has gone alone, so that this meets the later ones only.
        assert self.sends(operator, 0, 5) == []
        alone = [(float(t), {"b.v": t, "a.v": NIL}) for t in (1, 2)]
        assert self.sends(operator, 0, 7, 2, 3) == [*alone, (3.0, {"a.v": 3, "b.v": 3})]


class TestEvents:
    """Barriers and delete-groups (nodes.md §12.6)."""

    def test_a_barrier_says_how_far_its_source_is(self) -> None:
        operator = joined(fill="null")
        assert not through(operator, sent_of("a1"))
        assert through(operator, [(1, Barrier(Group(), 2 * S))]) == [Barrier(Group(), 2 * S)]
        out = through(operator, [(0, Barrier(Group(), 3 * S))])
        assert out == [Point("a", S, {"a.v": 1.0, "b.v": NIL}), Barrier(Group(), 3 * S)]

    def test_a_barrier_before_any_data_finds_an_empty_bucket(self) -> None:
        operator = joined()
        out = through(operator, [(0, Barrier(Group(), S)), *sent_of("b1 a1 a2 b2")])
        assert [t for t, _ in shown(out)] == [1.0, 2.0]

    def test_a_deleted_group_is_forgotten_and_each_source_says_so(self) -> None:
        operator = joined()
        out = through(operator, [*sent_of("a1"), (1, Delete(Group())), *sent_of("b1"), (0, Delete(Group()))])
        assert out == [Delete(Group()), Delete(Group())]
        assert operator.cardinality == 0
        assert not operator.finish()

    def test_a_deleted_key_forgets_what_waits_for_a_partner(self) -> None:
        specific = Point("b", S, {"v": 1}, {"b": "x", "f": "1"}, ("b", "f"))
        match = Point("a", S, {"v": 2}, {"b": "x"}, ("b",))
        assert through(joined(on=["b"]), [(1, specific), (0, Delete(match.group)), (0, match)]) == [Delete(match.group)]

    def test_a_deleted_group_whose_messages_wait_for_a_partner_begins_anew(self) -> None:
        specific = Point("b", S, {"v": 1}, {"b": "x", "f": "1"}, ("b", "f"))
        other = Point("b", S, {"v": 3}, {"b": "y", "f": "1"}, ("b", "f"))
        match = Point("a", S, {"v": 2}, {"b": "x"}, ("b",))
        out = through(joined(on=["b"]), [(1, specific), (1, Delete(specific.group)), (1, other), (0, match)])
        assert out == [Delete(specific.group), Point("a", S, {"a.v": 2, "b.v": 1}, specific.tags, ("b", "f"))]


def test_a_task_whose_sources_drift_too_far_apart_stops_and_says_by_how_much() -> None:
    operator = joined(3, most=20_000)
    through(operator, sent_of("b10"))
    with pytest.raises(TaskError) as caught:
        through(operator, sent_of(" ".join(f"a{t}" for t in range(11, 1000))))
    text = str(caught.value)
    assert text.startswith("more than 20000 bytes wait for parents that are behind (")
    assert "b is at 1970-01-01T00:00:10.000000000Z, c has sent nothing" in text


def test_what_has_left_takes_up_no_room() -> None:
    operator = joined(most=20_000)
    for t in range(2000):
        assert len(through(operator, sent_of(f"a{t} b{t}"))) == 1


def test_room_shrinks_when_sources_have_caught_up() -> None:
    operator = joined()
    for src in "ab":
        for start in range(0, 40_000, 4_000):
            through(operator, sent_of(" ".join(f"{src}{t}" for t in range(start, start + 4_000))), cuts=[])
    operator.snapshot()
    assert len(operator._sets) <= join._FIRST_LINES


def test_an_unknown_fill_is_refused() -> None:
    with pytest.raises(TaskError, match="unexpected fill option zero"):
        joined(fill="zero")

"""The channel: records of many processes, whole and in order, to readers that nobody waits for."""

from __future__ import annotations

import logging
import os
import select
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.board import NOBODY, READERS, Board
from engine.logs.channel import MAX_RECORD, PIPE_BYTES, Reader, Sender, pack

if TYPE_CHECKING:
    from collections.abc import Iterator

_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(max_size=20),
    st.lists(st.integers(0, 9), max_size=3),
)  # fmt: skip


class _Ends:
    """A board, a reader and a sender in one process."""

    def __init__(self, folder: Path) -> None:
        self.base = str(folder / "log")
        self.board = Board(logging.INFO)
        self.reader = Reader(self.board, self.base)
        self.reader.want(logging.DEBUG)
        self.sender = Sender(self.board, self.base)

    def send(self, **fields: Any) -> None:
        self.sender.send(logging.INFO, {"ts": 1, "level": "info", **fields})

    def take_all(self) -> tuple[list[dict[str, Any]], int]:
        records: list[dict[str, Any]] = []
        lost = 0
        while select.select([self.reader.descriptor], [], [], 0)[0]:
            more, gone = self.reader.read()
            records += more
            lost += gone
        return records, lost


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[_Ends]:
    opened = _Ends(tmp_path)
    yield opened
    opened.sender._forget(opened.reader.number)
    opened.reader.close()


def test_a_record_arrives_as_it_was_sent(ends: _Ends) -> None:
    ends.send(msg="hello", task="t", count=3, share=0.5, names=["a"])
    assert ends.take_all() == (
        [{"ts": 1, "level": "info", "msg": "hello", "task": "t", "count": 3, "share": 0.5, "names": ["a"]}],
        0,
    )


@given(st.dictionaries(st.text(max_size=9), _VALUES, max_size=6))
def test_any_record_can_be_packed(record: dict[str, Any]) -> None:
    unpacked = msgspec.msgpack.decode(pack(record))
    assert len(unpacked) == len(record)
    for value, seen in zip(record.values(), unpacked.values(), strict=True):
        assert seen == value or isinstance(seen, str)


def test_what_msgpack_has_no_word_for_is_text() -> None:
    record = {"path": Path("/x"), "big": 1 << 70, "half": "a\ud800"}
    assert msgspec.msgpack.decode(pack(record)) == {"path": "/x", "big": str(1 << 70), "half": "a\\ud800"}


def test_a_long_record_travels_in_parts_and_an_endless_one_without_its_details(ends: _Ends) -> None:
    text = "x" * (MAX_RECORD - 200)
    ends.send(msg="long", text=text)
    ends.send(msg="endless", text="y" * (MAX_RECORD + 1), task="t")
    records, lost = ends.take_all()
    assert lost == 0
    assert records[0]["text"] == text
    assert (records[1]["msg"], records[1]["task"]) == ("endless", "t")
    assert "text" not in records[1]
    assert "bytes of details" in records[1]["left_out"]


def test_parts_of_several_processes_may_mix(ends: _Ends) -> None:
    long = "x" * 20_000
    for _ in range(3):
        if os.fork() == 0:
            status = 1
            try:
                for number in range(10):
                    ends.sender.send(logging.INFO, {"pid": os.getpid(), "number": number, "text": long})
                status = 0
            finally:
                os._exit(status)
    for _ in range(3):
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    records, lost = ends.take_all()
    assert lost == 0
    by_pid: dict[int, list[int]] = {}
    for record in records:
        assert record["text"] == long
        by_pid.setdefault(record["pid"], []).append(record["number"])
    assert list(by_pid.values()) == [list(range(10))] * 3


def test_a_full_pipe_makes_nobody_wait_and_what_is_dropped_is_told(ends: _Ends) -> None:
    sent = 0
    while ends.sender._lost[ends.reader.number] < 5:
        ends.send(msg="m", number=sent, text="x" * 1000)
        sent += 1
        assert sent < 2 * PIPE_BYTES // 1000
    kept, lost = ends.take_all()
    assert lost == 0
    assert [r["number"] for r in kept] == list(range(sent - 5))
    ends.send(msg="later")
    records, lost = ends.take_all()
    assert ([r["msg"] for r in records], lost) == (["later"], 5)
    ends.send(msg="again")
    assert ends.take_all()[1] == 0


def test_a_record_whose_rest_was_dropped_is_counted_and_the_next_ones_arrive(ends: _Ends) -> None:
    while ends.sender._lost[ends.reader.number] == 0:
        ends.send(msg="m", text="x" * 60_000)
    ends.take_all()
    ends.send(msg="later", text="y" * 60_000)
    records, lost = ends.take_all()
    assert ([r["msg"] for r in records], lost) == (["later"], 1)


def test_levels_that_nobody_wants_are_not_sent(ends: _Ends) -> None:
    ends.reader.want(logging.INFO)
    ends.sender.send(logging.DEBUG, {"msg": "detail"})
    ends.sender.send(logging.ERROR, {"msg": "trouble"})
    assert [r["msg"] for r in ends.take_all()[0]] == ["trouble"]
    ends.reader.want(NOBODY)
    ends.sender.send(logging.CRITICAL, {"msg": "end"})
    assert ends.take_all() == ([], 0)


def test_a_reader_that_ended_is_forgotten_and_its_successor_found(tmp_path: Path) -> None:
    ends = _Ends(tmp_path)
    ends.send(msg="first")
    ends.take_all()
    number = ends.reader.number
    ends.reader.close()
    ends.board.want(number, logging.DEBUG)  # as one that was killed leaves it
    ends.send(msg="nobody hears this")
    ends.reader = Reader(ends.board, ends.base)
    assert ends.reader.number == number
    ends.reader.want(logging.DEBUG)
    ends.send(msg="second")
    assert [r["msg"] for r in ends.take_all()[0]] == ["second"]
    ends.sender._forget(number)
    ends.reader.close()


def test_each_reader_has_a_number_of_its_own_and_there_are_so_many(tmp_path: Path) -> None:
    board = Board(logging.INFO)
    readers = [Reader(board, str(tmp_path / "log")) for _ in range(READERS)]
    assert [r.number for r in readers] == list(range(READERS))
    with pytest.raises(OSError, match="front ends read logs already"):
        Reader(board, str(tmp_path / "log"))
    readers[3].close()
    again = Reader(board, str(tmp_path / "log"))
    assert again.number == 3
    for reader in [*readers[:3], *readers[4:], again]:
        reader.close()

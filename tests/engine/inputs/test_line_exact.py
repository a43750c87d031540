"""The exact parser of line protocol: every rule and text of the specification."""

from __future__ import annotations

import numpy as np
import pytest

from engine.inputs.line_protocol.exact import LineError, parse_line
from engine.inputs.line_protocol.kernel import line_end

NOW = 1_577_934_245_678_901_234
S = 10**9
TOO_LARGE = (
    'unable to parse integer 9223372036854775808: strconv.ParseInt: parsing "9223372036854775808": value out of range'
)


def parsed(line, unit=1):
    return parse_line(line, NOW, unit)


@pytest.mark.parametrize(
    ("line", "name", "tags", "fields"),
    [
        (b"cpu v=1 5", b"cpu", (), {b"v": 1.0}),
        (
            rb"c\,p\ u\=x,ta\ g\,k\==v\,a\ l\= fi\ e\,l\=d=1",
            b"c,p u=x",
            ((b"ta g,k=", b"v,a l="),),
            {b"fi e,l=d": 1.0},
        ),
        (rb'cpu value="a\"b\\c\nd"', b"cpu", (), {b"value": 'a"b\\c\\nd'}),
        (b"cpu value=1,value=2i", b"cpu", (), {b"value": 2}),
        (rb"cpu\\,a=b value=1", rb"cpu\,a=b", (), {b"value": 1.0}),
        (b"m,z=1,a=2 v=1", b"m", ((b"a", b"2"), (b"z", b"1")), {b"v": 1.0}),
        (b"m a=1,b=1.,c=-1.5e-3,d=1E5,e=.5,f=-0", b"m", (), dict(zip([b"a", b"b", b"c", b"d", b"e", b"f"], [1.0, 1.0, -0.0015, 1e5, 0.5, 0.0], strict=True))),
        (b"m a=1i,b=-3i,c=007i", b"m", (), {b"a": 1, b"b": -3, b"c": 7}),
        (b"m a=t,b=False,c=TRUE,d=f", b"m", (), {b"a": True, b"b": False, b"c": True, b"d": False}),
        (b'm s="a b, c=d",e=""', b"m", (), {b"s": "a b, c=d", b"e": ""}),
        (b'm s="two\nlines"', b"m", (), {b"s": "two\nlines"}),
        (b'"m",t="x" "f"=1', b'"m"', ((b"t", b'"x"'),), {b'"f"': 1.0}),
        (b"  \t\0m v=1", b"m", (), {b"v": 1.0}),
        (b"m   v=1   7   ", b"m", (), {b"v": 1.0}),
        (b"time,time=a time=1", b"time", ((b"time", b"a"),), {b"time": 1.0}),
    ],
)  # fmt: skip
def test_a_good_line_is_its_point(line, name, tags, fields):
    point = parsed(line)
    assert (point.name, point.tags, point.fields) == (name, tags, fields)
    assert [type(v) for v in point.fields.values()] == [type(v) for v in fields.values()]


@pytest.mark.parametrize(
    ("line", "unit", "time"),
    [
        (b"m v=1", 1, NOW),
        (b"m v=1", S, NOW // S * S),
        (b"m v=1 3", 60 * S, 180 * S),
        (b"m v=1 -1", S, -S),
        (b"m v=1 0", 1, 0),
        (b"m v=1 9223372036854775806", 1, 9223372036854775806),
    ],
)
def test_the_time_is_in_units_of_the_precision(line, unit, time):
    assert parsed(line, unit).time == time


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"bad", "missing fields"),
        (b"bad ", "missing fields"),
        (b"\r", "missing fields"),
        (b"m v=1\r", "invalid number"),
        (b"m v=1i\r", "invalid number"),
        (b"m v=t\r", "invalid boolean"),
        (b"m v=1 5\r", "bad timestamp"),
        (b"bad2 x", "invalid field format"),
        (b",a=b v=1", "missing measurement"),
        (b"m, v=1", "missing tag key"),
        (b"m,=b v=1", "missing tag key"),
        (b"m,a v=1", "missing tag value"),
        (b"m,a= v=1", "missing tag value"),
        (b"m,a=b=c v=1", "invalid tag format"),
        (rb"cpu,a=b\ value=1", "invalid tag format"),
        (b"cpu,b=1,a=2,b=3 value=1", "duplicate tags"),
        (b"m =1", "missing field key"),
        (b"m v=1,=2", "missing field key"),
        (b"m v=", "missing field value"),
        (b"m v=,w=1", "missing field value"),
        (b"cpu value=1, b=2", "invalid field format"),
        (b"m v=1,w", "invalid field format"),
        (b'm s="a', "unbalanced quotes"),
        (b"m v=NaN", "invalid number"),
        (b"m v=nan", "invalid number"),
        (b"m v=inf", "invalid boolean"),
        (b"m v=+1", "invalid boolean"),
        (b"m v=tRUE", "invalid boolean"),
        (b"m v=1u", "invalid number"),
        (b"m v=1.0i", "invalid number"),
        (b"m v=1e3i", "invalid number"),
        (b"m v=1i1", "invalid number"),
        (b"m v=0x1", "invalid number"),
        (b"m v=1_0", "invalid number"),
        (b"m v=1e400", "invalid float"),
        (
            b"m v=9223372036854775808i",
            TOO_LARGE,
        ),
        (b"m v=1 x", "bad timestamp"),
        (b"m v=1 1.5", "bad timestamp"),
        (b"m v=1 -", "bad timestamp"),
        (b"m v=1 1 2", "point is invalid"),
        (b"m v=1 9223372036854775807", "time outside range -9223372036854775806 - 9223372036854775806"),
    ],
)  # fmt: skip
def test_a_bad_line_says_what_is_wrong(line, reason):
    with pytest.raises(LineError) as caught:
        parsed(line)
    assert str(caught.value) == f"unable to parse '{line.decode()}': {reason}"


def test_a_time_that_overflows_its_unit_is_out_of_range():
    with pytest.raises(LineError, match="time outside range"):
        parsed(b"cpu v=1 9223372036854775", S)


@pytest.mark.parametrize("line", [b"", b"  ", b"# comment", b"\t# v=1", b"# \r"])
def test_empty_lines_and_comments_are_nothing(line):
    assert parsed(line) is None


def test_keys_have_a_largest_size():
    assert parsed(b"m" * 65530 + b" v=1").name == b"m" * 65530
    with pytest.raises(LineError, match="max key length exceeded: 65536 > 65535"):
        parsed(b"m" * 65531 + b" v=1")
    with pytest.raises(LineError, match="max key length exceeded: 65536 > 65535"):
        parsed(b"m" * 65536 + b" v=1")


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"m v=1\nn v=2", 5),
        (b'm s="a\nb"\nn v=2', 9),
        (b'm,t="x\ny" v=1', 6),
        (b'm s="a\\"\nb"\n', 11),
        (b"m v=1", 5),
        (b'm "k=1\n', 6),
    ],
)
def test_a_line_ends_at_a_newline_outside_quoted_values(data, end):
    assert line_end(np.frombuffer(data, np.uint8), 0, len(data)) == end

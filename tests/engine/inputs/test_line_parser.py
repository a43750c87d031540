"""Bodies through the kernel: the same points as the exact parser gives, whatever the pieces, in the order of the lines."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.frames.codec import decode, encode
from engine.inputs.line_protocol import LineParser
from engine.inputs.line_protocol.exact import UNITS, LineError, parse_line
from engine.inputs.line_protocol.kernel import line_end
from tests.engine.frames.strategies import plain_units

NOW = 1_577_934_245_678_901_234
PARSERS = {rows: LineParser(rows) for rows in (1, 3, 64)}
"""Parsers live on from body to body, as in a front end, with what they have learnt."""


def expected(body, precision):
    points, errors = [], []
    at, unit = 0, UNITS.get(precision, 1)
    while at < len(body):
        end = line_end(np.frombuffer(body, np.uint8), at, len(body))
        try:
            point = parse_line(body[at:end], NOW, unit)
        except LineError as error:
            errors.append(str(error))
        else:
            if point is not None:
                points.append(plain(point))
        at = end + 1
    return points, errors


KINDS = {float: "float", int: "int", bool: "bool", str: "string"}


def plain(point):
    fields = {
        k.decode("utf-8", "replace"): (
            KINDS[type(v)],
            v.encode("utf-8", "surrogateescape") if isinstance(v, str) else v,
        )
        for k, v in point.fields.items()
    }
    tags = {k.decode("utf-8", "replace"): v for k, v in point.tags}
    return {"name": point.name.decode("utf-8", "replace"), "time": point.time, "tags": tags, "fields": fields}


def got(parser, pieces, precision="n"):
    parser.begin(db="d", rp="r", precision=precision, now=NOW)
    for piece in pieces:
        parser.feed(piece)
    parsed = parser.finish()
    points = [u for f in parsed.frames for u in plain_units(f)]
    for p in points:
        del p["group"]
    errors = [str(e) for e in parsed.errors]
    frames = parsed.frames
    parser.reset()
    return points, errors, frames


def cut(body, places):
    marks = sorted({p for p in places if 0 < p < len(body)})
    return [body[a:b] for a, b in zip([0, *marks], [*marks, len(body)], strict=True)]


NAMES = st.sampled_from([b"cpu", b"mem", b"m\\ x", b"d\\,sk", b'"q"', "größe".encode()])
TAG = st.tuples(
    st.sampled_from([b"host", b"a", b"b\\ c"]), st.sampled_from([b"x", b"server01", b"y\\,z", b"\xff", b"1"])
)
FIELD_KEY = st.sampled_from([b"v", b"usage_user", b"n", b"f\\ g", b"s"])
NUMBER = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: repr(x).encode()),
    st.decimals(min_value=-(10**6), max_value=10**6, places=3).map(lambda d: f"{d:f}".encode()),
    st.integers(-(2**63), 2**63 - 1).map(lambda i: b"%di" % i),
    st.sampled_from([b"1.", b".5", b"-.5", b"1e5", b"123456789012345678901234567890", b"0.1234567890123456789", b"9007199254740993"]),
)  # fmt: skip
STRING = st.sampled_from([b'""', b'"a"', b'"a b,c=d"', b'"line\nbreak"', b'"q\\"q"', b'"back\\\\"', b'"\xff"'])
VALUE = st.one_of(NUMBER, STRING, st.sampled_from([b"t", b"F", b"true", b"FALSE", b"True", b"tRUE", b"x", b"NaN"]))


@st.composite
def lines(draw):
    kind = draw(st.integers(0, 20))
    if kind == 0:
        return draw(st.sampled_from([b"", b"# comment", b"   ", b"bad", b"\t", b"m v=1 5\r", b"\r", b"m,a=1,a=2 v=1"]))
    tags = b"".join(b"," + k + b"=" + v for k, v in draw(st.lists(TAG, max_size=3)))
    fields = b",".join(k + b"=" + v for k, v in draw(st.lists(st.tuples(FIELD_KEY, VALUE), min_size=1, max_size=4)))
    stamp = draw(
        st.sampled_from([b"", b" 1", b" 1700000000000000000", b" -5", b" 9223372036854775807", b"  7 ", b" x"])
    )
    return draw(NAMES) + tags + draw(st.sampled_from([b" ", b"  "])) + fields + stamp


@st.composite
def bodies(draw):
    some = draw(st.lists(lines(), min_size=1, max_size=4))
    many = draw(st.lists(st.sampled_from(some), max_size=20))
    body = draw(st.sampled_from([b"\n", b"\r\n"])).join(some + many) + draw(st.sampled_from([b"", b"\n"]))
    if draw(st.booleans()):
        mutated = bytearray(body)
        for _ in range(draw(st.integers(1, 3))):
            if mutated:
                place = draw(st.integers(0, len(mutated) - 1))
                mutated[place] = draw(st.sampled_from(list(b' ,="\\\n\rei.0aN#')))
        body = bytes(mutated)
    return body


def same_points(a, b):
    if len(a) != len(b):
        return False
    for p, q in zip(a, b, strict=True):
        if (p["name"], p["time"], p["tags"]) != (q["name"], q["time"], q["tags"]):
            return False
        if p["fields"].keys() != q["fields"].keys():
            return False
        for k, (kind, value) in p["fields"].items():
            other, theirs = q["fields"][k]
            if kind != other or value != theirs:
                return False
            if kind == "float" and math.copysign(1, value) != math.copysign(1, theirs):
                return False
    return True


@given(
    bodies(),
    st.lists(st.integers(0, 400), max_size=4),
    st.sampled_from(["n", "s", "ms", "ns"]),
    st.sampled_from([1, 3, 64]),
)
@settings(max_examples=400)
def test_a_body_gives_what_the_exact_parser_gives_line_by_line(body, places, precision, rows):
    points, errors, frames = got(PARSERS[rows], cut(body, places), precision)
    wanted, wrong = expected(body, precision)
    assert same_points(points, wanted)
    assert errors == wrong
    assert all(f.count <= rows for f in frames)


def telegraf(n, hosts=10):
    return b"\n".join(
        b"cpu,cpu=cpu%d,host=server%05d,region=eu usage_user=%d.%03d,usage_idle=%d.5,n=%di %d"
        % (i % 4, i % hosts, i % 100, i % 1000, i % 7, i, 1_700_000_000_000_000_000 + i)
        for i in range(n)
    )


def test_points_of_one_shape_come_in_one_section():
    parser = LineParser()
    parser.begin(db="d", rp="r", precision="n", now=NOW)
    parser.feed(telegraf(5000))
    (frame,) = parser.finish().frames
    (section,) = frame.sections
    assert frame.order is None
    assert section.rows == 5000
    assert all(c.valid is None for c in section.fields.values())
    assert len(section.tags["host"].values) == 10
    assert same_points(*[[{k: u[k] for k in ("name", "time", "tags", "fields")} for u in units] for units in (
        plain_units(frame), expected(telegraf(5000), "n")[0])])  # fmt: skip


def test_a_body_longer_than_the_buffer_keeps_its_strings():
    parser = LineParser(100_000)
    body = b"\n".join(b'm s="text %d",f=0.12345678901234567 %d' % (i, i) for i in range(60_000))
    points, errors, _ = got(parser, [body[i : i + 65536] for i in range(0, len(body), 65536)])
    assert errors == []
    assert [p["fields"]["s"][1] for p in points] == [b"text %d" % i for i in range(60_000)]


def test_a_line_with_more_fields_than_room_makes_room():
    body = b"m " + b",".join(b"f%d=%d.25" % (i, i) for i in range(500)) + b" 1\nm v=1 2"
    points, errors, frames = got(LineParser(1), [body])
    assert errors == []
    assert same_points(points, expected(body, "n")[0])
    assert [f.count for f in frames] == [1, 1]


@pytest.mark.parametrize("variable", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_the_kernel_means_the_same_uncompiled_and_stays_within_bounds(variable, tmp_path):
    program = (
        "from tests.engine.inputs.test_line_parser import *\n"
        "body = telegraf(60) + b'\\nm s=\"a\\nb\",b=t,f=0.12345678901234567 5\\nbad\\nm,x=y f=1'\n"
        "points, errors, _ = got(LineParser(16), cut(body, [7, 100, 1000]))\n"
        "wanted, wrong = expected(body, 'n')\n"
        "assert same_points(points, wanted) and errors == wrong\n"
    )
    env = {**os.environ, variable: "1", "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    subprocess.run([sys.executable, "-c", program], env=env, check=True, timeout=250)


def test_names_that_are_no_utf8_can_travel() -> None:
    parser = LineParser(16)
    parser.begin(db="d", rp="r", precision="n", now=NOW)
    parser.feed(b'm\xff,t\xff=\xff v\xff="\xff" 1\n')
    [frame] = parser.finish().frames
    [section] = decode([bytes(part) for part in encode(frame)]).sections
    assert (section.name, list(section.tags), list(section.fields)) == ("m\ufffd", ["t\ufffd"], ["v\ufffd"])
    assert section.tags["t\ufffd"].values.bytes_at(0) == b"\xff"

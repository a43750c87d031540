"""A reader of the wire format from docs/wire-format.md alone: plain Python and msgpack, nothing of the codec.

It gives a frame as plain values, in order: points or batches with their tags, fields and groups.
"""

from __future__ import annotations

import struct
from itertools import pairwise

import msgpack

KINDS = {1: "d", 2: "q", 3: "?", 5: "q", 6: "q"}
NAMES = {1: "float", 2: "int", 3: "bool", 4: "string", 5: "duration", 6: "time"}


def payload(part):
    assert part[:1] == b"\xc6"
    assert struct.unpack(">I", part[1:5])[0] == len(part) - 5
    assert part[5:8] == b"\0\0\0"
    assert msgpack.unpackb(part) == part[5:]
    return part


class SectionReader:
    def __init__(self, header, part):
        (self.name, self.rows, self.batches, self.dims, self.by_name, self.g, time, group, hashes, values) = header[:10]
        self.part = payload(part)
        self.buffers = header[14]
        self.chunk = header[15] if len(header) > 15 else 0
        n = self.rows
        units = n if self.batches < 0 else self.batches
        self.time = self.vector(time, "q", n)
        self.group = [0] * units if group < 0 else self.vector(group, "I", units)
        self.hashes = [(0, 0)] if hashes < 0 else self.pairs(self.vector(hashes, "Q", 2 * self.g))
        self.group_values = [self.strings(values[2 * d], values[2 * d + 1]) for d in range(len(self.dims))]
        if self.batches >= 0:
            self.offsets = self.vector(header[10], "i", self.batches + 1)
            self.batch_time = self.vector(header[11], "q", self.batches)
        self.tags = {}
        for key, _, codes, offsets, data in header[12]:
            words = self.strings(offsets, data)
            self.tags[key] = [None if c == 0xFFFFFFFF else words[c] for c in self.vector(codes, "I", n)]
        self.fields = {key: self.field(kind, a, b, c) for key, kind, a, b, c in header[13]}

    @staticmethod
    def pairs(words):
        return list(zip(words[::2], words[1::2], strict=True))

    def raw(self, number):
        offset, size = self.buffers[2 * number : 2 * number + 2]
        assert offset % 8 == 0
        assert offset >= 8
        assert offset + size <= len(self.part)
        return self.part[offset : offset + size]

    def vector(self, number, code, count):
        return list(struct.unpack(f"<{count}{code}", self.raw(number)))

    def strings(self, offsets, data):
        raw = self.raw(data)
        ends = [e for (e,) in struct.iter_unpack("<i", self.raw(offsets))]
        return [raw[a:b] for a, b in pairwise(ends)]

    def field(self, kind, valid, data, offsets):
        n = self.rows
        validity = [1] * n if valid < 0 else list(self.raw(valid))
        if kind == 4:
            values = [("string", v) for v in self.strings(offsets, data)]
        elif kind == 7:
            values = [self.mixed(msgpack.unpackb(v, raw=False)) for v in self.strings(offsets, data)]
        else:
            values = [(NAMES[kind], v) for v in self.vector(data, KINDS[kind], n)]
        return [("null",) if ok == 2 else v if ok == 1 else None for v, ok in zip(values, validity, strict=True)]

    @staticmethod
    def mixed(value):
        return None if value is None else (NAMES[value[0]], value[1])

    def group_at(self, unit):
        g = self.group[unit]
        name = self.name if self.by_name else None
        return (name, {d: v[g] for d, v in zip(self.dims, self.group_values, strict=True)}, self.hashes[g])

    def row(self, r):
        tags = {k: v[r] for k, v in self.tags.items() if v[r] is not None}
        fields = {k: v[r] for k, v in self.fields.items() if v[r] is not None}
        return {"time": self.time[r], "tags": tags, "fields": fields}

    def unit(self, u):
        if self.batches < 0:
            return {"name": self.name, "group": self.group_at(u), **self.row(u)}
        rows = [self.row(r) for r in range(self.offsets[u], self.offsets[u + 1])]
        return {"name": self.name, "group": self.group_at(u), "time": self.batch_time[u], "rows": rows}


def read(parts):
    """The message's frame as plain values."""
    header = msgpack.unpackb(parts[0], raw=False)
    assert header["v"] == 1
    first = 2 if header["order"] else 1
    sections = [SectionReader(h, p) for h, p in zip(header["sections"], parts[first:], strict=True)]
    if header["order"]:
        raw = payload(parts[1])[8:]
        order = [n for (n,) in struct.iter_unpack("<H", raw)]
    else:
        order = [0] * sum(s.rows if s.batches < 0 else s.batches for s in sections)
    used = [0] * len(sections)
    units = []
    for n in order:
        unit = sections[n].unit(used[n])
        units.extend([unit] * (2 if n in header["twice"] else 1))
        used[n] += 1
    events = [
        (at, kind, time, None if g < 0 else tuple(map(_frozen, header["groups"][g])))
        for at, kind, time, g in header["events"]
    ]
    return {
        "batch": header["batch"],
        "db": header["db"],
        "rp": header["rp"],
        "position": header["position"],
        "parent": header["parent"],
        "units": units,
        "events": events,
    }


def _frozen(value):
    return tuple(value) if isinstance(value, list) else value

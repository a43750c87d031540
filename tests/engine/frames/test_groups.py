"""Group identity: codes by tags, hashes as the wire format defines them."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from engine.frames.groups import GroupMemo, group_id, group_rows, make_groups
from engine.frames.strings import Strings
from tests.engine.frames.strategies import TEXT, sections

MASK = (1 << 64) - 1


def rotl(x, r):
    return ((x << r) | (x >> (64 - r))) & MASK


def fmix(k):
    k = (k ^ k >> 33) * 0xFF51AFD7ED558CCD & MASK
    k = (k ^ k >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return k ^ k >> 33


def murmur3(data):
    """MurmurHash3 x64 128, seed 0, from its definition."""
    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
    h1 = h2 = 0
    blocks = len(data) // 16
    for b in range(blocks):
        k1, k2 = struct.unpack_from("<QQ", data, 16 * b)
        h1 ^= rotl(k1 * c1 & MASK, 31) * c2 & MASK
        h1 = ((rotl(h1, 27) + h2) * 5 + 0x52DCE729) & MASK
        h2 ^= rotl(k2 * c2 & MASK, 33) * c1 & MASK
        h2 = ((rotl(h2, 31) + h1) * 5 + 0x38495AB5) & MASK
    tail = data[16 * blocks :].ljust(16, b"\0")
    k1, k2 = struct.unpack("<QQ", tail)
    h2 ^= rotl(k2 * c2 & MASK, 33) * c1 & MASK
    h1 ^= rotl(k1 * c1 & MASK, 31) * c2 & MASK
    h1 ^= len(data)
    h2 ^= len(data)
    h1 = (h1 + h2) & MASK
    h2 = (h2 + h1) & MASK
    h1, h2 = fmix(h1), fmix(h2)
    h1 = (h1 + h2) & MASK
    return h1, (h2 + h1) & MASK


def identity(by_name, name, pairs):
    text = name.encode("utf-8", "surrogateescape") if by_name else b""
    out = bytes([by_name]) + struct.pack("<I", len(text)) + text
    for word in [w.encode("utf-8", "surrogateescape") for pair in pairs for w in pair]:
        out += struct.pack("<I", len(word)) + word
    return out


def test_the_reference_hash_knows_a_published_value():
    assert murmur3(b"hello")[0] == 0xCBD8A7B341BD9B02


@given(
    st.lists(st.tuples(TEXT, st.text(max_size=40), st.text(max_size=40)), min_size=1, max_size=5), st.booleans(), TEXT
)
def test_hashes_are_those_of_the_identity_bytes(rows, by_name, name):
    dims = ["a", "long dimension name"]
    values = [Strings.of([r[1] for r in rows]), Strings.of([r[2] for r in rows])]
    groups = make_groups(dims, by_name, name, values, len(rows))
    for g, (_, a, b) in enumerate(rows):
        expected = murmur3(identity(by_name, name, [(dims[0], a), (dims[1], b)]))
        assert tuple(int(h) for h in groups.hashes[g]) == expected


@given(sections(max_rows=30), st.data())
def test_every_row_gets_the_group_of_its_tags(section, data):
    dims = sorted(data.draw(st.sets(st.sampled_from([*section.tags, "none"]), max_size=3)))
    groups, codes = group_rows(section, dims, by_name=False)
    seen = {}
    for r in range(section.rows):
        g = 0 if codes is None else int(codes[r])
        expected = {d: (section.tags[d].at(r) if d in section.tags else None) or "" for d in dims}
        assert groups.tags(g) == expected
        seen.setdefault(tuple(expected.values()), tuple(groups.hashes[g].tolist()))
        assert seen[tuple(expected.values())] == tuple(groups.hashes[g].tolist())
    assert len(set(seen.values())) == len(seen)


def test_group_ids_read_as_in_the_reference():
    assert group_id("cpu", (), False, ()) == ""
    assert group_id("cpu", (), True, ()) == "cpu"
    assert group_id("cpu", ("a", "b"), False, ("1", "")) == "a=1,b="
    assert group_id("cpu", ("a",), True, ("1",)) == "cpu\na=1"


@given(
    st.lists(
        st.tuples(sections(), st.sampled_from([(), ("a",), ("b",), ("a", "b")]), st.booleans(), st.booleans()),
        max_size=6,
    )
)
def test_a_memo_changes_nothing(given_sections):
    memo = GroupMemo()
    for section, dims, by_name, twice in given_sections:
        for _ in range(1 + twice):
            groups, codes = group_rows(section, dims, by_name)
            known, known_codes = group_rows(section, dims, by_name, memo)
            assert [known.tags(g) for g in range(len(known))] == [groups.tags(g) for g in range(len(groups))]
            assert known.hashes.tolist() == groups.hashes.tolist()
            assert (known.dims, known.by_name) == (groups.dims, groups.by_name)
            assert codes is known_codes or codes.tolist() == known_codes.tolist()


def test_a_memo_is_bounded(monkeypatch):
    monkeypatch.setattr(GroupMemo, "MOST", 2)
    memo = GroupMemo()
    made = [memo.groups(("h",), True, f"m{i}", [Strings.of(["x"])], 1) for i in range(5)]
    assert memo.groups(("h",), True, "m4", [Strings.of(["x"])], 1) is made[4]
    assert memo.groups(("h",), True, "m0", [Strings.of(["x"])], 1) is not made[0]

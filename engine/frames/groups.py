"""Group identity: how rows get their group codes and groups their 128-bit hashes.

Identity bytes of a group (docs/wire-format.md): one byte 1 or 0 for by-name; the measurement if by-name, else the empty
string, as uint32 length and bytes; then for every dimension its name and its value, each as uint32 length and bytes.
Lengths are little-endian. The hash is MurmurHash3 x64 128, seed 0.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types

from engine.frames.jit import HASHES_OUT, I32, U8, U32, helper, kernel
from engine.frames.model import ABSENT_CODE, Batches, GroupInfo, Groups, Section, TagColumn, nil_groups
from engine.frames.strings import Strings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_C1, _C2 = np.uint64(0x87C37B91114253D5), np.uint64(0x4CF5AD432745937F)
_M1, _M2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_N1, _N2, _FIVE = np.uint64(0x52DCE729), np.uint64(0x38495AB5), np.uint64(5)
_U8S = np.uint64(8)
_S31, _S33, _S27, _S64 = np.uint64(31), np.uint64(33), np.uint64(27), np.uint64(64)


@helper
def _rotl(x: Any, r: Any) -> Any:
    return (x << r) | (x >> (_S64 - r))


@helper
def _fmix(k: Any) -> Any:
    k ^= k >> _S33
    k *= _M1
    k ^= k >> _S33
    k *= _M2
    k ^= k >> _S33
    return k


@helper
def _word(data: Any, start: Any, count: Any) -> Any:
    w = np.uint64(0)
    for i in range(count):
        w |= np.uint64(data[start + i]) << (np.uint64(i) * _U8S)
    return w


@helper
def murmur3_128(data: Any, start: Any, size: Any, out: Any, row: Any) -> Any:
    """MurmurHash3 x64 128 (seed 0) of data[start:start+size] into out[row, 0:2]."""
    h1 = np.uint64(0)
    h2 = np.uint64(0)
    blocks = size // 16
    for b in range(blocks):
        k1 = _word(data, start + b * 16, 8)
        k2 = _word(data, start + b * 16 + 8, 8)
        h1 ^= _rotl(k1 * _C1, _S31) * _C2
        h1 = (_rotl(h1, _S27) + h2) * _FIVE + _N1
        h2 ^= _rotl(k2 * _C2, _S33) * _C1
        h2 = (_rotl(h2, _S31) + h1) * _FIVE + _N2
    tail = size - blocks * 16
    at = start + blocks * 16
    if tail > 8:
        k2 = _word(data, at + 8, tail - 8)
        h2 ^= _rotl(k2 * _C2, _S33) * _C1
    if tail > 0:
        k1 = _word(data, at, min(tail, 8))
        h1 ^= _rotl(k1 * _C1, _S31) * _C2
    h1 ^= np.uint64(size)
    h2 ^= np.uint64(size)
    h1 += h2
    h2 += h1
    h1 = _fmix(h1)
    h2 = _fmix(h2)
    h1 += h2
    h2 += h1
    out[row, 0] = h1
    out[row, 1] = h2


@kernel(types.void, U8, I32, U8, I32, HASHES_OUT)
def _hash_identities(prefix: Any, lengths: Any, data: Any, pieces: Any, out: Any) -> Any:
    """Hash g identities. `data` holds, identity by identity, `lengths` pieces; see `hash_groups`."""
    g = out.shape[0]
    per = len(pieces)
    longest = len(prefix)
    for i in range(g):
        size = len(prefix)
        for p in range(per):
            size += pieces[p] + 4 + lengths[p * (g + 1) + i + 1] - lengths[p * (g + 1) + i]
        longest = max(longest, size)
    scratch = np.empty(longest, np.uint8)
    for i in range(len(prefix)):
        scratch[i] = prefix[i]
    keys_base = 0
    for p in range(per):
        keys_base += pieces[p]
    for i in range(g):
        at = len(prefix)
        key = 0
        base = keys_base
        for p in range(per):
            for q in range(pieces[p]):
                scratch[at + q] = data[key + q]
            at += pieces[p]
            key += pieces[p]
            first = lengths[p * (g + 1) + i]
            n = lengths[p * (g + 1) + i + 1] - first
            for q in range(4):
                scratch[at + q] = (n >> (8 * q)) & 255
            at += 4
            for q in range(n):
                scratch[at + q] = data[base + first + q]
            at += n
            base += lengths[p * (g + 1) + g]
        murmur3_128(scratch, 0, at, out, i)


def hash_groups(
    dims: Sequence[str], by_name: bool, name: str, values: Sequence[Strings], count: int
) -> NDArray[np.uint64]:
    """Identity hashes, uint64[count, 2], of the groups with these dimension values (one Strings[count] a dimension)."""
    text = name.encode("utf-8", "surrogateescape") if by_name else b""
    prefix = bytes([by_name]) + struct.pack("<I", len(text)) + text
    keys = [struct.pack("<I", len(k)) + k for k in (d.encode("utf-8", "surrogateescape") for d in dims)]
    out = np.empty((count, 2), np.uint64)
    offsets = [v.offsets for v in values]
    data = b"".join([*keys, *[v.data[: v.offsets[-1]].tobytes() for v in values]])
    _hash_identities(
        np.frombuffer(prefix, np.uint8),
        np.concatenate(offsets) if offsets else np.zeros(0, np.int32),
        np.frombuffer(data, np.uint8),
        np.array([len(k) for k in keys], np.int32),
        out,
    )
    return out


def make_groups(dims: Sequence[str], by_name: bool, name: str, values: Sequence[Strings], count: int) -> Groups:
    """A group table with its hashes; the nil table where there is neither a dimension nor by-name."""
    if not dims and not by_name:
        return nil_groups()
    return Groups(tuple(dims), by_name, tuple(values), hash_groups(dims, by_name, name, values, count))


class GroupMemo:
    """The last group table of each measurement: the same hosts report again and again, and need no second hashing.

    Bound: one table a measurement, `MOST` of them, then it begins anew.
    """

    MOST = 64

    def __init__(self) -> None:
        self._tables: dict[str, Groups] = {}

    def groups(self, dims: Sequence[str], by_name: bool, name: str, values: Sequence[Strings], count: int) -> Groups:
        """As `make_groups`."""
        last = self._tables.get(name)
        if (
            last is not None
            and len(last) == count
            and last.dims == tuple(dims)
            and last.by_name == by_name
            and all(new.equals(old) for new, old in zip(values, last.values, strict=True))
        ):
            return last
        made = make_groups(dims, by_name, name, values, count)
        if len(self._tables) >= self.MOST:
            self._tables.clear()
        self._tables[name] = made
        return made


@kernel(types.int64, U32, types.Array(types.uint32, 1, "C"), types.Array(types.int64, 1, "C"), types.int64, types.int64)
def _first_seen(codes: Any, out: Any, first: Any, size: Any, absent_as: Any) -> Any:
    """Number the distinct codes in the order of their first row; `first` gets that row. ABSENT counts as `absent_as`."""
    seen = np.full(size, -1, np.int64)
    found = 0
    for i in range(len(codes)):
        c = np.int64(codes[i])
        if c >= size:
            c = absent_as
        if seen[c] < 0:
            seen[c] = found
            first[found] = i
            found += 1
        out[i] = seen[c]
    return found


def _codes_of(column: TagColumn | None, n: int) -> tuple[NDArray[np.uint32], Strings]:
    """The column's codes and values with absent tags as the empty string."""
    if column is None:
        return np.zeros(n, np.uint32), Strings.of([""])
    missing = column.codes == ABSENT_CODE
    if not missing.any():
        return column.codes, column.values
    size = len(column.values)
    offsets = np.append(column.values.offsets, column.values.offsets[-1]).astype(np.int32)
    return np.where(missing, np.uint32(size), column.codes), Strings(offsets, column.values.data)


def group_rows(
    section: Section, dims: Sequence[str], by_name: bool, memo: GroupMemo | None = None
) -> tuple[Groups, NDArray[np.uint32] | None]:
    """Group the rows of a stream section by tags: the group table and a code per row, groups in order of appearance.

    A missing tag groups under the empty value (spec "TaskMaster" §3). A `memo` knows the tables of earlier sections.
    """
    n = section.rows
    if not dims:
        return make_groups((), by_name, section.name, (), 1), None
    columns = [_codes_of(section.tags.get(d), n) for d in dims]
    codes = np.empty(n, np.uint32)
    first = np.empty(n, np.int64)
    found = _first_seen(columns[0][0], codes, first, len(columns[0][1]), 0)
    for more, values in columns[1:]:
        size = len(values)
        if found * size <= max(4 * n, 1 << 16):
            pair = codes * np.uint32(size) + more
            found = _first_seen(pair, codes, first, found * size, 0)
        else:
            wide = codes.astype(np.uint64) * np.uint64(size) + more
            _, inverse = np.unique(wide, return_inverse=True)
            found = _first_seen(inverse.astype(np.uint32), codes, first, n, 0)
    rows = first[:found]
    chosen = [v.take(c[rows].astype(np.int64)) for c, v in columns]
    make = make_groups if memo is None else memo.groups
    return make(dims, by_name, section.name, chosen, found), codes


def group_info(section: Section, g: int) -> GroupInfo:
    """Group `g` of the section by itself."""
    groups = section.groups
    h = groups.hashes[g]
    return GroupInfo(
        section.name if groups.by_name else "",
        groups.dims,
        groups.by_name,
        tuple(v[g] for v in groups.values),
        (int(h[0]), int(h[1])),
    )


def group_id(name: str, dims: Sequence[str], by_name: bool, values: Sequence[str]) -> str:
    """The group ID text of the reference (spec "Pipeline nodes" §1.2), unescaped as there."""
    pairs = ",".join(f"{k}={v}" for k, v in zip(dims, values, strict=True))
    if not by_name:
        return pairs
    return f"{name}\n{pairs}" if pairs else name


def batch_section(section: Section, offsets: NDArray[np.int32], time: NDArray[np.int64]) -> Section:
    """The section's rows as batches; `group` must already be per batch."""
    return section.with_(batches=Batches(offsets, time))

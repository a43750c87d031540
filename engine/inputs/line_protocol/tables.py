"""What the kernel knows: series by their bytes, and shapes of field sets. Both survive from body to body.

Bounds: `MAX_SERIES` series in `MAX_ARENA` bytes and `MAX_SHAPES` shapes. What does not fit goes to the exact parser,
and the next body begins with empty tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.frames.model import Kind
from engine.frames.strings import Strings
from engine.inputs.line_protocol import kernel
from engine.inputs.line_protocol.exact import parse_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SERIES = 200_000
MAX_ARENA = 32 << 20
MAX_SHAPES = 4096

_TYPES = {float: kernel.FLOAT, int: kernel.INTEGER, bool: kernel.BOOLEAN, str: kernel.STRING}
KINDS = {
    kernel.FLOAT: Kind.FLOAT,
    kernel.INTEGER: Kind.INT,
    kernel.BOOLEAN: Kind.BOOL,
    kernel.STRING: Kind.STRING,
}


def text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def grown(array: NDArray[Any], size: int, fill: int | None = None) -> NDArray[Any]:
    """The array with room for `size` items at least, doubling."""
    if size <= len(array):
        return array
    out = np.empty(max(size, 2 * len(array)), array.dtype)
    out[: len(array)] = array
    if fill is not None:
        out[len(array) :] = fill
    return out


class Values:
    """The distinct values of one tag of a family, numbered as they come."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._strings: Strings | None = None

    def number(self, value: bytes) -> int:
        known = self._numbers.get(value)
        if known is None:
            known = self._numbers[value] = len(self._numbers)
            self._strings = None
        return known

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def strings(self) -> Strings:
        if self._strings is None:
            self._strings = Strings.of(self._numbers)
        return self._strings


@dataclass(slots=True)
class Family:
    """The series of one measurement with one set of tag keys."""

    name: str
    keys: tuple[str, ...]
    values: list[Values]
    codes: list[NDArray[np.int32]] = field(default_factory=list)
    members: int = 0

    def add(self, tags: tuple[tuple[bytes, bytes], ...]) -> int:
        """A further series; its row in `codes`."""
        row = self.members
        self.members += 1
        for k, (_, value) in enumerate(tags):
            self.codes[k] = grown(self.codes[k], self.members)
            self.codes[k][row] = self.values[k].number(value)
        return row


class SeriesTable:
    """Series by their bytes, for the kernel; `families` -1 marks one that only the exact parser can read."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.count = 0
        self.table = np.full(4096, -1, np.int32)
        self.hashes = np.zeros(1024, np.uint64)
        self.arena = np.zeros(1 << 16, np.uint8)
        self.offsets = np.zeros(1025, np.int32)
        self.families = np.full(1024, -1, np.int32)
        self.member = np.zeros(1024, np.int32)
        self.last_shape = np.full(1024, -1, np.int32)
        self.successors = np.full(1025, -1, np.int32)
        self.known: list[Family] = []
        self._numbers: dict[tuple[bytes, tuple[bytes, ...]], int] = {}

    @property
    def full(self) -> bool:
        return self.count >= MAX_SERIES or int(self.offsets[self.count]) >= MAX_ARENA

    def add(self, key: bytes) -> None:
        """Learn the series with these bytes."""
        s = self.count
        self._make_room(len(key))
        h = kernel.hash_of(np.frombuffer(key, np.uint8), 0, len(key))
        start = int(self.offsets[s])
        self.arena[start : start + len(key)] = np.frombuffer(key, np.uint8)
        self.offsets[s + 1] = start + len(key)
        self.hashes[s] = h
        self.last_shape[s] = -1
        self.families[s] = -1
        try:
            name, tags = parse_key(key)
        except ValueError:
            name, tags = b"", ()
        if name:
            f = self._family(name, tuple(k for k, _ in tags))
            self.families[s] = f
            self.member[s] = self.known[f].add(tags)
        self._insert(s, int(h))
        self.count += 1

    def _make_room(self, size: int) -> None:
        s = self.count
        self.hashes = grown(self.hashes, s + 1)
        self.families = grown(self.families, s + 1, -1)
        self.member = grown(self.member, s + 1)
        self.last_shape = grown(self.last_shape, s + 1, -1)
        self.successors = grown(self.successors, s + 2, -1)
        self.offsets = grown(self.offsets, s + 2)
        self.arena = grown(self.arena, int(self.offsets[s]) + size)
        if 2 * (s + 1) > len(self.table):
            self.table = np.full(2 * len(self.table), -1, np.int32)
            for k in range(s):
                self._insert(k, int(self.hashes[k]))

    def _insert(self, s: int, h: int) -> None:
        mask = len(self.table) - 1
        slot = h & mask
        while self.table[slot] >= 0:
            slot = (slot + 1) & mask
        self.table[slot] = s

    def _family(self, name: bytes, keys: tuple[bytes, ...]) -> int:
        known = self._numbers.get((name, keys))
        if known is None:
            known = self._numbers[name, keys] = len(self.known)
            empty = [np.zeros(64, np.int32) for _ in keys]
            self.known.append(Family(text(name), tuple(map(text, keys)), [Values() for _ in keys], empty))
        return known


@dataclass(frozen=True, slots=True)
class Shape:
    """A field set in the order of the line: names and types."""

    names: tuple[str, ...]
    types: tuple[int, ...]


class ShapeTable:
    """Shapes for the kernel, and which of them a family has had."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.known: list[Shape] = []
        self.starts = np.zeros(64, np.int32)
        self.key_starts = np.zeros(512, np.int32)
        self.keys = np.zeros(4096, np.uint8)
        self.kinds = np.zeros(512, np.uint8)
        self.candidates = np.full(64 * kernel.CANDIDATES, -1, np.int32)
        self._numbers: dict[tuple[tuple[bytes, int], ...], int] = {}

    @property
    def full(self) -> bool:
        return len(self.known) >= MAX_SHAPES

    def learn(self, family: int, fields: dict[bytes, Any]) -> int:
        """The number of the shape of these fields, which the family's candidates then contain if there is room."""
        signature = tuple((k, _TYPES[type(v)]) for k, v in fields.items())
        number = self._numbers.get(signature)
        if number is None:
            number = self._numbers[signature] = self._append(signature)
        self.candidates = grown(self.candidates, (family + 1) * kernel.CANDIDATES, -1)
        for k in range(family * kernel.CANDIDATES, (family + 1) * kernel.CANDIDATES):
            if self.candidates[k] in (-1, number):
                self.candidates[k] = number
                break
        return number

    def _append(self, signature: tuple[tuple[bytes, int], ...]) -> int:
        s = len(self.known)
        first = int(self.starts[s])
        self.starts = grown(self.starts, s + 2)
        self.starts[s + 1] = first + len(signature)
        self.key_starts = grown(self.key_starts, first + len(signature) + 1)
        self.kinds = grown(self.kinds, first + len(signature))
        for k, (key, kind) in enumerate(signature, first):
            at = int(self.key_starts[k])
            self.keys = grown(self.keys, at + len(key))
            self.keys[at : at + len(key)] = np.frombuffer(key, np.uint8)
            self.key_starts[k + 1] = at + len(key)
            self.kinds[k] = kind
        self.known.append(Shape(tuple(text(k) for k, _ in signature), tuple(t for _, t in signature)))
        return s

"""Eight bytes at a time: unaligned 64-bit loads for kernels that compare, hash and parse text.

Compiled, `load64` is one instruction; without compilation it is plain Python with the same meaning. It reads eight
bytes whatever they are: the caller makes sure that they lie within the array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from engine.frames.jit import helper

_DIGITS_LOW = np.uint64(0x0F0F0F0F0F0F0F0F)
_ZEROS = np.uint64(0x3030303030303030)
_SIXES, _HIGH_HALVES = np.uint64(0x0606060606060606), np.uint64(0xF0F0F0F0F0F0F0F0)
_TENS, _HUNDREDS = np.uint64(2561), np.uint64(6553601)
_MASK_HUNDREDS, _MASK_ALL = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_TEN_THOUSANDS = np.uint64(42949672960001)


def _load64(data: Any, at: Any) -> Any:
    return np.uint64(int.from_bytes(bytes(data[at : at + 8]), "little"))


if vars(config)["DISABLE_JIT"]:
    load64 = _load64
else:

    @intrinsic
    def load64(_typing: Any, data: Any, at: Any) -> Any:  # noqa: ARG001 - the signature is the kernel's
        """The little-endian word at byte `at` of a uint8 array, aligned or not."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, value=arguments[0])
            place = builder.gep(array.data, [arguments[1]])
            return builder.load(builder.bitcast(place, ir.IntType(64).as_pointer()), align=1)

        return types.uint64(data, types.int64), generate


@helper
def same_bytes(a: Any, i: Any, b: Any, j: Any, size: Any) -> Any:
    """Whether a[i:i+size] equals b[j:j+size]; both ranges lie within their arrays."""
    if size < 8:
        for k in range(size):
            if a[i + k] != b[j + k]:
                return False
        return True
    k = 0
    while k + 8 <= size:
        if load64(a, i + k) != load64(b, j + k):
            return False
        k += 8
    return load64(a, i + size - 8) == load64(b, j + size - 8)


@helper
def eight_digits(word: Any) -> Any:
    """Whether the word's eight bytes are all decimal digits."""
    return (word & _HIGH_HALVES) == _ZEROS and ((word + _SIXES) & _HIGH_HALVES) == _ZEROS


@helper
def eight_digits_value(word: Any) -> Any:
    """The number that eight digits spell, the first byte being the most significant."""
    v = (word & _DIGITS_LOW) * _TENS >> np.uint64(8)
    v = (v & _MASK_HUNDREDS) * _HUNDREDS >> np.uint64(16)
    return np.int64((v & _MASK_ALL) * _TEN_THOUSANDS >> np.uint64(32))

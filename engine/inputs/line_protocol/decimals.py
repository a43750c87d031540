"""Decimal digits to the nearest double, within kernels.

Digits are read eight at a time, whatever their number, so that runs of changing length cost no mispredicted branch.
A mantissa that a double holds is multiplied or divided by an exact power of ten; all others (full-precision floats,
which agents send) go through the algorithm of Eisel and Lemire. What neither settles is refused, never rounded wrongly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.frames.jit import helper
from engine.frames.words import eight_digits_value
from engine.inputs.line_protocol.bits import high_product, high_zeros, inlined, low_zeros

REFUSED = np.uint64(0x7FF8000000000000)
"""The bits (of a NaN) that say: not settled here."""

LARGEST = 300
"""Largest power of ten, in either direction, that the table has."""

POWERS = np.array([10.0**k for k in range(23)])
INTEGER_POWERS = np.array([10**k for k in range(9)], np.uint64)
_EXACT = np.uint64(1 << 53)
_ZEROS, _SIXES = np.uint64(0x3030303030303030), np.uint64(0x0606060606060606)
_HIGH_HALVES = np.uint64(0xF0F0F0F0F0F0F0F0)
_SIGN = np.uint64(1 << 63)
_LOW9, _FULL = np.uint64(0x1FF), np.uint64(0xFFFFFFFFFFFFFFFF)
_HIDDEN, _TWICE_HIDDEN = np.uint64(1 << 52), np.uint64(2 << 52)
_ONE, _THREE, _NOT_ONE = np.uint64(1), np.uint64(3), np.uint64(0xFFFFFFFFFFFFFFFE)
_ZERO, _S52, _S63 = np.uint64(0), np.uint64(52), np.uint64(63)


def _five(q: int) -> int:
    """The 128 leading bits of 5**q, rounded as the algorithm wants it: down, or up for reciprocals."""
    if q >= 0:
        power = int(5**q)
        size = power.bit_length()
        return power << (128 - size) if size <= 128 else power >> (size - 128)
    power = int(5**-q)
    z = (power - 1).bit_length()
    c = (1 << (z + 127 if q >= -27 else 2 * z + 128)) // power + 1
    return c >> max(0, c.bit_length() - 128)


_FIVES = np.array(
    [[_five(q) >> 64, _five(q) & 0xFFFFFFFFFFFFFFFF] for q in range(-LARGEST, LARGEST + 1)], np.uint64
)  # fmt: skip


@inlined
def digit_run(word: Any) -> Any:
    """How many of the word's bytes, from the first, are decimal digits: 0 to 8."""
    odd = ((word & _HIGH_HALVES) ^ _ZEROS) | (((word + _SIXES) & _HIGH_HALVES) ^ _ZEROS)
    return low_zeros(odd) >> 3


@inlined
def run_value(word: Any, count: Any) -> Any:
    """The number that the first `count` (1 to 8) bytes of the word spell, uint64."""
    return np.uint64(eight_digits_value(word << np.uint64(64 - 8 * count)))


@helper
def double_bits(mantissa: Any, exponent: Any, negative: Any) -> Any:
    """The bits (uint64) of the double nearest to mantissa * 10**exponent, or REFUSED.

    `mantissa` uint64, exact; `exponent` int64.
    """
    sign = _SIGN if negative else _ZERO
    if mantissa == _ZERO:
        return sign
    if mantissa <= _EXACT and -22 <= exponent <= 22:
        x = np.float64(mantissa)
        x = x / POWERS[-exponent] if exponent < 0 else x * POWERS[exponent]
        return np.float64(x).view(np.uint64) | sign
    if exponent < -LARGEST or exponent > LARGEST:
        return REFUSED
    shift = high_zeros(mantissa)
    w = mantissa << np.uint64(shift)
    five = _FIVES[exponent + LARGEST, 0]
    high, low = high_product(w, five), w * five
    if high & _LOW9 == _LOW9:
        more = high_product(w, _FIVES[exponent + LARGEST, 1])
        low = low + more
        if low < more:
            high = high + _ONE
        if low == _FULL:
            return REFUSED
    top = np.int64(high >> _S63)
    m = high >> np.uint64(top + 9)
    power = ((217706 * exponent) >> 16) + 63 + top - shift + 1023
    if power <= 0 or power >= 2046:
        return REFUSED
    if low <= _ONE and -4 <= exponent <= 23 and m & _THREE == _ONE and m << np.uint64(top + 9) == high:
        m = m & _NOT_ONE
    m = (m + (m & _ONE)) >> _ONE
    if m >= _TWICE_HIDDEN:
        m = _HIDDEN
        power += 1
    return (m & (_HIDDEN - _ONE)) | (np.uint64(power) << _S52) | sign

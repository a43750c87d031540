"""Single instructions for the kernel, and functions that it always takes in whole.

Compiled, each is what the processor has for it; without compilation it is plain Python with the same meaning. `byte_at`
spares the check for a negative index, which costs the parser a tenth of its time: the caller makes sure that the place
lies within the array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def inlined(function: F) -> F:
    """Compile a function into every kernel that calls it."""
    return cast("F", numba.njit(cache=True, forceinline=True)(function))


def _byte_at(data: Any, at: Any) -> Any:
    return np.int64(data[at])


def _high_product(a: Any, b: Any) -> Any:
    return np.uint64(int(a) * int(b) >> 64)


def _low_zeros(word: Any) -> Any:
    n = int(word)
    return np.int64((n & -n).bit_length() - 1 if n else 64)


def _high_zeros(word: Any) -> Any:
    return np.int64(64 - int(word).bit_length())


if vars(config)["DISABLE_JIT"]:
    byte_at, high_product, low_zeros, high_zeros = _byte_at, _high_product, _low_zeros, _high_zeros
else:
    _I1, _I64, _I128 = ir.IntType(1), ir.IntType(64), ir.IntType(128)

    @intrinsic
    def byte_at(_typing: Any, data: Any, at: Any) -> Any:  # noqa: ARG001 - the signature is the kernel's
        """The byte at a place of a uint8 array, as int64."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, value=arguments[0])
            return builder.zext(builder.load(builder.gep(array.data, [arguments[1]])), _I64)

        return types.int64(data, types.int64), generate

    @intrinsic
    def high_product(_typing: Any, a: Any, b: Any) -> Any:  # noqa: ARG001 - the signature is the kernel's
        """The upper 64 bits of the product of two uint64."""

        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            wide = builder.mul(builder.zext(arguments[0], _I128), builder.zext(arguments[1], _I128))
            return builder.trunc(builder.lshr(wide, ir.Constant(_I128, 64)), _I64)

        return types.uint64(types.uint64, types.uint64), generate

    @intrinsic
    def low_zeros(_typing: Any, word: Any) -> Any:  # noqa: ARG001 - the signature is the kernel's
        """How many zero bits a uint64 has below its lowest one; 64 for zero."""

        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.cttz(arguments[0], ir.Constant(_I1, 0))

        return types.int64(types.uint64), generate

    @intrinsic
    def high_zeros(_typing: Any, word: Any) -> Any:  # noqa: ARG001 - the signature is the kernel's
        """How many zero bits a uint64 has above its highest one; 64 for zero."""

        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.ctlz(arguments[0], ir.Constant(_I1, 0))

        return types.int64(types.uint64), generate

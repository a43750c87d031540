"""How kernels are declared.

A kernel is a small function over plain arrays, compiled by Numba with an explicit signature, so that nothing compiles
in operation: importing a kernel's module compiles it, or loads it from Numba's disk cache. Inputs are declared
read-only, because arrays over a received message are. Compiled code checks no bounds: a kernel's caller passes arrays
that are large enough, or the kernel checks. `NUMBA_DISABLE_JIT=1` runs the same code as plain Python.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numba
import numpy.ma  # noqa: F401 - Numba looks for masked arrays at the first call: loaded here, not in every forked node
from numba import types
from numba.core import codegen

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def array(dtype: types.Type, *, writable: bool = False, ndim: int = 1) -> types.Array:
    """The type of a C-contiguous array; read-only unless `writable`."""
    return types.Array(dtype, ndim, "C", readonly=not writable)


def pair(*members: Any) -> Any:
    """The type of a tuple that a kernel returns."""
    return types.Tuple(members)  # type: ignore[no-untyped-call]


U8 = array(types.uint8)
I32 = array(types.int32)
I64 = array(types.int64)
U16 = array(types.uint16)
U32 = array(types.uint32)
U64 = array(types.uint64)
F64 = array(types.float64)
HASHES = array(types.uint64, ndim=2)
U8_OUT = array(types.uint8, writable=True)
I32_OUT = array(types.int32, writable=True)
I64_OUT = array(types.int64, writable=True)
U16_OUT = array(types.uint16, writable=True)
U32_OUT = array(types.uint32, writable=True)
U64_OUT = array(types.uint64, writable=True)
F64_OUT = array(types.float64, writable=True)
HASHES_OUT = array(types.uint64, writable=True, ndim=2)
INT = types.int64
FLOAT = types.float64
BOOL = types.boolean


def kernel(result: types.Type, *arguments: types.Type) -> Callable[[F], F]:
    """Compile the decorated function for exactly these argument types, with Numba's disk cache."""

    def compile_it(function: F) -> F:
        return cast("F", numba.njit(result(*arguments), cache=True)(function))

    return compile_it


def forget_sources() -> int:
    """Let go of what Numba keeps of each kernel so that others can be compiled against it; of how many that was.

    It is a seventh of the memory of a process with all kernels, and page tables are copied at each fork. Only for a process
    that compiles nothing more.
    """
    libraries = [o for o in gc.get_objects() if type(o) is codegen.JITCodeLibrary]
    kept = [library for library in libraries if getattr(library, "_shared_module", None) is not None]
    for library in kept:
        library._shared_module = None  # noqa: SLF001 - Numba has no way to say it
    return len(kept)


def helper(function: F) -> F:
    """Compile a function that only kernels call; its types follow from theirs.

    A call that hands arrays on counts their references, about 2 ns for each: in the innermost loop of a kernel over many
    arrays that comes to more than the work.
    """
    return cast("F", numba.njit(cache=True)(function))

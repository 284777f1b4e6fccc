"""Compiled loops, kept on disk between runs, and the C functions that they call.

A kernel is compiled when its module is imported for the first time and then kept beside the
package, or in the user's cache directory where that cannot be written. What a rule may change
(alphabets, version bytes, digests, which recovery ids are allowed) is given to a kernel with every
call and never compiled into it: a kernel that was kept cannot go on with an old rule. No kernel
calls one of another file, because a kept kernel does not notice that another file has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm  # type: ignore[import-untyped]
from numba import njit, types
from numba.core.errors import NumbaError

from chains.bulk import Unavailable

BYTES = types.Array(types.uint8, 1, "C", readonly=True)
ROWS = types.Array(types.uint8, 2, "C", readonly=True)
OFFSETS = types.Array(types.int64, 1, "C", readonly=True)
OUT_ROWS = types.Array(types.uint8, 2, "C")
OUT_BYTES = types.Array(types.uint8, 1, "C")
OUT_OFFSETS = types.Array(types.int64, 1, "C")
OUT_FLAGS = types.Array(types.boolean, 1, "C")
NUMBER = types.int64


def inner() -> Callable[[Callable[..., Any]], Any]:
    """Mark a function that only kernels of the same file call: it is compiled into them."""
    mark: Callable[[Callable[..., Any]], Any] = njit(nogil=True, boundscheck=False)
    return mark


def kernel(*arguments: object) -> Callable[[Callable[..., Any]], Any]:
    """Compile a loop over whole columns that returns nothing; it does not hold the GIL.

    Raises ``Unavailable`` where it cannot be compiled, or kept anywhere.
    """
    signature = types.void(*arguments)

    def compiled(function: Callable[..., Any]) -> Any:
        try:
            return njit(signature, nogil=True, boundscheck=False, cache=True)(function)
        except (NumbaError, RuntimeError, OSError) as error:
            raise Unavailable(f"{function.__name__} cannot be compiled: {error}") from error

    return compiled


def c_function(library: Any, name: str, signature: Any) -> Any:
    """Return what kernels call for a C function of a cffi library.

    The name is bound anew in every process, so a kept kernel finds it wherever it was loaded.
    Raises ``Unavailable`` where the library has no such function.
    """
    try:
        address = int(library.ffi.cast("uintptr_t", library.ffi.addressof(library.lib, name)))
    except (AttributeError, TypeError) as error:
        raise Unavailable(f"{name} is not in {library.__name__}: {error}") from error
    symbol = f"recount_{name}"
    llvm.add_symbol(symbol, address)
    return types.ExternalFunction(symbol, signature)

"""What a process does with memory that it no longer needs."""

from __future__ import annotations

import ctypes
import gc
from functools import cache
from typing import Any

import pyarrow as pa


def give_back() -> None:
    """Return to the system what is freed; milliseconds.

    Allocators keep it for whoever asks next. Between two stages, and between the pieces of a long
    list, that is hundreds of megabytes which nobody asks for again.
    """
    pa.default_memory_pool().release_unused()
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any:
    """Return glibc's ``malloc_trim``, ``None`` where the C library is another.

    Spec: https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return None


def collect_rarely() -> None:
    """Leave out of the search for dead cycles what was imported, and search less often.

    Looking through it all again and again costs a tenth of the time of judging rows.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)

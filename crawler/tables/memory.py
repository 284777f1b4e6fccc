"""What a process does with memory that it no longer needs."""

from __future__ import annotations

import ctypes
import gc
from functools import cache
from typing import Any

import pyarrow as pa

LARGE = 1 << 20
_M_MMAP_THRESHOLD = -3


def give_back() -> None:
    """Return to the system what is freed; milliseconds.

    Allocators keep it for whoever asks next. Between two stages, and between the pieces of a long
    list, that is hundreds of megabytes which nobody asks for again.
    """
    pa.default_memory_pool().release_unused()
    trim = _trim()
    if trim is not None:
        trim(0)


def keep_no_large_blocks() -> None:
    """Return blocks from ``LARGE`` bytes on to the system as they are freed, from now on.

    glibc learns to keep blocks of up to 32 MiB for later. A crawl frees such in another order than
    it takes them; between what is still needed they stay, a quarter of all its memory.
    Spec: https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    choose = _glibc("mallopt")
    if choose is not None:
        choose(_M_MMAP_THRESHOLD, LARGE)


@cache
def _trim() -> Any:
    """Spec: https://man7.org/linux/man-pages/man3/malloc_trim.3.html."""
    return _glibc("malloc_trim")


def _glibc(name: str) -> Any:
    """Return a function of glibc, ``None`` where the C library is another."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):
        return None


def collect_rarely() -> None:
    """Leave out of the search for dead cycles what was imported, and search less often.

    Looking through it all again and again costs a tenth of the time of judging rows.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)

"""Whole columns at a time, by compiled loops that do not hold the GIL: hashes, encodings, curves.

Everything here has a plain form elsewhere that deals with one row, says why a row is wrong, and is
the authority. The modules of this package bring in numba when they are imported; this file, which
only says how columns are passed around, does not.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Places = np.ndarray[Any, np.dtype[np.int64]]
Halves = np.ndarray[Any, np.dtype[np.int64]]
"""Digests of 128 bits, in two numbers a row."""


class Unavailable(Exception):
    """The machine code cannot be had here; ``str()`` says why. Slower code does the same."""


class Texts(msgspec.Struct, frozen=True):
    """Byte strings end to end: string ``i`` is ``data[offsets[i]:offsets[i + 1]]``."""

    offsets: Places
    data: Bytes

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Places:
        """Bytes of each string."""
        return np.diff(self.offsets)


def texts(column: pa.Array) -> Texts:
    """Look at a string or binary column without nulls, without copying its bytes."""
    start, end = column.offset, column.offset + len(column) + 1
    offsets = np.frombuffer(column.buffers()[1], np.int32)[start:end].astype(np.int64)
    data = column.buffers()[2]
    return Texts(offsets, np.frombuffer(data, np.uint8) if data else np.zeros(0, np.uint8))


def rows_as_texts(rows: Bytes) -> Texts:
    """Look at rows of one width as byte strings."""
    count, width = rows.shape
    return Texts(np.arange(count + 1) * width, np.ascontiguousarray(rows).reshape(-1))

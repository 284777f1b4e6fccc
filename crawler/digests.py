"""Sixteen bytes that stand for a text or for bytes, for whole columns: unkeyed BLAKE2b."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa

from chains.bulk import Unavailable, texts

Halves = np.ndarray[Any, np.dtype[np.int64]]
"""Digests in two numbers each."""
SIZE = 16
MANY = 1 << 14
"""Rows from which machine code is worth its start; both ways give the same digests."""


def digests(column: pa.Array) -> Halves:
    """Return the digest of each string or binary of a column without nulls."""
    if len(column) >= MANY:
        try:
            from chains.bulk import hashes  # noqa: PLC0415 - machine code, for many rows only

            return hashes.blake2b(texts(column), SIZE).view(np.int64)
        except (ImportError, Unavailable):
            pass
    values = column.cast(pa.binary()).to_pylist()
    found = b"".join(blake2b(value, digest_size=SIZE).digest() for value in values)
    return np.frombuffer(bytearray(found), np.int64).reshape(-1, 2)

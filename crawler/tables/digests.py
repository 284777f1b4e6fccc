"""Rows told apart by what several columns hold: 128 bits a row, the same where the rows are.

Digests are for one process: long tables are digested under a key that is drawn anew in each, so
that nobody can write a list in which two different rows have one digest.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b

import msgspec
import numpy as np
import pyarrow as pa

from chains.bulk import Halves, Unavailable

MANY = 1 << 13
"""Rows from which machine code is worth its start."""
_SIZE = 16
_KEY = secrets.token_bytes(16)

RowDigests = Callable[[Sequence[pa.Array]], Halves]
"""Columns without nulls, of strings, binary or lists of strings, to one digest a row.

Only digests of one function can be compared.
"""


def one_by_one(columns: Sequence[pa.Array]) -> Halves:
    """Digest short tables, or any where there is no machine code (``RowDigests``)."""
    encode = msgspec.msgpack.Encoder().encode  # lengths stand before texts: nothing runs together
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    found = b"".join(blake2b(encode(row), digest_size=_SIZE).digest() for row in rows)
    return np.frombuffer(bytearray(found), np.int64).reshape(-1, 2)


def for_rows(count: int) -> RowDigests:
    """Return what is quickest for tables of which the first has so many rows."""
    if count < MANY:
        return one_by_one
    try:
        from chains.bulk import tasks  # noqa: PLC0415 - machine code, for long lists only
    except (ImportError, Unavailable):
        return one_by_one
    return partial(tasks.row_digests, key=_KEY)

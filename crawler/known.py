"""Rows that must be judged alike are judged once: their tasks, told apart and found again.

A task is all on which a verdict rests. It is remembered by a digest of 16 bytes, so that the same
task is found however far apart its rows lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains.bulk import Unavailable
from crawler.columns import Flags, Numbers, flags
from crawler.model import RowKind

_DIGEST = 16
_TEXTS = ("scheme", "address", "message", "signatures", "script", "public_key", "owners")


class KnownTasks(Protocol):
    """Gives each task a number."""

    def __len__(self) -> int:
        """Return how many tasks are remembered."""
        ...

    def number(self, batch: pa.RecordBatch, groups: Numbers, start: int) -> tuple[Numbers, Flags]:
        """Return the number of each row's task, and which rows bring a new one.

        New tasks are numbered from ``start``, in order. ``groups`` says which rows' labels let
        them be judged alike. A malformed row is a task of its own, never remembered.
        """
        ...


class OneByOne:
    """For short lists, and where there is no machine code."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._known)

    def number(self, batch: pa.RecordBatch, groups: Numbers, start: int) -> tuple[Numbers, Flags]:
        """Give the rows' tasks their numbers (``KnownTasks``)."""
        found = np.empty(batch.num_rows, np.int64)
        fresh = np.zeros(batch.num_rows, np.bool_)
        for row, key in enumerate(_keys(batch, groups.tolist())):
            found[row] = start if key is None else self._known.setdefault(key, start)
            if found[row] == start:
                fresh[row] = True
                start += 1
        return found, fresh


def _keys(batch: pa.RecordBatch, groups: list[int]) -> Iterator[bytes | None]:
    encode = msgspec.msgpack.Encoder().encode  # lengths stand before texts: nothing runs together
    kinds = batch.column("kind").to_pylist()
    columns = [batch.column(name).to_pylist() for name in _TEXTS]
    for kind, *texts in zip(kinds, groups, *columns, strict=True):
        if kind == RowKind.MALFORMED:
            yield None
        else:
            yield blake2b(encode(texts), digest_size=_DIGEST).digest()


class ByColumns:
    """For long lists; raises ``Unavailable`` or ``ImportError`` where it cannot be had."""

    def __init__(self) -> None:
        from chains.bulk import tasks  # noqa: PLC0415 - machine code, for long lists only

        self._digests = tasks.row_digests
        self._known = tasks.KnownDigests()

    def __len__(self) -> int:
        return len(self._known)

    def number(self, batch: pa.RecordBatch, groups: Numbers, start: int) -> tuple[Numbers, Flags]:
        """Give the rows' tasks their numbers (``KnownTasks``)."""
        alone = flags(pc.equal(batch.column("kind"), RowKind.MALFORMED.value))
        codes = pa.array(groups).cast(pa.string())
        digests = self._digests([codes, *(batch.column(name) for name in _TEXTS)])
        return self._known.number(digests, alone, start)


def for_long_list() -> KnownTasks:
    """Return what is quickest for many rows."""
    try:
        return ByColumns()
    except (ImportError, Unavailable):
        return OneByOne()

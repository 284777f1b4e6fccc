"""Rows that must be judged alike are judged once: their tasks, told apart and found again.

A task is all on which a verdict rests. It is remembered by a digest of 16 bytes, so that the same
task is found however far apart its rows lie.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains.bulk import Unavailable
from crawler.model import RowKind
from crawler.tables import digests
from crawler.tables.columns import Flags, Numbers, flags

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
        fresh = _alone(batch)
        found = np.empty(batch.num_rows, np.int64)
        for row, digest in enumerate(digests.one_by_one(_columns(batch, groups))):
            found[row] = start
            if not fresh[row]:
                found[row] = self._known.setdefault(digest.tobytes(), start)
            if found[row] == start:
                fresh[row] = True
                start += 1
        return found, fresh


class ByColumns:
    """For long lists; raises ``Unavailable`` or ``ImportError`` where it cannot be had."""

    def __init__(self) -> None:
        from chains.bulk.tasks import KnownDigests  # noqa: PLC0415 - machine code, for long lists

        self._digests = digests.for_rows(digests.MANY)
        self._known = KnownDigests()

    def __len__(self) -> int:
        return len(self._known)

    def number(self, batch: pa.RecordBatch, groups: Numbers, start: int) -> tuple[Numbers, Flags]:
        """Give the rows' tasks their numbers (``KnownTasks``)."""
        found = self._digests(_columns(batch, groups))
        return self._known.number(found, _alone(batch), start)


def _columns(batch: pa.RecordBatch, groups: Numbers) -> list[pa.Array]:
    return [pa.array(groups).cast(pa.string()), *(batch.column(name) for name in _TEXTS)]


def _alone(batch: pa.RecordBatch) -> Flags:
    return flags(pc.equal(batch.column("kind"), RowKind.MALFORMED.value)).copy()


def for_long_list() -> KnownTasks:
    """Return what is quickest for many rows."""
    try:
        return ByColumns()
    except (ImportError, Unavailable):
        return OneByOne()

"""Grouping and exact sums over whole columns, so that no row costs a step of Python.

Amounts are texts of base units. They are added as 256-bit decimals, which no sum of amounts within
``MOST_DIGITS`` can overflow; longer ones are added as Python integers, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]
Column = Any
"""``pa.Array`` or ``pa.ChunkedArray``."""

MOST_DIGITS = 60
_MOST_CODES = 1 << 62
_A_TABLE = 4
"""Times as many codes as rows, up to which they are counted in a table rather than sorted."""


def whole(column: Column) -> pa.Array:
    """Return the column in one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def empty_texts(count: int) -> pa.Array:
    """Make ``count`` empty texts."""
    return pa.StringArray.from_buffers(
        count, pa.py_buffer(bytes(4 * (count + 1))), pa.py_buffer(b"")
    )


def numbers(column: Column) -> Numbers:
    """Return an integer column without nulls as numbers."""
    return np.asarray(whole(column).to_numpy(zero_copy_only=False), np.int64)


def flags(column: Column) -> Flags:
    """Return a column of truth values as such; null is false."""
    return np.asarray(pc.fill_null(whole(column), False).to_numpy(zero_copy_only=False), np.bool_)


def distinct(columns: Sequence[Column | Numbers | Flags]) -> tuple[Numbers, Numbers]:
    """Return each row's number among the distinct rows of several columns, and their firsts."""
    codes = np.zeros(len(columns[0]), np.int64)
    size = 1
    for column in columns:
        own, kinds = _codes(column)
        if kinds == 1:
            continue
        if size * kinds > _MOST_CODES:
            codes, firsts = _numbered(codes, size)
            size = len(firsts)
        codes = codes * kinds + own
        size *= kinds
    return _numbered(codes, size)


def _numbered(codes: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """Return each code's number among the distinct ones, which are below ``size``, and firsts."""
    if size > _A_TABLE * len(codes):
        _, firsts, own = np.unique(codes, return_index=True, return_inverse=True)
        return own, firsts
    places = np.full(size, -1, np.int64)
    places[codes[::-1]] = np.arange(len(codes))[::-1]
    present = places >= 0
    return (np.cumsum(present) - 1)[codes], places[present]


def _codes(column: Column | Numbers | Flags) -> tuple[Numbers, int]:
    if isinstance(column, np.ndarray):
        if column.dtype == np.bool_:
            return column.astype(np.int64), 2
        present, codes = np.unique(column, return_inverse=True)
        return codes, max(1, len(present))
    encoded = whole(column).dictionary_encode(null_encoding="encode")
    own = encoded.indices.to_numpy(zero_copy_only=False)
    return np.asarray(own, np.int64), max(1, len(encoded.dictionary))


def members(codes: Numbers) -> list[Numbers]:
    """Return the places of each code 0, 1, …, ascending."""
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(codes.max(initial=-1) + 2))
    return [order[start:end] for start, end in pairwise(bounds)]


def sums(codes: Numbers, count: int, texts: Column) -> list[int]:
    """Add up the amounts of each code below ``count``; null adds nothing."""
    texts = whole(texts)
    found = [0] * count
    long = np.flatnonzero(flags(pc.greater(pc.binary_length(texts), MOST_DIGITS)))
    for i in long.tolist():
        found[codes[i]] += int(texts[i].as_py())
    if len(long):
        texts = pc.if_else(pc.greater(pc.binary_length(texts), MOST_DIGITS), None, texts)
    table = pa.table({"code": codes, "units": texts.cast(pa.decimal256(76, 0))})
    added = table.group_by("code", use_threads=False).aggregate([("units", "sum")])
    for code, units in zip(
        *(added[name].to_pylist() for name in ("code", "units_sum")), strict=True
    ):
        found[code] += int(units) if units is not None else 0
    return found


def records(table: pa.Table) -> Iterable[dict[str, Any]]:
    """Yield the rows of a table as dictionaries, batch by batch."""
    names = table.schema.names
    for batch in table.to_batches(max_chunksize=65536):
        columns = [batch.column(name).to_pylist() for name in names]
        for values in zip(*columns, strict=True):
            yield dict(zip(names, values, strict=True))

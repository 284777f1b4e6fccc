"""Rows told apart by what several columns hold, and found again in a table of digests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numba import int64, types, uint8, uint64

from chains.bulk import Bytes, Flags, Places, Texts, texts
from chains.bulk.hashes import blake2b
from chains.bulk.machine import (  # fmt: skip
    BYTES,
    NUMBER,
    OFFSETS,
    OUT_BYTES,
    OUT_FLAGS,
    OUT_OFFSETS,
    kernel,
)

DIGEST = 16
_LENGTH = 4
"""Bytes in which a length stands before what it is the length of: nothing runs together."""
_HALVES = types.Array(types.uint64, 2, "C", readonly=True)
_TABLE = types.Array(types.uint64, 2, "C")
_FIRST_SLOTS = 1 << 12


@kernel(OFFSETS, OFFSETS, BYTES, OUT_OFFSETS, OUT_BYTES)
def _append(firsts: Any, offsets: Any, data: Any, at: Any, out: Any) -> None:
    """Write the strings ``firsts[row]`` to ``firsts[row + 1]`` of each row to its place."""
    for row in range(firsts.size - 1):
        to = at[row]
        number = firsts[row + 1] - firsts[row]
        for place in range(4):
            out[to + place] = uint8(number >> (8 * place))
        to += 4
        for string in range(firsts[row], firsts[row + 1]):
            start, size = offsets[string], offsets[string + 1] - offsets[string]
            for place in range(4):
                out[to + place] = uint8(size >> (8 * place))
            to += 4
            for place in range(size):
                out[to + place] = data[start + place]
            to += size
        at[row] = to


def row_digests(columns: Sequence[pa.Array]) -> Bytes:
    """Return 16 bytes a row, the same exactly for rows that hold the same in every column.

    The columns are strings, binary, or lists of strings, without nulls.
    """
    parts: list[tuple[Places, Texts]] = []
    sizes = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        strings = texts(column.flatten() if pa.types.is_list(column.type) else column)
        firsts = np.arange(len(column) + 1)
        if pa.types.is_list(column.type):
            offsets = column.offsets.to_numpy().astype(np.int64)
            firsts = offsets - offsets[0]
        written = strings.offsets - strings.offsets[0] + _LENGTH * np.arange(len(strings) + 1)
        sizes += _LENGTH + np.diff(written[firsts])
        parts.append((firsts, strings))
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    at, out = ends[:-1].copy(), np.empty(int(ends[-1]), np.uint8)
    for firsts, strings in parts:
        _append(firsts, strings.offsets, strings.data, at, out)
    return blake2b(Texts(ends, out), DIGEST)


@kernel(_HALVES, OUT_FLAGS, NUMBER, _TABLE, OUT_OFFSETS, OUT_OFFSETS)
def _find(halves: Any, fresh: Any, number: int, table: Any, values: Any, found: Any) -> None:
    """Give an old digest the number that it has, and a new one the next from ``number``.

    ``fresh`` says which rows are new whatever their digest, and then which ones were new.
    """
    mask = uint64(table.shape[0] - 1)
    for row in range(halves.shape[0]):
        if not fresh[row]:
            slot = halves[row, 0] & mask
            while values[slot] >= 0 and (
                table[slot, 0] != halves[row, 0] or table[slot, 1] != halves[row, 1]
            ):
                slot = (slot + uint64(1)) & mask
            if values[slot] < 0:
                table[slot, 0], table[slot, 1] = halves[row, 0], halves[row, 1]
                values[slot] = number
                fresh[row] = True
            found[row] = values[slot]
        if fresh[row]:
            found[row] = number
            number += int64(1)


class KnownDigests:
    """Digests and their numbers: some 50 bytes for each."""

    def __init__(self) -> None:
        self._table = np.zeros((_FIRST_SLOTS, 2), np.uint64)
        self._values = np.full(_FIRST_SLOTS, -1, np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def number(self, digests: Bytes, alone: Flags, start: int) -> tuple[Places, Flags]:
        """Return each row's number, and which rows have a new one: from ``start``, in order.

        Rows that are ``alone`` get a number of their own and are not remembered.
        """
        self._make_room(len(digests))
        fresh, found = alone.copy(), np.empty(len(digests), np.int64)
        halves = np.ascontiguousarray(digests).view(np.uint64)
        _find(halves, fresh, start, self._table, self._values, found)
        self._count += int(fresh.sum()) - int(alone.sum())
        return found, fresh

    def _make_room(self, more: int) -> None:
        slots = len(self._values)
        while slots < 2 * (self._count + more):
            slots *= 2
        if slots > len(self._values):
            used = self._values >= 0
            halves, numbers = self._table[used], self._values[used]
            self._table = np.zeros((slots, 2), np.uint64)
            self._values = np.full(slots, -1, np.int64)
            count = len(numbers)
            _find(
                halves, np.zeros(count, np.bool_), 0, self._table, self._values,
                np.empty(count, np.int64),
            )  # fmt: skip
            filled = np.flatnonzero(self._values >= 0)
            self._values[filled] = numbers[self._values[filled]]

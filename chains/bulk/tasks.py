"""Rows told apart by what several columns hold, and found again in a table of digests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numba import int64, types, uint64

from chains.bulk import Flags, Halves, Places, texts
from chains.bulk.machine import (
    BYTES,
    NUMBER,
    OFFSETS,
    OUT_FLAGS,
    OUT_OFFSETS,
    inner,
    kernel,
)

_SIPHASH = (0x736F6D6570736575, 0x646F72616E646F6D ^ 0xEE, 0x6C7967656E657261, 0x7465646279746573)
"""The start of SipHash with 128 bits of output."""
_STATES = types.Array(types.uint64, 2, "C")
_HALVES = types.Array(types.uint64, 2, "C", readonly=True)
_TABLE = types.Array(types.uint64, 2, "C")
_FIRST_SLOTS = 1 << 12


@inner()
def _round(a: Any, b: Any, c: Any, d: Any) -> Any:
    a += b
    b = (b << uint64(13) | b >> uint64(51)) ^ a
    a = a << uint64(32) | a >> uint64(32)
    c += d
    d = (d << uint64(16) | d >> uint64(48)) ^ c
    a += d
    d = (d << uint64(21) | d >> uint64(43)) ^ a
    c += b
    b = (b << uint64(17) | b >> uint64(47)) ^ c
    c = c << uint64(32) | c >> uint64(32)
    return a, b, c, d


@inner()
def _absorbed(a: Any, b: Any, c: Any, d: Any, word: Any) -> Any:
    a, b, c, d = _round(a, b, c, d ^ word)
    a, b, c, d = _round(a, b, c, d)
    return a ^ word, b, c, d


@inner()
def _word(data: Any, at: int) -> Any:
    """Read eight bytes, the lowest first: compiled to one load."""
    return (
        uint64(data[at])
        | uint64(data[at + 1]) << uint64(8)
        | uint64(data[at + 2]) << uint64(16)
        | uint64(data[at + 3]) << uint64(24)
        | uint64(data[at + 4]) << uint64(32)
        | uint64(data[at + 5]) << uint64(40)
        | uint64(data[at + 6]) << uint64(48)
        | uint64(data[at + 7]) << uint64(56)
    )


@kernel(OFFSETS, OFFSETS, BYTES, _STATES)
def _absorb(firsts: Any, offsets: Any, data: Any, states: Any) -> None:
    """Take the strings ``firsts[row]`` to ``firsts[row + 1]`` of each row into its state.

    Their number stands before them, and before each its length: nothing runs together. The last
    bytes of a string are filled up to eight with zeros.
    """
    for row in range(firsts.size - 1):
        state = states[row]
        a, b, c, d = state[0], state[1], state[2], state[3]
        a, b, c, d = _absorbed(a, b, c, d, uint64(firsts[row + 1] - firsts[row]))
        for string in range(firsts[row], firsts[row + 1]):
            at, end = offsets[string], offsets[string + 1]
            a, b, c, d = _absorbed(a, b, c, d, uint64(end - at))
            while at + 8 <= end:
                a, b, c, d = _absorbed(a, b, c, d, _word(data, at))
                at += 8
            if at < end:
                word = uint64(0)
                for place in range(end - at):
                    word |= uint64(data[at + place]) << uint64(8 * place)
                a, b, c, d = _absorbed(a, b, c, d, word)
        state[0], state[1], state[2], state[3] = a, b, c, d


@kernel(_STATES, _TABLE)
def _finish(states: Any, out: Any) -> None:
    for row in range(states.shape[0]):
        a, b, c, d = states[row, 0], states[row, 1], states[row, 2], states[row, 3]
        c ^= uint64(0xEE)
        for _ in range(4):
            a, b, c, d = _round(a, b, c, d)
        out[row, 0] = a ^ b ^ c ^ d
        b ^= uint64(0xDD)
        for _ in range(4):
            a, b, c, d = _round(a, b, c, d)
        out[row, 1] = a ^ b ^ c ^ d


def row_digests(columns: Sequence[pa.Array], key: bytes) -> Halves:
    """Return 128 bits a row, the same for rows that hold the same in every column.

    The columns are strings, binary, or lists of strings, without nulls. The digest is SipHash-2-4
    of the row's words (``_absorb``), without the last word in which its length would stand: the
    words tell where they end. Who does not know the ``key`` of 16 bytes cannot find two rows of
    one digest.

    Spec: https://www.aumasson.jp/siphash/siphash.pdf
    """
    low, high = (int.from_bytes(key[at : at + 8], "little") for at in (0, 8))
    start = [word ^ half for word, half in zip(_SIPHASH, (low, high, low, high), strict=True)]
    states = np.tile(np.array(start, np.uint64), (len(columns[0]), 1))
    for column in columns:
        strings = texts(column.flatten() if pa.types.is_list(column.type) else column)
        firsts = np.arange(len(column) + 1)
        if pa.types.is_list(column.type):
            offsets = column.offsets.to_numpy().astype(np.int64)
            firsts = offsets - offsets[0]
        _absorb(firsts, strings.offsets, strings.data, states)
    out = np.empty((len(columns[0]), 2), np.uint64)
    _finish(states, out)
    return out.view(np.int64)


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

    def number(self, digests: Halves, alone: Flags, start: int) -> tuple[Places, Flags]:
        """Return each row's number, and which rows have a new one: from ``start``, in order.

        Rows that are ``alone`` get a number of their own and are not remembered.
        """
        self._make_room(len(digests))
        fresh, found = alone.copy(), np.empty(len(digests), np.int64)
        _find(digests.view(np.uint64), fresh, start, self._table, self._values, found)
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

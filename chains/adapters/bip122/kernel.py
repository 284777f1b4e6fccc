"""The fast pass over a UTXO set dump: machine code for the loop that visits every coin.

Import this module only when a large dump is to be read: it brings in numba, and the first
call compiles for some two seconds. Nothing is cached on disk, so nothing is written
anywhere. The rules are those of ``dump``, which is the plain form of the same loop.

The kernel reads one piece of the file and can be resumed: it stops where the piece ends
inside a coin, or where the list of matches is full, and says how far it came. Whether a coin
is wanted is decided by the last eight bytes of its compressed script: a bit filter that fits
the processor's cache turns nearly all coins away, an open-addressing table and a comparison
of all bytes decide the rest.
"""

# One loop without calls into Python: branches, returns and byte values are what it is made of.
# ruff: noqa: C901, PLR0912, PLR0915, PLR0917, PLR2004

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import int64, uint8, uint64

from chains.adapters.bip122.dump import LARGEST_OLD_VOUT, OLD_CODE_MASK, OUTPOINT_BYTES
from chains.adapters.bip122.kernel_coins import (
    CUT,
    ERRORS,
    POWERS,
    SLACK,
    compiled,
    is_after,
    is_same,
    read_byte,
    read_coin,
    read_compact,
    read_count,
    read_eight,
)

__all__ = ["ERRORS", "SLACK", "Index", "build_index", "scan", "scan_flat"]

MORE, DONE, FULL = 0, 1, 2
"""Why the kernel stopped: it needs the next piece, has read all coins, or its list is full."""

COINS_LEFT, GROUP_LEFT, VOUT_ORDER, TOTAL, HIGHEST, HITS, POSITION = range(7)
"""Places in the kernel's state, all int64."""
STATE_PLACES = 7

NO_TRANSACTION, NO_OUTPUT = -2, -1
"""Marks in ``state[VOUT_ORDER]``: at the start of the file, and of a transaction."""
HIT_VOUT, HIT_CODE, HIT_UNITS, HIT_WANTED = range(4)
"""Columns of a match, int64. The code is height * 2 + coinbase, as the file has it."""

_ODD_1 = 0x9E3779B97F4A7C15
_ODD_2 = 0xC2B2AE3D27D4EB4F
_UPPER, _LOWER = 0xFFFFFFFF00000000, 0x00000000FFFFFFFF
_SMALLEST_FILTER_BITS = 23
_LARGEST_FILTER_BITS = 30


class Index(NamedTuple):
    """The wanted scripts as arrays: keys end to end, a table and a bit filter.

    A slot of ``table`` holds the upper half of a key's hash and, below, its number plus one.
    """

    blob: np.ndarray[Any, Any]
    offsets: np.ndarray[Any, Any]
    table: np.ndarray[Any, Any]
    bits: np.ndarray[Any, Any]
    shift: int


@compiled
def _hash(buffer: Any, at: int, size: int, form: int) -> Any:
    """Hash a script's payload by its form and last eight bytes."""
    if size >= 8:
        value = read_eight(buffer, at + size - 8)
    else:
        value = uint64(size)
        for i in range(size):
            value = value << uint64(8) | uint64(read_byte(buffer, at + i))
    value = value + uint64(form) * uint64(_ODD_2)
    return (value ^ value >> uint64(32)) * uint64(_ODD_1)


@compiled
def _vout_order(vout: int) -> int:
    """Return a number that sorts as the bytes of VARINT(vout) do: the order of Core's database."""
    order = vout & 0x7F
    width = 1
    while vout > 0x7F:
        vout = (vout >> 7) - 1
        order |= (0x80 | (vout & 0x7F)) << (8 * width)
        width += 1
    return order << (8 * (5 - width))


@compiled
def _fill(blob: Any, offsets: Any, table: Any, bits: Any, shift: int) -> None:
    """Enter every key into the table and the filter. Keys are distinct."""
    mask = uint64(table.size - 1)
    for i in range(offsets.size - 1):
        start = offsets[i]
        found = _hash(blob, start + 1, offsets[i + 1] - start - 1, read_byte(blob, start))
        slot = (found >> uint64(8)) & mask
        while table[slot] != uint64(0):
            slot = (slot + uint64(1)) & mask
        table[slot] = (found & uint64(_UPPER)) | uint64(i + 1)
        bit = found >> uint64(shift)
        bits[bit >> uint64(3)] |= uint8(uint64(1) << (bit & uint64(7)))


@compiled
def _find(
    buffer: Any, at: int, size: int, form: int, found: Any, blob: Any, offsets: Any, table: Any
) -> Any:
    """Return the number of the wanted script that equals this one, or -1."""
    mask = uint64(table.size - 1)
    slot = (found >> uint64(8)) & mask
    while table[slot] != uint64(0):
        if (table[slot] ^ found) & uint64(_UPPER) == uint64(0):
            i = int64(table[slot] & uint64(_LOWER)) - 1
            start = offsets[i]
            if offsets[i + 1] - start - 1 == size and read_byte(blob, start) == form:
                same = True
                for k in range(size):
                    if read_byte(blob, start + 1 + k) != read_byte(buffer, at + k):
                        same = False
                        break
                if same:
                    return i
        slot = (slot + uint64(1)) & mask
    return int64(-1)


def _scanner(*, flat: bool) -> Any:
    """Compile the loop for one of the formats; what the other one needs is left out of it."""

    @compiled
    def scan(
        buffer: Any, end: int, state: Any, txid: Any, max_money: int, index: Any,
        units: Any, counts: Any, hits: Any, hit_txids: Any,
    ) -> Any:  # fmt: skip
        """Read coins from ``state[POSITION]`` to ``end``; returns MORE, DONE, FULL or an error.

        ``state``, ``txid`` (the transaction being read), ``units`` and ``counts`` (per wanted
        script) and ``hits`` are updated only by whole coins, so the call can be repeated with
        the rest of the piece and what follows it.
        """
        blob, offsets, table, bits, shift = index
        at, coins_left, group_left = state[POSITION], state[COINS_LEFT], state[GROUP_LEFT]
        last_order, total, highest, hit = (
            state[VOUT_ORDER], state[TOTAL], state[HIGHEST], state[HITS],
        )  # fmt: skip
        room = hits.shape[0]
        limits = max_money // POWERS
        status, is_next = int64(DONE), False
        while coins_left > 0:
            if flat:
                if at + OUTPOINT_BYTES > end:
                    status = int64(MORE)
                    break
                is_next = last_order == NO_TRANSACTION or is_after(buffer, at, txid)
                if not is_next and not is_same(buffer, at, txid):
                    status = int64(-1)
                    break
            elif group_left == 0:
                count, after = read_count(buffer, at + 32, coins_left)
                if after > end:
                    status = int64(MORE)
                    break
                if last_order != NO_TRANSACTION and not is_after(buffer, at, txid):
                    count = int64(-1)
                if count < 0:
                    status = count
                    break
                for k in range(32):
                    txid[uint64(k)] = buffer[uint64(at + k)]
                group_left, last_order, at = count, int64(NO_OUTPUT), after
            if hit == room:
                status = int64(FULL)
                break
            if flat:
                vout = int64(read_eight(buffer, at + 28) >> uint64(32))
                after = at + OUTPOINT_BYTES
                if vout > LARGEST_OLD_VOUT:
                    vout = int64(-4)
            else:
                vout, after = read_compact(buffer, at)
            vout, code, amount, form, size, place = read_coin(buffer, after, vout, end, limits)
            if vout < 0:
                status = int64(MORE) if vout == CUT else vout
                break
            if flat:
                code &= OLD_CODE_MASK
                if is_next:
                    for k in range(32):
                        txid[uint64(k)] = buffer[uint64(at + k)]
                    last_order = int64(NO_OUTPUT)
            if flat or last_order >= 0 or group_left > 1:
                order = _vout_order(vout)
                if order <= last_order:
                    status = int64(-3)
                    break
                last_order = order
            total += amount
            if total > max_money:
                status = int64(-7)
                break
            highest = max(highest, code >> 1)
            found = _hash(buffer, place, size, form)
            bit = found >> uint64(shift)
            if bits[bit >> uint64(3)] >> (bit & uint64(7)) & uint64(1):
                wanted = _find(buffer, place, size, form, found, blob, offsets, table)
                if wanted >= 0:
                    units[wanted] += amount
                    counts[wanted] += 1
                    for k in range(32):
                        hit_txids[hit, k] = txid[k]
                    hits[hit, HIT_VOUT] = vout
                    hits[hit, HIT_CODE] = code
                    hits[hit, HIT_UNITS] = amount
                    hits[hit, HIT_WANTED] = wanted
                    hit += 1
            at = place + size
            group_left -= 1
            coins_left -= 1
        state[POSITION], state[COINS_LEFT], state[GROUP_LEFT] = at, coins_left, group_left
        state[VOUT_ORDER], state[TOTAL], state[HIGHEST], state[HITS] = (
            last_order, total, highest, hit,
        )  # fmt: skip
        return status

    return scan


scan = _scanner(flat=False)
"""Reads format version 2."""
scan_flat = _scanner(flat=True)
"""Reads format version 1."""


def build_index(keys: Sequence[bytes]) -> Index:
    """Lay out distinct compressed scripts for the kernel."""
    offsets = np.zeros(len(keys) + 1, dtype=np.int64)
    np.cumsum([len(key) for key in keys], out=offsets[1:])
    blob = np.frombuffer(b"".join(keys) + bytes(SLACK), dtype=np.uint8)
    table_bits = max(4, (2 * len(keys)).bit_length())
    filter_bits = min(
        _LARGEST_FILTER_BITS, max(_SMALLEST_FILTER_BITS, (16 * len(keys)).bit_length())
    )
    index = Index(
        blob=blob,
        offsets=offsets,
        table=np.zeros(1 << table_bits, dtype=np.uint64),
        bits=np.zeros(1 << (filter_bits - 3), dtype=np.uint8),
        shift=64 - filter_bits,
    )
    _fill(*index)
    return index

"""The fast pass over a UTXO set dump: machine code for the loop that visits every coin.

Import this module only when a large dump is to be read: it brings in numba, and the first
call compiles for some four seconds. Nothing is cached on disk, so nothing is written
anywhere. The rules are those of ``dump``, which is the plain form of the same loop.

The kernel reads one piece of the file and can be resumed: it stops where the piece ends
inside a coin, or where the list of matches is full, and says how far it came. A coin that is
short and in order, as nearly all are, is read with hardly a branch; whatever else there is, every
mistake among it, is left to a second, careful way through the same rules. What is wanted is
decided by ``kernel_index``: a filter for every coin, and a look-up for the few that pass it.
"""

# One loop without calls into Python: branches, returns and byte values are what it is made of.
# ruff: noqa: C901, PLR0912, PLR0915, PLR0917, PLR2004

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int64, uint64

from chains.adapters.bip122.dump import LARGEST_OLD_VOUT, OLD_CODE_MASK, OUTPOINT_BYTES
from chains.adapters.bip122.kernel_coins import (
    CUT,
    ERRORS,
    REACH,
    SLACK,
    code_of,
    compiled,
    is_after,
    is_same,
    read_byte,
    read_coin,
    read_common,
    read_compact,
    read_count,
    read_eight,
    swapped,
)
from chains.adapters.bip122.kernel_index import (
    HIT_CODE,
    HIT_COLUMNS,
    HIT_PLACE,
    HIT_STORED,
    HIT_UNITS,
    HIT_VOUT,
    HIT_WANTED,
    Index,
    build_index,
    may_be_wanted,
    settle,
    tail,
)

__all__ = ["ERRORS", "HIT_COLUMNS", "HIT_WANTED", "SLACK", "build_index", "scan", "scan_flat"]

MORE, DONE, FULL = 0, 1, 2
"""Why the kernel stopped: it needs the next piece, has read all coins, or its list is full."""

COINS_LEFT, GROUP_LEFT, VOUT_ORDER, TOTAL, HIGHEST, HITS, POSITION = range(7)
"""Places in the kernel's state, all int64."""
STATE_PLACES = 7
TXID_BYTES = 32

NO_TRANSACTION, NO_OUTPUT = -2, -1
"""Marks in ``state[VOUT_ORDER]``: at the start of the file, and of a transaction."""


@compiled
def _vout_order(vout: int) -> int:
    """Return a number that sorts as the bytes of VARINT(vout) do: the order of Core's database."""
    if vout < 0x80:
        return vout << 32
    if vout < 0x4080:
        return (vout + 0x3F80 >> 7) << 32 | (vout & 0x7F) << 24
    order = vout & 0x7F
    width = 1
    while vout > 0x7F:
        vout = (vout >> 7) - 1
        order |= (0x80 | (vout & 0x7F)) << (8 * width)
        width += 1
    return order << (8 * (5 - width))


@compiled
def _note(hits: Any, row: int, vout: int, code: int, units: int, place: int, stored: int) -> None:
    """List a coin that may be wanted."""
    hits[row, HIT_VOUT], hits[row, HIT_CODE], hits[row, HIT_UNITS] = vout, code, units
    hits[row, HIT_PLACE], hits[row, HIT_STORED] = place, stored


def _scanner(*, flat: bool) -> Any:
    """Compile the loop for one of the formats; what the other one needs is left out of it."""

    @compiled
    def scan(
        buffer: Any, end: int, state: Any, txid: Any, limits: Any, laid_out: Any,
        sums: Any, hits: Any, hit_txids: Any,
    ) -> Any:  # fmt: skip
        """Read coins from ``state[POSITION]`` to ``end``; returns MORE, DONE, FULL or an error.

        ``state``, ``txid`` (the transaction being read), ``sums`` (per wanted script) and ``hits``
        are updated only by whole coins, so the call can be repeated with the rest of the piece
        and what follows it. The inner loop is the short way.
        """
        at, coins_left, group_left = state[POSITION], state[COINS_LEFT], state[GROUP_LEFT]
        last_order, total, highest, hit = (
            state[VOUT_ORDER], state[TOTAL], state[HIGHEST], state[HITS],
        )  # fmt: skip
        room, quick_end = hits.shape[0], end - TXID_BYTES - 1 - REACH
        index, max_money = Index(*laid_out), limits[0]
        status, is_next, newest = int64(DONE), False, uint64(0)
        before = uint64(0) if last_order == NO_TRANSACTION else swapped(read_eight(txid, 0))
        txid_at = int64(-1)
        while coins_left > 0:
            while not flat and at < quick_end and hit < room and coins_left > 0:
                if group_left == 0:
                    first, count = swapped(read_eight(buffer, at)), read_byte(buffer, at + 32)
                    if first <= before or count == 0 or count >= 0xFD or count > coins_left:
                        break
                    before, txid_at, group_left, last_order = first, at, count, int64(NO_OUTPUT)
                    at += TXID_BYTES + 1
                vout, after = read_byte(buffer, at), at + 1
                if vout >= 0xFD:
                    vout, after = read_compact(buffer, at)
                size, key, amount, form, place = read_common(buffer, after, limits)
                if size == 0 or total + amount > max_money or vout < 0 or vout > 0xFFFF:
                    break
                if last_order >= 0 or group_left > 1:
                    order = _vout_order(vout)
                    if order <= last_order:
                        break
                    last_order = order
                total += amount
                newest = max(newest, key)
                if may_be_wanted(read_eight(buffer, place + size - 8), index):
                    _note(hits, hit, vout, code_of(key), amount, place, size << 3 | form)
                    for k in range(32):
                        hit_txids[hit, k] = buffer[txid_at + k] if txid_at >= 0 else txid[k]
                    hit += 1
                at = place + size
                group_left -= 1
                coins_left -= 1
            if txid_at >= 0:
                for k in range(32):
                    txid[uint64(k)] = buffer[uint64(txid_at + k)]
                txid_at = int64(-1)
            if coins_left == 0:
                break
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
                before = swapped(read_eight(txid, 0))
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
            if may_be_wanted(tail(buffer, place, size), index):
                _note(hits, hit, vout, code, amount, place, size << 3 | form)
                for k in range(32):
                    hit_txids[hit, k] = txid[k]
                hit += 1
            at = place + size
            group_left -= 1
            coins_left -= 1
        hit = settle(buffer, index, sums, hits, hit_txids, state[HITS], hit)
        highest = max(highest, code_of(newest) >> 1)
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


def start(coins: int) -> np.ndarray[Any, Any]:
    """Return the state before the first of so many coins."""
    state = np.zeros(STATE_PLACES, dtype=np.int64)
    state[COINS_LEFT], state[VOUT_ORDER] = min(1 << 62, coins), NO_TRANSACTION
    return state

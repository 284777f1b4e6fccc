"""The coins of a dump as Bitcoin Core hashes them: machine code that writes them out at length.

Import only when a large dump is to be hashed: see ``kernel_coins``. The kernel reads one piece of
a file of format version 2 and writes each coin as ``set_hash`` says. The second coordinate of a
public key is left open, and its place listed: it takes a square root. What is written of the
transaction that is being read may have to be taken back: see ``UNORDERED``.
"""

# A loop without calls into Python.
# ruff: noqa: PLR0917, PLR1714, PLR2004

from __future__ import annotations

from typing import Any

from numba import int64, uint8, uint64

from chains.adapters.bip122.kernel_coins import (
    CUT,
    compiled,
    is_after,
    read_coin,
    read_compact,
    read_count,
)

MORE, DONE, FULL = 0, 1, 2
"""Why the kernel stopped: it needs the next piece, has read all coins, or has no room to write."""
UNORDERED = -10
"""The outputs of a transaction are not in the order of their numbers.

The file has them in the order of VARINT's bytes, which is another one above 16,511.
"""
COINS_LEFT, GROUP_LEFT, LAST_VOUT, POSITION, WRITTEN, POINTS = range(6)
GROUP_AT, GROUP_COINS, WHOLE_WRITTEN, WHOLE_POINTS = range(6, 10)
"""Places in the kernel's state, all int64.

``GROUP_AT`` is where in the piece the present transaction begins, if it begins there; the last two
are what was written before it.
"""
STATE_PLACES = 10
NO_TRANSACTION, NO_OUTPUT = -2, -1
"""Marks in ``state[LAST_VOUT]``: at the start of the file, and of a transaction."""
LONGEST_HEAD = 32 + 4 + 4 + 8 + 5 + 67
"""More than a coin takes besides a raw script."""


@compiled
def _put(out: Any, at: int, value: Any, width: int) -> Any:
    """Write a number, lowest byte first; returns the next place."""
    for k in range(width):
        out[uint64(at + k)] = uint8((uint64(value) >> uint64(8 * k)) & uint64(0xFF))
    return at + width


@compiled
def _copy(out: Any, at: int, buffer: Any, start: int, size: int) -> Any:
    for k in range(size):
        out[uint64(at + k)] = buffer[uint64(start + k)]
    return at + size


@compiled
def _script(out: Any, at: int, buffer: Any, start: int, size: int, form: int) -> Any:
    """Write a script behind its length; of a full public key the second coordinate stays open."""
    if form == 0:
        at = _put(out, at, 0x14A97619, 4)
        return _put(out, _copy(out, at, buffer, start, 20), 0xAC88, 2)
    if form == 1:
        at = _put(out, at, 0x14A917, 3)
        return _put(out, _copy(out, at, buffer, start, 20), 0x87, 1)
    if form < 4:
        at = _put(out, at, 0x2123 | form << 16, 3)
        return _put(out, _copy(out, at, buffer, start, 32), 0xAC, 1)
    if form < 6:
        at = _put(out, at, 0x044143, 3)
        return _put(out, _copy(out, at, buffer, start, 32) + 32, 0xAC, 1)
    if size < 0xFD:
        at = _put(out, at, size, 1)
    elif size <= 0xFFFF:
        at = _put(out, at, 0xFD | size << 8, 3)
    else:
        at = _put(out, at, 0xFE | size << 8, 5)
    return _copy(out, at, buffer, start, size)


@compiled
def write_out(
    buffer: Any, end: int, state: Any, txid: Any, limits: Any, out: Any, points: Any
) -> Any:
    """Write coins from ``state[POSITION]`` to ``end`` into ``out``.

    Returns MORE, DONE, FULL, an error of ``kernel_coins``, or ``UNORDERED``.
    ``points`` lists (place in ``out`` of the first coordinate, parity of the second one). State and
    ``txid`` are updated only by whole coins, so the call can be repeated.
    """
    at, coins_left, group_left = state[POSITION], state[COINS_LEFT], state[GROUP_LEFT]
    last_vout, written, listed = state[LAST_VOUT], state[WRITTEN], state[POINTS]
    status = int64(DONE)
    while coins_left > 0:
        if group_left == 0:
            count, after = read_count(buffer, at + 32, coins_left)
            if after > end:
                status = int64(MORE)
                break
            if last_vout != NO_TRANSACTION and not is_after(buffer, at, txid):
                count = int64(-1)
            if count < 0:
                status = count
                break
            for k in range(32):
                txid[uint64(k)] = buffer[uint64(at + k)]
            state[GROUP_AT], state[GROUP_COINS] = at, count
            state[WHOLE_WRITTEN], state[WHOLE_POINTS] = written, listed
            group_left, last_vout, at = count, int64(NO_OUTPUT), after
        vout, after = read_compact(buffer, at)
        vout, code, amount, form, size, place = read_coin(buffer, after, vout, end, limits)
        if vout < 0:
            status = int64(MORE) if vout == CUT else vout
            break
        if vout <= last_vout:
            status = int64(UNORDERED)
            break
        if written + LONGEST_HEAD + size > out.shape[0] or listed == points.shape[0]:
            status = int64(FULL)
            break
        last_vout = vout
        for k in range(32):
            out[uint64(written + k)] = txid[uint64(k)]
        written = _put(out, written + 32, vout, 4)
        written = _put(out, written, code, 4)
        written = _put(out, written, amount, 8)
        if form == 4 or form == 5:
            points[listed, 0] = written + 3
            points[listed, 1] = form - 4
            listed += 1
        written = _script(out, written, buffer, place, size, form)
        at = place + size
        group_left -= 1
        coins_left -= 1
    state[POSITION], state[COINS_LEFT], state[GROUP_LEFT] = at, coins_left, group_left
    state[LAST_VOUT], state[WRITTEN], state[POINTS] = last_vout, written, listed
    return status

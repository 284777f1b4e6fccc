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
# ruff: noqa: ARG001, C901, PLR0912, PLR0915, PLR0917, PLR1714, PLR2004

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite.ir import Constant, IntType  # type: ignore[import-untyped]
from numba import int64, njit, uint8, uint64
from numba.extending import intrinsic

from chains.adapters.bip122.dump import (
    LARGEST_COMPACT_SIZE,
    LARGEST_OLD_VOUT,
    LONGEST_SCRIPT,
    OLD_CODE_MASK,
    OUTPOINT_BYTES,
    SPECIAL_SCRIPTS,
)

MORE, DONE, FULL = 0, 1, 2
"""Why the kernel stopped: it needs the next piece, has read all coins, or its list is full."""
ERRORS = {
    -1: "transactions are out of order or repeated",
    -2: "a transaction has no coins or more coins than are left",
    -3: "outputs of a transaction are out of order or repeated",
    -4: "a number is too large",
    -5: "a number is not in its shortest form",
    -6: "an amount is above all the money there can be",
    -7: "the coins together are above all the money there can be",
    -8: "a script is longer than a block",
    -9: "a script is stored raw that has a short form",
}
SLACK = 64
"""Zero bytes that must follow a piece, so that reading a few bytes too far is harmless."""
_CUT = -99
"""Given for vout where a coin goes on beyond the piece."""
_ONES = 0x8080808080808080
_CARRIES = sum(1 << (7 * i) for i in range(1, 9))
"""What a VARINT adds by having no two spellings: 1 per digit, before the next digit's shift."""

COINS_LEFT, GROUP_LEFT, VOUT_ORDER, TOTAL, HIGHEST, HITS, POSITION = range(7)
"""Places in the kernel's state, all int64."""
STATE_PLACES = 7

NO_TRANSACTION, NO_OUTPUT = -2, -1
"""Marks in ``state[VOUT_ORDER]``: at the start of the file, and of a transaction."""
HIT_VOUT, HIT_CODE, HIT_UNITS, HIT_WANTED = range(4)
"""Columns of a match, int64. The code is height * 2 + coinbase, as the file has it."""

_POWERS = np.array([10**exponent for exponent in range(10)], dtype=np.int64)
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


def _jit(function: Callable[..., Any]) -> Any:
    return njit(nogil=True, boundscheck=False)(function)


@_jit
def _byte(buffer: Any, at: int) -> Any:
    """Read one byte. An unsigned place spares numba's test for negative ones."""
    return int64(buffer[uint64(at)])


@_jit
def _load8(buffer: Any, at: int) -> Any:
    """Read eight bytes, lowest first; the compiler makes one load of it."""
    base = uint64(at)
    return (
        uint64(buffer[base])
        | uint64(buffer[base + uint64(1)]) << uint64(8)
        | uint64(buffer[base + uint64(2)]) << uint64(16)
        | uint64(buffer[base + uint64(3)]) << uint64(24)
        | uint64(buffer[base + uint64(4)]) << uint64(32)
        | uint64(buffer[base + uint64(5)]) << uint64(40)
        | uint64(buffer[base + uint64(6)]) << uint64(48)
        | uint64(buffer[base + uint64(7)]) << uint64(56)
    )


@intrinsic  # type: ignore[untyped-decorator]
def _swap(_: Any, value: Any) -> Any:
    """Reverse the bytes of a 64-bit number."""
    return uint64(uint64), lambda _, builder, __, arguments: builder.bswap(arguments[0])


@intrinsic  # type: ignore[untyped-decorator]
def _trailing(_: Any, value: Any) -> Any:
    """Count the zero bits below the lowest set bit of a 64-bit number."""
    return uint64(uint64), lambda _, builder, __, arguments: builder.cttz(
        arguments[0], Constant(IntType(1), 0)
    )


@_jit
def _hash(buffer: Any, at: int, size: int, form: int) -> Any:
    """Hash a script's payload by its form and last eight bytes."""
    if size >= 8:
        value = _load8(buffer, at + size - 8)
    else:
        value = uint64(size)
        for i in range(size):
            value = value << uint64(8) | uint64(_byte(buffer, at + i))
    value = value + uint64(form) * uint64(_ODD_2)
    return (value ^ value >> uint64(32)) * uint64(_ODD_1)


@_jit
def _vout_order(vout: int) -> int:
    """Return a number that sorts as the bytes of VARINT(vout) do: the order of Core's database."""
    order = vout & 0x7F
    width = 1
    while vout > 0x7F:
        vout = (vout >> 7) - 1
        order |= (0x80 | (vout & 0x7F)) << (8 * width)
        width += 1
    return order << (8 * (5 - width))


@_jit
def _fill(blob: Any, offsets: Any, table: Any, bits: Any, shift: int) -> None:
    """Enter every key into the table and the filter. Keys are distinct."""
    mask = uint64(table.size - 1)
    for i in range(offsets.size - 1):
        start = offsets[i]
        found = _hash(blob, start + 1, offsets[i + 1] - start - 1, _byte(blob, start))
        slot = (found >> uint64(8)) & mask
        while table[slot] != uint64(0):
            slot = (slot + uint64(1)) & mask
        table[slot] = (found & uint64(_UPPER)) | uint64(i + 1)
        bit = found >> uint64(shift)
        bits[bit >> uint64(3)] |= uint8(uint64(1) << (bit & uint64(7)))


@_jit
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
            if offsets[i + 1] - start - 1 == size and _byte(blob, start) == form:
                same = True
                for k in range(size):
                    if _byte(blob, start + 1 + k) != _byte(buffer, at + k):
                        same = False
                        break
                if same:
                    return i
        slot = (slot + uint64(1)) & mask
    return int64(-1)


@_jit
def _long_varint(buffer: Any, at: int) -> tuple[Any, int]:
    """Read a VARINT digit by digit; returns (number, next place), number -1 from 2**62 on."""
    number = int64(0)
    while True:
        byte = _byte(buffer, at)
        at += 1
        if number >= int64(1) << 55:
            return int64(-1), at
        number = (number << 7) | (byte & 0x7F)
        if byte < 0x80:
            return number, at
        number += 1


@_jit
def _varint(buffer: Any, at: int) -> Any:
    """Read a VARINT; up to eight digits at once and without branches that depend on its length."""
    raw = _load8(buffer, at)
    last = ~raw & uint64(_ONES)
    if last == uint64(0):
        return _long_varint(buffer, at)
    digits = (_trailing(last) >> uint64(3)) + uint64(1)
    packed = _swap(raw) >> (uint64(64) - (digits << uint64(3)))
    packed &= uint64(0x7F7F7F7F7F7F7F7F)
    packed = (packed & uint64(0x007F007F007F007F)) | (
        packed & uint64(0x7F007F007F007F00)
    ) >> uint64(1)
    packed = (packed & uint64(0x00003FFF00003FFF)) | (
        packed & uint64(0x3FFF00003FFF0000)
    ) >> uint64(2)
    packed = (packed & uint64(0x000000000FFFFFFF)) | (
        packed & uint64(0x0FFFFFFF00000000)
    ) >> uint64(4)
    carried = uint64(_CARRIES) & ((uint64(1) << (digits * uint64(7))) - uint64(1))
    return int64(packed + carried), at + int64(digits)


@_jit
def _compact(buffer: Any, at: int) -> tuple[Any, int]:
    """Read a CompactSize; returns (number, next place), -4 too large, -5 not the shortest."""
    first = _byte(buffer, at)
    at += 1
    if first < 0xFD:
        return first, at
    width = 2 << (first - 0xFD)
    number = int64(0)
    for i in range(min(int64(7), width)):
        number |= _byte(buffer, at + i) << (8 * i)
    large = width == 8 and buffer[at + 7] != 0
    at += width
    if (
        (width == 2 and number < 0xFD)
        or (width == 4 and number < 0x10000)
        or (width == 8 and number < 0x100000000 and not large)
    ):
        return int64(-5), at
    return (int64(-4) if large else number), at


@_jit
def _amount(short: int, limits: Any) -> Any:
    """Return the amount behind its short form, or -6 above ``limits[e]`` times 10**e, its bound."""
    if short == 0:
        return int64(0)
    rest = uint64(short - 1)
    exponent = rest % uint64(10)
    rest //= uint64(10)
    if exponent < uint64(9):
        number = int64(rest // uint64(9) * uint64(10) + rest % uint64(9) + uint64(1))
    else:
        number = int64(rest + uint64(1))
    if number > limits[exponent]:
        return int64(-6)
    return number * _POWERS[exponent]


@_jit
def _short_form_exists(buffer: Any, at: int, size: int) -> Any:
    """Tell whether a raw script of 23, 25 or 35 bytes should have been stored compressed."""
    if size == 25:
        return (
            buffer[at] == 0x76
            and buffer[at + 1] == 0xA9
            and buffer[at + 2] == 0x14
            and buffer[at + 23] == 0x88
            and buffer[at + 24] == 0xAC
        )
    if size == 23:
        return buffer[at] == 0xA9 and buffer[at + 1] == 0x14 and buffer[at + 22] == 0x87
    return (
        buffer[at] == 33
        and (buffer[at + 1] == 2 or buffer[at + 1] == 3)
        and buffer[at + 34] == 0xAC
    )


@_jit
def _ascending(buffer: Any, at: int, txid: Any) -> Any:
    """Tell whether the transaction id in the buffer comes after the last one."""
    for k in range(0, 32, 8):
        here, before = _swap(_load8(buffer, at + k)), _swap(_load8(txid, k))
        if here != before:
            return here > before
    return False


@_jit
def _same(buffer: Any, at: int, txid: Any) -> Any:
    """Tell whether the transaction id in the buffer is the last one again."""
    for k in range(0, 32, 8):  # noqa: SIM110 - no generators here
        if _load8(buffer, at + k) != _load8(txid, k):
            return False
    return True


@_jit
def _count(buffer: Any, at: int, coins_left: int) -> tuple[Any, int]:
    """Read how many coins a transaction has; returns (number or error, next place)."""
    count, after = _compact(buffer, at)
    if count > LARGEST_COMPACT_SIZE:
        count = int64(-4)
    elif count == 0 or count > coins_left:
        count = int64(-2)
    return count, after


@_jit
def _coin(
    buffer: Any, at: int, vout: int, end: int, limits: Any,
) -> tuple[Any, Any, Any, Any, Any, Any]:  # fmt: skip
    """Read a coin up to its script; returns (vout or error, code, amount, form, size, place).

    ``vout`` was read before, as a number or an error. Where the coin does not end before ``end``,
    it becomes ``_CUT``, whatever else seems wrong.
    """
    code, at = _varint(buffer, at)
    short, at = _varint(buffer, at)
    size, at = _varint(buffer, at)
    special = size < SPECIAL_SCRIPTS
    form = size if special else int64(SPECIAL_SCRIPTS)
    stored = int64(20) if size < 2 else int64(32)
    length = stored if special else size - SPECIAL_SCRIPTS
    amount = _amount(short, limits) if short >= 0 else int64(-4)
    if at > end:
        vout = int64(_CUT)
    elif vout < 0:
        pass
    elif vout >= 0xFFFFFFFF or code < 0 or code > 0xFFFFFFFF or size < 0 or size > 0xFFFFFFFF:
        vout = int64(-4)
    elif amount < 0:
        vout = amount
    elif length > LONGEST_SCRIPT:
        vout = int64(-8)
    elif at + length > end:
        vout = int64(_CUT)
    elif (
        (length == 25 or length == 23 or length == 35)
        and not special
        and _short_form_exists(buffer, at, length)
    ):
        vout = int64(-9)
    return vout, code, amount, form, length, at


def _scanner(*, flat: bool) -> Any:
    """Compile the loop for one of the formats; what the other one needs is left out of it."""

    @_jit
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
        limits = max_money // _POWERS
        status, is_next = int64(DONE), False
        while coins_left > 0:
            if flat:
                if at + OUTPOINT_BYTES > end:
                    status = int64(MORE)
                    break
                is_next = last_order == NO_TRANSACTION or _ascending(buffer, at, txid)
                if not is_next and not _same(buffer, at, txid):
                    status = int64(-1)
                    break
            elif group_left == 0:
                count, after = _count(buffer, at + 32, coins_left)
                if after > end:
                    status = int64(MORE)
                    break
                if last_order != NO_TRANSACTION and not _ascending(buffer, at, txid):
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
                vout = int64(_load8(buffer, at + 28) >> uint64(32))
                after = at + OUTPOINT_BYTES
                if vout > LARGEST_OLD_VOUT:
                    vout = int64(-4)
            else:
                vout, after = _compact(buffer, at)
            vout, code, amount, form, size, place = _coin(buffer, after, vout, end, limits)
            if vout < 0:
                status = int64(MORE) if vout == _CUT else vout
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

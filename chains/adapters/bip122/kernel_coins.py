"""One coin of a UTXO set dump, read by machine code: numbers, amounts, scripts, their order.

These are the rules of ``dump`` for the loops of ``kernel`` and ``kernel_set``. Import them only
when a large dump is to be read: numba compiles for some seconds.
"""

# Loops without calls into Python: branches, returns and byte values are what they are made of.
# ruff: noqa: ARG001, PLR1714, PLR2004

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite.ir import Constant, IntType, VectorType  # type: ignore[import-untyped]
from numba import int64, njit, uint64
from numba.extending import intrinsic

from chains.adapters.bip122.dump import (
    LARGEST_COMPACT_SIZE,
    LONGEST_SCRIPT,
    SPECIAL_SCRIPTS,
)

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
CUT = -99
"""Given for vout where a coin goes on beyond the piece."""
_ONES = 0x8080808080808080
_CARRIES = sum(1 << (7 * i) for i in range(1, 9))
"""What a VARINT adds by having no two spellings: 1 per digit, before the next digit's shift."""
POWERS = np.array([10**exponent for exponent in range(10)], dtype=np.int64)


def limits_of(max_money: int) -> np.ndarray[Any, Any]:
    """Return the largest number for each power of ten that makes no more than all money."""
    return max_money // POWERS


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function; it runs without the interpreter's lock. Nothing is cached on disk.

    It makes no arrays, so none of those given are counted in and out on the way (``_nrt``): that
    would lock the memory bus for every coin.
    """
    return njit(nogil=True, boundscheck=False, _nrt=False)(function)


@compiled
def read_byte(buffer: Any, at: int) -> Any:
    """Read one byte. An unsigned place spares numba's test for negative ones."""
    return int64(buffer[uint64(at)])


@compiled
def read_eight(buffer: Any, at: int) -> Any:
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
def swapped(_: Any, value: Any) -> Any:
    """Reverse the bytes of a 64-bit number."""
    return uint64(uint64), lambda _, builder, __, arguments: builder.bswap(arguments[0])


@intrinsic  # type: ignore[untyped-decorator]
def trailing_zeros(_: Any, value: Any) -> Any:
    """Count the zero bits below the lowest set bit of a 64-bit number."""
    return uint64(uint64), lambda _, builder, __, arguments: builder.cttz(
        arguments[0], Constant(IntType(1), 0)
    )


@intrinsic  # type: ignore[untyped-decorator]
def multiplied_high(_: Any, one: Any, other: Any) -> Any:
    """Return the upper half of the product of two 64-bit numbers."""

    def build(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        wide = [builder.zext(number, IntType(128)) for number in arguments]
        return builder.trunc(
            builder.lshr(builder.mul(*wide), Constant(IntType(128), 64)), IntType(64)
        )

    return uint64(uint64, uint64), build


@intrinsic  # type: ignore[untyped-decorator]
def number_ends(_: Any, buffer: Any, at: Any) -> Any:
    """Tell which of 16 bytes have no high bit, as a VARINT's last one: the first is bit 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        sixteen = VectorType(IntType(8), 16)
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), sixteen.as_pointer())
        loaded = builder.load(place, align=1)
        low = builder.icmp_signed(">=", loaded, Constant(sixteen, [0] * 16))
        return builder.zext(builder.bitcast(low, IntType(16)), IntType(64))

    return uint64(buffer, uint64), build


@compiled
def _long_varint(buffer: Any, at: int) -> tuple[Any, int]:
    """Read a VARINT digit by digit; returns (number, next place), number -1 from 2**62 on."""
    number = int64(0)
    while True:
        byte = read_byte(buffer, at)
        at += 1
        if number >= int64(1) << 55:
            return int64(-1), at
        number = (number << 7) | (byte & 0x7F)
        if byte < 0x80:
            return number, at
        number += 1


@compiled
def _joined(raw: Any, digits: Any) -> Any:
    """Return the number that the first one to eight of eight bytes spell as a VARINT."""
    packed = swapped(raw) >> (uint64(64) - (digits << uint64(3)) & uint64(63))
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
    below = (uint64(1) << (digits * uint64(7) & uint64(63))) - uint64(1)
    return int64(packed + (uint64(_CARRIES) & below))


@compiled
def read_varint(buffer: Any, at: int) -> Any:
    """Read a VARINT; up to eight digits at once and without branches that depend on its length."""
    raw = read_eight(buffer, at)
    last = ~raw & uint64(_ONES)
    if last == uint64(0):
        return _long_varint(buffer, at)
    digits = (trailing_zeros(last) >> uint64(3)) + uint64(1)
    return _joined(raw, digits), at + int64(digits)


@compiled
def read_compact(buffer: Any, at: int) -> tuple[Any, int]:
    """Read a CompactSize; returns (number, next place), -4 too large, -5 not the shortest."""
    first = read_byte(buffer, at)
    at += 1
    if first < 0xFD:
        return first, at
    width = 2 << (first - 0xFD)
    number = int64(0)
    for i in range(min(int64(7), width)):
        number |= read_byte(buffer, at + i) << (8 * i)
    large = width == 8 and buffer[at + 7] != 0
    at += width
    if (
        (width == 2 and number < 0xFD)
        or (width == 4 and number < 0x10000)
        or (width == 8 and number < 0x100000000 and not large)
    ):
        return int64(-5), at
    return (int64(-4) if large else number), at


@compiled
def read_amount(short: int, limits: Any) -> Any:
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
    return number * POWERS[exponent]


@compiled
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


@compiled
def stored_form(buffer: Any, at: int, size: int) -> tuple[int, int, int]:
    """Return form, place and size of what a dump stores of a script; of a full key the script."""
    if (size == 25 or size == 23 or size == 35) and _short_form_exists(buffer, at, size):
        if size == 35:
            return int64(buffer[at + 1]), at + 2, int64(32)
        return (int64(0), at + 3, int64(20)) if size == 25 else (int64(1), at + 2, int64(20))
    return int64(SPECIAL_SCRIPTS), at, size


@compiled
def is_after(buffer: Any, at: int, txid: Any) -> Any:
    """Tell whether the transaction id in the buffer comes after the last one."""
    for k in range(0, 32, 8):
        here, before = swapped(read_eight(buffer, at + k)), swapped(read_eight(txid, k))
        if here != before:
            return here > before
    return False


@compiled
def is_same(buffer: Any, at: int, txid: Any) -> Any:
    """Tell whether the transaction id in the buffer is the last one again."""
    for k in range(0, 32, 8):  # noqa: SIM110 - no generators here
        if read_eight(buffer, at + k) != read_eight(txid, k):
            return False
    return True


@compiled
def read_count(buffer: Any, at: int, coins_left: int) -> tuple[Any, int]:
    """Read how many coins a transaction has; returns (number or error, next place)."""
    count, after = read_compact(buffer, at)
    if count > LARGEST_COMPACT_SIZE:
        count = int64(-4)
    elif count == 0 or count > coins_left:
        count = int64(-2)
    return count, after


@compiled
def read_coin(
    buffer: Any, at: int, vout: int, end: int, limits: Any,
) -> tuple[Any, Any, Any, Any, Any, Any]:  # fmt: skip
    """Read a coin up to its script; returns (vout or error, code, amount, form, size, place).

    ``vout`` was read before, as a number or an error. Where the coin does not end before ``end``,
    it becomes ``CUT``, whatever else seems wrong.
    """
    code, at = read_varint(buffer, at)
    short, at = read_varint(buffer, at)
    size, at = read_varint(buffer, at)
    special = size < SPECIAL_SCRIPTS
    form = size if special else int64(SPECIAL_SCRIPTS)
    stored = int64(20) if size < 2 else int64(32)
    length = stored if special else size - SPECIAL_SCRIPTS
    amount = read_amount(short, limits) if short >= 0 else int64(-4)
    if at > end:
        vout = int64(CUT)
    elif vout < 0:
        pass
    elif vout >= 0xFFFFFFFF or code < 0 or code > 0xFFFFFFFF or size < 0 or size > 0xFFFFFFFF:
        vout = int64(-4)
    elif amount < 0:
        vout = amount
    elif length > LONGEST_SCRIPT:
        vout = int64(-8)
    elif at + length > end:
        vout = int64(CUT)
    elif (
        (length == 25 or length == 23 or length == 35)
        and not special
        and _short_form_exists(buffer, at, length)
    ):
        vout = int64(-9)
    return vout, code, amount, form, length, at


_STORED = np.zeros(256, dtype=np.uint8)
"""Bytes that follow a script's size, by its one byte; 0 for what ``read_common`` leaves alone."""
_STORED[:SPECIAL_SCRIPTS] = (20, 20, 32, 32, 32, 32)
_STORED[SPECIAL_SCRIPTS + 8 : 128] = np.arange(8, 128 - SPECIAL_SCRIPTS)
_STORED[[SPECIAL_SCRIPTS + size for size in (23, 25, 35)]] = 0
REACH = 80 + 16 + 128 + SLACK
"""No byte further on than this is touched by ``read_common``, whatever is there."""


@compiled
def read_common(buffer: Any, at: int, limits: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Read a coin as nearly all are, behind its vout: (size of script, key, amount, form, place).

    Where that size is 0, ``read_coin`` must read it: code or script are long, the amount is
    nothing, or something is wrong. ``key`` sorts as codes do: see ``code_of``.
    """
    ends = number_ends(buffer, uint64(at))
    code_end = trailing_zeros(ends)
    amount_end = trailing_zeros(ends & (ends - uint64(1)))
    digits = amount_end - code_end
    size_at = at + 1 + int64(amount_end)
    first = read_byte(buffer, size_at)
    length = int64(_STORED[uint64(first)])
    key = swapped(read_eight(buffer, at)) >> (uint64(56) - (code_end << uint64(3)) & uint64(63))
    short = _joined(read_eight(buffer, at + 1 + int64(code_end)), digits)
    rest = uint64(short - 1)
    exponent = rest % uint64(10)
    rest //= uint64(10)
    spread = rest // uint64(9) * uint64(10) + rest % uint64(9)
    number = int64((spread if exponent < uint64(9) else rest) + uint64(1))
    if code_end > uint64(3) or digits > uint64(8) or short == 0 or number > limits[exponent]:
        length = int64(0)
    form = min(first, int64(SPECIAL_SCRIPTS))
    return length, key, number * POWERS[exponent], form, size_at + 1


@compiled
def code_of(key: Any) -> Any:
    """Return height and coinbase as one number behind their bytes, which ``key`` has in order."""
    code = int64(0)
    for k in (24, 16, 8, 0):
        byte = int64(key >> uint64(k) & uint64(0xFF))
        code = (code << 7 | byte & 0x7F) + (byte >> 7)
    return code

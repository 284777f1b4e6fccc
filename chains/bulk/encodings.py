"""Texts to bytes over whole columns: hex, base64, base58 and segwit addresses.

Only the plain form of each is read, and of exactly the length that is asked for. What is anything
else is left out (not ``good``), whether it is wrong or only written otherwise: the caller has a
row-by-row rule for it.
"""

# ruff: noqa: PLR2004

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
from numba import uint8, uint32

from chains.bulk import Bytes, Flags, Places, Texts
from chains.bulk.machine import (
    BYTES,
    NUMBER,
    OFFSETS,
    OUT_BYTES,
    OUT_FLAGS,
    OUT_OFFSETS,
    OUT_ROWS,
    kernel,
)

_NONE = 0xFF
LOWER, UPPER, PREFIXED = 1, 2, 4
"""What ``hex_bytes`` met in a text: letters in lower case, in upper case, ``0x`` in front."""


def digit_table(alphabet: bytes) -> Bytes:
    """Return, for each byte, which digit of the alphabet it is; 255 for none."""
    table = np.full(256, _NONE, np.uint8)
    table[np.frombuffer(alphabet, np.uint8)] = np.arange(len(alphabet), dtype=np.uint8)
    return table


@kernel(OFFSETS, BYTES, OUT_OFFSETS, OUT_BYTES, OUT_BYTES, OUT_FLAGS)
def _hex(offsets: Any, data: Any, ends: Any, out: Any, seen: Any, good: Any) -> None:
    to = 0
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        letters, start = uint8(0), to
        if end - at >= 2 and data[at] == 48 and data[at + 1] == 120:
            at += 2
            letters = uint8(PREFIXED)
        is_hex = (end - at) & 1 == 0
        high = uint8(0)
        for place in range(end - at):
            byte = data[at + place]
            digit = uint8(0)
            if 48 <= byte <= 57:
                digit = uint8(byte - 48)
            elif 97 <= byte <= 102:
                digit = uint8(byte - 87)
                letters |= uint8(LOWER)
            elif 65 <= byte <= 70:
                digit = uint8(byte - 55)
                letters |= uint8(UPPER)
            else:
                is_hex = False
                break
            if place & 1:
                out[to] = high << uint8(4) | digit
                to += 1
            else:
                high = digit
        if not is_hex:
            to = start
        good[row], seen[row], ends[row + 1] = is_hex, letters, to


class HexBytes:
    """What stands in a column of hex texts, ``0x`` in front or not.

    ``strings`` are the bytes, ``good`` tells which texts are hex of even length, ``seen`` what kind
    of letters was met.
    """

    def __init__(self, column: Texts) -> None:
        ends = np.zeros(len(column) + 1, np.int64)
        size = int(column.offsets[-1] - column.offsets[0]) // 2
        out = np.empty(size, np.uint8)
        self.seen = np.empty(len(column), np.uint8)
        self.good = np.empty(len(column), np.bool_)
        _hex(column.offsets, column.data, ends, out, self.seen, self.good)
        self.strings = Texts(ends, out)

    def rows(self, width: int) -> tuple[Bytes, Flags]:
        """Return the strings of this many bytes as rows, and which they are."""
        return fixed(self.strings, width, self.good)


@kernel(OFFSETS, BYTES, OUT_ROWS, OUT_FLAGS)
def _fixed(offsets: Any, data: Any, out: Any, good: Any) -> None:
    width = out.shape[1]
    for row in range(offsets.size - 1):
        at = offsets[row]
        good[row] = good[row] and offsets[row + 1] - at == width
        if good[row]:
            for place in range(width):
                out[row, place] = data[at + place]


def fixed(strings: Texts, width: int, good: Flags) -> tuple[Bytes, Flags]:
    """Return the good strings of this width as rows, zero elsewhere, and which they are."""
    out, found = np.zeros((len(strings), width), np.uint8), good.copy()
    _fixed(strings.offsets, strings.data, out, found)
    return out, found


@kernel(OFFSETS, BYTES, BYTES, OUT_ROWS, OUT_FLAGS)
def _base64(offsets: Any, data: Any, digits: Any, out: Any, good: Any) -> None:
    width = out.shape[1]
    size = (width + 2) // 3 * 4
    padding = (3 - width % 3) % 3
    for row in range(offsets.size - 1):
        at = offsets[row]
        is_exact = offsets[row + 1] - at == size
        bits, count, to = uint32(0), 0, 0
        for place in range(size if is_exact else 0):
            byte = data[at + place]
            if place >= size - padding:
                is_exact = is_exact and byte == 61
                continue
            digit = digits[byte]
            is_exact = is_exact and digit < 64
            bits = uint32(bits << uint32(6) | digit)
            count += 6
            if count >= 8:
                count -= 8
                out[row, to] = uint8(bits >> uint32(count))
                bits &= uint32((1 << count) - 1)
                to += 1
        good[row] = is_exact and bits == 0


_BASE64 = digit_table(bytes(b64encode(bytes([n << 2, 0, 0]))[0] for n in range(64)))


def base64(column: Texts, width: int) -> tuple[Bytes, Flags]:
    """Return the bytes of exact base64 texts of ``width`` bytes, and which texts are that."""
    out = np.zeros((len(column), width), np.uint8)
    good = np.empty(len(column), np.bool_)
    _base64(column.offsets, column.data, _BASE64, out, good)
    return out, good


@kernel(OFFSETS, BYTES, BYTES, NUMBER, OUT_ROWS, OUT_FLAGS)
def _base58(offsets: Any, data: Any, digits: Any, longest: int, out: Any, good: Any) -> None:
    width = out.shape[1]
    words = (width + 3) // 4
    number = np.empty(words, np.int64)
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        fits = end - at <= longest
        number[:] = 0
        zeros, leading = 0, True
        for place in range(end - at if fits else 0):
            digit = digits[data[at + place]]
            if digit >= 58:
                fits = False
                break
            leading = leading and digit == 0
            zeros += leading
            carry = int(digit)
            for word in range(words):
                carry += number[word] * 58
                number[word] = carry & 0xFFFFFFFF
                carry >>= 32
            fits = fits and carry == 0
        first = 0
        for place in range(width if fits else 0):
            back = width - 1 - place
            byte = uint8(number[back >> 2] >> (8 * (back & 3)))
            out[row, place] = byte
            first += byte == 0 and first == place
        for back in range(width, 4 * words):
            fits = fits and number[back >> 2] >> (8 * (back & 3)) & 0xFF == 0
        good[row] = fits and first == zeros


def base58(column: Texts, width: int, digits: Bytes, longest: int) -> tuple[Bytes, Flags]:
    """Return the bytes of base58 texts that stand for ``width`` bytes, and which texts do."""
    out = np.zeros((len(column), width), np.uint8)
    good = np.empty(len(column), np.bool_)
    _base58(column.offsets, column.data, digits, longest, out, good)
    return out, good


@kernel(OFFSETS, BYTES, BYTES, BYTES, OFFSETS, NUMBER, NUMBER, OUT_ROWS, OUT_FLAGS)
def _segwit(
    offsets: Any, data: Any, head: Any, digits: Any, feedback: Any, start: int, constant: int,
    out: Any, good: Any,
) -> None:  # fmt: skip
    width = out.shape[1]
    count = (width * 8 + 4) // 5
    size = head.size + 1 + count + 6
    for row in range(offsets.size - 1):
        at = offsets[row]
        is_address = offsets[row + 1] - at == size
        for place in range(head.size if is_address else 0):
            is_address = is_address and data[at + place] == head[place]
        residue, bits, held, to = start, uint32(0), 0, 0
        for place in range(1 + count + 6 if is_address else 0):
            digit = digits[data[at + head.size + place]]
            if digit >= 32:
                is_address = False
                break
            residue = (residue & 0x1FFFFFF) << 5 ^ digit ^ feedback[residue >> 25]
            if place == 0:
                is_address = digit == 0
            elif place <= count:
                bits = uint32(bits << uint32(5) | digit)
                held += 5
                if held >= 8:
                    held -= 8
                    out[row, to] = uint8(bits >> uint32(held))
                    bits &= uint32((1 << held) - 1)
                    to += 1
        good[row] = is_address and residue == constant and bits == 0


def segwit(
    column: Texts, width: int, head: bytes, digits: Bytes, checksum: tuple[Places, int, int]
) -> tuple[Bytes, Flags]:
    """Return the programs of version 0 of ``width`` bytes in lower-case bech32, and which are that.

    ``head`` is the human-readable part with its separator. ``checksum``: what each value of the
    five bits shifted out adds to it, what it is behind the head, and what it must be at the end.
    """
    out = np.zeros((len(column), width), np.uint8)
    good = np.empty(len(column), np.bool_)
    prefix = np.frombuffer(head, np.uint8)
    _segwit(column.offsets, column.data, prefix, digits, *checksum, out, good)
    return out, good

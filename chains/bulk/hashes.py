"""Hash functions over whole columns: Keccak-256 and SHA-256.

Each takes byte strings end to end and returns one digest a row. Tests hold them against the
libraries that check single signatures.
"""

# Loops of integer steps: that is what a hash is. Nothing of Python may stand between them.
# ruff: noqa: PLR0915

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types, uint8, uint32, uint64

from chains.bulk import Bytes, Texts
from chains.bulk.machine import BYTES, OFFSETS, OUT_ROWS, inner, kernel

_KECCAK_ROUNDS = np.array(
    [
        0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000,
        0x000000000000808B, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
        0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
        0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
        0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
        0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
    ],
    np.uint64,
)  # fmt: skip
_KECCAK_RATE = 136
_WORDS32 = types.Array(types.uint32, 1, "C", readonly=True)
_WORDS64 = types.Array(types.uint64, 1, "C", readonly=True)


@inner()
def _left(word: Any, count: int) -> Any:
    """Rotate 64 bits to the left."""
    return word << uint64(count) | word >> uint64(64 - count)


@inner()
def _keccak_f(state: Any, constants: Any) -> None:
    """Spec: https://keccak.team/keccak_specs_summary.html (Keccak-f[1600])."""
    a0, a1, a2, a3, a4 = state[0], state[1], state[2], state[3], state[4]
    a5, a6, a7, a8, a9 = state[5], state[6], state[7], state[8], state[9]
    a10, a11, a12, a13, a14 = state[10], state[11], state[12], state[13], state[14]
    a15, a16, a17, a18, a19 = state[15], state[16], state[17], state[18], state[19]
    a20, a21, a22, a23, a24 = state[20], state[21], state[22], state[23], state[24]
    for round_number in range(24):
        c0 = a0 ^ a5 ^ a10 ^ a15 ^ a20
        c1 = a1 ^ a6 ^ a11 ^ a16 ^ a21
        c2 = a2 ^ a7 ^ a12 ^ a17 ^ a22
        c3 = a3 ^ a8 ^ a13 ^ a18 ^ a23
        c4 = a4 ^ a9 ^ a14 ^ a19 ^ a24
        d0 = c4 ^ _left(c1, 1)
        d1 = c0 ^ _left(c2, 1)
        d2 = c1 ^ _left(c3, 1)
        d3 = c2 ^ _left(c4, 1)
        d4 = c3 ^ _left(c0, 1)
        b0 = a0 ^ d0
        b1 = _left(a6 ^ d1, 44)
        b2 = _left(a12 ^ d2, 43)
        b3 = _left(a18 ^ d3, 21)
        b4 = _left(a24 ^ d4, 14)
        b5 = _left(a3 ^ d3, 28)
        b6 = _left(a9 ^ d4, 20)
        b7 = _left(a10 ^ d0, 3)
        b8 = _left(a16 ^ d1, 45)
        b9 = _left(a22 ^ d2, 61)
        b10 = _left(a1 ^ d1, 1)
        b11 = _left(a7 ^ d2, 6)
        b12 = _left(a13 ^ d3, 25)
        b13 = _left(a19 ^ d4, 8)
        b14 = _left(a20 ^ d0, 18)
        b15 = _left(a4 ^ d4, 27)
        b16 = _left(a5 ^ d0, 36)
        b17 = _left(a11 ^ d1, 10)
        b18 = _left(a17 ^ d2, 15)
        b19 = _left(a23 ^ d3, 56)
        b20 = _left(a2 ^ d2, 62)
        b21 = _left(a8 ^ d3, 55)
        b22 = _left(a14 ^ d4, 39)
        b23 = _left(a15 ^ d0, 41)
        b24 = _left(a21 ^ d1, 2)
        a0 = b0 ^ (~b1 & b2) ^ constants[round_number]
        a1 = b1 ^ (~b2 & b3)
        a2 = b2 ^ (~b3 & b4)
        a3 = b3 ^ (~b4 & b0)
        a4 = b4 ^ (~b0 & b1)
        a5 = b5 ^ (~b6 & b7)
        a6 = b6 ^ (~b7 & b8)
        a7 = b7 ^ (~b8 & b9)
        a8 = b8 ^ (~b9 & b5)
        a9 = b9 ^ (~b5 & b6)
        a10 = b10 ^ (~b11 & b12)
        a11 = b11 ^ (~b12 & b13)
        a12 = b12 ^ (~b13 & b14)
        a13 = b13 ^ (~b14 & b10)
        a14 = b14 ^ (~b10 & b11)
        a15 = b15 ^ (~b16 & b17)
        a16 = b16 ^ (~b17 & b18)
        a17 = b17 ^ (~b18 & b19)
        a18 = b18 ^ (~b19 & b15)
        a19 = b19 ^ (~b15 & b16)
        a20 = b20 ^ (~b21 & b22)
        a21 = b21 ^ (~b22 & b23)
        a22 = b22 ^ (~b23 & b24)
        a23 = b23 ^ (~b24 & b20)
        a24 = b24 ^ (~b20 & b21)
    state[0], state[1], state[2], state[3], state[4] = a0, a1, a2, a3, a4
    state[5], state[6], state[7], state[8], state[9] = a5, a6, a7, a8, a9
    state[10], state[11], state[12], state[13], state[14] = a10, a11, a12, a13, a14
    state[15], state[16], state[17], state[18], state[19] = a15, a16, a17, a18, a19
    state[20], state[21], state[22], state[23], state[24] = a20, a21, a22, a23, a24


@kernel(OFFSETS, BYTES, _WORDS64, OUT_ROWS)
def _keccak256(offsets: Any, data: Any, constants: Any, out: Any) -> None:
    state = np.empty(25, np.uint64)
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        state[:] = 0
        while at <= end:
            left = end - at
            for place in range(min(left, _KECCAK_RATE)):
                shift = uint64(8 * (place & 7))
                state[place >> 3] ^= uint64(data[at + place]) << shift
            if left < _KECCAK_RATE:
                state[left >> 3] ^= uint64(1) << uint64(8 * (left & 7))
                state[16] ^= uint64(1) << uint64(63)
            at += _KECCAK_RATE
            _keccak_f(state, constants)
        for place in range(32):
            out[row, place] = uint8(state[place >> 3] >> uint64(8 * (place & 7)))


def keccak256(strings: Texts) -> Bytes:
    """Return the original Keccak-256 of each string, as 32 bytes a row."""
    out = np.empty((len(strings), 32), np.uint8)
    _keccak256(strings.offsets, strings.data, _KECCAK_ROUNDS, out)
    return out


def _fractions(power: int, count: int) -> list[int]:
    """Return 32 bits behind the point of the square or cube roots of the first primes."""
    primes: list[int] = []
    number = 2
    while len(primes) < count:
        if all(number % prime for prime in primes):
            primes.append(number)
        number += 1
    return [_root(prime << 32 * power, power) & 0xFFFFFFFF for prime in primes]


def _root(number: int, power: int) -> int:
    """Return the largest integer whose ``power`` is at most ``number``."""
    low, high = 0, 1 << (number.bit_length() // power + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**power <= number else (low, middle)
    return low


_SHA_START = np.array(_fractions(2, 8), np.uint32)
_SHA_ROUNDS = np.array(_fractions(3, 64), np.uint32)
"""Spec: https://doi.org/10.6028/NIST.FIPS.180-4 (sections 4.2.2 and 5.3.3)"""


@inner()
def _right32(word: Any, count: int) -> Any:
    """Rotate 32 bits to the right. Numba widens 32 bits: what is kept is cut again."""
    return uint32(word >> uint32(count) | word << uint32(32 - count))


@inner()
def _sha_block(block: Any, state: Any, words: Any, rounds: Any) -> None:
    for i in range(16):
        word = uint32(0)
        for place in range(4):
            word = uint32(word << uint32(8) | block[4 * i + place])
        words[i] = word
    for i in range(16, 64):
        early, late = words[i - 15], words[i - 2]
        small = _right32(early, 7) ^ _right32(early, 18) ^ early >> uint32(3)
        large = _right32(late, 17) ^ _right32(late, 19) ^ late >> uint32(10)
        words[i] = words[i - 16] + small + words[i - 7] + large
    a, b, c, d = state[0], state[1], state[2], state[3]
    e, f, g, h = state[4], state[5], state[6], state[7]
    for i in range(64):
        choice = (e & f) ^ (~e & g)
        first = h + (_right32(e, 6) ^ _right32(e, 11) ^ _right32(e, 25)) + choice
        first = uint32(first + rounds[i] + words[i])
        most = (a & b) ^ (a & c) ^ (b & c)
        second = (_right32(a, 2) ^ _right32(a, 13) ^ _right32(a, 22)) + most
        h, g, f, e = g, f, e, uint32(d + first)
        d, c, b, a = c, b, a, uint32(first + second)
    for i, word in enumerate((a, b, c, d, e, f, g, h)):
        state[i] += word


@kernel(OFFSETS, BYTES, _WORDS32, _WORDS32, OUT_ROWS)
def _sha256(offsets: Any, data: Any, start: Any, rounds: Any, out: Any) -> None:
    state, words = np.empty(8, np.uint32), np.empty(64, np.uint32)
    block = np.empty(64, np.uint8)
    for row in range(offsets.size - 1):
        size = offsets[row + 1] - offsets[row]
        padded = (size + 72) & ~63
        state[:] = start
        for at in range(0, padded, 64):
            for place in range(64):
                byte = uint8(0)
                if at + place < size:
                    byte = data[offsets[row] + at + place]
                elif at + place == size:
                    byte = uint8(0x80)
                elif at + place >= padded - 8:
                    byte = uint8(uint64(size * 8) >> uint64(8 * (padded - 1 - at - place)))
                block[place] = byte
            _sha_block(block, state, words, rounds)
        for place in range(32):
            out[row, place] = uint8(state[place >> 2] >> uint32(24 - 8 * (place & 3)))


def sha256(strings: Texts) -> Bytes:
    """Return the SHA-256 of each string, as 32 bytes a row."""
    out = np.empty((len(strings), 32), np.uint8)
    _sha256(strings.offsets, strings.data, _SHA_START, _SHA_ROUNDS, out)
    return out

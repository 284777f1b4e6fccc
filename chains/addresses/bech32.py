"""Bech32, bech32m and CashAddr: base-32 texts with a polynomial checksum.

All three write five bits a character with the same alphabet; they differ in the
checksum, the separator and what the bits mean. Digits travel as one integer here,
because Python converts base 32 in C.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from operator import getitem, xor

import numpy as np

from chains.addresses import AddressError
from chains.bulk import Bytes, Flags, Texts

CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
"""Spec: https://github.com/bitcoin/bips/blob/master/bip-0173.mediawiki"""
BECH32 = 1
BECH32M = 0x2BC830A3
"""Spec: https://github.com/bitcoin/bips/blob/master/bip-0350.mediawiki"""
LONGEST = 90

_CHECKSUM_DIGITS = 6
_CASHADDR_CHECKSUM_DIGITS = 8
_TO_PYTHON_DIGITS = bytes.maketrans(bytes(range(32)), b"0123456789abcdefghijklmnopqrstuv")
_TO_DIGITS = bytes.maketrans(CHARSET.encode(), bytes(range(32)))
_ALPHABET = CHARSET.encode()


def _feedback(generators: tuple[int, ...]) -> tuple[int, ...]:
    """Return what each value of the five bits shifted out adds to the checksum."""
    table: list[int] = []
    for top in range(32):
        value = 0
        for bit, generator in enumerate(generators):
            if top >> bit & 1:
                value ^= generator
        table.append(value)
    return tuple(table)


_BECH32_FEEDBACK = _feedback((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3))
_CASHADDR_FEEDBACK = _feedback(
    (0x98F2BC8E61, 0x79B76D99E2, 0xF33E5FB3C4, 0xAE2EABE2A8, 0x1E4F43E470)
)
"""Spec: https://github.com/bitcoincashorg/bitcoincash.org/blob/master/spec/cashaddr.md"""


def bech32_to_digits(text: str, hrp: str, *, longest: int = LONGEST) -> tuple[bytes, int]:
    """Return the data digits (0 to 31, checksum removed) and the checksum constant met.

    All lower or all upper case is allowed, a mixture is not. ``longest`` is the most
    characters that the chain allows. Raises ``AddressError``.
    """
    if not text.isascii():
        raise AddressError("not bech32: not ASCII")
    if text != text.lower():
        if text != text.upper():
            raise AddressError("bech32 in mixed letter case")
        text = text.lower()
    prefix, separator, data = text.rpartition("1")
    if not separator or prefix != hrp or len(text) > longest:
        raise AddressError(f"not a bech32 text of {hrp!r}")
    digits = _digits(data)
    if len(digits) < _CHECKSUM_DIGITS:
        raise AddressError("bech32 text too short")
    residue = _bech32_sum(hrp, digits)
    if residue not in (BECH32, BECH32M):
        raise AddressError("wrong bech32 checksum")
    return digits[:-_CHECKSUM_DIGITS], residue


def digits_to_bech32(digits: bytes, hrp: str, constant: int) -> str:
    """Return the lower-case text of data digits under ``hrp`` with this checksum constant."""
    residue = _bech32_residue(_bech32_start(hrp), digits + bytes(_CHECKSUM_DIGITS)) ^ constant
    checksum = bytes(residue >> 5 * (5 - place) & 31 for place in range(_CHECKSUM_DIGITS))
    return f"{hrp}1" + "".join(CHARSET[digit] for digit in digits + checksum)


def cashaddr_to_payload(data: str, prefix: str) -> bytes:
    """Return the payload (version byte and hash) of a CashAddr text without its prefix.

    Only lower case is accepted. Raises ``AddressError``.
    """
    digits = _digits(data)
    if _cashaddr_residue(_cashaddr_start(prefix), digits) != 1:
        raise AddressError("wrong CashAddr checksum")
    return digits_to_bytes(digits[:-_CASHADDR_CHECKSUM_DIGITS])


def payload_to_cashaddr(payload: bytes, prefix: str) -> str:
    """Return the CashAddr text, prefix included, of a version byte and hash."""
    digits = bytes_to_digits(payload)
    residue = _cashaddr_residue(_cashaddr_start(prefix), digits + bytes(_CASHADDR_CHECKSUM_DIGITS))
    residue ^= 1
    checksum = bytes(residue >> 5 * (7 - place) & 31 for place in range(_CASHADDR_CHECKSUM_DIGITS))
    return f"{prefix}:" + "".join(CHARSET[digit] for digit in digits + checksum)


def digits_to_bytes(digits: bytes) -> bytes:
    """Return the bytes packed into five-bit digits; raises ``AddressError`` for bad padding."""
    if not digits:
        return b""
    value = int(digits.translate(_TO_PYTHON_DIGITS), 32)
    length, spare = divmod(len(digits) * 5, 8)
    if spare >= 5 or value & ((1 << spare) - 1):  # noqa: PLR2004 - a whole digit of padding
        raise AddressError("base-32 padding is not zero or too long")
    return (value >> spare).to_bytes(length, "big")


def bytes_to_digits(payload: bytes) -> bytes:
    """Return ``payload`` as five-bit digits, padded with zero bits at the end."""
    count = (len(payload) * 8 + 4) // 5
    value = int.from_bytes(payload, "big") << (count * 5 - len(payload) * 8)
    return bytes(value >> 5 * place & 31 for place in range(count - 1, -1, -1))


def _digits(data: str) -> bytes:
    if not data.isascii():
        raise AddressError("not base 32: not ASCII")
    letters = data.encode("ascii")
    if letters.translate(None, _ALPHABET):
        raise AddressError("not base 32: a character outside the alphabet")
    return letters.translate(_TO_DIGITS)


def _bech32_residue(residue: int, digits: bytes) -> int:
    feedback = _BECH32_FEEDBACK
    for digit in digits:
        residue = (residue & 0x1FFFFFF) << 5 ^ digit ^ feedback[residue >> 25]
    return residue


def _cashaddr_residue(residue: int, digits: bytes) -> int:
    feedback = _CASHADDR_FEEDBACK
    for digit in digits:
        residue = (residue & 0x07FFFFFFFF) << 5 ^ digit ^ feedback[residue >> 35]
    return residue


def _bech32_sum(hrp: str, digits: bytes) -> int:
    """Return what ``_bech32_residue`` does, from tables: the checksum is linear over bits."""
    count = len(digits)
    if count > LONGEST:
        return _bech32_residue(_bech32_start(hrp), digits)
    places = _bech32_places()[LONGEST - count :]
    return reduce(xor, map(getitem, places, digits), _bech32_carried(hrp, count))


@lru_cache(maxsize=4096)
def _bech32_carried(hrp: str, count: int) -> int:
    return _bech32_residue(_bech32_start(hrp), bytes(count))


@lru_cache(maxsize=1)
def _bech32_places() -> tuple[tuple[int, ...], ...]:
    """Return, by place from the left, what each digit adds to the residue at the end."""
    return tuple(
        tuple(_bech32_residue(0, bytes((digit,)) + bytes(behind)) for digit in range(32))
        for behind in range(LONGEST - 1, -1, -1)
    )


@lru_cache(maxsize=256)
def _bech32_start(hrp: str) -> int:
    expanded = bytes(ord(c) >> 5 for c in hrp) + b"\0" + bytes(ord(c) & 31 for c in hrp)
    return _bech32_residue(1, expanded)


@lru_cache(maxsize=256)
def _cashaddr_start(prefix: str) -> int:
    return _cashaddr_residue(1, bytes(ord(c) & 31 for c in prefix) + b"\0")


def segwit_column(column: Texts, hrp: str, width: int) -> tuple[Bytes, Flags]:
    """Return the witness programs of version 0 of ``width`` bytes, and which texts are that.

    Lower case only.
    """
    from chains.bulk.encodings import digit_table, segwit  # noqa: PLC0415

    feedback = np.array(_BECH32_FEEDBACK, np.int64)
    checksum = (feedback, _bech32_start(hrp), BECH32)
    return segwit(column, width, f"{hrp}1".encode(), digit_table(_ALPHABET), checksum)

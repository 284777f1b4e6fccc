"""Base58 and Base58Check: the text form of byte strings on many chains.

Base58 is case-sensitive and has no checksum of its own; Base58Check appends the first
four bytes of a double SHA-256. Every text has exactly one meaning and every byte string
exactly one text, leading zeros included.
"""

from __future__ import annotations

from hashlib import sha256
from operator import mul

from chains.addresses import AddressError
from chains.bulk import Bytes, Flags, Texts, rows_as_texts

ALPHABET = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""Spec: https://datatracker.ietf.org/doc/html/draft-msporny-base58-03"""
CHECKSUM_LENGTH = 4
_LONGEST = 128
_TO_DIGIT = bytes.maketrans(ALPHABET, bytes(range(58)))
_POWERS = tuple(58**exponent for exponent in range(_LONGEST))
_DIGITS = [chr(letter) for letter in ALPHABET]


def base58_to_bytes(text: str) -> bytes:
    """Return the bytes that ``text`` (at most 128 characters) stands for.

    Raises ``AddressError`` for any character outside the alphabet.
    """
    if len(text) > _LONGEST or not text.isascii():
        raise AddressError("not base58: too long or not ASCII")
    letters = text.encode("ascii")
    if letters.translate(None, ALPHABET):
        raise AddressError("not base58: a character outside the alphabet")
    significant = letters.lstrip(b"1")
    value: int = sum(map(mul, significant.translate(_TO_DIGIT)[::-1], _POWERS))
    zeros = len(letters) - len(significant)
    return bytes(zeros) + value.to_bytes((value.bit_length() + 7) // 8, "big")


def bytes_to_base58(payload: bytes) -> str:
    """Return the one base58 text of ``payload``."""
    value = int.from_bytes(payload, "big")
    digits: list[str] = []
    while value:
        value, digit = divmod(value, 58)
        digits.append(_DIGITS[digit])
    zeros = len(payload) - len(payload.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def base58check_to_bytes(text: str) -> bytes:
    """Return the payload of a Base58Check text, version bytes included.

    Raises ``AddressError`` where the alphabet, the length or the checksum is wrong.
    """
    raw = base58_to_bytes(text)
    payload = raw[:-CHECKSUM_LENGTH]
    if len(raw) <= CHECKSUM_LENGTH:
        raise AddressError("not base58check: too short")
    if sha256(sha256(payload).digest()).digest()[:CHECKSUM_LENGTH] != raw[-CHECKSUM_LENGTH:]:
        raise AddressError("wrong base58check checksum")
    return payload


def bytes_to_base58check(payload: bytes) -> str:
    """Return the Base58Check text of ``payload``, version bytes included."""
    checksum = sha256(sha256(payload).digest()).digest()[:CHECKSUM_LENGTH]
    return bytes_to_base58(payload + checksum)


def base58_column(column: Texts, width: int, *, longest: int = _LONGEST) -> tuple[Bytes, Flags]:
    """Return the bytes of each text that stands for ``width`` bytes, and which texts do."""
    from chains.bulk.encodings import base58, digit_table  # noqa: PLC0415 - for whole columns only

    return base58(column, width, digit_table(ALPHABET), longest)


def base58check_column(column: Texts, width: int) -> tuple[Bytes, Flags]:
    """Return the payloads of ``width`` bytes of Base58Check texts, and which texts hold one."""
    from chains.bulk.hashes import sha256 as sha256_column  # noqa: PLC0415 - for columns only

    raw, good = base58_column(column, width + CHECKSUM_LENGTH)
    payloads = raw[:, :width]
    digests = sha256_column(rows_as_texts(sha256_column(rows_as_texts(payloads))))
    good &= (digests[:, :CHECKSUM_LENGTH] == raw[:, width:]).all(axis=1)
    return payloads, good

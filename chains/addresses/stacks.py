"""Stacks accounts in c32check: ``SP…`` for one key, ``SM…`` for scripts.

The canonical bytes are the version and 20 bytes of hash. c32 reads O as 0 and small letters
as large ones; we do not: only the exact text is accepted. A contract (``SP….name``) is no
account that a key signs for. Parameter: ``versions``, 22 and 20 unless given (test networks
have 26 and 21).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from chains.addresses import AddressError

LENGTH = 21
SINGLE_KEY, SCRIPT = 22, 20
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Spec: https://github.com/stacksgov/sips/blob/main/sips/sip-005 (c32check)"""
_VERSIONS = (SINGLE_KEY, SCRIPT)
_PYTHON_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_TO_PYTHON = str.maketrans(_ALPHABET, _PYTHON_DIGITS)
_LENGTH_WITH_CHECKSUM = 24
_LONGEST = 42


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the version byte and the hash.

    Spec: https://github.com/stacksgov/sips/blob/main/sips/sip-005
    """
    if "." in text:
        raise AddressError("a contract, not an account", code="unsupported-address-type")
    if not text.startswith("S") or len(text) > _LONGEST or not set(text[1:]) <= set(_ALPHABET):
        raise AddressError("not a Stacks address: expected S and c32 in large letters")
    if len(text) < len("SP0"):
        raise AddressError("not a Stacks address: too short")
    digits = text[2:]
    value = int(digits.translate(_TO_PYTHON), 32)
    if value.bit_length() > 8 * _LENGTH_WITH_CHECKSUM:
        raise AddressError("not a Stacks address: too long")
    body = value.to_bytes(_LENGTH_WITH_CHECKSUM, "big")
    account = bytes((_ALPHABET.index(text[1]),)) + body[:-4]
    if _checksum(account) != body[-4:] or _text(account) != text:
        raise AddressError("wrong checksum of a Stacks address")
    if account[0] not in params.get("versions", _VERSIONS):
        raise AddressError("the version is that of another Stacks network")
    return account


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the ``S…`` text of a version byte and hash."""
    if len(account) != LENGTH or account[0] not in params.get("versions", _VERSIONS):
        raise AddressError("these bytes are no Stacks address of this network")
    return _text(account)


def _text(account: bytes) -> str:
    body = account[1:] + _checksum(account)
    value = int.from_bytes(body, "big")
    digits = ""
    while value:
        value, digit = divmod(value, 32)
        digits = _ALPHABET[digit] + digits
    zeros = len(body) - len(body.lstrip(b"\0"))
    return f"S{_ALPHABET[account[0]]}{'0' * zeros}{digits}"


def _checksum(account: bytes) -> bytes:
    return sha256(sha256(account).digest()).digest()[:4]

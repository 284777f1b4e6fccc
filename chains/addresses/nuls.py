"""NULS accounts: ``NULSd`` and base58 of chain, type, 20 bytes and one byte of checksum.

The small letter between is no part of the account; it says how long the word before it is.
The canonical bytes are chain (two bytes, little-endian), type and hash. Parameters: ``word``
(``NULS``) and ``chain`` (1).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import xor
from typing import Any

from chains.addresses import AddressError
from chains.addresses.base58 import base58_to_bytes, bytes_to_base58

LENGTH = 23
SINGLE_KEY, CONTRACT, SCRIPT = 1, 2, 3
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return chain, type and hash.

    Spec: https://docs.nuls.io/Docs/ (Account module, address format)
    """
    head = _head(params)
    if not text.startswith(head):
        raise AddressError(f"the address does not begin with {head!r}")
    raw = base58_to_bytes(text.removeprefix(head))
    account = raw[:LENGTH]
    if len(raw) != LENGTH + 1 or reduce(xor, account) != raw[LENGTH]:
        raise AddressError("wrong length or checksum of a NULS address")
    if account[:2] != _chain(params):
        raise AddressError("the address is of another chain")
    if account[2] not in (SINGLE_KEY, CONTRACT, SCRIPT):
        raise AddressError("unknown type of a NULS address", code="unsupported-address-type")
    return account


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the text of chain, type and hash."""
    if len(account) != LENGTH or account[:2] != _chain(params):
        raise AddressError("these bytes are no NULS address of this chain")
    return _head(params) + bytes_to_base58(account + bytes((reduce(xor, account),)))


def _head(params: Mapping[str, Any]) -> str:
    word = str(params.get("word", "NULS"))
    return word + _LETTERS[len(word) - 1]


def _chain(params: Mapping[str, Any]) -> bytes:
    return int(params.get("chain", 1)).to_bytes(2, "little")

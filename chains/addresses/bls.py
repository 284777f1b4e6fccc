"""Ethereum validators: the 48-byte BLS12-381 public key, in hex with or without ``0x``.

Whether the bytes are a point of the curve is for whoever verifies a signature by the key,
and whether there is such a validator for the chain to say. No parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError

LENGTH = 48
_DIGITS = 96
_HEX = frozenset("0123456789abcdefABCDEF")


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return the 48 bytes of a compressed key.

    Spec: https://github.com/ethereum/consensus-specs (phase0, BLSPubkey)
    """
    digits = text.removeprefix("0x")
    if len(digits) != _DIGITS or not _HEX.issuperset(digits):
        raise AddressError("expected 96 hex digits of a validator's public key")
    return bytes.fromhex(digits)


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - no parameters
    """Return ``0x`` and 96 lower-case hex digits."""
    if len(account) != LENGTH:
        raise AddressError(f"a validator's key has 48 bytes, not {len(account)}")
    return "0x" + account.hex()

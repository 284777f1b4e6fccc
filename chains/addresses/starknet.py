"""Starknet accounts: contract addresses, one field element in hex.

``0x`` and up to 64 hex digits in either case; leading zeros may be missing in the text. The
canonical bytes are the 32 bytes of the number, the canonical text has all 64 digits. No
parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError

LENGTH = 32
BOUND = 2**251 - 256
"""Addresses are below it. Spec: https://docs.starknet.io (contract address, ADDR_BOUND)"""
_DIGITS = 64
_HEX = frozenset("0123456789abcdefABCDEF")


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return the 32 bytes of the number, which must be a possible contract address.

    Spec: https://docs.starknet.io/learn/protocol/starknet-addresses
    """
    digits = text[2:]
    if not text.startswith("0x") or not digits or len(digits) > _DIGITS:
        raise AddressError("not a Starknet address: expected 0x and up to 64 hex digits")
    if not _HEX.issuperset(digits):
        raise AddressError("not a Starknet address: not hex digits")
    number = int(digits, 16)
    if not 0 < number < BOUND:
        raise AddressError("not a Starknet address: the number is out of range")
    return number.to_bytes(LENGTH, "big")


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - no parameters
    """Return ``0x`` and 64 lower-case hex digits."""
    if len(account) != LENGTH or not 0 < int.from_bytes(account, "big") < BOUND:
        raise AddressError("a Starknet account is a number of 32 bytes below 2^251 - 256")
    return "0x" + account.hex()

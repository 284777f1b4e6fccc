"""Aptos accounts: 32 bytes in hex behind ``0x``; leading zeros may be missing in a text.

Letter case means nothing in hex. The canonical text has all 64 digits in lower case.
No parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError

LENGTH = 32
_DIGITS = 64
_HEX = frozenset("0123456789abcdefABCDEF")


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return the 32 bytes of an account, written with 1 to 64 hex digits.

    Spec: https://github.com/aptos-foundation/AIPs/blob/main/aips/aip-40.md
    """
    digits = text[2:]
    if text[:2] != "0x" or not 1 <= len(digits) <= _DIGITS or not _HEX.issuperset(digits):
        raise AddressError("expected 0x and 1 to 64 hex digits")
    return bytes.fromhex(digits.zfill(_DIGITS))


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - no parameters
    """Return ``0x`` and all 64 digits of 32 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"an account of this chain has 32 bytes, not {len(account)}")
    return "0x" + account.hex()

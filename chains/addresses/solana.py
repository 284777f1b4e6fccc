"""Solana accounts: 32 bytes in base58, without version and without checksum.

Exactly one text stands for each account, so any change of a letter is another account or
none. No parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError
from chains.addresses.base58 import base58_column, base58_to_bytes, bytes_to_base58
from chains.bulk import Bytes, Flags, Texts

LENGTH = 32
_LONGEST_TEXT = 44


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return the 32 bytes of an account.

    Spec: https://solana.com/docs/core/accounts#account-address
    """
    if len(text) > _LONGEST_TEXT:
        raise AddressError("not a Solana address: more than 44 characters")
    account = base58_to_bytes(text)
    if len(account) != LENGTH:
        raise AddressError(f"a Solana address has 32 bytes, this one {len(account)}")
    return account


def decode_column(column: Texts, params: Mapping[str, Any]) -> tuple[Bytes, Flags]:  # noqa: ARG001 - no parameters
    """Return the 32 bytes of each text, and which texts are an account."""
    return base58_column(column, LENGTH, longest=_LONGEST_TEXT)


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - no parameters
    """Return the base58 text of 32 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"a Solana account has 32 bytes, not {len(account)}")
    return bytes_to_base58(account)

"""Algorand accounts: 32 bytes and a short checksum in base 32, 58 characters.

The 32 bytes are an Ed25519 key, or the hash of a program or of a multisig; the text does
not tell which. Only upper case is written, and exactly one text stands for each account.
No parameters.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from collections.abc import Mapping
from typing import Any

from Crypto.Hash import SHA512

from chains.addresses import AddressError

LENGTH = 32
_CHECKSUM_LENGTH = 4
_TEXT = re.compile(r"[A-Z2-7]{58}\Z")
_PADDING = "======"


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes of an account.

    Spec: https://developer.algorand.org/docs/get-details/accounts/#transformation-public-key-to-algorand-address
    """
    if _TEXT.match(text) is None:
        raise AddressError("not an Algorand address: not 58 characters of base 32")
    account = b32decode(text + _PADDING)[:LENGTH]
    if encode(account, params) != text:
        raise AddressError("wrong checksum of an Algorand address")
    return account


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - no parameters
    """Return the 58 characters of 32 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"an Algorand account has 32 bytes, not {len(account)}")
    checksum = SHA512.new(account, truncate="256").digest()[-_CHECKSUM_LENGTH:]
    return b32encode(account + checksum).decode().rstrip("=")

"""Accounts in bech32 under a chain's own word: Cosmos chains, Harmony, Avalanche's X-chain.

Parameters: ``hrp`` is the word (``cosmos``, ``terra``, ``one``, ``avax``); ``prefix`` stands
before it and is part of the text (``X-``); ``lengths`` are the numbers of bytes allowed, 20
unless given, 32 also where accounts of contracts and modules are; ``hex = true`` also accepts
``0x`` and 40 hex digits. ``key`` is for those who derive accounts: ``keccak`` where the chain
hashes keys as Ethereum does, otherwise SHA-256 and RIPEMD-160. Texts under another word, such
as a validator's operator (``cosmosvaloper``), are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError, evm
from chains.addresses.bech32 import (
    BECH32,
    bech32_to_digits,
    bytes_to_digits,
    digits_to_bech32,
    digits_to_bytes,
)

_LENGTHS = (20,)


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the 20 (or, where allowed, 32) bytes of an account.

    Spec: https://docs.cosmos.network/main/learn/beginner/accounts#addresses
    """
    if params.get("hex", False) and text.startswith("0x"):
        return evm.decode(text, {})
    prefix = params.get("prefix", "")
    if not text.startswith(prefix):
        raise AddressError(f"the address does not begin with {prefix!r}")
    digits, constant = bech32_to_digits(text[len(prefix) :], params["hrp"])
    account = digits_to_bytes(digits)
    if constant != BECH32:
        raise AddressError("the checksum is that of bech32m")
    if len(account) not in params.get("lengths", _LENGTHS):
        raise AddressError(f"an account of this chain does not have {len(account)} bytes")
    return account


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the lower-case bech32 text, with the chain's prefix."""
    if len(account) not in params.get("lengths", _LENGTHS):
        raise AddressError(f"an account of this chain does not have {len(account)} bytes")
    text = digits_to_bech32(bytes_to_digits(account), params["hrp"], BECH32)
    return f"{params.get('prefix', '')}{text}"

"""Cardano addresses of the Shelley era: a header byte and one or two hashes, in bech32.

The header says what the hashes are. A base address has a payment and a stake credential, an
enterprise address a payment credential alone, a reward address (``stake1…``) a stake
credential. Each credential is the hash of a key or of a script. The canonical bytes are the
raw address. Byron addresses (base58) and pointer addresses are named as unsupported.

Parameter ``network``: 1 for mainnet (the default), 0 for test networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from chains.addresses import AddressError
from chains.addresses.base58 import base58_to_bytes
from chains.addresses.bech32 import (
    BECH32,
    bech32_to_digits,
    bytes_to_digits,
    digits_to_bech32,
    digits_to_bytes,
)

HASH_LENGTH = 28
MAINNET = 1
_BASE, _POINTER, _ENTERPRISE, _REWARD = range(4), (4, 5), (6, 7), (14, 15)
"""Header types. Odd ones pay to a script, 2 and 3 stake by one.

Spec: https://github.com/cardano-foundation/CIPs/tree/master/CIP-0019
"""
_KEY_PAYMENT = (0, 2, 6)
_LONGEST = 128
_BYRON = b"\x82\xd8\x18"


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the raw bytes of an address: header and hashes.

    Spec: https://github.com/cardano-foundation/CIPs/tree/master/CIP-0019
    """
    is_mainnet = params.get("network", MAINNET) == MAINNET
    suffix = "" if is_mainnet else "_test"
    for prefix in ("addr", "stake"):
        if text.lower().startswith(f"{prefix}{suffix}1"):
            return _from_bech32(text, prefix, suffix)
    if _is_byron(text):
        raise AddressError("a Byron address", code="unsupported-address-type")
    raise AddressError("not a Cardano address of this network")


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the bech32 text of a raw address."""
    network = params.get("network", MAINNET)
    _check(account, is_reward=account[:1] >= b"\xe0", network=network)
    prefix = "stake" if account[0] >> 4 in _REWARD else "addr"
    suffix = "" if network == MAINNET else "_test"
    return digits_to_bech32(bytes_to_digits(account), prefix + suffix, BECH32)


def key_hash(key: bytes) -> bytes:
    """Return the hash by which addresses name an Ed25519 key."""
    return blake2b(key, digest_size=HASH_LENGTH).digest()


def controlling_hash(account: bytes) -> bytes | None:
    """Return the hash of the key that disposes of what the address holds, None for a script.

    That is the payment credential, and the stake credential of a reward address. The stake
    credential of a base address only delegates: anybody can put his own beside another's
    payment credential.
    """
    kind = account[0] >> 4
    return account[1 : 1 + HASH_LENGTH] if kind in _KEY_PAYMENT or kind == _REWARD[0] else None


def is_stake_key(key: bytes, account: bytes) -> bool:
    """Tell whether ``key`` is the stake credential of a base address."""
    kind = account[0] >> 4
    return kind in (0, 1) and account[1 + HASH_LENGTH :] == key_hash(key)


def _from_bech32(text: str, prefix: str, suffix: str) -> bytes:
    digits, constant = bech32_to_digits(text, prefix + suffix, longest=_LONGEST)
    if constant != BECH32:
        raise AddressError("bech32m is no form of Cardano addresses")
    account = digits_to_bytes(digits)
    network = 0 if suffix else MAINNET
    _check(account, is_reward=prefix == "stake", network=network)
    return account


def _check(account: bytes, *, is_reward: bool, network: int) -> None:
    if not account:
        raise AddressError("an empty Cardano address")
    kind = account[0] >> 4
    if account[0] & 15 != network:
        raise AddressError("the Cardano address is of another network")
    if kind in _POINTER:
        raise AddressError("a pointer address", code="unsupported-address-type")
    hashes = 2 if kind in _BASE else 1
    if kind not in (*_BASE, *_ENTERPRISE, *_REWARD) or is_reward != (kind in _REWARD):
        raise AddressError(f"unknown type {kind} of a Cardano address")
    if len(account) != 1 + hashes * HASH_LENGTH:
        raise AddressError("a Cardano address of the wrong length")


def _is_byron(text: str) -> bool:
    try:
        return base58_to_bytes(text).startswith(_BYRON)
    except AddressError:
        return False

"""SS58: accounts of Polkadot and other Substrate chains, 32 bytes behind a network prefix.

Parameter ``prefix``: the network's number, or several of which the first is canonical.
Texts under any other prefix are refused: they name an account of another network.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from chains.addresses import AddressError
from chains.addresses.base58 import base58_to_bytes, bytes_to_base58

LENGTH = 32
_CHECKSUM_LENGTH = 2
_ONE_BYTE_PREFIXES = 64
_TWO_BYTE_MARK = 0x40
_LARGEST_PREFIX = 0x3FFF


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes of an account.

    Spec: https://docs.polkadot.com/reference/parachains/accounts/#address-format
    """
    raw = base58_to_bytes(text)
    width = 2 if raw[:1] >= bytes((_TWO_BYTE_MARK,)) else 1
    if len(raw) != width + LENGTH + _CHECKSUM_LENGTH:
        raise AddressError("not an SS58 address of 32 bytes")
    body, checksum = raw[:-_CHECKSUM_LENGTH], raw[-_CHECKSUM_LENGTH:]
    if _checksum(body) != checksum:
        raise AddressError("wrong SS58 checksum")
    if body[:width] not in map(_prefix_bytes, _prefixes(params)):
        raise AddressError("the SS58 prefix is of another network")
    return body[width:]


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the text of 32 bytes under the network's first prefix."""
    if len(account) != LENGTH:
        raise AddressError(f"an SS58 account has 32 bytes, not {len(account)}")
    body = _prefix_bytes(_prefixes(params)[0]) + account
    return bytes_to_base58(body + _checksum(body))


def _prefixes(params: Mapping[str, Any]) -> tuple[int, ...]:
    prefix = params["prefix"]
    return tuple(prefix) if isinstance(prefix, list | tuple) else (prefix,)


def _prefix_bytes(prefix: int) -> bytes:
    """Return the one or two bytes in which SS58 writes a network's number."""
    if not 0 <= prefix <= _LARGEST_PREFIX:
        raise AddressError(f"{prefix} is no SS58 prefix")
    if prefix < _ONE_BYTE_PREFIXES:
        return bytes((prefix,))
    return bytes((_TWO_BYTE_MARK | (prefix & 0xFC) >> 2, prefix >> 8 | (prefix & 3) << 6))


def _checksum(body: bytes) -> bytes:
    return blake2b(b"SS58PRE" + body).digest()[:_CHECKSUM_LENGTH]

"""TRON accounts: 20 bytes, written as Base58Check with the version byte 0x41 (``T…``).

Only the ``T…`` form is accepted. The hex forms in use (``41…`` with 42 digits, ``0x…``)
are those of other places (a node's answers, an EVM chain): in a published list they
would be ambiguous. Parameter: ``version``, the version byte, 0x41 unless given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError
from chains.addresses.base58 import (
    base58check_column,
    base58check_to_bytes,
    bytes_to_base58check,
)
from chains.bulk import Bytes, Flags, Texts

LENGTH = 20
MAINNET_VERSION = 0x41
"""Spec: https://developers.tron.network/docs/account#account-address-format"""
_PAYLOAD_LENGTH = 21


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the 20 bytes behind the version byte."""
    payload = base58check_to_bytes(text)
    if len(payload) != _PAYLOAD_LENGTH or payload[0] != params.get("version", MAINNET_VERSION):
        raise AddressError("not a TRON address: wrong length or version byte")
    return payload[1:]


def decode_column(column: Texts, params: Mapping[str, Any]) -> tuple[Bytes, Flags]:
    """Return the 20 bytes of each ``T…`` text, and which texts are that."""
    payloads, good = base58check_column(column, _PAYLOAD_LENGTH)
    good &= payloads[:, 0] == params.get("version", MAINNET_VERSION)
    return payloads[:, 1:], good


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the ``T…`` text of 20 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"a TRON account has 20 bytes, not {len(account)}")
    version = int(params.get("version", MAINNET_VERSION))
    return bytes_to_base58check(bytes((version,)) + account)

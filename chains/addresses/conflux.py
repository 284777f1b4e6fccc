"""Conflux core-space addresses (CIP-37): 20 bytes whose first half byte is the type.

``cfx:aar…`` on the main network (id 1029), ``cfxtest:`` on the test network (id 1),
``net8888:`` on others. The text is all lower or all upper case; a type may stand between
(``CFX:TYPE.USER:AAR…``) and must then be true. Hex texts are ambiguous with those of the
eSpace and are refused. Parameter: ``network``, the network id, 1029 unless given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError
from chains.addresses.bech32 import CHARSET, cashaddr_to_payload, payload_to_cashaddr

LENGTH = 20
MAINNET = 1029
_NAMES = {MAINNET: "cfx", 1: "cfxtest"}
_ALPHABET = "abcdefghjkmnprstuvwxyz0123456789"
"""Spec: https://github.com/Conflux-Chain/CIPs/blob/master/CIPs/cip-37.md"""
_TO_CASHADDR = str.maketrans(_ALPHABET, CHARSET)
_TO_CONFLUX = str.maketrans(CHARSET, _ALPHABET)
_TYPES = {0x0: "builtin", 0x1: "user", 0x8: "contract"}
_VERSION = b"\x00"
_DIGITS = 42


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the 20 bytes, type included.

    Spec: https://github.com/Conflux-Chain/CIPs/blob/master/CIPs/cip-37.md
    """
    if text not in (text.lower(), text.upper()) or not text.isascii():
        raise AddressError("a Conflux address in mixed letter case")
    prefix, *options = text.lower().split(":")
    name, data = _name(params), options.pop() if options else ""
    if prefix != name or len(options) > 1:
        raise AddressError(f"not a Conflux address of the network {name!r}")
    if len(data) != _DIGITS or not set(data) <= set(_ALPHABET):
        raise AddressError("not 42 characters of Conflux's base 32")
    payload = cashaddr_to_payload(data.translate(_TO_CASHADDR), prefix)
    account = payload[1:]
    if payload[:1] != _VERSION or len(account) != LENGTH:
        raise AddressError("unknown version of a Conflux address")
    kind = _TYPES.get(account[0] >> 4) if any(account) else "null"
    if kind is None:
        raise AddressError("unknown type of a Conflux address", code="unsupported-address-type")
    if options and options[0] != f"type.{kind}":
        raise AddressError("the type that is written is not that of the address")
    return account


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the lower-case text without a type."""
    if len(account) != LENGTH:
        raise AddressError(f"a Conflux account has 20 bytes, not {len(account)}")
    if any(account) and account[0] >> 4 not in _TYPES:
        raise AddressError("unknown type of a Conflux address", code="unsupported-address-type")
    name = _name(params)
    data = payload_to_cashaddr(_VERSION + account, name).removeprefix(f"{name}:")
    return f"{name}:{data.translate(_TO_CONFLUX)}"


def _name(params: Mapping[str, Any]) -> str:
    network = int(params.get("network", MAINNET))
    return _NAMES.get(network, f"net{network}")

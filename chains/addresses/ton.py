"""TON accounts: a workchain (one signed byte) and 32 bytes of hash.

Two text forms exist: the friendly one, 48 characters of base64 or base64url with a
checksum and flags (``EQ…`` may bounce, ``UQ…`` may not), and the raw one
(``0:`` and 64 hex digits). All give the same 33 bytes; the canonical text is the
bounceable base64url one. Texts flagged for test networks are refused unless the
parameter ``testnet`` is true, which then demands the flag.
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64encode
from binascii import crc_hqx
from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError

LENGTH = 33
_WORKCHAINS = (0, -1)
_FRIENDLY = re.compile(r"[A-Za-z0-9_-]{48}\Z|[A-Za-z0-9+/]{48}\Z")
_RAW = re.compile(r"(0|-?[1-9][0-9]{0,9}):([0-9a-fA-F]{64})\Z")
_BOUNCEABLE, _NOT_BOUNCEABLE, _TESTNET = 0x11, 0x51, 0x80
_CHECKED = 34


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return workchain byte and hash.

    Spec: https://docs.ton.org/v3/documentation/smart-contracts/addresses/address-formats
    """
    if _FRIENDLY.match(text) is not None:
        return _from_friendly(text, is_testnet=bool(params.get("testnet", False)))
    parts = _RAW.match(text)
    if parts is None:
        raise AddressError("not a TON address: neither the friendly nor the raw form")
    return _account(int(parts[1]), bytes.fromhex(parts[2]))


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the bounceable base64url text of 33 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"a TON account has 33 bytes, not {len(account)}")
    tag = _BOUNCEABLE | (_TESTNET if params.get("testnet", False) else 0)
    body = bytes((tag,)) + account
    return urlsafe_b64encode(body + crc_hqx(body, 0).to_bytes(2, "big")).decode()


def _from_friendly(text: str, *, is_testnet: bool) -> bytes:
    raw = b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    body = raw[:_CHECKED]
    if crc_hqx(body, 0).to_bytes(2, "big") != raw[_CHECKED:]:
        raise AddressError("wrong checksum of a TON address")
    tag = body[0]
    if tag & ~_TESTNET not in (_BOUNCEABLE, _NOT_BOUNCEABLE):
        raise AddressError(f"unknown flags {tag:#x} of a TON address")
    if bool(tag & _TESTNET) != is_testnet:
        raise AddressError("the address is flagged for another network")
    return _account(int.from_bytes(body[1:2], "big", signed=True), body[2:])


def _account(workchain: int, digest: bytes) -> bytes:
    if workchain not in _WORKCHAINS:
        raise AddressError(f"unknown workchain {workchain}", code="unsupported-address-type")
    return workchain.to_bytes(1, "big", signed=True) + digest

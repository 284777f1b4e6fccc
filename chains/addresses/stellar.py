"""Stellar accounts (and Pi's, whose ledger is the same software): Ed25519 keys in strkey.

A strkey is base 32 over a version byte, the payload and a CRC-16. ``G…`` is the account
itself; ``M…`` is the same account with a number for the receiver's bookkeeping, which is no
part of it. Both decode to the 32 bytes of the key; the canonical text is ``G…``. Contracts
(``C…``) hold balances too, but no rule ties them to a key. No parameters.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from binascii import crc_hqx
from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError

LENGTH = 32
_ACCOUNT, _MUXED, _CONTRACT = 6 << 3, 12 << 3, 2 << 3
"""Spec: https://github.com/stellar/stellar-protocol/blob/master/ecosystem/sep-0023.md"""
_LENGTHS = {56: 1 + LENGTH + 2, 69: 1 + LENGTH + 8 + 2}
"""Characters to bytes: version, key, the number of a muxed account, checksum."""
_BASE32 = re.compile(r"[A-Z2-7]+\Z")


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return the 32 bytes of an account.

    Spec: https://github.com/stellar/stellar-protocol/blob/master/ecosystem/sep-0023.md
    """
    length = _LENGTHS.get(len(text))
    if length is None or _BASE32.match(text) is None:
        raise AddressError("not a Stellar address: not a strkey of an account")
    raw = b32decode(text + "=" * (-len(text) % 8))
    if len(raw) != length or b32encode(raw).decode().rstrip("=") != text:
        raise AddressError("the base 32 of the strkey is not exact")
    body, checksum = raw[:-2], raw[-2:]
    if crc_hqx(body, 0).to_bytes(2, "little") != checksum:
        raise AddressError("wrong checksum of a strkey")
    if body[0] == _CONTRACT:
        raise AddressError("a contract's address", code="unsupported-address-type")
    if body[0] != (_ACCOUNT if len(body) == 1 + LENGTH else _MUXED):
        raise AddressError("the strkey is not that of an account")
    return body[1 : 1 + LENGTH]


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - no parameters
    """Return the ``G…`` text of 32 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"a Stellar account has 32 bytes, not {len(account)}")
    body = bytes((_ACCOUNT,)) + account
    return b32encode(body + crc_hqx(body, 0).to_bytes(2, "little")).decode().rstrip("=")

"""ICON addresses: ``hx`` for accounts, ``cx`` for contracts, and 40 hex digits.

The canonical bytes are those of the chain: 00 or 01 for the kind and 20 bytes. No parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError

LENGTH = 21
ACCOUNT, CONTRACT = b"\x00", b"\x01"
_KINDS = {"hx": ACCOUNT, "cx": CONTRACT}
_WORDS = {kind: word for word, kind in _KINDS.items()}
_DIGITS = 40
_HEX = frozenset("0123456789abcdefABCDEF")


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return the kind's byte and the 20 bytes.

    Spec: https://docs.icon.community/icon-stack/icon-networks/icon-json-rpc-api-v3 (T_ADDR_EOA)
    """
    kind, digits = _KINDS.get(text[:2]), text[2:]
    if kind is None or len(digits) != _DIGITS or not _HEX.issuperset(digits):
        raise AddressError("expected hx or cx and 40 hex digits")
    return kind + bytes.fromhex(digits)


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - no parameters
    """Return ``hx`` or ``cx`` and 40 lower-case hex digits."""
    if len(account) != LENGTH or account[:1] not in _WORDS:
        raise AddressError("these bytes are no ICON address")
    return _WORDS[account[:1]] + account[1:].hex()

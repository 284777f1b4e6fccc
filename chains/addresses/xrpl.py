"""XRP Ledger accounts: 20 bytes in Base58Check with Ripple's own order of letters.

The classic form begins with ``r``. The X-address form also carries a destination tag,
which is not part of the account. The canonical text is the classic one. No parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError
from chains.addresses.base58 import ALPHABET, base58check_to_bytes, bytes_to_base58check

LENGTH = 20
_RIPPLE = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
"""Spec: https://xrpl.org/docs/references/protocol/data-types/base58-encodings"""
_TO_BITCOIN = str.maketrans(_RIPPLE, ALPHABET.decode())
_TO_RIPPLE = str.maketrans(ALPHABET.decode(), _RIPPLE)
_CLASSIC = b"\x00"
_X_MAINNET = b"\x05\x44"
"""Spec: https://github.com/XRPLF/XRPL-Standards/tree/master/XLS-0005-x-addresses"""
_X_LENGTH, _TAG_WIDTH = 31, 4


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return the 20 bytes of an account."""
    payload = base58check_to_bytes(text.translate(_TO_BITCOIN))
    if len(payload) == LENGTH + 1 and payload[:1] == _CLASSIC:
        return payload[1:]
    if len(payload) == _X_LENGTH and payload[:2] == _X_MAINNET:
        flag, tag = payload[22], payload[23:]
        if flag > 1 or any(tag[_TAG_WIDTH:]) or (flag == 0 and any(tag)):
            raise AddressError("the tag of the X-address breaks its standard")
        return payload[2:22]
    raise AddressError("not an XRP Ledger address: wrong length or version")


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - no parameters
    """Return the classic text of 20 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"an XRP Ledger account has 20 bytes, not {len(account)}")
    return bytes_to_base58check(_CLASSIC + account).translate(_TO_RIPPLE)

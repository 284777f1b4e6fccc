"""aelf accounts: 32 bytes in Base58Check, alone or as ``ELF_…_AELF``.

The wrapped form names the chain on which the account is meant; one key has the same 32
bytes on all of them. Parameter: ``chain``, the name that a wrapped text must carry
(``AELF``, ``tDVV``). The canonical text is the bare one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError
from chains.addresses.base58 import base58check_to_bytes, bytes_to_base58check

LENGTH = 32
_SYMBOL = "ELF_"


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes of an account.

    Spec: https://docs.aelf.com/ (Address formats: ``ELF_[address]_[chain]``)
    """
    body = text
    if text.startswith(_SYMBOL):
        chain = params.get("chain", "AELF")
        body, separator, name = text.removeprefix(_SYMBOL).partition("_")
        if not separator or name != chain:
            raise AddressError(f"the address is not of the chain {chain!r}")
    account = base58check_to_bytes(body)
    if len(account) != LENGTH:
        raise AddressError(f"an aelf address has 32 bytes, this one {len(account)}")
    return account


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - one form
    """Return the bare Base58Check text of 32 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"an aelf account has 32 bytes, not {len(account)}")
    return bytes_to_base58check(account)

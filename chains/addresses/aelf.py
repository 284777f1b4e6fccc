"""aelf accounts: 32 bytes in Base58Check, alone or as ``ELF_…_AELF``.

The wrapped form names the chain on which the account is meant; one key has the same 32
bytes on all of them. Parameter: ``chain``, the name that a wrapped text must carry
(``AELF``, ``tDVV``): an address of another chain of aelf may be right, so that the list is not
blamed for it. The canonical text is the bare one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError
from chains.addresses.base58 import base58check_to_bytes, bytes_to_base58check

LENGTH = 32
_SYMBOL = "ELF_"
_CHAIN = re.compile(r"(?:AELF|t[A-Za-z1-9]{3})\Z")
"""Names of chains: base58 of three bytes; side chains of the main one begin with a t.
Source: AElfProject/AElf ChainHelper.cs (ConvertChainIdToBase58)"""


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes of an account.

    Spec: https://docs.aelf.com/ (Address formats: ``ELF_[address]_[chain]``)
    """
    body, chain, name = text, params.get("chain", "AELF"), None
    if text.startswith(_SYMBOL):
        body, _, name = text.removeprefix(_SYMBOL).partition("_")
    account = base58check_to_bytes(body)
    if len(account) != LENGTH:
        raise AddressError(f"an aelf address has 32 bytes, this one {len(account)}")
    if name not in (None, chain):
        code = "unsupported-address-type" if _CHAIN.match(name) else "bad-address"
        raise AddressError(f"the address is of {name[:10]!r}, not of {chain!r}", code=code)
    return account


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - one form
    """Return the bare Base58Check text of 32 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"an aelf account has 32 bytes, not {len(account)}")
    return bytes_to_base58check(account)

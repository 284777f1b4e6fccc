"""Antelope account names (EOS, Vaulta, WAX): up to 12 of ``.12345a-z``, a 64-bit number.

A name says nothing about keys: the account's permissions do, on the chain. The canonical
bytes are the eight of the number as the chain serialises it. No parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError

LENGTH = 8
_ALPHABET = ".12345abcdefghijklmnopqrstuvwxyz"
"""Spec: https://docs.eosnetwork.com/docs/latest/advanced-topics/naming-conventions"""
_NAME = re.compile(r"[.1-5a-z]{0,11}[1-5a-z]\Z")
_SPARE_BITS = 4
_PLACES = 12


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return the eight bytes of a name.

    Spec: https://github.com/AntelopeIO/spring (libraries/chain, name.hpp)
    """
    if _NAME.match(text) is None:
        raise AddressError("not an account name: up to 12 of a-z, 1-5 and dots, no dot at the end")
    number = 0
    for letter in text.ljust(_PLACES, "."):
        number = number << 5 | _ALPHABET.index(letter)
    return (number << _SPARE_BITS).to_bytes(LENGTH, "little")


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - no parameters
    """Return the name of eight bytes."""
    number = int.from_bytes(account, "little")
    if len(account) != LENGTH or not number or number & 0xF:
        raise AddressError("these bytes are no account name of up to 12 letters")
    number >>= _SPARE_BITS
    letters = [_ALPHABET[number >> 5 * place & 31] for place in range(_PLACES - 1, -1, -1)]
    return "".join(letters).rstrip(".")

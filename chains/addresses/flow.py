"""Flow accounts: those of its EVM, 20 bytes, as lists publish them.

Cadence accounts (eight bytes) get their number from the chain, and keys are put into them
there: they may be right, but no key derives them. No parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError, evm
from chains.addresses.evm import LENGTH, encode

__all__ = ["LENGTH", "decode", "encode"]

_CADENCE = re.compile(r"(0x)?[0-9a-fA-F]{16}\Z")


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return the 20 bytes of an account of Flow's EVM.

    Spec: https://developers.flow.com/build/evm/how-it-works#accounts
    """
    if _CADENCE.match(text) is not None:
        raise AddressError("a Cadence account", code="unsupported-address-type")
    return evm.decode(text, {})

"""NEAR accounts: names, or the 64 hex digits of an Ed25519 key (implicit accounts).

The name is the account: the canonical bytes are its UTF-8 text, and no other text stands
for it. Only lower case exists. No parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError

SHORTEST, LONGEST = 2, 64
_NAME = re.compile(r"(?:[a-z0-9]+[-_])*[a-z0-9]+(?:\.(?:[a-z0-9]+[-_])*[a-z0-9]+)*\Z")
_IMPLICIT = re.compile(rb"[0-9a-f]{64}\Z")


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return the name of an account as bytes.

    Spec: https://nomicon.io/DataStructures/Account#account-id-rules
    """
    if not SHORTEST <= len(text) <= LONGEST or _NAME.match(text) is None:
        raise AddressError("not a NEAR account: breaks the rules for names")
    return text.encode("ascii")


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the name of an account."""
    try:
        text = account.decode("ascii")
    except UnicodeDecodeError:
        raise AddressError("a NEAR account is a name in ASCII") from None
    decode(text, params)
    return text


def implicit_key(account: bytes) -> bytes | None:
    """Return the Ed25519 key that an implicit account is named after, None for other names.

    Spec: https://nomicon.io/DataStructures/Account#implicit-accounts
    """
    return bytes.fromhex(account.decode()) if _IMPLICIT.match(account) is not None else None

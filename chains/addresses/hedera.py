"""Hedera accounts: three numbers, shard, realm and account, written ``0.0.n``.

The number does not follow from a key: which key an account has is on chain only. The
canonical bytes are the three numbers, eight bytes each. Aliases (a key or an EVM address in
place of the number) and texts with a checksum (``0.0.n-abcde``) are not read. No parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from chains.addresses import AddressError

LENGTH = 24
_WIDTH = 8
_LARGEST = 2**63 - 1
_NUMBERS = re.compile(r"(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,18})\.(0|[1-9][0-9]{0,18})\Z")
_OTHER_FORMS = re.compile(
    r"0\.0\.([0-9]+-[a-z]{5}|[0-9A-Fa-f]{40}|[A-Z2-7]{30,})\Z|0x[0-9a-fA-F]{40}\Z"
)


def decode(text: str, params: Mapping[str, Any]) -> bytes:  # noqa: ARG001 - no parameters
    """Return shard, realm and number, eight bytes each.

    Spec: https://docs.hedera.com/hedera/core-concepts/accounts/account-properties
    """
    match = _NUMBERS.match(text)
    if match is None:
        if _OTHER_FORMS.match(text) is not None:
            raise AddressError("an alias or a checksum", code="unsupported-address-type")
        raise AddressError("not a Hedera account: expected shard.realm.number")
    numbers = [int(part) for part in match.groups()]
    if max(numbers) > _LARGEST:
        raise AddressError("a number of the Hedera account is too large")
    return b"".join(number.to_bytes(_WIDTH, "big") for number in numbers)


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return ``shard.realm.number`` of 24 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"a Hedera account has 24 bytes here, not {len(account)}")
    parts = (account[start : start + _WIDTH] for start in range(0, LENGTH, _WIDTH))
    text = ".".join(str(int.from_bytes(part, "big")) for part in parts)
    decode(text, params)
    return text

"""Signatures that come as a JSON object: what a wallet returned, with what else it signed.

Some standards sign more than the text: a domain, a time, a nonce. A published row then
carries the wallet's answer as it came, one JSON object in the signature column. It is read
strictly: no unknown or repeated name, and texts and whole numbers only.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import Mapping
from typing import NoReturn

from chains.signatures.model import Refused

LONGEST = 16_384
"""Characters of the whole object: wallets answer in a few hundred."""


def is_object(text: str) -> bool:
    """Tell whether the column holds a JSON object rather than a bare signature."""
    return text.startswith("{")


def read_object(
    text: str, required: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> dict[str, object]:
    """Return the members of the object, each of the type named (``str``, ``int``, ``dict``).

    Raises ``Refused`` (``bad-signature``) for anything else.
    """
    if not is_object(text) or len(text) > LONGEST:
        raise Refused("bad-signature", "expected the wallet's answer as a JSON object")
    try:
        found = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_refuse
        )
    except (ValueError, RecursionError):
        raise Refused("bad-signature", "the signature is not a JSON object") from None
    check_members(found, required, optional)
    return dict(found)


def check_members(
    found: Mapping[str, object],
    required: Mapping[str, type],
    optional: Mapping[str, type] | None = None,
) -> None:
    """Check names and types of an object's members; raises ``Refused``."""
    allowed = dict(required) | dict(optional or {})
    if found.keys() - allowed.keys() or required.keys() - found.keys():
        raise Refused("bad-signature", f"expected the members {sorted(allowed)}")
    for name, value in found.items():
        if type(value) is not allowed[name]:
            raise Refused("bad-signature", f"{name!r} is not of the expected type")


def text_of(members: Mapping[str, object], name: str, default: str = "") -> str:
    """Return a member that ``read_object`` has found to be a text."""
    return str(members.get(name, default))


def bytes_of(text: str, length: int) -> bytes:
    """Return exactly so many bytes, in hex or base64; raises ``Refused``."""
    digits = text.removeprefix("0x")
    try:
        if len(digits) == 2 * length:
            raw = bytes.fromhex(digits)
        else:
            raw = b64decode(text, validate=True)
            if b64encode(raw).decode() != text:
                raise Refused("bad-signature", "the base64 is not exact")
    except (ValueError, BinasciiError):
        raise Refused("bad-signature", "neither hex nor base64") from None
    if len(raw) != length:
        raise Refused("bad-signature", f"expected {length} bytes, got {len(raw)}")
    return raw


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members


def _refuse(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is no whole number")

"""Schemes whose form is public but which no vector confirms: their rows are unsupported.

They are named here so that a row that asks for one ends in ``unconfirmed-scheme``, loudly, and
neither as refuted nor under another scheme. A scheme leaves this list for a module of its own
once there is a vector that our code did not make.
"""

from __future__ import annotations

from typing import NoReturn

from chains.signatures.model import Scheme, SignedAddress, Unsupported

SCHEMES = (
    Scheme(
        name="hedera-signed-message",
        family="ed25519",
        origin="",
        description="Hedera wallets (HIP-820): header, length of the text, text.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> NoReturn:  # noqa: ARG001 - the interface of a family
    """Raise ``Unsupported``: there is no rule."""
    raise Unsupported("unconfirmed-scheme", f"no vector that others made confirms {scheme!r}")

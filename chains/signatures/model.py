"""What goes into a signature check and what comes out of it.

A check ends in exactly one of three ways: an ``Outcome`` (something was shown),
``Refused`` (the row contradicts itself: the list's fault) or ``Unsupported`` (recount has
no rule: our gap). There is no boolean that could be forgotten.
"""

from __future__ import annotations

import msgspec

from chains.model import ChainSpec, Ownership


class SignedAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One published row, as far as its signatures are concerned.

    ``account`` is the decoded ``address``. ``signatures`` and ``owners`` keep the order of
    the list's columns; empty texts at the end may be left out. ``schemes`` are the
    candidates, tried in this order. ``message`` is the text whose UTF-8 bytes were signed.
    """

    spec: ChainSpec
    address: str
    account: bytes
    message: str
    signatures: tuple[str, ...]
    schemes: tuple[str, ...]
    script: str = ""
    public_key: str = ""
    owners: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the signatures of a row show.

    ``status`` is ``BOUND`` or ``SIGNER_ONLY``; ``reason`` a code of ``reasons.OWNERSHIP``;
    ``scheme`` the name of the scheme that verified; ``keys`` the public keys that signed, as that
    scheme serialises them; ``signers`` the owners that signed, or the keys that the account may
    obey, as the chain's control answers name them (``chains.control``); ``detail`` says which
    variant of the scheme matched, where there are several. ``silent`` are named owners that cannot
    sign and through whom the others may control the account; ``asked`` is the ``signature``
    question to the chain, where that is to decide (``eip1271``).
    """

    status: Ownership
    reason: str
    scheme: str
    keys: tuple[bytes, ...]
    signers: tuple[str, ...] = ()
    detail: str = ""
    silent: tuple[str, ...] = ()
    asked: bytes = b""


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """A way of hashing and signing a text.

    ``addresses`` are the formats (``ChainSpec.address``) it signs for, where they are few and
    settled; empty where its judge has to look. ``origin`` names the public source of the vectors
    that confirm it: not ours.
    """

    name: str
    family: str
    addresses: frozenset[str] = frozenset()
    origin: str
    description: str


class Refused(Exception):
    """The row contradicts itself. ``code`` is one of ``reasons.OWNERSHIP``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Unsupported(Exception):
    """Recount has no rule for this row. ``code`` is one of ``reasons.OWNERSHIP``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotApplicable(Unsupported):
    """The scheme can never sign for this kind of address: beside another's refusal it is no gap."""

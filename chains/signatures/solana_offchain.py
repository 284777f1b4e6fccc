"""Solana's off-chain message, version 0: a header that no transaction can begin with.

The header says version, format and length. The form that the command-line wallet signs is
the short one. The long form of the specification (application domain and signers in front
of the length) has no public vector: a signature in that form is said to be unconfirmed.
"""

from __future__ import annotations

from chains.signatures.ed25519 import key_of, parse_signature, signer, verify
from chains.signatures.model import (
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)
from chains.signatures.rows import Signer, judge_row

FAMILY = "ed25519"
_MAGIC = b"\xffsolana offchain\x00"
"""The mark and the version. Spec: https://docs.solanalabs.com/proposals/off-chain-message-signing"""
_SHORT, _LONG = 1212, 65_515
"""Most bytes of a text in the formats 0 and 1, and in format 2."""
_PRINTABLE = frozenset(range(0x20, 0x7F))
_NO_DOMAIN, _ONE_SIGNER = bytes(32), b"\x01"

SCHEMES = (
    Scheme(
        name="sol-offchain-v0",
        family=FAMILY,
        addresses=frozenset({"solana"}),
        origin="paulmillr/micro-sol-signer:test/offchain.test.ts",
        description="Solana's off-chain message, version 0, behind its own header.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row whose text was signed as an off-chain message."""
    return judge_row(row, scheme, _signed)


def envelope(text: str) -> bytes:
    """Return what is signed for a text; raises ``Refused`` for one that has no format."""
    return _MAGIC + _format_and_text(text)


def _format_and_text(text: str, between: bytes = b"") -> bytes:
    body = text.encode()
    if not body or len(body) > _LONG:
        raise Refused("wrong-signature", "no off-chain message can hold this text")
    short = 0 if _PRINTABLE.issuperset(body) else 1
    kind = short if len(body) <= _SHORT else 2
    return bytes((kind,)) + between + len(body).to_bytes(2, "little") + body


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    key = key_of("solana", row.public_key, account)
    raw = parse_signature(signature)
    try:
        verify(key, raw, envelope(row.message))
    except Refused as refusal:
        if refusal.code == "wrong-signature" and row.message:
            _say_if_long_form(key, raw, row.message)
        raise
    return signer("solana", key, account)


def _say_if_long_form(key: bytes, raw: bytes, text: str) -> None:
    body = _format_and_text(text, _ONE_SIGNER + key)
    try:
        verify(key, raw, _MAGIC + _NO_DOMAIN + body)
    except Refused:
        return
    raise Unsupported("unconfirmed-scheme", "the long form has no vector that is not ours")

"""Stellar's signed messages (SEP-53): the hash of a header and the text.

The header has a fixed wording, so that no transaction can be signed in its place. Pi runs
the same software, with the same addresses.
"""

from __future__ import annotations

from hashlib import sha256

from chains.signatures.ed25519 import key_of, parse_signature, signer, verify
from chains.signatures.model import Outcome, Scheme, SignedAddress
from chains.signatures.rows import Signer, judge_row

FAMILY = "ed25519"
_HEADER = b"Stellar Signed Message:\n"

SCHEMES = (
    Scheme(
        name="sep53",
        family=FAMILY,
        addresses=frozenset({"stellar"}),
        origin="stellar/stellar-protocol:ecosystem/sep-0053.md",
        description="SEP-53: SHA-256 over a header and the text.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of Stellar or a chain like it."""
    return judge_row(row, scheme, _signed)


def digest(body: bytes) -> bytes:
    """Return the hash that is signed for the bytes of a text.

    Spec: https://github.com/stellar/stellar-protocol/blob/master/ecosystem/sep-0053.md
    """
    return sha256(_HEADER + body).digest()


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    key = key_of("stellar", row.public_key, account)
    verify(key, parse_signature(signature), digest(row.message.encode()))
    return signer("stellar", key, account)

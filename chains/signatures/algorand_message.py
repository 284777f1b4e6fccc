"""What Algorand's wallets sign: the bytes of the text behind the two letters MX.

The letters keep a text from being a transaction. HTX's rows sign the bare text
(``ed25519-raw``).
"""

from __future__ import annotations

from chains.signatures.ed25519 import key_of, parse_signature, signer, verify
from chains.signatures.model import Outcome, Scheme, SignedAddress
from chains.signatures.rows import Signer, judge_row

FAMILY = "ed25519"
_HEADER = b"MX"
"""Spec: https://github.com/algorand/go-algorand-sdk (crypto.SignBytes)"""

SCHEMES = (
    Scheme(
        name="algorand-mx",
        family=FAMILY,
        addresses=frozenset({"algorand"}),
        origin="algorand/java-algorand-sdk:src/test/java/com/algorand/algosdk/account/"
        "TestAccount.java@69d92ca7",
        description="The bytes of the text behind the letters MX.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of Algorand signed by a wallet."""
    return judge_row(row, scheme, _signed)


def envelope(body: bytes) -> bytes:
    """Return what is signed for the bytes of a text."""
    return _HEADER + body


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    key = key_of("algorand", row.public_key, account)
    verify(key, parse_signature(signature), envelope(row.message.encode()))
    return signer("algorand", key, account)

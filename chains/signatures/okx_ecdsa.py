"""OKX's own framing on secp256k1 chains outside Bitcoin and Ethereum.

The text is framed under OKX's header and hashed with Keccak; the signature is r, s and v in
hex. The key is recovered, and the address format of the network says what it must derive:
one table for OKTC, Filecoin, Conflux, aelf, Cosmos chains, ICON, Stacks, XRPL and the rest.
"""

from __future__ import annotations

from chains.signatures.digests import okx_ecdsa
from chains.signatures.model import Outcome, Scheme, SignedAddress, Unsupported
from chains.signatures.rows import Signer, judge_row
from chains.signatures.secp256k1 import ELECTRUM, parse_hex_signature, recover
from chains.signatures.secp_accounts import RULES, link

FAMILY = "okx-ecdsa"
FORMATS = RULES.keys() - {"ss58"}
"""OKX signs for Substrate accounts with Ed25519 alone."""

SCHEMES = (
    Scheme(
        name="okx-ecdsa",
        family=FAMILY,
        origin="okx/proof-of-reserves:common/crypto_test.go@2962a89",
        description="OKX: Keccak of the framed text, for OKTC and other secp256k1 chains.",
    ),
)
ALIASES = {"okx-ecdsa-keccak-pubkey-only": "okx-ecdsa"}
"""The publisher's rows with a key column are signed in the same way."""


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row whose network has a rule from secp256k1 keys to accounts."""
    if row.spec.address not in FORMATS:
        raise Unsupported(
            "unsupported-scheme", f"{scheme} has no rule for {row.spec.address!r} addresses yet"
        )
    return judge_row(row, scheme, _signed)


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    raw = parse_hex_signature(signature, ELECTRUM, low_s=True)
    return link(row, recover(okx_ecdsa(row.message), raw), account)

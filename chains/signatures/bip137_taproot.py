"""Old signed messages by the key behind a taproot address.

Some wallets sign in the old form (BIP-137) for taproot too, by the internal key. BIP-86
derives the address from that key alone, so the address can be derived again from the key
that the signature gives. An address that also commits to scripts, or was made in another
way, gives another output key and does not match.
"""

from __future__ import annotations

from chains.addresses.bitcoin import P2TR_HEAD
from chains.signatures.bip322 import is_bitcoin
from chains.signatures.bitcoin import _parse_base64
from chains.signatures.bitcoin_spending import taproot_output
from chains.signatures.digests import bitcoin_message
from chains.signatures.model import (
    NotApplicable,
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)
from chains.signatures.rows import Signer, judge_row
from chains.signatures.secp256k1 import compressed, recover

FAMILY = "utxo"
NAME = "bip137-taproot"
FIRST_HEADER, FIRST_COMPRESSED, END = 27, 31, 43
"""Spec: https://github.com/bitcoin/bips/blob/master/bip-0137.mediawiki"""

SCHEMES = (
    Scheme(
        name=NAME,
        family=FAMILY,
        addresses=frozenset({"bitcoin"}),
        origin="bizjs/chainkit:packages/bitcoin/tests/bitcoin-chaiin.test.ts",
        description="Old signmessage by the internal key of a BIP-86 taproot address.",
    ),
)
ALIASES = {"bip137-on-p2tr(BIP86 key)": NAME}


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of a taproot address; the key must derive it by BIP-86."""
    return judge_row(row, scheme, _signed)


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    if account[:2] != P2TR_HEAD or len(account) != 34:  # noqa: PLR2004 - a program of 32 bytes
        raise NotApplicable("unsupported-address-type", "only for taproot addresses")
    if not is_bitcoin(row):
        raise Unsupported("unsupported-scheme", f"{NAME} is for Bitcoin's taproot addresses")
    header, body = _parse_base64(signature, END)
    if header < FIRST_COMPRESSED:
        raise Refused("bad-recovery-id", "the header says uncompressed, which taproot has not")
    raw = body + bytes(((header - FIRST_HEADER) & 3,))
    key = recover(bitcoin_message("Bitcoin", row.message), raw)
    if taproot_output(key[1:33])[0] != account[2:]:
        raise Refused("wrong-key", "the key that signed is not the one of the address by BIP-86")
    return Signer(compressed(key), "bip86")

"""Signatures of TRON accounts: as on EVM chains, under TRON's own message headers.

Three headers are in use: with the Keccak of the text (``keccak``), with the text and a
length that always says 32 (``legacy``, old TronWeb), and TIP-191 with the true length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from chains.signatures.digests import tip191, tron_hashed, tron_legacy
from chains.signatures.model import Outcome, Refused, Scheme, SignedAddress
from chains.signatures.rows import Signer, judge_row
from chains.signatures.secp256k1 import (
    ELECTRUM,
    PLAIN_OR_ELECTRUM,
    keccak_account,
    parse_hex_signature,
    recover,
)

FAMILY = "tron"


class Variant(msgspec.Struct, frozen=True):
    """One scheme: its digests by name, and the values of v that it writes."""

    digests: tuple[tuple[str, Callable[[str], bytes]], ...]
    recovery_ids: Mapping[int, int]


VARIANTS = {
    "okx-tron": Variant((("keccak", tron_hashed), ("tip191", tip191)), ELECTRUM),
    "htx-tron": Variant((("legacy", tron_legacy), ("keccak", tron_hashed)), PLAIN_OR_ELECTRUM),
    "tip191": Variant((("", tip191),), PLAIN_OR_ELECTRUM),
}

SCHEMES = (
    Scheme(
        name="okx-tron",
        family=FAMILY,
        addresses=frozenset({"tron"}),
        origin="okx/proof-of-reserves:common/crypto_test.go@2962a89",
        description="OKX: TRON's header over the Keccak of the text, or TIP-191.",
    ),
    Scheme(
        name="htx-tron",
        family=FAMILY,
        addresses=frozenset({"tron"}),
        origin="huobiapi/Tool-Node.js-VerifyAddress:snapshot/huobi_por*.csv",
        description="HTX: old TronWeb's header over the text or over its Keccak.",
    ),
    Scheme(
        name="tip191",
        family=FAMILY,
        addresses=frozenset({"tron"}),
        origin="tronprotocol/tronweb:test/testcases/src/sign-message.ts",
        description="TronLink's signMessageV2 (TIP-191).",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of TRON by one of these schemes."""
    return judge_row(row, scheme, _SIGNED[scheme])


def _signed(row: SignedAddress, signature: str, account: bytes, *, variant: Variant) -> Signer:
    raw = parse_hex_signature(signature, variant.recovery_ids, low_s=False)
    for detail, digest in variant.digests:
        key = recover(digest(row.message), raw)
        if keccak_account(key) == account:
            return Signer(key, detail)
    raise Refused("wrong-key", "the key that signed this text is of another account")


_SIGNED = {name: partial(_signed, variant=variant) for name, variant in VARIANTS.items()}

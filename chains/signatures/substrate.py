"""What Polkadot's wallets sign: the text, as it is or inside ``<Bytes>``, by three kinds of keys.

An account is an Ed25519 or an sr25519 key, or the hash of a compressed secp256k1 key; the
address does not tell which. ``substrate-any`` tries all three, as the wallets' own check
does. Ed25519 alone is ``ed25519-raw``; secp256k1 alone stands with the other schemes of that
curve.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import blake2b

from chains.signatures.ed25519 import parse_signature, verify
from chains.signatures.model import Outcome, Refused, Scheme, SignedAddress
from chains.signatures.rows import Signer, judge_row
from chains.signatures.secp256k1 import (
    PLAIN_OR_ELECTRUM,
    compressed,
    parse_hex_signature,
    recover,
)

FAMILY = "substrate"
_ORIGIN = "polkadot-js/common:packages/util-crypto/src/signature/verify.spec.ts"
_IDENTITY = bytes(32)
"""The neutral element of ristretto255: as a key, anybody can sign for it."""
_ECDSA_DIGITS = 130

SCHEMES = (
    Scheme(
        name="substrate-sr25519",
        family=FAMILY,
        addresses=frozenset({"ss58"}),
        origin=_ORIGIN,
        description="sr25519 over the text, or over the text inside <Bytes>.",
    ),
    Scheme(
        name="substrate-any",
        family=FAMILY,
        addresses=frozenset({"ss58"}),
        origin=_ORIGIN,
        description="Ed25519, sr25519 or secp256k1, whichever verifies.",
    ),
)
ALIASES = {"substrate-sr25519-<Bytes>": "substrate-sr25519"}


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of a Substrate network by one of these schemes."""
    return judge_row(row, scheme, partial(_signed, check=_CHECKS[scheme]))


def _signed(
    row: SignedAddress,
    signature: str,
    account: bytes,
    *,
    check: Callable[[str, bytes, bytes], bytes],
) -> Signer:
    """Try the text as it is, then wrapped; the first refusal stands if neither verifies."""
    body = row.message.encode()
    try:
        key, detail = check(signature, body, account), ""
    except Refused as refusal:
        if refusal.code not in ("wrong-signature", "wrong-key"):
            raise
        try:
            key, detail = check(signature, b"<Bytes>" + body + b"</Bytes>", account), "<Bytes>"
        except Refused:
            raise refusal from None
    if row.public_key and _column(row.public_key) not in (key, account):
        raise Refused("wrong-key", "the key of the row is not the key of the address")
    return Signer(key, detail)


def _column(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise Refused("bad-key", "the public key is not hex digits") from None


def _sr25519(signature: str, body: bytes, account: bytes) -> bytes:
    """Return the key if it signed, in the context "substrate".

    Spec: https://github.com/w3f/schnorrkel
    """
    from sr25519 import verify as verify_sr25519  # noqa: PLC0415 - loaded for these rows only

    if account == _IDENTITY:
        raise Refused("weak-key", "the neutral element is no key")
    try:
        is_good = verify_sr25519(parse_signature(signature), body, account)
    except ValueError:
        is_good = False
    if not is_good:
        raise Refused("wrong-signature", "the signature is not of this text and key")
    return account


def _ed25519(signature: str, body: bytes, account: bytes) -> bytes:
    return verify(account, parse_signature(signature), body)


def _ecdsa(signature: str, body: bytes, account: bytes) -> bytes:
    raw = parse_hex_signature(signature, PLAIN_OR_ELECTRUM, low_s=True)
    key = compressed(recover(blake2b(body, digest_size=32).digest(), raw))
    if blake2b(key, digest_size=32).digest() != account:
        raise Refused("wrong-key", "the key that signed is not that of the address")
    return key


def _any(signature: str, body: bytes, account: bytes) -> bytes:
    if len(signature.removeprefix("0x")) == _ECDSA_DIGITS:
        return _ecdsa(signature, body, account)
    try:
        return _ed25519(signature, body, account)
    except Refused as refusal:
        if refusal.code not in ("wrong-signature", "weak-key"):
            raise
        return _sr25519(signature, body, account)


_CHECKS = {
    "substrate-sr25519": _sr25519,
    "substrate-any": _any,
}

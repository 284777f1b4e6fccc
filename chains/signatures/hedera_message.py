"""Hedera's signed messages (HIP-820): header, length of the text, text; Ed25519 or secp256k1.

The signature column holds the wallet's answer, a ``SignatureMap`` in base64 with one pair of key
and signature, or r ‖ s (or R ‖ S) of 64 bytes in hex with the key in the row. Accounts are
numbers: which keys one obeys is on chain only, so a good signature shows the key.

Wallets count the length as JavaScript does, in UTF-16 units, and the standard does not say so.
Where bytes and units differ in number no vector confirms either, and nothing is judged.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BinasciiError

from coincurve import PublicKey

from chains.protobuf import BadMessage, fields
from chains.signatures import trace
from chains.signatures.ed25519 import SIGNATURE_LENGTH, signer, verify
from chains.signatures.model import (
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)
from chains.signatures.rows import Signer, judge_row
from chains.signatures.secp256k1 import compressed, keccak256, recover

SCHEMES = (
    Scheme(
        name="hedera-signed-message",
        family="ed25519",
        addresses=frozenset({"hedera"}),
        origin="hashgraph/hedera-wallet-connect:"
        "test/reown/wallets/hip-820/wallet-methods.test.ts@25d7f0183a",
        description="Hedera wallets (HIP-820): header, length of the text, text.",
    ),
)
HEADER = "\x19Hedera Signed Message:\n"
ED25519_KEY, SECP256K1_KEY = 32, 33
_PAIR, _PREFIX = 1, 1
_ED25519, _SECP256K1 = 3, 6
_LENGTHS = {_ED25519: ED25519_KEY, _SECP256K1: SECP256K1_KEY}
"""Source: hashgraph/hedera-protobufs services/basic_types.proto (SignatureMap, SignaturePair)"""
_HEX_LENGTH = 2 * SIGNATURE_LENGTH


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of Hedera signed by a wallet."""
    return judge_row(row, scheme, _signed)


def payload(text: str) -> bytes:
    """Return the bytes that are signed; raises ``Unsupported`` where wallets may differ.

    Spec: https://hips.hedera.com/hip/hip-820 (hedera_signMessage)
    """
    body = text.encode()
    units = len(text.encode("utf-16-le")) // 2
    if units != len(body):
        detail = "no vector tells whether the length counts bytes or UTF-16 units"
        raise Unsupported("unconfirmed-scheme", detail)
    return f"{HEADER}{units}".encode() + body


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    named = _key_of_row(row.public_key) if row.public_key else b""
    key, raw = _read(signature, named)
    signed = payload(row.message)
    if len(key) == ED25519_KEY:
        verify(key, raw, signed)
    else:
        _verify_secp256k1(key, raw, signed)
    return signer("hedera", key, account)


def _read(signature: str, named: bytes) -> tuple[bytes, bytes]:
    """Return key and signature; the key that the row names must be the one of the answer."""
    digits = signature.removeprefix("0x")
    if len(digits) == _HEX_LENGTH:
        try:
            raw = bytes.fromhex(digits)
        except ValueError:
            raise Refused("bad-signature", "the signature is not hex digits") from None
        if len(raw) != SIGNATURE_LENGTH:
            raise Refused("bad-signature", "a signature has 64 bytes")
        if not named:
            raise Refused("missing-key", "the row gives no public key")
        return named, raw
    prefix, kind, raw = _pair(signature)
    key = named or prefix
    if not key.startswith(prefix):
        raise Refused("wrong-key", "row and answer name different keys")
    if len(key) != _LENGTHS[kind]:
        raise Refused("missing-key", "neither row nor answer gives the whole public key")
    return key, raw


def _pair(text: str) -> tuple[bytes, int, bytes]:
    """Read the one pair of a ``SignatureMap``: start of the key, kind, signature."""
    try:
        encoded = b64decode(text, validate=True)
        exact = b64encode(encoded).decode() == text
        pairs = list(fields(encoded))
        numbers = [number for number, _ in pairs]
        if not exact or not pairs or set(numbers) != {_PAIR}:
            raise Refused("bad-signature", "not a SignatureMap in base64")
        if len(pairs) > 1:
            raise Unsupported("unsupported-scheme", "several keys signed together")
        body = pairs[0][1]
        found = list(fields(body)) if isinstance(body, bytes) else []
    except (BadMessage, BinasciiError, ValueError):
        raise Refused("bad-signature", "neither hex nor a SignatureMap in base64") from None
    prefixes = [value for number, value in found if number == _PREFIX]
    signatures = [one for one in found if one[0] != _PREFIX]
    prefix = prefixes[0] if prefixes else b""
    kind, raw = signatures[0] if len(signatures) == 1 and len(prefixes) <= 1 else (0, b"")
    if kind not in _LENGTHS or not isinstance(prefix, bytes) or not isinstance(raw, bytes):
        raise Refused("bad-signature", "not one signature of Ed25519 or secp256k1")
    if len(raw) != SIGNATURE_LENGTH:
        raise Refused("bad-signature", "a signature has 64 bytes")
    return prefix, kind, raw


def _key_of_row(text: str) -> bytes:
    try:
        key = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        raise Refused("bad-key", "the public key is not hex digits") from None
    if len(key) not in (ED25519_KEY, SECP256K1_KEY) or key.hex() != text.removeprefix("0x").lower():
        raise Refused("bad-key", "a public key of Hedera has 32 or 33 bytes")
    return key


def _verify_secp256k1(key: bytes, raw: bytes, signed: bytes) -> None:
    """Verify r ‖ s over the Keccak-256, either half of s: Hedera's own vectors have both."""
    try:
        expected = PublicKey(key).format()
    except ValueError:
        raise Refused("bad-key", "the public key is no point of the curve") from None
    digest = keccak256(signed)
    for recovery_id in range(2):
        try:
            found = recover(digest, raw + bytes((recovery_id,)))
        except Refused:
            continue
        if compressed(found) == expected:
            trace.note("verified", signed=signed, signature=raw, key=key)
            return
    raise Refused("wrong-signature", "the signature is not of this text and key")

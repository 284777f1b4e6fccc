"""Sui's personal messages: the text behind an intent, hashed, signed, with the key beside it.

The signature column is base64 of a flag, the signature and the key; the address is the hash
of flag and key. Flag 0 is Ed25519. Secp256k1 (1) and secp256r1 (2) have no public vector,
and multisig (3), zkLogin (5) and passkeys (6) are not read: these are our gap, not the row's
fault.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from hashlib import blake2b

from chains.signatures.ed25519 import parse_key, signer, verify
from chains.signatures.model import Outcome, Refused, Scheme, SignedAddress, Unsupported
from chains.signatures.rows import Signer, judge_row

FAMILY = "ed25519"
_INTENT = b"\x03\x00\x00"
"""Personal message, version 0, Sui. Spec: https://docs.sui.io/concepts/cryptography/transaction-auth/intent-signing"""
_ED25519, _SECP256K1, _SECP256R1 = 0, 1, 2
_OTHER_FLAGS = {3: "multisig", 5: "zkLogin", 6: "passkey"}
_LENGTHS = {_ED25519: 1 + 64 + 32, _SECP256K1: 1 + 64 + 33, _SECP256R1: 1 + 64 + 33}
_LONGEST = 16_384

SCHEMES = (
    Scheme(
        name="sui-personal-message",
        family=FAMILY,
        origin="trustwallet/wallet-core:tests/chains/Sui/MessageSignerTests.cpp; "
        "okx/go-wallet-sdk:coins/sui/sui_test.go",
        description="Sui's personal message, the key inside the signature (Ed25519 only).",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of Sui signed as a personal message."""
    if row.spec.address != "sui":
        raise Unsupported("unsupported-scheme", f"{scheme} is for Sui addresses")
    return judge_row(row, scheme, _signed)


def digest(text: str) -> bytes:
    """Return the hash that is signed for a text."""
    body = text.encode()
    return blake2b(_INTENT + _uleb128(len(body)) + body, digest_size=32).digest()


def _uleb128(number: int) -> bytes:
    """Return a length as BCS writes it. Spec: https://github.com/diem/bcs#uleb128-encoded-integers."""
    written = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(written) + bytes((number,))


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    raw = _parse(signature)
    key = raw[65:]
    if row.public_key and parse_key(row.public_key) != key:
        raise Refused("wrong-key", "the key of the row is not the key in the signature")
    verify(key, raw[1:65], digest(row.message))
    return signer("sui", key, account)


def _parse(text: str) -> bytes:
    """Return flag, signature and key of an Ed25519 signature; raises ``Refused``.

    Raises ``Unsupported`` for the other kinds of keys.
    """
    try:
        raw = b64decode(text, validate=True) if len(text) <= _LONGEST else b""
    except (ValueError, BinasciiError):
        raw = b""
    if not raw or b64encode(raw).decode() != text:
        raise Refused("bad-signature", "the signature is not base64")
    flag = raw[0]
    if flag in _OTHER_FLAGS:
        raise Unsupported("unsupported-scheme", f"{_OTHER_FLAGS[flag]} is not read yet")
    if len(raw) != _LENGTHS.get(flag):
        raise Refused("bad-signature", "unknown flag or wrong length of a Sui signature")
    if flag != _ED25519:
        raise Unsupported("unconfirmed-scheme", "no vector of this kind of key is not ours")
    return raw

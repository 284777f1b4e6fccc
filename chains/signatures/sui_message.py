"""Sui's personal messages: the text behind an intent, hashed, signed, with the key beside it.

The signature column is base64 of a flag, the signature and the key, or of the flag of a multisig,
its signatures and all its keys; the address is the hash of what is there. zkLogin (5) and
passkeys (6) are not read: these are our gap, not the row's fault.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from hashlib import blake2b

from chains.signatures.bcs import uleb128
from chains.signatures.ed25519 import parse_key
from chains.signatures.model import (
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)
from chains.signatures.rows import Signer, judge_row
from chains.signatures.sui_keys import (
    ED25519,
    KEY_LENGTHS,
    MULTISIG,
    SIGNATURE_LENGTH,
    address,
    multisig_address,
    parse_multisig,
    verify_multisig,
    verify_one,
)

FAMILY = "ed25519"
_INTENT = b"\x03\x00\x00"
"""Personal message, version 0, Sui. Spec: https://docs.sui.io/concepts/cryptography/transaction-auth/intent-signing"""
_OTHER_FLAGS = {5: "zkLogin", 6: "passkey"}
_LONGEST = 16_384
_NAMES = {ED25519: "", 1: "secp256k1", 2: "secp256r1"}

SCHEMES = (
    Scheme(
        name="sui-personal-message",
        family=FAMILY,
        addresses=frozenset({"sui"}),
        origin="trustwallet/wallet-core:tests/chains/Sui/MessageSignerTests.cpp; "
        "okx/go-wallet-sdk:coins/sui/sui_test.go; "
        "mrtnetwork/On_chain:test/sui/personal_sign_test.dart@f56635dd",
        description="Sui's personal message, the key or the keys inside the signature.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of Sui signed as a personal message."""
    return judge_row(row, scheme, _signed)


def digest(text: str) -> bytes:
    """Return the hash that is signed for a text."""
    body = text.encode()
    return blake2b(_INTENT + uleb128(len(body)) + body, digest_size=32).digest()


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    raw = _parse(signature)
    flag = raw[0]
    if flag == MULTISIG:
        return _signed_by_several(row, raw[1:], account)
    key = raw[1 + SIGNATURE_LENGTH :]
    _check_column(row.public_key, flag, key)
    verify_one(flag, key, raw[1 : 1 + SIGNATURE_LENGTH], digest(row.message))
    if address(flag, key) != account:
        raise Refused("wrong-key", "the address does not derive from the key in the signature")
    return Signer(key, _NAMES[flag])


def _signed_by_several(row: SignedAddress, body: bytes, account: bytes) -> Signer:
    """Check a multisig: its keys must derive the account and enough of them have signed.

    The key of the result is those that signed, one behind the other.
    """
    multisig = parse_multisig(body)
    if multisig_address(multisig) != account:
        raise Refused("wrong-key", "the address does not derive from the keys of the multisig")
    if row.public_key:
        raise Refused("bad-key", "the keys of a multisig stand in its signature")
    weight = verify_multisig(multisig, digest(row.message))
    keys = b"".join(multisig.keys[place][1] for place in multisig.places)
    return Signer(keys, f"multisig, weight {weight} of {multisig.threshold}")


def _check_column(column: str, flag: int, key: bytes) -> None:
    """Refuse a key column that does not name the key in the signature.

    It may hold the key in hex, or behind its flag in hex or base64, as Sui's tools write it.
    """
    flagged = bytes((flag,)) + key
    digits = column.removeprefix("0x").lower()
    if not column or digits in (key.hex(), flagged.hex()) or column == b64encode(flagged).decode():
        return
    if flag == ED25519:
        parse_key(column)
    raise Refused("wrong-key", "the key of the row is not the key in the signature")


def _parse(text: str) -> bytes:
    """Return flag and what follows it; raises ``Refused``, ``Unsupported`` for unread flags."""
    try:
        raw = b64decode(text, validate=True) if len(text) <= _LONGEST else b""
    except (ValueError, BinasciiError):
        raw = b""
    if not raw or b64encode(raw).decode() != text:
        raise Refused("bad-signature", "the signature is not base64")
    flag = raw[0]
    if flag in _OTHER_FLAGS:
        raise Unsupported("unsupported-scheme", f"{_OTHER_FLAGS[flag]} is not read yet")
    if flag != MULTISIG and len(raw) != 1 + SIGNATURE_LENGTH + KEY_LENGTHS.get(flag, len(raw)):
        raise Refused("bad-signature", "unknown flag or wrong length of a Sui signature")
    return raw

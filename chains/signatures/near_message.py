"""NEAR's signed messages (NEP-413): text, nonce, recipient and call-back in one structure.

The signature column holds the wallet's answer as a JSON object: ``signature`` (base64, hex,
or base58 behind ``ed25519:``), ``nonce`` (32 bytes in base64 or hex), ``recipient``, and
perhaps ``callbackUrl``, ``publicKey`` and ``accountId``. An implicit account is its key; which
keys a named account obeys is on chain only.
"""

from __future__ import annotations

from hashlib import sha256

from chains.addresses import AddressError
from chains.addresses.base58 import base58_to_bytes
from chains.signatures.ed25519 import KEY_LENGTH, key_of, parse_key, parse_signature, signer, verify
from chains.signatures.envelopes import bytes_of, read_object, text_of
from chains.signatures.model import Outcome, Refused, Scheme, SignedAddress
from chains.signatures.rows import Signer, judge_row

FAMILY = "ed25519"
_TAG = (2**31 + 413).to_bytes(4, "little")
_NONCE_LENGTH = 32
_LONGEST_TEXT = 2048
_CURVE = "ed25519:"
_ANSWER = {"signature": str, "nonce": str, "recipient": str}
_ANSWER_MAY = {"callbackUrl": str, "publicKey": str, "accountId": str}

SCHEMES = (
    Scheme(
        name="nep413",
        family=FAMILY,
        addresses=frozenset({"near"}),
        origin="near/intents:crates/signatures/nep413/src/lib.rs",
        description="NEP-413: SHA-256 over text, nonce, recipient and call-back.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of NEAR signed by a wallet."""
    return judge_row(row, scheme, _signed)


def digest(message: str, nonce: bytes, recipient: str, callback: str | None) -> bytes:
    """Return the hash that is signed.

    Spec: https://github.com/near/NEPs/blob/master/neps/nep-0413.md
    """
    tail = b"\0" if callback is None else b"\1" + _borsh(callback)
    return sha256(_TAG + _borsh(message) + nonce + _borsh(recipient) + tail).digest()


def _borsh(text: str) -> bytes:
    body = text.encode()
    return len(body).to_bytes(4, "little") + body


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    answer = read_object(signature, _ANSWER, _ANSWER_MAY)
    if "accountId" in answer and answer["accountId"] != account.decode():
        raise Refused("wrong-signature", "the answer names another account")
    recipient = text_of(answer, "recipient")
    callback = text_of(answer, "callbackUrl") if "callbackUrl" in answer else None
    for text in (row.message, recipient, callback or ""):
        if len(text) > _LONGEST_TEXT:
            raise Refused("bad-signature", "a text of the structure is too long")
    key = _key(row.public_key, text_of(answer, "publicKey"), account)
    nonce = bytes_of(text_of(answer, "nonce"), _NONCE_LENGTH)
    raw = _raw_signature(text_of(answer, "signature"))
    verify(key, raw, digest(row.message, nonce, recipient, callback))
    return signer("near", key, account, f"recipient {recipient}")


def _key(column: str, in_answer: str, account: bytes) -> bytes:
    """Return the one key that row and answer name, or that the account is named after."""
    keys = {_parse_key(text) for text in (column, in_answer) if text}
    if len(keys) > 1:
        raise Refused("wrong-key", "row and answer name different keys")
    return keys.pop() if keys else key_of("near", "", account)


def _parse_key(text: str) -> bytes:
    if not text.startswith(_CURVE):
        return parse_key(text)
    try:
        key = base58_to_bytes(text.removeprefix(_CURVE))
    except AddressError:
        raise Refused("bad-key", "the public key is not base58") from None
    if len(key) != KEY_LENGTH:
        raise Refused("bad-key", "an Ed25519 public key has 32 bytes")
    return key


def _raw_signature(text: str) -> bytes:
    return parse_signature(text.removeprefix(_CURVE))

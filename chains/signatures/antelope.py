"""Signatures of EOS, Vaulta and WAX: ``SIG_K1_…`` over OKX's frame, by keys of the row.

An account is a name; which keys it obeys, and how many of them, is in its permissions on
the chain. So a good signature shows the key and no more. Two keys stand in the row as a
JSON object, and then both must differ and both must have signed, in their order.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

import msgspec
from coincurve import PublicKey
from Crypto.Hash import RIPEMD160

from chains.addresses import AddressError
from chains.addresses.base58 import base58_to_bytes, bytes_to_base58
from chains.model import Ownership
from chains.signatures.digests import OKX_HEADER, frame
from chains.signatures.model import (
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)
from chains.signatures.rows import given
from chains.signatures.secp256k1 import HALF_ORDER, compressed, recover

FAMILY = "antelope"
_SIGNATURE, _MODERN_KEY, _LEGACY_KEY = "SIG_K1_", "PUB_K1_", "EOS"
_CURVE = b"K1"
_FIRST_HEADER, _RECOVERY_IDS = 31, 4
_KEY_LENGTH, _SIGNATURE_LENGTH, _CHECKSUM = 33, 65, 4

SCHEMES = (
    Scheme(
        name="okx-eos",
        family=FAMILY,
        addresses=frozenset({"antelope"}),
        origin="okx/proof-of-reserves:example/test.csv@2962a89",
        description="OKX: SHA-256 of the framed text, SIG_K1, by keys named in the row.",
    ),
)


class _TwoKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the key column holds where two keys sign."""

    first: str = msgspec.field(name="publicKey1")
    second: str = msgspec.field(name="publicKey2")


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of an account name; at best its keys have signed."""
    if row.owners:
        raise Unsupported("unsupported-scheme", f"{scheme} has no rule for named owners")
    keys = parse_keys(row.public_key)
    signatures = row.signatures[: len(keys)]
    if len(signatures) < len(keys) or not all(signatures):
        raise Refused("owner-signature-missing", "there are fewer signatures than keys in the row")
    if len(given(row.signatures)) > len(keys):
        raise Refused("extra-signature", "there are more signatures than keys in the row")
    digest = _digest(row.message)
    for key, signature in zip(keys, signatures, strict=True):
        if compressed(recover(digest, parse_signature(signature))) != key:
            raise Refused("wrong-signature", "the signature is not of this text and key")
    return Outcome(
        status=Ownership.SIGNER_ONLY,
        reason="link-unobserved",
        scheme=scheme,
        keys=keys,
        signers=tuple(key_text(key) for key in keys),
        detail="two-keys" if len(keys) > 1 else "",
    )


def parse_keys(text: str) -> tuple[bytes, ...]:
    """Return the keys of the column, 33 bytes each; raises ``Refused``."""
    if not text:
        raise Refused("missing-key", "the row gives no public key")
    if not text.startswith("{"):
        return (parse_key(text),)
    try:
        two = msgspec.json.decode(text.encode(), type=_TwoKeys)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise Refused("bad-key", "expected publicKey1 and publicKey2 in a JSON object") from None
    keys = parse_key(two.first), parse_key(two.second)
    if keys[0] == keys[1]:
        raise Refused("bad-key", "both keys of the row are the same")
    return keys


@lru_cache(maxsize=1 << 10)
def parse_key(text: str) -> bytes:
    """Return the 33 bytes of ``EOS…`` or ``PUB_K1_…``; raises ``Refused`` (``bad-key``).

    Spec: https://docs.eosnetwork.com/docs/latest/advanced-topics/accounts-and-permissions
    """
    suffix = _CURVE if text.startswith(_MODERN_KEY) else b""
    head = _MODERN_KEY if suffix else _LEGACY_KEY
    try:
        key = _checked(text, head, suffix, _KEY_LENGTH)
        PublicKey(key)
    except ValueError as error:
        raise Refused("bad-key", f"not an EOS public key: {error}") from None
    return key


def key_text(key: bytes) -> str:
    """Return the ``EOS…`` text of a key."""
    return _LEGACY_KEY + bytes_to_base58(key + _checksum(key, b""))


def parse_signature(text: str) -> bytes:
    """Return r ‖ s ‖ recovery id of ``SIG_K1_…``; raises ``Refused``.

    The chain takes canonical signatures only, so a high s is refused.
    Spec: https://github.com/AntelopeIO/spring (libraries/libfc, elliptic_secp256k1)
    """
    try:
        raw = _checked(text, _SIGNATURE, _CURVE, _SIGNATURE_LENGTH)
    except ValueError as error:
        raise Refused("bad-signature", f"not a SIG_K1 signature: {error}") from None
    recovery_id = raw[0] - _FIRST_HEADER
    if not 0 <= recovery_id < _RECOVERY_IDS:
        raise Refused("bad-recovery-id", f"the header is {raw[0]}, expected 31 to 34")
    if raw[33:] > HALF_ORDER:
        raise Refused("high-s", "s is in the upper half of the group order")
    return raw[1:] + bytes((recovery_id,))


def _checked(text: str, head: str, suffix: bytes, length: int) -> bytes:
    """Return what stands before the checksum; raises ``ValueError``."""
    if not text.startswith(head):
        raise AddressError(f"it does not begin with {head}")
    raw = base58_to_bytes(text.removeprefix(head))
    body = raw[:-_CHECKSUM]
    if len(body) != length or _checksum(body, suffix) != raw[-_CHECKSUM:]:
        raise AddressError("wrong length or checksum")
    return body


def _checksum(body: bytes, suffix: bytes) -> bytes:
    return RIPEMD160.new(data=body + suffix).digest()[:_CHECKSUM]


@lru_cache(maxsize=64)
def _digest(text: str) -> bytes:
    return sha256(frame(OKX_HEADER, text)).digest()

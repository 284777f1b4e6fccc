"""Keys of Sui accounts: Ed25519, secp256k1, secp256r1, and multisig of up to ten of them.

An account is the hash of a flag and the key; that of a multisig hashes its threshold and its
keys with their weights. The keys of a multisig stand in the signature, so that the account can
be derived again. zkLogin and passkeys are not read, alone or in a multisig.

Spec: https://docs.sui.io/concepts/cryptography/transaction-auth/multisig
"""

from __future__ import annotations

from hashlib import blake2b, sha256

import msgspec

from chains.signatures.bcs import Reader
from chains.signatures.ecdsa import verify_secp256k1, verify_secp256r1
from chains.signatures.ed25519 import verify
from chains.signatures.model import Refused, Unsupported

ED25519, SECP256K1, SECP256R1, MULTISIG = range(4)
KEY_LENGTHS = {ED25519: 32, SECP256K1: 33, SECP256R1: 33}
SIGNATURE_LENGTH = 64
MOST_KEYS = 10


class Multisig(msgspec.Struct, frozen=True):
    """A combined signature: who signed, by place, and all keys with their weights."""

    signatures: tuple[tuple[int, bytes], ...]
    places: tuple[int, ...]
    keys: tuple[tuple[int, bytes, int], ...]
    threshold: int


def address(flag: int, key: bytes) -> bytes:
    """Return the account of one key."""
    return blake2b(bytes((flag,)) + key, digest_size=32).digest()


def multisig_address(multisig: Multisig) -> bytes:
    """Return the account of a multisig."""
    body = bytes((MULTISIG,)) + multisig.threshold.to_bytes(2, "little")
    for flag, key, weight in multisig.keys:
        body += bytes((flag,)) + key + bytes((weight,))
    return blake2b(body, digest_size=32).digest()


def verify_one(flag: int, key: bytes, signature: bytes, digest: bytes) -> None:
    """Refuse unless the key signed ``digest``, the hash of a text behind its intent.

    Spec: https://docs.sui.io/concepts/cryptography/transaction-auth/signatures
    """
    if flag == ED25519:
        verify(key, signature, digest)
    elif flag == SECP256K1:
        verify_secp256k1(key, signature, sha256(digest).digest())
    else:
        verify_secp256r1(key, signature, digest)


def verify_multisig(multisig: Multisig, digest: bytes) -> int:
    """Return the weight of the keys that signed ``digest``; each of them must have.

    Raises ``Refused`` also where that weight is below the threshold.
    """
    weight = 0
    for (flag, signature), place in zip(multisig.signatures, multisig.places, strict=True):
        kind, key, own_weight = multisig.keys[place]
        if kind != flag:
            raise Refused("wrong-key", "a signature is of another kind than the key in its place")
        verify_one(flag, key, signature, digest)
        weight += own_weight
    if weight < multisig.threshold:
        raise Refused(
            "below-threshold", f"keys of weight {weight} signed, {multisig.threshold} is demanded"
        )
    return weight


def parse_multisig(raw: bytes) -> Multisig:
    """Read what follows the flag of a multisig signature.

    Raises ``Unsupported`` for a form or a kind of key that is not read (the first form, until
    2023, among them), and ``Refused`` for one that cannot be: places and keys that do not fit.
    """
    try:
        multisig = _read(Reader(raw))
    except ValueError:
        raise Unsupported("unsupported-scheme", "a multisig of a form that is not read") from None
    weights = [weight for _, _, weight in multisig.keys]
    is_sound = (
        0 < len(weights) <= MOST_KEYS
        and all(weights)
        and 0 < multisig.threshold <= sum(weights)
        and len({(flag, key) for flag, key, _ in multisig.keys}) == len(weights)
    )
    if not is_sound:
        raise Refused("bad-key", "the keys, weights or threshold of the multisig cannot be")
    if len(multisig.places) != len(multisig.signatures) or max(multisig.places) >= len(weights):
        raise Refused("bad-signature", "the places of the signatures do not fit the keys")
    return multisig


def _read(reader: Reader) -> Multisig:
    signatures = tuple(_read_signature(reader) for _ in range(_count(reader)))
    bitmap = reader.number(2)
    keys = tuple(_read_key(reader) for _ in range(_count(reader)))
    threshold = reader.number(2)
    reader.end()
    places = tuple(place for place in range(bitmap.bit_length()) if bitmap >> place & 1)
    return Multisig(signatures, places or (MOST_KEYS,), keys, threshold)


def _count(reader: Reader) -> int:
    count = reader.uleb()
    if count > MOST_KEYS:
        raise ValueError("too many")
    return count


def _read_signature(reader: Reader) -> tuple[int, bytes]:
    return _kind(reader), reader.take(SIGNATURE_LENGTH)


def _read_key(reader: Reader) -> tuple[int, bytes, int]:
    kind = _kind(reader)
    return kind, reader.take(KEY_LENGTHS[kind]), reader.number(1)


def _kind(reader: Reader) -> int:
    kind = reader.uleb()
    if kind not in KEY_LENGTHS:
        raise ValueError("a kind of key that is not read")
    return kind

"""Keys of Aptos accounts: one Ed25519 or secp256k1 key, or k of n of them.

The key column holds the key in hex as Aptos serialises it: 32 bytes of Ed25519, a key behind
its variant (SingleKey; 65 bytes of secp256k1 may stand alone), several keys and their threshold
(MultiKey, MultiEd25519). The account is the hash of that and a number for the kind of
authenticator, unless the key was rotated. secp256r1 (WebAuthn) and keyless keys are not read.

Spec: https://github.com/aptos-foundation/AIPs/blob/main/aips/aip-55.md
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha3_256

import msgspec
from coincurve import PublicKey

from chains.signatures.bcs import Reader, uleb128
from chains.signatures.ecdsa import verify_secp256k1
from chains.signatures.ed25519 import KEY_LENGTH, SIGNATURE_LENGTH, parse_signature, verify
from chains.signatures.ed25519 import signer as ed25519_signer
from chains.signatures.model import Refused, Unsupported
from chains.signatures.rows import Signer

ED25519, SECP256K1 = 0, 1
_UNREAD = {2: "secp256r1", 3: "keyless", 4: "federated keyless"}
_LENGTHS = {ED25519: KEY_LENGTH, SECP256K1: 65}
_UNCOMPRESSED = 4
_LEGACY, _MULTI_ED25519, _SINGLE_KEY, _MULTI_KEY = range(4)
"""The last byte of what an authentication key hashes."""
_NAMES = {
    _MULTI_ED25519: "multi-ed25519",
    _SINGLE_KEY: "single-key",
    _MULTI_KEY: "multi-key",
}
MOST_KEYS = 32
_BITMAP = 4
_LONGEST = 8192


class _UnreadError(ValueError):
    """A kind of key without a rule here."""


class Authenticator(msgspec.Struct, frozen=True):
    """The keys of an account, how many must sign, and the bytes that are hashed."""

    kind: int
    keys: tuple[tuple[int, bytes], ...]
    threshold: int
    raw: bytes

    @property
    def authentication_key(self) -> bytes:
        """The account's address as long as its key was not rotated."""
        return sha3_256(self.raw + bytes((self.kind,))).digest()


def parse(column: str) -> Authenticator:
    """Read the key column.

    Raises ``Refused`` (``bad-key``), ``Unsupported`` for kinds of keys that are not read.
    """
    raw = _from_hex(column, "bad-key", "the public key")
    if len(raw) == KEY_LENGTH:
        return Authenticator(_LEGACY, ((ED25519, raw),), 1, raw)
    forms: tuple[Callable[[bytes], Authenticator], ...] = (_single_key, _multi_key, _multi_ed25519)
    if len(raw) == _LENGTHS[SECP256K1] and raw[0] == _UNCOMPRESSED:
        if _is_point(raw):
            raw = bytes((SECP256K1,)) + uleb128(len(raw)) + raw
        else:  # two Ed25519 keys and a threshold are as long
            forms = (_multi_ed25519,)
    unread = ""
    for read in forms:
        try:
            return read(raw)
        except _UnreadError as error:
            unread = unread or str(error)
        except ValueError:
            continue
    if unread:
        raise Unsupported("unsupported-scheme", unread)
    raise Refused("bad-key", "not a key of Aptos, or not in its own serialisation")


def _is_point(raw: bytes) -> bool:
    try:
        PublicKey(raw)
    except ValueError:
        return False
    return True


def signer(
    authenticator: Authenticator, signature: str, payload: bytes, account: bytes, detail: str = ""
) -> Signer:
    """Return what the keys that signed ``payload`` are to the account.

    An account that does not derive from them may obey them: its key may have been rotated, and
    the chain shows its authentication key. Raises ``Refused``.
    """
    signed = _signed(authenticator, signature, payload)
    if authenticator.kind == _LEGACY:
        return ed25519_signer("aptos", signed[0][1], account, detail)
    variant = _NAMES[authenticator.kind]
    if len(authenticator.keys) > 1:
        variant = f"{variant}, {len(signed)} of {len(authenticator.keys)} keys"
    found = authenticator.authentication_key
    return Signer(
        b"".join(key for _, key in signed),
        "; ".join(filter(None, (variant, detail))),
        is_account=found == account,
        name="0x" + found.hex(),
    )


def _signed(
    authenticator: Authenticator, signature: str, payload: bytes
) -> tuple[tuple[int, bytes], ...]:
    """Return the distinct keys that signed; every signature given must be good."""
    if authenticator.kind in (_LEGACY, _SINGLE_KEY):
        kind, key = authenticator.keys[0]
        _verify(kind, key, _one_signature(kind, signature), payload)
        return authenticator.keys
    raw = _from_hex(signature, "bad-signature", "a signature by several keys")
    read = _multi_key_signatures if authenticator.kind == _MULTI_KEY else _multi_ed25519_signatures
    try:
        signatures, bitmap = read(raw)
    except ValueError:
        raise Refused("bad-signature", "not the signature of several Aptos keys") from None
    places = [place for place in range(MOST_KEYS) if bitmap >> (MOST_KEYS - 1 - place) & 1]
    if len(places) != len(signatures) or not places or places[-1] >= len(authenticator.keys):
        raise Refused("bad-signature", "the places of the signatures do not fit the keys")
    for place, (kind, one) in zip(places, signatures, strict=True):
        expected, key = authenticator.keys[place]
        if kind != expected:
            raise Refused("wrong-key", "a signature is of another kind than the key in its place")
        _verify(kind, key, one, payload)
    signed = tuple(dict.fromkeys(authenticator.keys[place] for place in places))
    if len(signed) < authenticator.threshold:
        raise Refused(
            "below-threshold",
            f"{len(signed)} keys signed, the account demands {authenticator.threshold}",
        )
    return signed


def _verify(kind: int, key: bytes, signature: bytes, payload: bytes) -> None:
    if kind == ED25519:
        verify(key, signature, payload)
    else:
        verify_secp256k1(key, signature, sha3_256(payload).digest())


def _one_signature(kind: int, text: str) -> bytes:
    """Return 64 bytes, given alone or in hex behind variant and length."""
    head = (bytes((kind,)) + uleb128(SIGNATURE_LENGTH)).hex()
    digits = text.removeprefix("0x")
    if len(digits) == len(head) + 2 * SIGNATURE_LENGTH and digits.startswith(head):
        return parse_signature(digits[len(head) :])
    return parse_signature(text)


def _single_key(raw: bytes) -> Authenticator:
    reader = Reader(raw)
    key = _any_key(reader)
    reader.end()
    return Authenticator(_SINGLE_KEY, (key,), 1, raw)


def _multi_key(raw: bytes) -> Authenticator:
    reader = Reader(raw)
    keys = tuple(_any_key(reader) for _ in range(_count(reader)))
    threshold = reader.number(1)
    reader.end()
    return _of_several(_MULTI_KEY, keys, threshold, raw)


def _multi_ed25519(raw: bytes) -> Authenticator:
    reader = Reader(raw)
    count = len(raw) // KEY_LENGTH
    keys = tuple((ED25519, reader.take(KEY_LENGTH)) for _ in range(count))
    threshold = reader.number(1)
    reader.end()
    return _of_several(_MULTI_ED25519, keys, threshold, raw)


def _of_several(
    kind: int, keys: tuple[tuple[int, bytes], ...], threshold: int, raw: bytes
) -> Authenticator:
    if not 0 < threshold <= len(keys) <= MOST_KEYS:
        raise ValueError("keys and threshold do not fit")
    return Authenticator(kind, keys, threshold, raw)


def _any_key(reader: Reader) -> tuple[int, bytes]:
    variant = reader.uleb()
    if variant in _UNREAD:
        raise _UnreadError(f"{_UNREAD[variant]} keys are not read")
    key = reader.blob()
    if variant not in _LENGTHS or len(key) != _LENGTHS[variant]:
        raise ValueError("unknown variant or wrong length of a key")
    return variant, key


def _multi_key_signatures(raw: bytes) -> tuple[list[tuple[int, bytes]], int]:
    reader = Reader(raw)
    signatures = []
    for _ in range(_count(reader)):
        variant, one = reader.uleb(), reader.blob()
        if len(one) != SIGNATURE_LENGTH:
            raise ValueError("a signature has 64 bytes")
        signatures.append((variant, one))
    bitmap = reader.blob()
    reader.end()
    if not 1 <= len(bitmap) <= _BITMAP:
        raise ValueError("a bitmap has up to four bytes")
    return signatures, int.from_bytes(bitmap.ljust(_BITMAP, b"\0"), "big")


def _multi_ed25519_signatures(raw: bytes) -> tuple[list[tuple[int, bytes]], int]:
    reader = Reader(raw)
    count = len(raw) // SIGNATURE_LENGTH
    signatures = [(ED25519, reader.take(SIGNATURE_LENGTH)) for _ in range(count)]
    bitmap = int.from_bytes(reader.take(_BITMAP), "big")
    reader.end()
    return signatures, bitmap


def _count(reader: Reader) -> int:
    count = reader.uleb()
    if not 0 < count <= MOST_KEYS:
        raise ValueError("too few or too many")
    return count


def _from_hex(text: str, code: str, name: str) -> bytes:
    digits = text.removeprefix("0x")
    try:
        raw = bytes.fromhex(digits) if len(digits) <= _LONGEST else b""
    except ValueError:
        raw = b""
    if not raw or raw.hex() != digits.lower():
        raise Refused(code, f"{name} is not hex digits")
    return raw

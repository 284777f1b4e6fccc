"""Public keys recovered from ECDSA signatures on secp256k1, and hashes of such keys.

Keys are uncompressed (65 bytes) between the functions of this package, because that form
is the same whatever the signer's wallet did. Recovered keys are remembered, within
bounds: lists repeat one signature on many rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import new, sha256

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT
from Crypto.Hash import RIPEMD160
from sha3 import keccak_256

from chains.signatures import trace
from chains.signatures.model import Refused

SIGNATURE_LENGTH = 65
DIGEST_LENGTH = 32
HALF_ORDER = bytes.fromhex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0")
"""The largest s that counts as low. Spec: https://eips.ethereum.org/EIPS/eip-2"""
ELECTRUM = {27: 0, 28: 1}
"""v as Ethereum's yellow paper writes it, to the recovery id."""
PLAIN_OR_ELECTRUM = {0: 0, 1: 1, 27: 0, 28: 1}
_HEX_LENGTH = 130
_REMEMBERED = 1 << 14
_UNCOMPRESSED = 65
_CONTEXT = GLOBAL_CONTEXT.ctx
_parse = lib.secp256k1_ecdsa_recoverable_signature_parse_compact
_recover = lib.secp256k1_ecdsa_recover
_serialize = lib.secp256k1_ec_pubkey_serialize


def keccak256(payload: bytes) -> bytes:
    """Return the original Keccak-256 (not SHA3-256) of ``payload``."""
    return bytes(keccak_256(payload).digest())


def hash160(payload: bytes) -> bytes:
    """Return RIPEMD-160 of SHA-256, the short hash of Bitcoin and its relatives."""
    return ripemd160(sha256(payload).digest())


def sha256d(payload: bytes) -> bytes:
    """Return SHA-256 applied twice."""
    return sha256(sha256(payload).digest()).digest()


class _Workspace:
    """Memory for one recovery at a time, used again: allocating it costs a tenth of the whole."""

    def __init__(self) -> None:
        self.signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
        self.key = ffi.new("secp256k1_pubkey *")
        self.text = ffi.new(f"unsigned char[{_UNCOMPRESSED}]")
        self.length = ffi.new("size_t *", _UNCOMPRESSED)
        self.view = ffi.buffer(self.text)


_SPACE = _Workspace()


@lru_cache(maxsize=_REMEMBERED)
def recover(digest: bytes, signature: bytes) -> bytes:
    """Return the uncompressed key that made ``signature`` (r ‖ s ‖ recovery id) of ``digest``.

    Calls libsecp256k1 as coincurve builds it, without its objects in between. Not for threads.
    Raises ``Refused`` (``wrong-signature``) where no key can have made it.
    """
    if len(digest) != DIGEST_LENGTH or len(signature) != SIGNATURE_LENGTH or signature[64] > 3:  # noqa: PLR2004 - ids 0 to 3
        raise Refused("wrong-signature", "no key can be recovered: wrong lengths or recovery id")
    space = _SPACE
    if not _parse(_CONTEXT, space.signature, signature, signature[64]) or not _recover(
        _CONTEXT, space.key, space.signature, digest
    ):
        raise Refused("wrong-signature", "no key can be recovered")
    space.length[0] = _UNCOMPRESSED
    _serialize(_CONTEXT, space.text, space.length, space.key, lib.SECP256K1_EC_UNCOMPRESSED)
    body = bytes(space.view)
    trace.note("recovered", digest=digest, signature=signature, key=body)
    return body


@lru_cache(maxsize=_REMEMBERED)
def keccak_account(key: bytes) -> bytes:
    """Return the 20-byte account of an uncompressed key: the end of its Keccak-256."""
    account = keccak256(key[1:])[12:]
    trace.note("account", account=account)
    return account


trace.forget += (recover.cache_clear, keccak_account.cache_clear)


def compressed(key: bytes) -> bytes:
    """Return the 33-byte form of an uncompressed key."""
    return (b"\x03" if key[64] & 1 else b"\x02") + key[1:33]


def parse_hex_signature(text: str, recovery_ids: Mapping[int, int], *, low_s: bool) -> bytes:
    """Read r ‖ s ‖ v in hex, with or without ``0x``, and return r ‖ s ‖ recovery id.

    ``recovery_ids`` maps the values of v that the scheme allows. Raises ``Refused``.
    """
    digits = text.removeprefix("0x")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raise Refused("bad-signature", "the signature is not hex digits") from None
    if len(raw) != SIGNATURE_LENGTH or len(digits) != _HEX_LENGTH:
        raise Refused("bad-signature", "expected r, s and v in 65 bytes of hex")
    recovery_id = recovery_ids.get(raw[64])
    if recovery_id is None:
        raise Refused("bad-recovery-id", f"v is {raw[64]}, expected {sorted(recovery_ids)}")
    if low_s and raw[32:64] > HALF_ORDER:
        raise Refused("high-s", "s is in the upper half of the group order")
    return raw[:64] + (b"\x01" if recovery_id else b"\x00")


def ripemd160(payload: bytes) -> bytes:
    """Return the RIPEMD-160 of ``payload``."""
    try:
        return new("ripemd160", payload, usedforsecurity=False).digest()
    except ValueError:  # an OpenSSL built without it
        return RIPEMD160.new(data=payload).digest()

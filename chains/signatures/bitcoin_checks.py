"""Signatures inside Bitcoin transactions: strict DER with ECDSA, or BIP-340.

Keys that were read once are remembered, within bounds. Libraries differ in what they let
pass (lax DER, high s, hybrid keys); everything of that kind is refused here, before a
library sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from coincurve import PublicKey, PublicKeyXOnly

from chains.signatures.model import Refused
from chains.signatures.secp256k1 import HALF_ORDER

_SHORT, _LONG = 33, 65
_SHORTEST_DER, _LONGEST_DER = 8, 72
_REMEMBERED = 1 << 12


def ecdsa_signed(key: bytes, signature: bytes, digest: Callable[[int], bytes]) -> bool:
    """Tell whether a DER signature with its hash type is by ``key``.

    Raises ``Refused`` where it is not strict DER, not SIGHASH_ALL, or has a high s.
    """
    if signature[-1] != 1:
        raise Refused("bad-signature", "a signature does not cover the whole (SIGHASH_ALL)")
    der = signature[:-1]
    _check_der(der)
    public_key = _public_key(key)
    try:
        return public_key.verify(der, digest(1), hasher=None)
    except ValueError:  # r or s is no number of the field
        return False


def schnorr_signed(key: bytes, signature: bytes, digest: Callable[[int], bytes]) -> bool:
    """Tell whether a BIP-340 signature, with or without its hash type, is by ``key``.

    Raises ``Refused`` for other lengths and for any hash type but the default and all.
    """
    hash_type = 0
    if len(signature) == 65:  # noqa: PLR2004 - the hash type follows the 64 bytes
        hash_type = signature[64]
        if hash_type != 1:
            raise Refused("bad-signature", "a signature does not cover the whole (SIGHASH_ALL)")
    elif len(signature) != 64:  # noqa: PLR2004
        raise Refused("bad-signature", "a taproot signature has 64 bytes, or 65 with its hash type")
    return _x_only_key(key).verify(signature[:64], digest(hash_type))


@lru_cache(maxsize=_REMEMBERED)
def _public_key(key: bytes) -> PublicKey:
    if not (len(key) == _SHORT and key[0] in (2, 3)) and not (len(key) == _LONG and key[0] == 4):  # noqa: PLR2004
        raise Refused("bad-key", "a public key is neither compressed nor uncompressed")
    try:
        return PublicKey(key)
    except ValueError:
        raise Refused("bad-key", "a public key is not on the curve") from None


@lru_cache(maxsize=_REMEMBERED)
def _x_only_key(key: bytes) -> PublicKeyXOnly:
    try:
        return PublicKeyXOnly(key)
    except ValueError:
        raise Refused("bad-key", "a taproot key is not on the curve") from None


def _check_der(der: bytes) -> None:
    """Raise ``Refused`` unless this is strict DER with a low s.

    Spec: https://github.com/bitcoin/bips/blob/master/bip-0066.mediawiki
    """
    if not _SHORTEST_DER <= len(der) <= _LONGEST_DER or der[0] != 0x30 or der[1] != len(der) - 2:  # noqa: PLR2004
        raise Refused("bad-signature", "a signature is not strict DER")
    r_length = der[3]
    if r_length + 6 > len(der) - 1:
        raise Refused("bad-signature", "a signature is not strict DER")
    s_length = der[5 + r_length]
    if r_length + s_length + 6 != len(der):
        raise Refused("bad-signature", "a signature is not strict DER")
    r, s = der[2 : 4 + r_length], der[4 + r_length :]
    for integer in (r, s):
        body = integer[2:]
        if integer[0] != 0x02 or not body or body[0] & 0x80:  # noqa: PLR2004 - the tag of an integer
            raise Refused("bad-signature", "a signature is not strict DER")
        if len(body) > 1 and not body[0] and not body[1] & 0x80:
            raise Refused("bad-signature", "a signature is not strict DER")
    if s[2:].lstrip(b"\0").rjust(32, b"\0") > HALF_ORDER:
        raise Refused("high-s", "s is in the upper half of the group order")

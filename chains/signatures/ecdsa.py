"""ECDSA signatures of 64 bytes, r ‖ s, by a key that is named beside them.

Both curves: secp256k1 and secp256r1 (P-256). A high s is refused, as the chains do that use
this form (Sui, Aptos); keys are compressed or begin with 04.
"""

from __future__ import annotations

from chains.signatures import trace
from chains.signatures.model import Refused
from chains.signatures.secp256k1 import HALF_ORDER, recover
from chains.signatures.secp_accounts import parse_key

SIGNATURE_LENGTH, COMPRESSED = 64, 33
_HALF_ORDER_R1 = bytes.fromhex("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8")
"""The largest s that counts as low on secp256r1.

Spec: https://csrc.nist.gov/pubs/sp/800/186/final (P-256, the order halved)
"""


def verify_secp256k1(key: bytes, signature: bytes, digest: bytes) -> None:
    """Refuse unless the secp256k1 key, in any form, signed this digest of 32 bytes."""
    _check(signature, HALF_ORDER)
    expected = parse_key(key.hex())
    for recovery_id in (b"\0", b"\1"):
        try:
            found = recover(digest, signature + recovery_id)
        except Refused:
            continue
        if found == expected:
            return
    raise Refused("wrong-signature", "the signature is not of this text and key")


def verify_secp256r1(key: bytes, signature: bytes, payload: bytes) -> None:
    """Refuse unless the compressed secp256r1 key signed SHA-256 of ``payload``."""
    from Crypto.Hash import SHA256  # noqa: PLC0415 - a quarter of a second, for few rows
    from Crypto.PublicKey import ECC  # noqa: PLC0415
    from Crypto.Signature import DSS  # noqa: PLC0415

    _check(signature, _HALF_ORDER_R1)
    if len(key) != COMPRESSED or key[0] not in (2, 3):
        raise Refused("bad-key", "a secp256r1 key has 33 bytes and begins with 02 or 03")
    try:
        point = ECC.import_key(key, curve_name="P-256")
    except ValueError:
        raise Refused("bad-key", "the public key is no point of the curve") from None
    try:
        DSS.new(point, "fips-186-3").verify(SHA256.new(payload), signature)
    except ValueError:
        raise Refused("wrong-signature", "the signature is not of this text and key") from None
    trace.note("verified", signed=payload, signature=signature, key=key)


def _check(signature: bytes, half_order: bytes) -> None:
    if len(signature) != SIGNATURE_LENGTH:
        raise Refused("bad-signature", "expected r and s in 64 bytes")
    if signature[32:] > half_order:
        raise Refused("high-s", "s is in the upper half of the group order")

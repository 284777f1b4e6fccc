"""BLS12-381: validators' keys (48 bytes, in G1) and their signatures (96 bytes, in G2).

``okx-bls`` is the signature of Ethereum's consensus (domain tag POP) over OKX's 32-byte digest.
It shows the validator's signing key, not its withdrawal credentials: ``signer-only`` until the
chain shows who may withdraw. ``fil-f3`` is Filecoin's (domain tag NUL) over the text itself; an
f3 address is the key, so it binds.

milagro verifies, and knows the tag POP only. For NUL py_ecc does, which is slow (half a second)
and imported only where such a row occurs. Both refuse keys and signatures outside the subgroup and
the point at infinity; encodings are checked here, strictly, before either sees them.

Rows are checked one by one, and spread over processes by whoever has many. milagro's batch check
(a random linear combination) takes as much processor time for each row as a single check, because
it hashes the shared text anew for every row: see tests/bench/bench_bls.py. Adding signatures of
one text up *without* random coefficients would be quick and not sound: two rows with each
other's signature add up to a good sum.
"""

from __future__ import annotations

import sys
import warnings
from functools import lru_cache
from importlib import import_module
from typing import Any

from chains.addresses import filecoin
from chains.signatures.digests import okx_evm
from chains.signatures.model import (
    NotApplicable,
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)
from chains.signatures.rows import Signer, judge_row
from chains.signatures.secp_wallets import filecoin_envelope

KEY_LENGTH, SIGNATURE_LENGTH = 48, 96
PRIME = int(
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624"
    "1eabfffeb153ffffb9feffffffffaaab",
    16,
)
"""Spec: https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-bls-signature (BLS12-381)"""
FILECOIN_TAG = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"
"""Spec: https://spec.filecoin.io/algorithms/crypto/signatures"""
_COMPRESSED, _INFINITY, _SIGN = 0x80, 0x40, 0x20
_REMEMBERED = 1 << 12

SCHEMES = (
    Scheme(
        name="okx-bls",
        family="bls",
        addresses=frozenset({"bls"}),
        origin="okx/proof-of-reserves:common/crypto_test.go@2962a89",
        description="OKX: BLS of Ethereum's validators (POP) over OKX's EVM digest.",
    ),
    Scheme(
        name="fil-f3",
        family="bls",
        addresses=frozenset({"filecoin"}),
        origin="filecoin-project/lotus:lib/sigs/bls/bls_test.go",
        description="Filecoin: BLS (NUL) over the text, by the key in an f3 address.",
    ),
)
ALIASES = {"fil-f3-bls(RO_NUL)": "fil-f3"}


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row whose address carries a BLS key."""
    if scheme == "okx-bls":
        return judge_row(row, scheme, _validator_signed)
    if row.account[0] == filecoin.SECP256K1 or row.account.startswith(filecoin.ETHEREUM):
        raise NotApplicable("unsupported-scheme", f"{scheme} is not for f1 and f410 addresses")
    if row.account[0] != filecoin.BLS:
        raise Unsupported("unsupported-scheme", f"{scheme} reads no other account than f3")
    return judge_row(row, scheme, _f3_signed)


@lru_cache(maxsize=_REMEMBERED)
def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` is of ``message`` by ``key``, under the tag POP.

    Spec: https://github.com/ethereum/consensus-specs (phase0, BLS signatures)
    """
    return _is_canonical(key, signature) and bool(_milagro().Verify(key, message, signature))


def parse_signature(text: str) -> bytes:
    """Read 96 bytes of a compressed point of G2 in hex, with or without ``0x``."""
    digits = text.removeprefix("0x")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        raise Refused("bad-signature", "the signature is not hex digits") from None
    if len(raw) != SIGNATURE_LENGTH or len(digits) != 2 * SIGNATURE_LENGTH:
        raise Refused("bad-signature", "expected 96 bytes of hex")
    if not _is_point(raw):
        raise Refused("bad-signature", "not the one encoding of a point, or infinity")
    return raw


def _validator_signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    raw = _checked(account, signature)
    if not verify(account, okx_evm(row.message), raw):
        raise Refused("wrong-signature", "the validator's key did not sign this text")
    return Signer(account, is_account=False)


def _f3_signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    key = account[1:]
    raw = _checked(key, signature)
    if _verify_nul(key, row.message.encode(), raw):
        return Signer(key)
    if _verify_nul(key, filecoin_envelope(row.message), raw):
        raise Unsupported("unconfirmed-scheme", "no public vector shows an f3 key sign FRC-0102")
    raise Refused("wrong-signature", "the key of this address did not sign this text")


def _checked(key: bytes, signature: str) -> bytes:
    raw = parse_signature(signature)
    if len(key) != KEY_LENGTH or not _is_point(key):
        raise Refused("bad-key", "the address is not the one encoding of a key, or infinity")
    return raw


@lru_cache(maxsize=_REMEMBERED)
def _verify_nul(key: bytes, message: bytes, signature: bytes) -> bool:
    """Verify under Filecoin's tag: both points in the subgroup, then the pairing."""
    suite = _py_ecc()
    if suite.DST != FILECOIN_TAG:
        raise Unsupported("unsupported-scheme", "py-ecc signs under another domain tag")
    return bool(suite.Verify(key, message, signature))


@lru_cache(maxsize=1)
def _py_ecc() -> Any:
    """Import the library when it is first needed, and undo what its import does to the process.

    It raises the recursion limit to 100,000; under that limit deeply nested JSON from a node
    would overflow the stack and kill the process instead of raising an error.
    """
    limit = sys.getrecursionlimit()
    try:
        return import_module("py_ecc.bls").G2Basic
    except ImportError:
        raise Unsupported(
            "unsupported-scheme", "fil-f3 needs the package py-ecc, which is not installed"
        ) from None
    finally:
        sys.setrecursionlimit(limit)


@lru_cache(maxsize=1)
def _milagro() -> Any:
    """Import the library when it is first needed; its last release says that it is the last."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return import_module("milagro_bls_binding")


def _is_canonical(key: bytes, signature: bytes) -> bool:
    sizes = (len(key), len(signature)) == (KEY_LENGTH, SIGNATURE_LENGTH)
    return sizes and _is_point(key) and _is_point(signature)


def _is_point(raw: bytes) -> bool:
    """Tell whether the bytes are in the one form of a compressed point that is not infinity.

    Each coordinate must be below the prime; a coordinate above is another text of the same
    number. Whether the curve has such a point is for the library.
    Spec: https://github.com/zkcrypto/pairing (src/bls12_381, serialization)
    """
    if not raw[0] & _COMPRESSED or raw[0] & _INFINITY:
        return False
    numbers = bytes([raw[0] & ~(_COMPRESSED | _INFINITY | _SIGN)]) + raw[1:]
    return all(
        int.from_bytes(numbers[start : start + KEY_LENGTH], "big") < PRIME
        for start in range(0, len(numbers), KEY_LENGTH)
    )

"""Signatures of XRP Ledger wallets, by secp256k1 or Ed25519 keys that stand in the row.

The address derives from the master key. A regular key or a list of signers may stand in for
it, which only the ledger shows: a good signature by another key is the key's alone, and the
ledger is asked about the classic address of that key.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha512

from chains.addresses import xrpl
from chains.signatures.ed25519 import verify
from chains.signatures.model import Outcome, Refused, Scheme, SignedAddress
from chains.signatures.rows import Signer, judge_row
from chains.signatures.secp256k1 import HALF_ORDER, hash160
from chains.signatures.secp_accounts import link_one_of

FAMILY = "xrpl"
_ED25519 = 0xED
_ED25519_KEY, _ED25519_SIGNATURE = 33, 64
_SEQUENCE, _INTEGER = 0x30, 0x02
_SHORTEST, _LONGEST, _WIDTH = 8, 72, 32
_HIGH_BIT = 0x80

SCHEMES = (
    Scheme(
        name="xrpl-secp256k1",
        family=FAMILY,
        addresses=frozenset({"xrpl"}),
        origin="XRPLF/xrpl.js:packages/ripple-keypairs/test/fixtures/api.json@65ff85ad",
        description="XRPL: the first half of SHA-512 of the text, DER, secp256k1.",
    ),
    Scheme(
        name="xrpl-ed25519",
        family=FAMILY,
        addresses=frozenset({"xrpl"}),
        origin="XRPLF/xrpl.js:packages/ripple-keypairs/test/fixtures/api.json@65ff85ad",
        description="XRPL: the text as it is, Ed25519, the key behind the byte ED.",
    ),
)
ALIASES = {
    "xrpl-keypairs-secp256k1": "xrpl-secp256k1",
    "xrpl-keypairs-ed25519": "xrpl-ed25519",
}


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of the XRP Ledger by one of these schemes."""
    return judge_row(row, scheme, _SIGNED[scheme])


@lru_cache(maxsize=64)
def half_sha512(text: str) -> bytes:
    """Return the first 32 bytes of SHA-512.

    Spec: https://xrpl.org/docs/concepts/accounts/cryptographic-keys
    """
    return sha512(text.encode()).digest()[:32]


def parse_der(text: str) -> bytes:
    """Return r ‖ s of a DER signature in hex; raises ``Refused``.

    Only the strict form with a low s is fully canonical and accepted by the ledger.
    Spec: https://xrpl.org/docs/concepts/transactions/transaction-malleability
    """
    raw = _hex(text)
    if not _SHORTEST <= len(raw) <= _LONGEST or raw[0] != _SEQUENCE or raw[1] != len(raw) - 2:
        raise Refused("bad-signature", "not a DER signature")
    first, rest = _integer(raw[2:])
    second, rest = _integer(rest)
    if rest:
        raise Refused("bad-signature", "bytes follow the DER signature")
    if second > HALF_ORDER:
        raise Refused("high-s", "s is in the upper half of the group order")
    return first + second


def _integer(raw: bytes) -> tuple[bytes, bytes]:
    """Read one positive integer of at most 32 bytes, shortest form, and return the rest."""
    body = raw[2 : 2 + raw[1]] if len(raw) > 2 and raw[0] == _INTEGER else b""  # noqa: PLR2004
    digits = body.removeprefix(b"\0") if len(body) > 1 else body
    is_padded = len(digits) != len(body)
    if not body or len(body) != raw[1] or body[0] & _HIGH_BIT or len(digits) > _WIDTH:
        raise Refused("bad-signature", "not an integer of a DER signature")
    if is_padded and not digits[0] & _HIGH_BIT:
        raise Refused("bad-signature", "an integer of the DER signature is too long")
    return digits.rjust(_WIDTH, b"\0"), raw[2 + len(body) :]


def _hex(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raise Refused("bad-signature", "the signature is not hex digits") from None
    if 2 * len(raw) != len(text):
        raise Refused("bad-signature", "white space in the signature")
    return raw


def _secp256k1(row: SignedAddress, signature: str, account: bytes) -> Signer:
    return link_one_of(row, half_sha512(row.message), parse_der(signature), (0, 1), account)


def _ed25519(row: SignedAddress, signature: str, account: bytes) -> Signer:
    key = _ed25519_key(row.public_key)
    raw = _hex(signature)
    if len(raw) != _ED25519_SIGNATURE:
        raise Refused("bad-signature", "an Ed25519 signature has 64 bytes")
    verify(key[1:], raw, row.message.encode())
    own = hash160(key)
    name = xrpl.encode(own, {})
    if own == account:
        return Signer(key, "master-key", name=name)
    return Signer(key, is_account=False, name=name)


def _ed25519_key(text: str) -> bytes:
    if not text:
        raise Refused("missing-key", "the row gives no public key")
    try:
        key = bytes.fromhex(text)
    except ValueError:
        raise Refused("bad-key", "the public key is not hex digits") from None
    if len(key) != _ED25519_KEY or 2 * len(key) != len(text) or key[0] != _ED25519:
        raise Refused("bad-key", "expected the byte ED and the 32 bytes of an Ed25519 key")
    return key


_SIGNED = {"xrpl-secp256k1": _secp256k1, "xrpl-ed25519": _ed25519}

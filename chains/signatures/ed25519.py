"""Ed25519 signatures, and the addresses of the chains whose keys are Ed25519.

The key stands in the row or is the address itself; it proves nothing until the address
derives from it. libsodium verifies; keys and nonce points of small order and encodings
that are not canonical are refused before it is asked, because anybody can sign for them.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from hashlib import blake2b, sha3_256

import msgspec
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from chains.addresses import AddressError, cardano, near, stellar
from chains.addresses.base58 import base58_to_bytes, bytes_to_base58
from chains.signatures import trace
from chains.signatures.digests import OKX_HEADER, frame
from chains.signatures.model import Outcome, Refused, Scheme, SignedAddress, Unsupported
from chains.signatures.rows import Signer, judge_row
from chains.signatures.ton_wallets import accounts as ton_accounts

FAMILY = "ed25519"
KEY_LENGTH, SIGNATURE_LENGTH = 32, 64
FIELD = 2**255 - 19
_REMEMBERED = 1 << 14
_LONGEST_REMEMBERED = 256
_BASE64_LENGTH = 88
SIGN_BIT = 0x80

_ORDER_EIGHT = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
"""The y of a point of order 8. Spec: https://cr.yp.to/ecdh.html#validate"""
SMALL_ORDER = frozenset(
    number.to_bytes(KEY_LENGTH, "little")
    for number in (
        0,
        1,
        FIELD - 1,
        FIELD,
        FIELD + 1,
        int.from_bytes(_ORDER_EIGHT, "little"),
        FIELD - int.from_bytes(_ORDER_EIGHT, "little"),
    )
)
"""Encodings of all points of order 1, 2, 4 and 8, without the sign bit."""


def _never(_key: bytes, _account: bytes) -> bool:
    return False


def _perhaps(_key: bytes, _account: bytes) -> bool:
    return True


def _no_key(_account: bytes) -> bytes | None:
    return None


def _itself(account: bytes) -> bytes | None:
    return account


def _unnamed(_key: bytes) -> str:
    return ""


def _near_name(key: bytes) -> str:
    """Spec: https://nomicon.io/DataStructures/AccessKey (public keys in text)."""
    return f"ed25519:{bytes_to_base58(key)}"


def _aptos_name(key: bytes) -> str:
    """Return the authentication key of an account that obeys this key alone.

    Spec: https://aptos.dev/network/blockchain/accounts#single-signer-authentication
    """
    return f"0x{sha3_256(key + bytes(1)).hexdigest()}"


def _stellar_name(key: bytes) -> str:
    """Spec: https://developers.stellar.org/docs/learn/fundamentals/transactions/signatures-multisig."""
    return stellar.encode(key, {})


def _hex_name(key: bytes) -> str:
    return f"0x{key.hex()}"


class AddressRule(msgspec.Struct, frozen=True):
    """How the accounts of one address format follow from a key.

    ``account`` returns the variant if the key derives the account, else None.
    ``key`` returns the key where the account is one, so that the row need not give it.
    ``may_obey`` tells whether the account may obey a key that it does not derive from.
    ``name`` returns the key as the chain's control answers name it, empty where none is asked.
    """

    account: Callable[[bytes, bytes], str | None]
    key: Callable[[bytes], bytes | None] = _no_key
    may_obey: Callable[[bytes, bytes], bool] = _never
    name: Callable[[bytes], str] = _unnamed


def same(key: bytes, account: bytes) -> str | None:
    """Derive the account that is the key itself."""
    return "" if key == account else None


def _underivable(_key: bytes, _account: bytes) -> str | None:
    return None


def _aptos(key: bytes, account: bytes) -> str | None:
    """Spec: https://aptos.dev/network/blockchain/accounts#single-signer-authentication."""
    if sha3_256(key + b"\x00").digest() == account:
        return ""
    behind_variant = b"\x00\x20" + key + b"\x02"
    return "single-key" if sha3_256(behind_variant).digest() == account else None


def _sui(key: bytes, account: bytes) -> str | None:
    """Spec: https://docs.sui.io/concepts/cryptography/transaction-auth/keys-addresses."""
    return "" if blake2b(b"\x00" + key, digest_size=32).digest() == account else None


def _ton(key: bytes, account: bytes) -> str | None:
    return ton_accounts(key).get(account)


def _near(key: bytes, account: bytes) -> str | None:
    """Spec: https://nomicon.io/DataStructures/Account#implicit-accounts."""
    return "implicit" if near.implicit_key(account) == key else None


def _cardano(key: bytes, account: bytes) -> str | None:
    """Spec: https://github.com/cardano-foundation/CIPs/tree/master/CIP-0019."""
    return "" if cardano.controlling_hash(account) == cardano.key_hash(key) else None


def _cardano_may_obey(key: bytes, account: bytes) -> bool:
    """Say yes to scripts, which may name any key, and to the stake key of a base address."""
    return cardano.controlling_hash(account) is None or cardano.is_stake_key(key, account)


RULES: Mapping[str, AddressRule] = {
    "solana": AddressRule(same, _itself),
    "ss58": AddressRule(same, _itself),
    "sui": AddressRule(_sui),
    "aptos": AddressRule(_aptos, may_obey=_perhaps, name=_aptos_name),
    "ton": AddressRule(_ton, may_obey=_perhaps, name=_hex_name),
    "stellar": AddressRule(same, _itself, _perhaps, _stellar_name),
    "algorand": AddressRule(same, _itself, _perhaps),
    "near": AddressRule(_near, near.implicit_key, _perhaps, _near_name),
    "cardano": AddressRule(_cardano, may_obey=_cardano_may_obey),
    "hedera": AddressRule(_underivable, may_obey=_perhaps, name=_hex_name),
}
"""By address format. Aptos, Algorand and NEAR keys can be rotated, Stellar accounts can have
other signers, TON addresses are those of any contract, Hedera accounts are numbers."""

FORMATS = {
    "okx-ed25519": frozenset(RULES),
    "ed25519-raw": frozenset({"solana", "ss58", "algorand"}),
}
"""Address formats, by scheme."""

SCHEMES = (
    Scheme(
        name="okx-ed25519",
        family=FAMILY,
        origin="okx/proof-of-reserves:common/crypto_test.go@2962a89",
        description="OKX: the framed text, signed as it is.",
    ),
    Scheme(
        name="ed25519-raw",
        family=FAMILY,
        origin="paulmillr/micro-sol-signer:test/offchain.test.ts; "
        "polkadot-js/common:packages/util-crypto/src/signature/verify.spec.ts; "
        "huobiapi/Tool-Node.js-VerifyAddress:snapshot (Algorand)",
        description="The bytes of the text, signed as they are.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of a chain with Ed25519 keys by one of these schemes."""
    if row.spec.address not in FORMATS[scheme]:
        raise Unsupported(
            "unsupported-scheme", f"{scheme} has no rule for {row.spec.address!r} addresses yet"
        )
    return judge_row(row, scheme, _SIGNED[scheme])


def verify(key: bytes, signature: bytes, payload: bytes) -> bytes:
    """Return ``key`` if it signed ``payload``; raises ``Refused``. Remembers short payloads.

    Spec: https://datatracker.ietf.org/doc/html/rfc8032#section-5.1.7
    """
    if len(payload) > _LONGEST_REMEMBERED:
        return _verify(key, signature, payload)
    return _remembered(key, signature, payload)


def _verify(key: bytes, signature: bytes, payload: bytes) -> bytes:
    if _is_weak(key) or _is_weak(signature[:KEY_LENGTH]):
        raise Refused("weak-key", "a point of small order or a non-canonical encoding")
    try:
        crypto_sign_open(signature + payload, key)
    except BadSignatureError:
        raise Refused("wrong-signature", "the signature is not of this text and key") from None
    trace.note("verified", signed=payload, signature=signature, key=key)
    return key


_remembered = lru_cache(maxsize=_REMEMBERED)(_verify)
trace.forget.append(_remembered.cache_clear)


def parse_key(text: str) -> bytes:
    """Return the 32 bytes of a key in hex, with or without ``0x``; raises ``Refused``."""
    digits = text.removeprefix("0x")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        raise Refused("bad-key", "the public key is not hex digits") from None
    if len(key) != KEY_LENGTH or len(digits) != 2 * KEY_LENGTH:
        raise Refused("bad-key", "an Ed25519 public key has 32 bytes")
    return key


def parse_signature(text: str) -> bytes:
    """Return the 64 bytes of a signature in hex, base64 or base58; raises ``Refused``.

    The three cannot be mistaken for each other at this length.
    """
    digits = text.removeprefix("0x")
    try:
        if len(digits) == 2 * SIGNATURE_LENGTH:
            raw = bytes.fromhex(digits)
        elif len(text) == _BASE64_LENGTH and text.endswith("=="):
            raw = b64decode(text, validate=True)
            if b64encode(raw).decode() != text:
                raise Refused("bad-signature", "the base64 of the signature is not exact")
        else:
            raw = base58_to_bytes(text)
    except (ValueError, BinasciiError, AddressError):
        raise Refused("bad-signature", "neither hex nor base64 nor base58") from None
    if len(raw) != SIGNATURE_LENGTH:
        raise Refused("bad-signature", "an Ed25519 signature has 64 bytes")
    return raw


def _signed(
    row: SignedAddress, signature: str, account: bytes, *, payload: Callable[[str], bytes]
) -> Signer:
    key = key_of(row.spec.address, row.public_key, account)
    verify(key, parse_signature(signature), payload(row.message))
    return signer(row.spec.address, key, account)


def key_of(address_format: str, column: str, account: bytes) -> bytes:
    """Return the key of the row's column, or that which the account is; raises ``Refused``."""
    if column:
        return parse_key(column)
    key = RULES[address_format].key(account)
    if key is None:
        raise Refused("missing-key", "the row gives no public key")
    return key


def signer(address_format: str, key: bytes, account: bytes, detail: str = "") -> Signer:
    """Return what a key that signed is to the account, by the address rule of the chain.

    ``detail`` names the variant of the scheme; that of the address comes before it. Raises
    ``Refused`` (``wrong-key``) where the account cannot obey the key.
    """
    rule = RULES[address_format]
    variant = rule.account(key, account)
    if variant is not None:
        return Signer(key, "; ".join(filter(None, (variant, detail))))
    if not rule.may_obey(key, account):
        raise Refused("wrong-key", "the address does not derive from the key of the row")
    return Signer(key, detail, is_account=False, name=rule.name(key))


def _is_weak(point: bytes) -> bool:
    """Tell whether an encoded point is of small order or its y is not below the field."""
    top = point[31] & ~SIGN_BIT
    if point[:31] + bytes((top,)) in SMALL_ORDER:
        return True
    return top == 0x7F and int.from_bytes(point, "little") & (2**255 - 1) >= FIELD  # noqa: PLR2004


@lru_cache(maxsize=64)
def _framed(text: str) -> bytes:
    return frame(OKX_HEADER, text)


def _raw(text: str) -> bytes:
    return text.encode()


PAYLOADS: Mapping[str, Callable[[str], bytes]] = {"okx-ed25519": _framed, "ed25519-raw": _raw}
"""What is signed, by scheme."""
_SIGNED = {name: partial(_signed, payload=payload) for name, payload in PAYLOADS.items()}

"""Starknet: typed data of the old form (SNIP-12 revision 0), signed by a key of the row.

An account is a contract; which key it obeys is in its storage. The row brings the x of the key
along, so a good signature shows that key only: ``signer-only`` until the chain shows the link.
"""

from __future__ import annotations

import re
from functools import lru_cache

from chains.signatures.model import (
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)
from chains.signatures.rows import Signer, judge_row
from chains.signatures.secp256k1 import keccak256
from chains.signatures.stark_curve import PRIME, is_signed, pedersen_array, y_of

SCHEME = "okx-starknet"
DOMAIN_TYPE = "StarkNetDomain(name:felt,version:felt,chainId:felt)"
MESSAGE_TYPE = "Message(contents:felt)"
DOMAIN_NAME = "OKX POR MESSAGE"
DOMAIN_VERSION = 1
CHAIN = "SN_MAIN"
"""Spec: https://github.com/okx/proof-of-reserves (common/stark.go)"""
SHORT_STRING = 31
"""Characters that fit into one field element."""
_SELECTOR_MASK = 2**250 - 1
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]{1,64})")
_SIGNATURE = re.compile(r"(?:0x)?([0-9a-fA-F]{64})([0-9a-fA-F]{64})")

SCHEMES = (
    Scheme(
        name=SCHEME,
        family="starknet",
        addresses=frozenset({"starknet"}),
        origin="okx/proof-of-reserves:example/test.csv@2962a89",
        description="OKX: typed data of the old form with the text as short string.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of Starknet. The best outcome is ``signer-only``: see the module."""
    return judge_row(row, scheme, _signed)


def _signed(row: SignedAddress, signature: str, account: bytes) -> Signer:
    match = _SIGNATURE.fullmatch(signature)
    if match is None:
        raise Refused("bad-signature", "expected r and s in 128 hex digits")
    key = _key(row.public_key)
    r, s = int(match[1], 16), int(match[2], 16)
    number = int.from_bytes(account, "big")
    if number >= PRIME:
        raise Refused("bad-address", "the account is no element of the field")
    if not is_signed(digest(number, row.message), r, s, key):
        raise Refused("wrong-signature", "the key did not sign this text for this account")
    return Signer(key.to_bytes(32, "big"), is_account=False, name=f"0x{key:064x}")


@lru_cache(maxsize=1024)
def digest(account: int, text: str) -> int:
    """Return the number that is signed: Pedersen over prefix, domain, account and message.

    Raises ``Unsupported`` for a text that is no short string, or that wallets read as a number.
    Spec: https://github.com/starknet-io/SNIPs/blob/main/SNIPS/snip-12.md
    """
    if not text.isascii() or not 0 < len(text) <= SHORT_STRING or _NUMBER.fullmatch(text):
        raise Unsupported(
            "unsupported-scheme", "only a text of 1 to 31 ASCII characters is a short string"
        )
    return pedersen_array(
        (_felt("StarkNet Message"), domain_hash(), account, message_hash(_felt(text)))
    )


@lru_cache(maxsize=1)
def domain_hash() -> int:
    """Return the hash of OKX's domain."""
    return pedersen_array((selector(DOMAIN_TYPE), _felt(DOMAIN_NAME), DOMAIN_VERSION, _felt(CHAIN)))


@lru_cache(maxsize=64)
def message_hash(contents: int) -> int:
    """Return the hash of the message struct."""
    return pedersen_array((selector(MESSAGE_TYPE), contents))


def selector(name: str) -> int:
    """Return Starknet's Keccak: the low 250 bits.

    Spec: https://docs.starknet.io (hash functions, Starknet Keccak)
    """
    return int.from_bytes(keccak256(name.encode()), "big") & _SELECTOR_MASK


def _felt(text: str) -> int:
    return int.from_bytes(text.encode("ascii"), "big")


def _key(text: str) -> int:
    if not text:
        raise Refused("missing-key", "the row carries no public key")
    match = _HEX.fullmatch(text)
    key = int(match[1], 16) if match else None
    if key is None or y_of(key) is None:
        raise Refused("bad-key", "the public key is no x of the STARK curve in hex")
    return key

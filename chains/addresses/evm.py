"""EVM accounts: 20 bytes, written as ``0x`` and 40 hex digits.

Parameters, all optional: ``hrp`` also accepts the bech32 text of the same 20 bytes
(``ex1…`` of OKTC and X Layer, ``lat1…`` of PlatON); ``f410`` also accepts Filecoin's
delegated text of the Ethereum address manager and names its network prefix (``f``).
The canonical text is the EIP-55 one.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from binascii import Error as BinasciiError
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np
from sha3 import keccak_256

from chains.addresses import AddressError
from chains.addresses.bech32 import BECH32, bech32_to_digits, digits_to_bytes
from chains.bulk import Bytes, Flags, Texts, rows_as_texts

LENGTH = 20
_TEXT_LENGTH = 42
_DIGITS = 40
_UPPER_FROM = "8"
_IS_UPPER = str.maketrans("0123456789abcdefABCDEF", "0" * 16 + "1" * 6)
_IS_LETTER = str.maketrans("0123456789abcdef", "0" * 10 + "1" * 6)
_IS_MARKED = str.maketrans("0123456789abcdef", "0" * 8 + "1" * 8)


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the 20 bytes; a mixed-case text must carry the right EIP-55 checksum.

    Spec: https://eips.ethereum.org/EIPS/eip-55
    """
    if len(text) == _TEXT_LENGTH and text.startswith("0x"):
        return _from_hex(text[2:])
    hrp = params.get("hrp")
    if hrp is not None and text[: len(hrp) + 1].lower() == f"{hrp}1":
        return _from_bech32(text, hrp)
    network = params.get("f410")
    if network is not None and text.startswith(f"{network}410f"):
        return _from_delegated(text[len(network) + 4 :])
    raise AddressError("not an EVM address: expected 0x and 40 hex digits")


def decode_column(column: Texts, params: Mapping[str, Any]) -> tuple[Bytes, Flags]:  # noqa: ARG001 - one form
    """Return the 20 bytes of each text of ``0x`` and 40 hex digits, and which texts are that."""
    from chains.bulk.encodings import (  # noqa: PLC0415 - machine code, for whole columns only
        LOWER,
        PREFIXED,
        UPPER,
        HexBytes,
    )
    from chains.bulk.hashes import keccak256  # noqa: PLC0415

    digits = HexBytes(column)
    accounts, good = digits.rows(LENGTH)
    good &= (digits.seen & PREFIXED) != 0
    mixed = np.flatnonzero(good & ((digits.seen & (LOWER | UPPER)) == LOWER | UPPER))
    if mixed.size:
        places = column.offsets[mixed][:, None] + np.arange(_TEXT_LENGTH - _DIGITS, _TEXT_LENGTH)
        letters = column.data[places]
        is_letter = letters >= ord("A")
        lower = np.where(is_letter, letters | 0x20, letters)
        hashed = keccak256(rows_as_texts(lower))[:, : _DIGITS // 2]
        nibbles = np.stack([hashed >> 4, hashed & 15], axis=2).reshape(-1, _DIGITS)
        wanted_upper = is_letter & (nibbles >= int(_UPPER_FROM, 16))
        good[mixed] = ((is_letter & (letters < ord("a"))) == wanted_upper).all(axis=1)
    return accounts, good


def encode(account: bytes, params: Mapping[str, Any]) -> str:  # noqa: ARG001 - one form
    """Return the EIP-55 text of 20 bytes."""
    if len(account) != LENGTH:
        raise AddressError(f"an EVM account has 20 bytes, not {len(account)}")
    return "0x" + _checksummed(account.hex())


def _from_hex(digits: str) -> bytes:
    try:
        account = bytes.fromhex(digits)
    except ValueError:
        raise AddressError("not an EVM address: not hex digits") from None
    if len(account) != LENGTH:  # fromhex skips white space
        raise AddressError("not an EVM address: expected 40 hex digits")
    lower = digits.lower()
    if digits not in (lower, digits.upper()) and not _has_checksum(digits, lower):
        raise AddressError("wrong EIP-55 checksum")
    return account


def _checksummed(lower: str) -> str:
    mask = _mask(lower)
    return "".join(
        letter.upper() if nibble >= _UPPER_FROM else letter
        for letter, nibble in zip(lower, mask, strict=True)
    )


def _has_checksum(digits: str, lower: str) -> bool:
    """Tell whether exactly the letters that EIP-55 wants are in upper case.

    Three bit strings: which digits are in upper case, which are letters, and which the
    hash marks. Mixed case is the common form in lists, so this is quicker than writing
    the checksummed text out.
    """
    upper = int(digits.translate(_IS_UPPER), 2)
    letters = int(lower.translate(_IS_LETTER), 2)
    return upper == letters & int(_mask(lower).translate(_IS_MARKED), 2)


def _mask(lower: str) -> str:
    return str(keccak_256(lower.encode("ascii")).hexdigest())[:_DIGITS]


def _from_bech32(text: str, hrp: str) -> bytes:
    digits, constant = bech32_to_digits(text, hrp)
    account = digits_to_bytes(digits)
    if constant != BECH32 or len(account) != LENGTH:
        raise AddressError("not a bech32 text of 20 bytes")
    return account


def _from_delegated(text: str) -> bytes:
    """Read base32(address ‖ checksum) of an ``f410f`` address.

    Spec: https://github.com/filecoin-project/FIPs/blob/master/FIPS/fip-0048.md
    """
    try:
        raw = b32decode(text.upper() + "=" * (-len(text) % 8))
    except (BinasciiError, ValueError):
        raise AddressError("not an f410 address: not base 32") from None
    if b32encode(raw).decode().rstrip("=").lower() != text:
        raise AddressError("not an f410 address: not exact base 32 in lower case")
    account, checksum = raw[:LENGTH], raw[LENGTH:]
    expected = blake2b(b"\x04\x0a" + account, digest_size=4).digest()
    if len(account) != LENGTH or checksum != expected:
        raise AddressError("wrong length or checksum of an f410 address")
    return account

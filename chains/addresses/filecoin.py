"""Filecoin addresses f0 to f4: a protocol number and what it names.

f0 is an actor's number, f1 the hash of a secp256k1 key, f2 the hash of an actor's making,
f3 a BLS key, f4 an address under another actor: ``f410f…`` is an Ethereum account. The
canonical bytes are those of the chain: the protocol's byte and the payload. Different
texts of one account may exist (f0 and f1 of one actor); only the chain can join them.

Parameters, all optional: ``network`` is the first letter (``f``; test networks have ``t``);
``evm = true`` also accepts the ``0x…`` text of an ``f410f…`` or masked ``f0`` address.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from binascii import Error as BinasciiError
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from chains.addresses import AddressError, evm

ID, SECP256K1, ACTOR, BLS, DELEGATED = range(5)
ETHEREUM = b"\x04\x0a"
"""Protocol 4 and the number of the Ethereum address manager, before the 20 bytes."""
_LENGTHS = {SECP256K1: 20, ACTOR: 20, BLS: 48}
_LONGEST_SUBADDRESS = 54
_CHECKSUM = 4
_LONGEST = 128
_NUMBERS = 1 << 64
_MASKED_ID = b"\xff" + bytes(11)
_MASKED_LENGTH = 12


def decode(text: str, params: Mapping[str, Any]) -> bytes:
    """Return the protocol's byte and the payload.

    Spec: https://spec.filecoin.io/appendix/address/ and FIP-0048
    """
    if params.get("evm", False) and text.startswith("0x"):
        return _from_evm(evm.decode(text, {}))
    network = params.get("network", "f")
    protocol = text[len(network) : len(network) + 1]
    if not text.startswith(network) or protocol not in tuple("01234") or len(text) > _LONGEST:
        raise AddressError(f"not a Filecoin address of network {network!r}")
    rest = text[len(network) + 1 :]
    if protocol == "0":
        return b"\x00" + _varint(_number(rest))
    head = bytes((int(protocol),))
    if protocol == "4":
        number, separator, rest = rest.partition("f")
        if not separator:
            raise AddressError("an f4 address names its manager before a second f")
        head += _varint(_number(number))
    account = _checked(head, rest)
    if not _is_whole(account):
        raise AddressError("wrong length of a Filecoin address")
    return account


def encode(account: bytes, params: Mapping[str, Any]) -> str:
    """Return the lower-case text of a protocol's byte and payload."""
    if not account or not _is_whole(account):
        raise AddressError("these bytes are no Filecoin address")
    network, protocol = params.get("network", "f"), account[0]
    if protocol == ID:
        return f"{network}0{_from_varint(account[1:])[0]}"
    if protocol == DELEGATED:
        number, width = _from_varint(account[1:])
        return f"{network}4{number}f{_base32(account, account[1 + width :])}"
    return f"{network}{protocol}{_base32(account, account[1:])}"


def _from_evm(account: bytes) -> bytes:
    """Return the Filecoin address of an EVM account; a masked one names an actor's number."""
    if account[:_MASKED_LENGTH] == _MASKED_ID:
        return b"\x00" + _varint(int.from_bytes(account[_MASKED_LENGTH:], "big"))
    return ETHEREUM + account


def _is_whole(account: bytes) -> bool:
    protocol, payload = account[0], account[1:]
    if protocol in _LENGTHS:
        return len(payload) == _LENGTHS[protocol]
    if protocol not in (ID, DELEGATED):
        return False
    try:
        number, width = _from_varint(payload)
    except AddressError:
        return False
    if protocol == ID:
        return width == len(payload)
    if account[: len(ETHEREUM)] == ETHEREUM and number == ETHEREUM[1]:
        return len(payload) - width == evm.LENGTH
    return len(payload) - width <= _LONGEST_SUBADDRESS


def _checked(head: bytes, text: str) -> bytes:
    """Return ``head`` and the payload behind it, whose checksum covers both."""
    try:
        raw = b32decode(text.upper() + "=" * (-len(text) % 8))
    except (BinasciiError, ValueError):
        raise AddressError("not a Filecoin address: not base 32") from None
    if b32encode(raw).decode().rstrip("=").lower() != text:
        raise AddressError("not a Filecoin address: not exact base 32 in lower case")
    account = head + raw[:-_CHECKSUM]
    if len(raw) < _CHECKSUM or raw[-_CHECKSUM:] != _checksum(account):
        raise AddressError("wrong checksum of a Filecoin address")
    return account


def _base32(account: bytes, payload: bytes) -> str:
    return b32encode(payload + _checksum(account)).decode().rstrip("=").lower()


def _checksum(account: bytes) -> bytes:
    return blake2b(account, digest_size=_CHECKSUM).digest()


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or str(int(text)) != text or int(text) >= _NUMBERS:
        raise AddressError("not the plain decimal number of a Filecoin actor")
    return int(text)


def _varint(number: int) -> bytes:
    """Return ``number`` as unsigned LEB128."""
    digits = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def _from_varint(payload: bytes) -> tuple[int, int]:
    """Return the number at the start of ``payload`` and its width; only the shortest form."""
    number = 0
    for place, digit in enumerate(payload):
        number |= (digit & 0x7F) << 7 * place
        if digit < 0x80:  # noqa: PLR2004 - the last byte has no high bit
            width = place + 1
            if number < _NUMBERS and _varint(number) == payload[:width]:
                return number, width
            break
    raise AddressError("not the number of a Filecoin actor")

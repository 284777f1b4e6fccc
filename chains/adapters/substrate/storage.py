"""Storage keys of a Substrate runtime and the values under them, read by their exact length.

A map's key is twox128(pallet) ‖ twox128(item) ‖ for each argument blake2b-128(argument) ‖
argument. Integers are little endian. A value whose length is not one of the known shapes is not
read: a later runtime may have moved its fields.

Spec: https://docs.polkadot.com/polkadot-protocol/parachain-basics/data-encoding/
Source: paritytech/polkadot-sdk frame/system (AccountInfo), frame/balances and frame/assets
(types.rs)
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec
import xxhash

from chains.accounts import Held
from chains.model import Gap, Part, PartKind

ACCOUNT = 32
"""Bytes of an account."""
_U128 = 16
_COUNTERS = (12, 16)
"""Bytes before the balances: nonce, consumers, providers and, since 2021, sufficients as u32."""
_BALANCES = 4 * _U128
"""free, reserved, and misc_frozen, fee_frozen (until 2023) or frozen, flags."""
_NEW_LOGIC = 1 << 127
"""Bit of the flags that tells them from fee_frozen."""
_STATUSES = 3
"""Liquid, frozen, blocked; before 2023 a boolean."""
_REASONS = {0: 0, 1: 0, 2: _U128, 3: 0, 4: ACCOUNT + _U128}
"""Why an account of an asset exists, with the bytes that follow; before 2022 a boolean."""


class Metadata(msgspec.Struct, frozen=True):
    """What an asset says of itself."""

    symbol: str
    decimals: int


def item(pallet: str, name: str) -> bytes:
    """Return the key of a storage item, which is the prefix of a map's keys."""
    return _twox128(pallet) + _twox128(name)


def _twox128(text: str) -> bytes:
    halves = (xxhash.xxh64_intdigest(text.encode(), seed=seed) for seed in (0, 1))
    return b"".join(half.to_bytes(8, "little") for half in halves)


def hashed(argument: bytes) -> bytes:
    """Return an argument behind its hash (blake2_128_concat)."""
    return blake2b(argument, digest_size=16).digest() + argument


NOW = item("Timestamp", "Now")
ACCOUNTS = item("System", "Account")


def account_key(account: bytes) -> bytes:
    """Return the key of an account's balances in the native coin."""
    return ACCOUNTS + hashed(account)


def asset_prefix(asset: int) -> bytes:
    """Return what the keys of all accounts of an asset begin with."""
    return item("Assets", "Account") + hashed(asset.to_bytes(4, "little"))


def metadata_key(asset: int) -> bytes:
    """Return the key of an asset's metadata."""
    return item("Assets", "Metadata") + hashed(asset.to_bytes(4, "little"))


def account_of(key: bytes, prefix: bytes) -> bytes | None:
    """Return the account that a key of a map is for, if it is one."""
    account = key[-ACCOUNT:]
    return account if key == prefix + hashed(account) else None


def read_time(value: bytes | None) -> int | Gap:
    """Read Timestamp.Now: milliseconds as u64. Returns seconds."""
    if value is None:
        return Gap("zero-without-canary", detail="the state shows no time")
    if len(value) != 8:  # noqa: PLR2004 - u64
        return Gap("malformed-answer", detail="the time is not 8 bytes")
    return int.from_bytes(value, "little") // 1000


def read_account(value: bytes | None) -> Held | Gap:
    """Read AccountInfo: free and reserved add up; what is frozen lies within both."""
    if value is None:
        return Held(())
    if len(value) - _BALANCES not in _COUNTERS:
        return Gap("malformed-answer", detail=f"account of {len(value)} bytes")
    body = value[-_BALANCES:]
    free, reserved, frozen, last = (
        int.from_bytes(body[at : at + _U128], "little") for at in range(0, _BALANCES, _U128)
    )
    if last < _NEW_LOGIC:
        frozen = max(frozen, last)
    parts = [Part(PartKind.LIQUID, free)]
    if reserved:
        parts.append(Part(PartKind.RESERVED, reserved))
    if frozen:
        parts.append(Part(PartKind.FROZEN, frozen, counted=False))
    return Held(tuple(parts))


def read_asset_account(value: bytes | None) -> Held | Gap:
    """Read AssetAccount: balance, status, reason to exist. A frozen account's balance is its."""
    if value is None:
        return Held(())
    wrong = Gap("malformed-answer", detail=f"account of an asset of {len(value)} bytes")
    if len(value) < _U128 + 2 or value[_U128] >= _STATUSES:
        return wrong
    more = _REASONS.get(value[_U128 + 1])
    if more is None or len(value) != _U128 + 2 + more:
        return wrong
    units = int.from_bytes(value[:_U128], "little")
    parts = [Part(PartKind.LIQUID, units)]
    if value[_U128]:
        parts.append(Part(PartKind.FROZEN, units, counted=False))
    return Held(tuple(parts))


def read_metadata(value: bytes | None) -> Metadata | Gap:
    """Read AssetMetadata: deposit u128, name, symbol, decimals u8, is_frozen bool."""
    if value is None:
        return Gap("no-contract", detail="the asset has no metadata")
    wrong = Gap("malformed-answer", detail="metadata of the asset")
    name = _text(value[_U128:])
    symbol = None if name is None else _text(name[1])
    if symbol is None or len(symbol[1]) != 2:  # noqa: PLR2004 - two single bytes
        return wrong
    try:
        return Metadata(symbol[0].decode(), symbol[1][0])
    except UnicodeDecodeError:
        return wrong


def _text(data: bytes) -> tuple[bytes, bytes] | None:
    """Take bytes behind their compact length; returns them and the rest."""
    if not data or data[0] & 3 > 1:
        return None
    width = 1 + (data[0] & 3)
    length = int.from_bytes(data[:width], "little") >> 2
    end = width + length
    return (data[width:end], data[end:]) if len(data) >= end else None


def compact(number: int) -> bytes:
    """Return the compact encoding of a number below 2^64.

    Spec: https://docs.polkadot.com/polkadot-protocol/parachain-basics/data-encoding/
    """
    for mode, width in enumerate((1, 2, 4)):
        if number < 1 << (8 * width - 2):
            return (number << 2 | mode).to_bytes(width, "little")
    body = number.to_bytes(max(4, (number.bit_length() + 7) // 8), "little")
    return bytes(((len(body) - 4) << 2 | 3,)) + body

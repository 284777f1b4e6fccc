"""TON addresses that belong to a key: the hash of a wallet contract's initial state.

An address is the hash of the StateInit cell, whose two references are the wallet's code
and its first data. Of the code only hash and depth are needed; the data holds the key. Only
versions that a published vector confirms are listed: other wallets exist (older ones, other
subwallets, multisig), so an address that is not among these is not refuted by that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

import msgspec

WALLET_ID = 698983191
"""Default subwallet in workchain 0. Spec: https://github.com/toncenter/tonweb"""
WALLET_ID_V5 = 0x7FFFFF11
"""V5's in workchain 0 of mainnet, subwallet 0: network -239 with 1, 0, 0, 0 laid over it.

Spec: https://github.com/ton-blockchain/wallet-contract-v5/blob/main/Specification.md
"""
HIGHLOAD_ID, HIGHLOAD_TIMEOUT = 4269, 43200
"""OKX's highload wallets (seconds). Spec: https://github.com/okx/proof-of-reserves"""


class Wallet(msgspec.Struct, frozen=True):
    """A version of the wallet contract: its code and how its data holds a key."""

    name: str
    code_hash: bytes
    code_depth: int
    data: Callable[[int], tuple[int, int]]


def _v3(key: int) -> tuple[int, int]:
    return WALLET_ID << 256 | key, 32 + 32 + 256


def _v4(key: int) -> tuple[int, int]:
    return (WALLET_ID << 256 | key) << 1, 32 + 32 + 256 + 1


def _v5(key: int) -> tuple[int, int]:
    """Lay out: may sign (1 bit), sequence number 0 (32), wallet id (32), key, no extensions (1)."""
    return ((1 << 64 | WALLET_ID_V5) << 256 | key) << 1, 1 + 32 + 32 + 256 + 1


def _highload(key: int) -> tuple[int, int]:
    return ((key << 32 | HIGHLOAD_ID) << 66) << 22 | HIGHLOAD_TIMEOUT, 256 + 32 + 66 + 22


WALLETS = (
    Wallet(
        "wallet-v3r2",
        bytes.fromhex("84dafa449f98a6987789ba232358072bc0f76dc4524002a5d0918b9a75d2d599"),
        0,
        _v3,
    ),
    Wallet(
        "highload-v3",
        bytes.fromhex("11acad7955844090f283bf238bc1449871f783e7cc0979408d3f4859483e8525"),
        6,
        _highload,
    ),
    Wallet(
        "wallet-v4r2",
        bytes.fromhex("feb5ff6820e2ff0d9483e7e0d62c817d846789fb4ae580c878866d959dabd5c0"),
        7,
        _v4,
    ),
    Wallet(
        "wallet-v5r1",
        bytes.fromhex("20834b7b72b112147e1b2fb457b84e74d1a30f04f737d4f62a668e9552d2b72f"),
        6,
        _v5,
    ),
)


@lru_cache(maxsize=1 << 12)
def accounts(key: bytes) -> dict[bytes, str]:
    """Return the accounts (workchain 0) of a key's wallets, each with the wallet's name.

    Spec: https://docs.ton.org/v3/documentation/data-formats/tlb/cell-boc
    """
    number = int.from_bytes(key, "big")
    return {b"\0" + _address_hash(wallet, number): wallet.name for wallet in WALLETS}


def _address_hash(wallet: Wallet, key: int) -> bytes:
    """Hash the StateInit: bits 00110 and the references to code and data."""
    value, bits = wallet.data(key)
    data_hash = sha256(b"\x00" + _bits(value, bits)).digest()
    depths = wallet.code_depth.to_bytes(2, "big") + b"\0\0"
    return sha256(b"\x02" + _bits(0b00110, 5) + depths + wallet.code_hash + data_hash).digest()


def _bits(value: int, count: int) -> bytes:
    """Return the second descriptor byte and the data of a cell, padded with a 1 bit."""
    descriptor = count // 8 + (count + 7) // 8
    spare = -count % 8
    if spare:
        value = (value << 1 | 1) << (spare - 1)
    return bytes((descriptor,)) + value.to_bytes((count + 7) // 8, "big")

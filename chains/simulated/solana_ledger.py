"""What the simulated Solana node knows beside lamports: mints, token accounts, transactions.

Layouts as in https://github.com/solana-program/token, transactions as
https://solana.com/docs/rpc/http/gettransaction shows them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from chains.addresses.base58 import bytes_to_base58

TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105 - a program
TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105 - a program
RENT = 2_039_280
"""Lamports of a token account: the minimum for 165 bytes."""
RENT_EPOCH = 2**64 - 1
PAYER = bytes_to_base58(sha256(b"payer").digest())
_EXTENDED = 165


class Mint(msgspec.Struct, frozen=True):
    """A mint, of Token-2022 if it is the program, then with ``extensions`` as they stand."""

    decimals: int = 6
    program: str = TOKEN
    supply: int = 10**15
    extensions: bytes = b""

    def data(self) -> bytes:
        """Return the bytes of the account."""
        plain = bytes(36) + self.supply.to_bytes(8, "little") + bytes((self.decimals, 1))
        return extended(plain.ljust(82, b"\0"), 1, self.extensions)


class TokenAccount(msgspec.Struct, frozen=True):
    """A token account; ``state`` 1 is usable, 2 frozen."""

    mint: bytes
    owner: bytes
    amount: int
    state: int = 1
    extensions: bytes = b""

    def data(self) -> bytes:
        """Return the bytes of the account."""
        plain = self.mint + self.owner + self.amount.to_bytes(8, "little") + bytes(36)
        return extended((plain + bytes((self.state,))).ljust(_EXTENDED, b"\0"), 2, self.extensions)


class Side(msgspec.Struct, frozen=True):
    """A token account on one side of a transaction."""

    mint: bytes
    owner: bytes
    amount: int


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction: lamports before and after by account, and token balances of some of them.

    ``loaded`` are accounts that came from a lookup table.
    """

    slot: int
    lamports: Mapping[bytes, tuple[int, int]]
    tokens: Mapping[bytes, tuple[Side | None, Side | None]] = {}
    loaded: frozenset[bytes] = frozenset()
    error: bool = False
    names_program: bool = True
    names_owners: bool = True

    @property
    def signature(self) -> str:
        """Base58 of 64 bytes, from all that the transaction is."""
        shown = repr(msgspec.structs.astuple(self)).encode()
        return bytes_to_base58(sha256(shown).digest() * 2)

    def shown(self, start_s: int) -> dict[str, Any]:
        """Return the answer to getTransaction."""
        static = [one for one in self.lamports if one not in self.loaded]
        loaded = [one for one in self.lamports if one in self.loaded]
        order = [*static, *loaded]
        programs = [TOKEN] if self.tokens and self.names_program else []
        keys = [PAYER, *(bytes_to_base58(one) for one in static), *programs]
        place = {one: i + 1 for i, one in enumerate(static)}
        place |= {one: len(keys) + i for i, one in enumerate(loaded)}
        before, after = (
            [10**9, *(self.lamports[one][side] for one in static), *([1] * len(programs))]
            + [self.lamports[one][side] for one in loaded]
            for side in (0, 1)
        )
        pre, post = (
            [
                self._token(place[one], sides)
                for one in order
                if programs and (sides := self.tokens.get(one, (None, None))[side]) is not None
            ]
            for side in (0, 1)
        )
        return {
            "blockTime": start_s + self.slot * 2 // 5,
            "meta": {
                "err": {"InstructionError": [0, {"Custom": 1}]} if self.error else None,
                "fee": 5000,
                "loadedAddresses": {
                    "readonly": [],
                    "writable": [bytes_to_base58(one) for one in loaded],
                },
                "postBalances": after,
                "postTokenBalances": post,
                "preBalances": before,
                "preTokenBalances": pre,
            },
            "slot": self.slot,
            "transaction": {
                "message": {"accountKeys": keys},
                "signatures": [self.signature],
            },
            "version": 0 if loaded else "legacy",
        }

    def _token(self, at: int, side: Side) -> dict[str, Any]:
        shown = {
            "accountIndex": at,
            "mint": bytes_to_base58(side.mint),
            "owner": bytes_to_base58(side.owner),
            "programId": TOKEN,
            "uiTokenAmount": {"amount": str(side.amount), "decimals": 6, "uiAmount": None},
        }
        return shown if self.names_owners else {k: v for k, v in shown.items() if k != "owner"}


def extended(plain: bytes, kind: int, extensions: bytes) -> bytes:
    """Return the bytes of an account with the extensions of Token-2022 behind them."""
    if not extensions:
        return plain
    return plain.ljust(_EXTENDED, b"\0") + bytes((kind,)) + extensions


def extension(kind: int, value: bytes) -> bytes:
    """Return one extension."""
    return kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value


def stake_account(
    withdrawer: bytes, delegated: int, *, until: int = 2**64 - 1, reserve: int = 2_282_880
) -> bytes:
    """Return the bytes of a delegated stake account."""
    meta = reserve.to_bytes(8, "little") + bytes(32) + withdrawer + bytes(48)
    stake = bytes(32) + delegated.to_bytes(8, "little") + bytes(8) + until.to_bytes(8, "little")
    return ((2).to_bytes(4, "little") + meta + stake).ljust(200, b"\0")


def described(lamports: int, owner: str, data: bytes, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return an account as the node shows it, cut as ``dataSlice`` asks."""
    cut = config.get("dataSlice") or {"offset": 0, "length": len(data)}
    shown = data[cut["offset"] : cut["offset"] + cut["length"]]
    return {
        "data": [b64encode(shown).decode(), "base64"],
        "executable": False,
        "lamports": lamports,
        "owner": owner,
        "rentEpoch": RENT_EPOCH,
        "space": len(data),
    }


def largest(mint: bytes, tokens: Mapping[bytes, TokenAccount]) -> list[dict[str, Any]]:
    """Return the largest accounts of a mint as getTokenLargestAccounts shows them."""
    own = [(one.amount, name) for name, one in tokens.items() if one.mint == mint]
    return [
        {"address": bytes_to_base58(name), "amount": str(amount), "decimals": 6, "uiAmount": None}
        for amount, name in sorted(own, reverse=True)[:20]
    ]

"""The bytes of mints, token accounts and stake accounts.

Integers are little-endian. Token-2022 keeps what Token has in the first bytes, a byte for the kind
of account at 165, then extensions as type (2 bytes), length (2 bytes), value.

Spec: https://github.com/solana-program/token interface/src/state.rs
Spec: https://github.com/solana-program/token-2022 interface/src/extension
Spec: https://github.com/solana-program/stake interface/src/state.rs
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from chains.adapters.solana.derive import TOKEN_2022, TOKEN_PROGRAMS
from chains.adapters.solana.wire import Held, key
from chains.model import Gap, Part, PartKind

TOKEN_BYTES = 1024
"""What is asked of the data of token accounts: more than all known extensions together."""
_MINT_LENGTH, _ACCOUNT_LENGTH, _MULTISIG_LENGTH = 82, 165, 355
_KIND_MINT, _KIND_ACCOUNT = 1, 2
_FROZEN = 2
_WITHHELD, _CONFIDENTIAL = 2, 5
_CIPHERTEXTS = slice(33, 225)
"""Pending low, pending high and available balance, behind a flag and a key; zero if unused."""

_UNINITIALIZED, _INITIALIZED, _DELEGATED = 0, 1, 2
_STAKE_END = 196
_NEVER = 2**64 - 1


class TokenAccount(msgspec.Struct, frozen=True):
    """A token account: base58 of mint and owner, base units; ``hidden`` part of it is encrypted."""

    mint: str
    owner: str
    amount: int
    frozen: bool = False
    withheld: int = 0
    hidden: bool = False


def number(data: bytes, at: int) -> int:
    """Return the 64-bit integer at an offset."""
    return int.from_bytes(data[at : at + 8], "little")


def token_account(held: Held | None) -> TokenAccount | None:
    """Read a token account; ``None`` where the account is another thing."""
    if held is None or held.owner not in TOKEN_PROGRAMS or not _is(held, _KIND_ACCOUNT):
        return None
    data = held.data or b""
    state = data[108]
    if state == 0:
        return None
    extensions = dict(_extensions(held))
    confidential = extensions.get(_CONFIDENTIAL, b"")
    return TokenAccount(
        mint=key(data[:32]),
        owner=key(data[32:64]),
        amount=number(data, 64),
        frozen=state == _FROZEN,
        withheld=number(extensions.get(_WITHHELD, b""), 0),
        hidden=held.space > len(data) or any(confidential[_CIPHERTEXTS]),
    )


def mint_decimals(held: Held | None) -> tuple[str, int] | Gap:
    """Read a mint: its program and its decimals."""
    if held is None or not held.lamports:
        return Gap("no-contract", detail="no account at the mint's address")
    if held.owner not in TOKEN_PROGRAMS or not _is(held, _KIND_MINT):
        return Gap("no-contract", detail="the account is no mint")
    data = held.data or b""
    if data[45] != 1:
        return Gap("no-contract", detail="the mint is not initialized")
    return held.owner, data[44]


def supply(held: Held) -> int:
    """Return the supply of an account that ``mint_decimals`` read."""
    return number(held.data or b"", 36)


def _is(held: Held, kind: int) -> bool:
    """Tell by its length, or by the byte behind the common part, what an account is."""
    data = held.data or b""
    plain = _MINT_LENGTH if kind == _KIND_MINT else _ACCOUNT_LENGTH
    if held.space == plain:
        return len(data) == plain
    if held.owner != TOKEN_2022 or held.space in (_MINT_LENGTH, _ACCOUNT_LENGTH, _MULTISIG_LENGTH):
        return False
    return len(data) > _ACCOUNT_LENGTH and data[_ACCOUNT_LENGTH] == kind


def _extensions(held: Held) -> Iterator[tuple[int, bytes]]:
    data, at = held.data or b"", _ACCOUNT_LENGTH + 1
    while at + 4 <= len(data):
        kind = int.from_bytes(data[at : at + 2], "little")
        length = int.from_bytes(data[at + 2 : at + 4], "little")
        if kind == 0:
            return
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def stake_parts(held: Held, epoch: int | None) -> tuple[Part, ...] | Gap:
    """Split the lamports of a stake account; all of them belong to its withdrawer.

    ``epoch`` is that of the slot; where it is not known, what is delegated counts as staked. Stake
    whose deactivation lies in an earlier epoch counts as liquid, although the cluster may limit
    how fast it cools down.
    """
    data = held.data or b""
    if len(data) < _STAKE_END:
        return Gap("malformed-answer", detail="a stake account of fewer bytes than one has")
    state = int.from_bytes(data[:4], "little")
    reserve = number(data, 4) if state in (_INITIALIZED, _DELEGATED) else 0
    delegated = number(data, 156) if state == _DELEGATED else 0
    rest = held.lamports - reserve - delegated
    if state > _DELEGATED or rest < 0:
        return Gap("malformed-answer", detail="a stake account that holds less than it says")
    kind, until = PartKind.STAKED, number(data, 172)
    if until != _NEVER and epoch is not None:
        kind = PartKind.UNBONDING if epoch <= until else PartKind.LIQUID
    parts = [Part(kind, delegated), Part(PartKind.RESERVED, reserve), Part(PartKind.LIQUID, rest)]
    return tuple(part for part in parts if part.units) or (Part(PartKind.LIQUID, 0),)

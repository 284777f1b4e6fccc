"""Which storage keys answer a question: an account's balances, an asset's account or metadata."""

from __future__ import annotations

from collections.abc import Mapping

from chains.adapters.substrate import storage, wire
from chains.model import Exchange, Gap, QueryKind, Questions, Request, Snapshot

ASSET = "asset"
_LARGEST_ASSET = 2**32 - 1


def asset_of(questions: Questions) -> int | None:
    """Return the number of an asset of pallet-assets, ``None`` for anything else."""
    kind, _, reference = questions.asset.partition("/")[2].partition(":")
    if kind != ASSET or not reference.isascii() or not reference.isdigit():
        return None
    number = int(reference[:11])
    return number if number <= _LARGEST_ASSET and str(number) == reference else None


def key_of(questions: Questions, account: bytes) -> bytes:
    """Return the key that answers for an account, or for the asset itself."""
    asset = asset_of(questions)
    if asset is None:
        return storage.account_key(account)
    if questions.kind is QueryKind.ASSET_FACT:
        return storage.metadata_key(asset)
    return storage.asset_prefix(asset) + storage.hashed(account)


def holders_prefix(questions: Questions) -> bytes:
    """Return the prefix of the keys of an asset's holders, empty where none are needed."""
    asset = asset_of(questions)
    balance = questions.kind is QueryKind.BALANCE
    return storage.asset_prefix(asset) if balance and asset is not None else b""


def holders(questions: Questions, at: Snapshot, own: Mapping[Request, Exchange]) -> list[bytes]:
    """Return the keys of the holders that the state showed for a group of questions."""
    prefix = holders_prefix(questions)
    if not prefix:
        return []
    found = wire.read_accounts(own.get(wire.keys(prefix, at.block_hash)), prefix)
    return [] if isinstance(found, Gap) else [prefix + storage.hashed(one) for one in found]

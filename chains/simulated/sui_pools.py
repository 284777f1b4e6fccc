"""Staking pools of a simulated Sui service: what their tables of rates say, by epoch.

``rates`` maps a pool to SUI and pool tokens by epoch, ``begun`` to its first epoch. ``placed``
maps the principal of a stake to its pool and the epoch from which it counts; others do not tell
theirs. Knobs: ``too_large`` (the service does not write out the validators), ``lost`` (epochs
whose rates it does not hold). Names and types follow
https://github.com/MystenLabs/sui/blob/main/crates/sui-framework/packages/sui-system/sources/staking_pool.move.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

_ENTRY = re.compile(r"(\w+):object\(address:\"0x(\w{64})\"\)\{asMoveObject\{contents\{json\}\}\}")


class Pools:
    """Pools whose knobs are plain attributes."""

    def __init__(self) -> None:
        self.epoch = 900
        self.rates: dict[bytes, dict[int, tuple[int, int]]] = {}
        self.begun: dict[bytes, int] = {}
        self.placed: dict[int, tuple[bytes, int]] = {}
        self.too_large = False
        self.lost: set[int] = set()

    def stake(self, units: int) -> dict[str, Any]:
        """Return the contents of a stake."""
        value: dict[str, Any] = {"principal": {"value": str(units)}}
        if units in self.placed:
            pool, epoch = self.placed[units]
            value |= {"pool_id": _text(pool), "stake_activation_epoch": str(epoch)}
        return value

    def fields(self, query: str) -> dict[str, Any]:
        """Answer the fields that are about validators and rates."""
        found: dict[str, Any] = {}
        if "validatorSet{" in query:
            each = [{"staking_pool": self._pool(pool)} for pool in self.rates]
            json = None if self.too_large else {"active_validators": each}
            found["epoch"] = {"epochId": self.epoch, "validatorSet": {"contents": {"json": json}}}
        entries = {
            _entry(_table(pool), epoch): rate
            for pool, rates in self.rates.items()
            for epoch, rate in rates.items()
            if epoch not in self.lost
        }
        for alias, name in _ENTRY.findall(query):
            rate = entries.get(bytes.fromhex(name))
            value = None if rate is None else {
                "sui_amount": str(rate[0]), "pool_token_amount": str(rate[1]),
            }  # fmt: skip
            made = {"asMoveObject": {"contents": {"json": {"value": value}}}}
            found[alias] = None if rate is None else made
        return found

    def _pool(self, pool: bytes) -> dict[str, Any]:
        return {
            "id": _text(pool),
            "activation_epoch": str(self.begun.get(pool, 0)),
            "deactivation_epoch": None,
            "exchange_rates": {"id": _text(_table(pool)), "size": "9"},
        }


def _table(pool: bytes) -> bytes:
    return blake2b(pool, digest_size=32).digest()


def _entry(table: bytes, epoch: int) -> bytes:
    """Return the id of the object that holds an epoch's rate."""
    key = epoch.to_bytes(8, "little")
    text = b"\xf0" + table + len(key).to_bytes(8, "little") + key + b"\x02"
    return blake2b(text, digest_size=32).digest()


def _text(account: bytes) -> str:
    return "0x" + account.hex()

"""What stake has earned: the rates of staking pools, as the chain computes a withdrawal.

The rates of a pool by epoch are a table, whose entries never change. Principal becomes pool tokens
at the rate of the epoch in which it began to count, and SUI again at that of the checkpoint's
epoch; each step rounds down. What a withdrawal pays is bounded by what is left in the pool's own
purse at that moment, which is not read: the figure is shown and does not count. None is given
where a pool is no longer, or not yet, of an active validator, or a rate cannot be read.

Spec: https://github.com/MystenLabs/sui/blob/main/crates/sui-framework/packages/sui-system/sources/staking_pool.move
(``request_withdraw_stake``, ``withdraw_rewards``, ``get_token_amount``, ``get_sui_amount``)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chains.adapters.sui import fields, wire
from chains.model import Exchange, Gap, Request, Snapshot

A_REQUEST, MOST = 20, 400
"""Rates in one request, and in all that are asked for a group of accounts."""

_TOO_LARGE = 1 << 64
Own = Mapping[Request, Exchange]
Rate = tuple[int, int]
"""SUI and pool tokens that are worth the same; both are zero where the pool began."""


class Stake(msgspec.Struct, frozen=True):
    """A stake: its pool, the epoch from which it counts, and what was put in."""

    pool: bytes
    epoch: int
    principal: int


class Pools(msgspec.Struct, frozen=True):
    """The epoch of a checkpoint, and the pools of its validators: table of rates, first epoch."""

    epoch: int
    tables: Mapping[bytes, tuple[bytes, int]]


def stake(contents: object, principal: int) -> Stake | None:
    """Read pool and epoch of a ``StakedSui`` object; ``None`` where it does not tell them."""
    said = contents if isinstance(contents, dict) else {}
    pool, epoch = wire.address(said.get("pool_id")), _whole(said.get("stake_activation_epoch"))
    return None if pool is None or epoch is None else Stake(pool, epoch, principal)


def _whole(value: object) -> int | None:
    """Read an integer of 64 bits, which is text where it has more than 32."""
    found = value if isinstance(value, int) and not isinstance(value, bool) else wire.units(value)
    return found if found is not None and 0 <= found < _TOO_LARGE else None


def tokens(rate: Rate, sui: int) -> int:
    """Return the pool tokens of an amount of SUI."""
    return sui if 0 in rate else rate[1] * sui // rate[0]


def worth(rate: Rate, amount: int) -> int:
    """Return the SUI of an amount of pool tokens."""
    return amount if 0 in rate else rate[0] * amount // rate[1]


def next_requests(at: Snapshot, stakes: Sequence[Stake], own: Own) -> list[Request]:
    """Return what is to be asked next, nothing where all is asked or cannot be."""
    if not stakes:
        return []
    first = _pools_request(at.height)
    if first not in own:
        return [first]
    pools = _pools(at, own)
    if pools is None:
        return []
    return [request for request in _rate_requests(at, pools, stakes) if request not in own]


def rewards(at: Snapshot, stakes: Sequence[Stake], every: Sequence[Stake], own: Own) -> int | None:
    """Return what stakes have earned, ``None`` where it was not read; ``every`` stake was asked."""
    pools = _pools(at, own) if stakes else None
    if pools is None:
        return None
    rates = _rates(at, pools, every, own)
    earned = 0
    for one in stakes:
        if one.epoch > pools.epoch:
            continue
        known = pools.tables.get(one.pool)
        if known is None:
            return None
        table, since = known
        began = (0, 0) if since > one.epoch else rates.get(fields.number_field(table, one.epoch))
        now = rates.get(fields.number_field(table, pools.epoch))
        if began is None or now is None:
            return None
        earned += max(0, worth(now, tokens(began, one.principal)) - one.principal)
    return earned


def _pools_request(checkpoint: int) -> Request:
    return wire.query(wire.as_of(checkpoint, ["epoch{epochId validatorSet{contents{json}}}"]))


def _rate_requests(at: Snapshot, pools: Pools, stakes: Sequence[Stake]) -> list[Request]:
    names = _names(pools, stakes)
    parts = [
        f'r{i}:object(address:"{wire.text(name)}"){{asMoveObject{{contents{{json}}}}}}'
        for i, name in enumerate(names)
    ]
    groups = (parts[start : start + A_REQUEST] for start in range(0, len(parts), A_REQUEST))
    return [wire.query(wire.as_of(at.height, group)) for group in groups]


def _names(pools: Pools, stakes: Sequence[Stake]) -> list[bytes]:
    """Return the objects that hold the rates, at most ``MOST``."""
    found: dict[bytes, None] = {}
    for one in stakes:
        known = pools.tables.get(one.pool)
        if known is not None and one.epoch <= pools.epoch:
            found[fields.number_field(known[0], one.epoch)] = None
            found[fields.number_field(known[0], pools.epoch)] = None
    return list(found)[:MOST]


def _pools(at: Snapshot, own: Own) -> Pools | None:
    said = _said(at, own.get(_pools_request(at.height)))
    epoch = _inside(said, "epoch", "epochId")
    listed = _inside(said, "epoch", "validatorSet", "contents", "json", "active_validators")
    number = _whole(epoch)
    if number is None or not isinstance(listed, list):
        return None
    tables: dict[bytes, tuple[bytes, int]] = {}
    for one in listed:
        pool = _inside(one, "staking_pool")
        name = wire.address(_inside(pool, "id"))
        table = wire.address(_inside(pool, "exchange_rates", "id"))
        since = _whole(_inside(pool, "activation_epoch"))
        if name is not None and table is not None and since is not None:
            tables[name] = (table, since)
    return Pools(number, tables)


def _rates(at: Snapshot, pools: Pools, stakes: Sequence[Stake], own: Own) -> dict[bytes, Rate]:
    names = _names(pools, stakes)
    found: dict[bytes, Rate] = {}
    for k, request in enumerate(_rate_requests(at, pools, stakes)):
        said = _said(at, own.get(request))
        for i in range(k * A_REQUEST, min((k + 1) * A_REQUEST, len(names))):
            value = _inside(said, f"r{i}", "asMoveObject", "contents", "json", "value")
            sui = _whole(_inside(value, "sui_amount"))
            amount = _whole(_inside(value, "pool_token_amount"))
            if sui is not None and amount is not None:
                found[names[i]] = (sui, amount)
    return found


def _said(at: Snapshot, exchange: Exchange | None) -> Mapping[str, Any]:
    answer = wire.read(exchange)
    if isinstance(answer, Gap):
        return {}
    said = wire.within(answer, at.height, at.block_hash)
    return {} if isinstance(said, Gap) else said


def _inside(node: object, *path: str) -> object:
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node

"""What a token's contract says of it: whether it is ours, its supply, what a share is worth.

Pure. Facts stand as ``STANDING`` tables of one answer, by asset and height.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from chains.model import AssetId, ChainId
from crawler.asking.plan import capabilities, is_token
from crawler.counting.shares import Rate, rate_of
from crawler.settings import World
from crawler.tables.columns import distinct, whole

Key = tuple[str, int]
"""Asset and height."""


def asset_gaps(
    world: World,
    facts_by_asset: Mapping[Key, pa.Table],
    asked: Iterable[Key],
) -> dict[Key, str]:
    """For each token and height: why its balances may not be used, where that is so."""
    found = {
        (asset, height): "asset-unconfirmed"
        for asset, height in asked
        if is_token(AssetId(asset)) and (asset, height) not in facts_by_asset
    }
    for (asset, height), standing in facts_by_asset.items():
        gap = standing["gap"][0].as_py()
        if gap:
            found[asset, height] = gap if gap == "no-contract" else "asset-unconfirmed"
            continue
        facts = msgspec.json.decode(standing["facts"][0].as_py().encode())
        declared = world.assets[AssetId(asset)]
        symbol = declared.symbol or facts.get("symbol")  # "" means: not confirmed, decimals only
        if (facts.get("decimals"), facts.get("symbol")) != (declared.decimals, symbol):
            found[asset, height] = "asset-mismatch"
    return found


def supplies(
    world: World,
    facts_by_asset: Mapping[Key, pa.Table],
    gaps: Mapping[Key, str],
) -> dict[Key, str]:
    """For each token and height: its total supply in base units, where the chain told that block's.

    A chain that tells of its head only may have burnt since.
    """
    found = {}
    for (asset, height), standing in facts_by_asset.items():
        spec = world.chains[ChainId(asset.partition("/")[0])]
        if gaps.get((asset, height)) or capabilities(spec).history != "exact":
            continue
        supply = msgspec.json.decode(standing["facts"][0].as_py().encode()).get("total_supply")
        if supply is not None:
            found[asset, height] = str(int(supply))
    return found


def possible(
    claims: pa.Table, observed: pa.ChunkedArray | pa.Array, supplies: Mapping[Key, str]
) -> pa.Table:
    """Return claims without the amounts that nobody can hold: above the token's supply.

    Where the account itself holds all of it, rounding may have made more of it, and the balance
    tells the rest.
    """
    codes, firsts = distinct([claims["asset_id"], claims["at_height"]])
    keys = [claims[name].take(firsts).to_pylist() for name in ("asset_id", "at_height")]
    known = [supplies.get(key) for key in zip(*keys, strict=True)]
    if not any(known):
        return claims
    supply = pa.array(known, pa.string()).take(pa.array(codes))
    is_beyond = pc.and_(
        pc.fill_null(_is_more(whole(claims["units"]), supply), False),
        pc.fill_null(_is_more(supply, whole(observed)), True),
    )
    at = claims.schema.get_field_index("units")
    units = pc.if_else(is_beyond, pa.scalar(None, pa.string()), whole(claims["units"]))
    return claims.set_column(at, claims.schema.field(at), units)


def _is_more(one: pa.Array, other: pa.Array) -> pa.Array:
    """Compare decimal texts without leading zeros; null where one of them is."""
    longer, shorter = (pc.utf8_length(each) for each in (one, other))
    same = pc.and_(pc.equal(longer, shorter), pc.greater(one, other))
    return pc.or_(pc.greater(longer, shorter), same)


def read_rate(standing: pa.Table) -> Rate:
    """Return what a token's facts say of its exchange rate, if it has any."""
    gap = standing["gap"][0].as_py()
    if gap:
        return Rate(None, gap)
    return rate_of(msgspec.json.decode(standing["facts"][0].as_py().encode()))

"""Chains that are two doors to one ledger: the same accounts, the same coins, other addresses.

Filecoin's EVM is Filecoin: ``0x…`` and ``f410f…`` are one actor, and what it holds is one balance
however it is listed. ``same_as`` in ``config/chains.toml`` says so; rows of such a chain about its
native coin are compared under the other chain's asset and account, so that a second listing is a
repeat, or in conflict, and never added.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains import addresses
from chains.model import ChainId
from crawler.columns import flags
from crawler.settings import World


def unified(world: World, claims: pa.Table) -> pa.Table:
    """Return claims with one name for each account and coin that two chains have in common.

    Accounts are those that the chain resolved; an account that the other chain's format cannot
    name stays as it is.
    """
    twins = {spec.native: spec for spec in world.chains.values() if spec.same_as}
    if not twins:
        return claims
    decoded = pc.greater(pc.binary_length(claims["account"]), 0)
    chosen = pc.and_(pc.is_in(claims["asset_id"], value_set=pa.array(list(twins))), decoded)
    places = np.flatnonzero(flags(chosen)).tolist()
    if not places:
        return claims
    accounts, assets = (claims[name].to_pylist() for name in ("account", "asset_id"))
    for i in places:
        own = twins[assets[i]]
        other = world.chains[ChainId(own.same_as)]
        try:
            accounts[i] = addresses.decode(other, addresses.encode(own, accounts[i]))
        except addresses.AddressError:
            continue
        assets[i] = other.native
    for name, values in (("account", accounts), ("asset_id", assets)):
        at = claims.schema.get_field_index(name)
        field = claims.schema.field(at)
        claims = claims.set_column(at, field, pa.array(values, field.type))
    return claims

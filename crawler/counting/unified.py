"""Accounts that two chains have in common: the coin of one account, published under both.

A chain may say that its coin and accounts are another one's under other names (``unified_with``):
``0x…`` of the Filecoin EVM is an f410 address of Filecoin, ``0xff…`` an actor's number. For the
comparison of rows such an account, as its own chain resolved it, is written as an account of the
other. Tokens have no second chain.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from chains import addresses
from chains.addresses import AddressError
from chains.errors import ConfigError
from chains.model import ChainId, ChainSpec
from crawler.settings import World


def unified(world: World, claims: pa.Table) -> pa.Table:
    """Return the rows with each account and coin on the chain that stands for both.

    ``claims`` has ``asset_id`` and ``account``, as the chain resolved it. Raises ``ConfigError``
    where the other chain's address format does not read an account.
    """
    for spec in world.chains.values():
        if spec.unified_with:
            claims = _moved(spec, world.chains[ChainId(spec.unified_with)], claims)
    return claims


def _moved(spec: ChainSpec, other: ChainSpec, claims: pa.Table) -> pa.Table:
    account = claims["account"]
    own = pc.and_(
        pc.equal(claims["asset_id"], spec.native), pc.greater(pc.binary_length(account), 0)
    )
    found = pc.unique(account.filter(own))
    if not len(found):
        return claims
    renamed = pa.array([_renamed(spec, other, one) for one in found.to_pylist()], pa.binary())
    moved = {
        "account": pc.if_else(own, renamed.take(pc.index_in(account, value_set=found)), account),
        "asset_id": pc.if_else(own, str(other.native), claims["asset_id"]),
    }
    for name, column in moved.items():
        at = claims.schema.get_field_index(name)
        claims = claims.set_column(at, claims.schema.field(at), column)
    return claims


def _renamed(spec: ChainSpec, other: ChainSpec, account: bytes) -> bytes:
    text = addresses.encode(spec, account)
    try:
        return addresses.decode(other, text)
    except AddressError as error:
        message = f"chain {spec.id}: unified_with: {other.id} does not read {text}: {error}"
        raise ConfigError(message) from None

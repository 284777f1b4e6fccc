"""Connecting the TRON adapter to simulated nodes, and asking it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import account_crawl

from chains.adapters import tron
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Observation,
    QueryKind,
    Snapshot,
)
from chains.simulated.tron import SimulatedTron

CHAIN = ChainId("tron:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:195")
HEIGHT = 70_000_000


def connected(
    *nodes: SimulatedTron, own_node: bool = False, **params: object
) -> AbstractAsyncContextManager[tron.Adapter]:
    """Start the nodes and an adapter that has them as endpoints ``n0``, ``n1``…"""
    spec = ChainSpec(
        id=CHAIN,
        name="TRON",
        adapter="tron",
        address="tron",
        native=NATIVE,
        params={"genesis_hash": nodes[0].genesis, **params},
    )
    return account_crawl.connected(tron.Adapter, spec, *nodes, own_node=own_node)


async def pinned(adapter: tron.Adapter) -> Snapshot:
    return adapter.snapshot(HEIGHT, await adapter.pin(HEIGHT))


async def asked(
    adapter: tron.Adapter,
    at: Snapshot,
    accounts: tuple[bytes, ...],
    asset: AssetId = NATIVE,
    kind: QueryKind = QueryKind.BALANCE,
) -> Mapping[bytes, Observation | Gap]:
    """Ask about accounts and return the answer to each."""
    return await account_crawl.asked(adapter, at, *accounts, asset=asset, kind=kind)


def short(answer: Observation | Gap) -> int | str:
    return answer.reason if isinstance(answer, Gap) else answer.units

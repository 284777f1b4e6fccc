"""A Solana adapter connected to simulated nodes, and how its answers are compared."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

import account_crawl

from chains.adapters import solana
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Observation,
    QueryKind,
    Questions,
    Snapshot,
)
from chains.simulated.solana import SimulatedSolana

CHAIN = ChainId("solana:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:501")


def connected(
    *nodes: SimulatedSolana, **params: object
) -> AbstractAsyncContextManager[solana.Adapter]:
    """Start the nodes and yield an adapter that asks them."""
    spec = ChainSpec(
        id=CHAIN,
        name="Solana",
        adapter="solana",
        address="solana",
        native=NATIVE,
        params={"genesis_hash": nodes[0].genesis, **params},
    )
    return account_crawl.connected(solana.Adapter, spec, *nodes)


async def pinned(adapter: solana.Adapter, slot: int) -> Snapshot:
    """Pin a slot."""
    return adapter.snapshot(slot, await adapter.pin(slot))


async def asked(
    adapter: solana.Adapter,
    at: Snapshot,
    accounts: tuple[bytes, ...],
    asset: AssetId = NATIVE,
    kind: QueryKind = QueryKind.BALANCE,
) -> Mapping[bytes, Observation | Gap]:
    """Ask, and read the same answers twice."""
    questions = Questions(
        kind=kind,
        chain=CHAIN,
        height=at.height,
        asset=asset,
        accounts=tuple(sorted(accounts)),
    )
    found: dict[bytes, Observation | Gap] = {}
    async for extract in adapter.extract(questions, at):
        answers = adapter.decode(questions, extract, at)
        assert adapter.decode(questions, extract, at) == answers
        found |= {questions.accounts[i]: one for i, one in answers.each(questions)}
    assert len(found) == len(accounts)
    return found


def short(answer: Observation | Gap) -> int | str:
    """Return the units, or the reason of a gap."""
    return answer.reason if isinstance(answer, Gap) else answer.units

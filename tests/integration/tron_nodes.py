"""Connecting the TRON adapter to simulated nodes, and asking it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from chains.adapters import tron
from chains.endpoints import EndpointSpec
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
from chains.simulated.tron import SimulatedTron
from chains.transport import HttpTransport, RetryPolicy

CHAIN = ChainId("tron:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:195")
HEIGHT = 70_000_000


@asynccontextmanager
async def connected(
    *nodes: SimulatedTron, own_node: bool = False, **params: object
) -> AsyncIterator[tron.Adapter]:
    """Start the nodes and an adapter that has them as endpoints ``n0``, ``n1``…"""
    async with AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(node)
        specs = [
            EndpointSpec(
                name=f"n{i}",
                chain=CHAIN,
                url=node.url,
                rate="0",
                timeout_s=2,
                concurrency=16,
                own_node=own_node,
            )
            for i, node in enumerate(nodes)
        ]
        policy = RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=0.02)
        transport = await stack.enter_async_context(HttpTransport(CHAIN, specs, policy))
        spec = ChainSpec(
            id=CHAIN,
            name="TRON",
            adapter="tron",
            address="tron",
            native=NATIVE,
            params={"genesis_hash": nodes[0].genesis, **params},
        )
        yield tron.Adapter(spec, transport)


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
    questions = Questions(
        kind=kind, chain=CHAIN, height=at.height, asset=asset, accounts=tuple(sorted(accounts))
    )
    return {
        questions.accounts[position]: answer
        async for extract in adapter.extract(questions, at)
        for position, answer in adapter.decode(questions, extract, at).each(questions)
    }


def short(answer: Observation | Gap) -> int | str:
    return answer.reason if isinstance(answer, Gap) else answer.units

"""Asks an ``AccountAdapter`` about accounts of simulated nodes: what such adapters' tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from chains.accounts import AccountAdapter
from chains.control import decode as decode_control
from chains.endpoints import EndpointSpec
from chains.model import AssetId, ChainSpec, Gap, Observation, QueryKind, Questions, Snapshot
from chains.signatures import judge
from chains.signatures.model import SignedAddress
from chains.simulated.node import SimulatedNode
from chains.transport import HttpTransport, RetryPolicy
from crawler.asking.control import judge_signers

A = TypeVar("A", bound=AccountAdapter)


@asynccontextmanager
async def connected(
    adapter: type[A], spec: ChainSpec, *nodes: SimulatedNode, path: str = "", own_node: bool = False
) -> AsyncIterator[A]:
    """Start the nodes and an adapter that has them as endpoints ``n0``, ``n1``…

    ``path`` is where below a node's address its protocol is spoken.
    """
    async with AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(node)
        specs = [
            EndpointSpec(
                name=f"n{i}",
                chain=spec.id,
                url=node.url + path,
                rate="0",
                timeout_s=2,
                concurrency=8,
                own_node=own_node,
            )
            for i, node in enumerate(nodes)
        ]
        policy = RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=0.02)
        answering = adapter.capabilities.answering
        transport = HttpTransport(spec.id, specs, policy, answering)
        yield adapter(spec, await stack.enter_async_context(transport))


async def pinned(adapter: AccountAdapter, height: int) -> Snapshot:
    return adapter.snapshot(height, await adapter.pin(height))


async def asked(
    adapter: AccountAdapter,
    at: Snapshot,
    *accounts: bytes,
    kind: QueryKind = QueryKind.BALANCE,
    asset: AssetId | None = None,
) -> Mapping[bytes, Observation | Gap]:
    questions = Questions(
        kind=kind,
        chain=adapter.spec.id,
        height=at.height,
        asset=asset or adapter.spec.native,
        accounts=tuple(sorted(accounts)),
    )
    return {
        questions.accounts[position]: answer
        async for extract in adapter.extract(questions, at)
        for position, answer in adapter.decode(questions, extract, at).each(questions)
    }


def short(answer: Observation | Gap) -> int | str:
    return answer.reason if isinstance(answer, Gap) else answer.units


async def verdict(adapter: AccountAdapter, at: Snapshot, row: SignedAddress) -> tuple[str, str]:
    """Judge a row's signature, ask the chain who controls the account, and join the two."""
    outcome = judge(row)
    assert (outcome.status, outcome.reason) == ("signer-only", "link-unobserved")
    found = await asked(adapter, at, row.account, kind=QueryKind.CONTROL)
    answer = found[row.account]
    assert isinstance(answer, Observation)
    return judge_signers(outcome.signers, (), decode_control(answer.facts))

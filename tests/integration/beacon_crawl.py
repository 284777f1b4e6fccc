"""A beacon adapter with simulated nodes, and one question after another, as the tests need it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from chains.adapters import beacon
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
from chains.simulated.beacon import GWEI, SimulatedBeacon, SimulatedValidator
from chains.transport import HttpTransport, RetryPolicy

CHAIN = ChainId("beacon:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:60")
HEIGHT = 23_000_000
OLD = 20_000_000
"""A height before Electra."""
STAKED, QUEUED, EXITED, NEVER = (bytes((i,)) * 48 for i in range(1, 5))
OWNER = "0x" + "7e" * 20
VALIDATORS = {
    STAKED: SimulatedValidator(
        balance=32 * GWEI + 5, credentials="0x01" + 22 * "0" + OWNER[2:], consolidates=True
    ),
    QUEUED: SimulatedValidator(balance=40 * GWEI, deposits=(GWEI, 2), withdrawals=(3, 4)),
    EXITED: SimulatedValidator(balance=0, status="withdrawal_done", effective=0),
}
TRUE = {STAKED: 32 * GWEI + 5, QUEUED: 41 * GWEI + 2, EXITED: 0, NEVER: 0}


def simulated(height: int = HEIGHT, **options: object) -> SimulatedBeacon:
    return SimulatedBeacon(height, VALIDATORS, **options)  # type: ignore[arg-type]


@asynccontextmanager
async def connected(
    *nodes: SimulatedBeacon, own_node: bool = False
) -> AsyncIterator[beacon.Adapter]:
    async with AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(node)
        specs = [
            EndpointSpec(
                name=f"n{i}", chain=CHAIN, url=node.url, rate="0", timeout_s=10, own_node=own_node
            )
            for i, node in enumerate(nodes)
        ]
        policy = RetryPolicy(attempts=1)
        transport = await stack.enter_async_context(HttpTransport(CHAIN, specs, policy))
        spec = ChainSpec(
            id=CHAIN,
            name="beacon",
            adapter="beacon",
            address="bls",
            native=NATIVE,
            params=nodes[0].params,
        )
        yield beacon.Adapter(spec, transport)


async def pinned(adapter: beacon.Adapter, height: int = HEIGHT) -> Snapshot:
    return adapter.snapshot(height, await adapter.pin(height))


async def asked(
    adapter: beacon.Adapter,
    at: Snapshot,
    *accounts: bytes,
    kind: QueryKind = QueryKind.BALANCE,
) -> Mapping[bytes, Observation | Gap]:
    questions = Questions(
        kind=kind,
        chain=CHAIN,
        height=at.height,
        asset=NATIVE,
        accounts=tuple(sorted(accounts or TRUE)),
    )
    return {
        questions.accounts[position]: answer
        async for extract in adapter.extract(questions, at)
        for position, answer in adapter.decode(questions, extract, at).each(questions)
    }


def short(found: Mapping[bytes, Observation | Gap]) -> dict[bytes, int | str]:
    return {
        account: one.reason if isinstance(one, Gap) else one.units for account, one in found.items()
    }


AT = simulated().slot_of(HEIGHT)
MISSED_AT = [AT, AT + 1, AT + 2]

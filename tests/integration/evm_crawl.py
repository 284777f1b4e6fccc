"""One crawl through adapter and transport, as the tests need it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from chains.adapters.eip155 import Adapter
from chains.endpoints import EndpointSpec
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Extract,
    Gap,
    Observation,
    QueryKind,
    Questions,
    Snapshot,
)
from chains.transport import HttpTransport, RetryPolicy

QUICK = RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=0.02, total_s=5.0)


def chain(chain_id: int, **params: Any) -> ChainSpec:
    """Declare a test chain."""
    name = f"eip155:{chain_id}"
    return ChainSpec(
        id=ChainId(name),
        name="test",
        adapter="eip155",
        address="evm",
        native=AssetId(f"{name}/slip44:60"),
        params={"chain_id": chain_id, **params},
    )


def token_asset(spec: ChainSpec, token: bytes) -> AssetId:
    return AssetId(f"{spec.id}/erc20:0x{token.hex()}")


class Crawler:
    """An adapter with its snapshot."""

    def __init__(self, spec: ChainSpec, adapter: Adapter, at: Snapshot) -> None:
        self.spec = spec
        self.adapter = adapter
        self.at = at
        self.extracts: list[Extract] = []

    def questions(self, kind: QueryKind, asset: AssetId, accounts: Sequence[bytes]) -> Questions:
        return Questions(
            kind=kind,
            chain=self.spec.id,
            height=self.at.height,
            asset=asset,
            accounts=tuple(accounts),
        )

    async def ask(
        self, kind: QueryKind, asset: AssetId, accounts: Sequence[bytes]
    ) -> dict[bytes, Observation | Gap]:
        """Ask, decode, and return one answer per account; every position exactly once."""
        questions = self.questions(kind, asset, accounts)
        found: dict[bytes, Observation | Gap] = {}
        self.extracts = []
        async for extract in self.adapter.extract(questions, self.at):
            self.extracts.append(extract)
            answers = self.adapter.decode(questions, extract, self.at)
            for position, answer in answers.each(questions):
                account = questions.accounts[position]
                assert account not in found
                found[account] = answer
        assert set(found) == set(accounts)
        return found

    async def natives(self, accounts: Sequence[bytes]) -> dict[bytes, int | Gap]:
        return units(await self.ask(QueryKind.BALANCE, self.spec.native, accounts))

    async def holdings(self, token: bytes, accounts: Sequence[bytes]) -> dict[bytes, int | Gap]:
        asset = token_asset(self.spec, token)
        return units(await self.ask(QueryKind.BALANCE, asset, accounts))

    def decoders(self) -> set[str]:
        return {extract.decoder for extract in self.extracts}


def units(found: Mapping[bytes, Observation | Gap]) -> dict[bytes, int | Gap]:
    return {at: a if isinstance(a, Gap) else a.units for at, a in found.items()}


def reasons(found: Mapping[bytes, int | Gap]) -> set[str]:
    """Return the reasons of the gaps; ``""`` stands for a number."""
    return {answer.reason if isinstance(answer, Gap) else "" for answer in found.values()}


def endpoint(spec: ChainSpec, url: str, name: str = "a", **more: Any) -> EndpointSpec:
    return EndpointSpec(name=name, chain=spec.id, url=url, rate="0", **more)


@asynccontextmanager
async def transport(spec: ChainSpec, *endpoints: EndpointSpec) -> AsyncIterator[HttpTransport]:
    async with HttpTransport(spec.id, endpoints, QUICK) as open_transport:
        yield open_transport


@asynccontextmanager
async def pinned(spec: ChainSpec, height: int, *endpoints: EndpointSpec) -> AsyncIterator[Crawler]:
    """Pin the height and hand over a crawler."""
    async with transport(spec, *endpoints) as open_transport:
        adapter = Adapter(spec, open_transport)
        at = adapter.snapshot(height, await adapter.pin(height))
        yield Crawler(spec, adapter, at)

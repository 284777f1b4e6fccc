"""Base of the adapters that ask about accounts in small groups: most chains outside EVM.

A family says what to ask (``pin_requests``, ``ask``) and how to read it (``view``, ``read``); the
rest is here: every endpoint is pinned, groups are asked in a window so that all slots stay busy,
and what was read becomes ``Answers``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import ClassVar, Protocol, runtime_checkable

import msgspec

from chains import flow
from chains.adapter import Capabilities, Transport
from chains.control import ControlFacts, encode
from chains.endpoints import EndpointSpec
from chains.model import (
    Answers,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Method,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Request,
    Snapshot,
    Source,
    all_gaps,
)
from chains.pinning import View, agree, by_endpoint

UNASKED = "unasked/1"
"""Decoder of extracts that were not sent: the question, not the chain, says the answer."""


class Held(msgspec.Struct, frozen=True):
    """What one account holds, in base units; ``subject`` where the chain resolved another."""

    parts: tuple[Part, ...]
    subject: bytes | None = None

    @property
    def units(self) -> int:
        """The sum of the counted parts."""
        return sum(part.units for part in self.parts if part.counted)


class Fact(msgspec.Struct, frozen=True):
    """The facts of a token as JSON: at least ``decimals`` and ``symbol``."""

    text: str


Read = Held | ControlFacts | Fact | Gap


def liquid(units: int) -> Held:
    """Return the balance of an account that has one liquid part."""
    return Held((Part(PartKind.LIQUID, units),))


@runtime_checkable
class Declaring(Protocol):
    """A transport that tells how its endpoints were declared; one in a test need not."""

    def spec(self, endpoint: str) -> EndpointSpec:
        """Return the endpoint's declaration."""
        ...


class AccountAdapter:
    """Asks ``group`` accounts at a time, ``window`` groups under way at once.

    Subclasses set ``capabilities`` and implement ``pin_requests``, ``view``, ``ask`` and ``read``.
    """

    capabilities: ClassVar[Capabilities]
    group: ClassVar[int] = 1
    window: ClassVar[int] = 32
    method: ClassVar[Method] = Method.STATE

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        self.spec = spec
        self.transport = transport

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Return what every endpoint is asked first: identity, head, block, canary."""
        raise NotImplementedError

    async def pin_more(
        self, height: int, endpoint: str, shown: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask what the first answers make possible (a canary taken from the block)."""
        del height, endpoint, shown
        return []

    def view(self, height: int, endpoint: str, own: Mapping[Request, Exchange]) -> View:
        """Read what one endpoint showed; raises ``WrongChain``. Pure."""
        raise NotImplementedError

    def head_requests(self) -> Sequence[Request]:
        """Return what tells the newest final block (``chains.heads``); nothing: it is not told."""
        return ()

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest final block from the answers to ``head_requests``. Pure."""
        raise NotImplementedError

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask one endpoint about a group of accounts, a canary among them. Not empty."""
        raise NotImplementedError

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read a group's answers, one for each account, from what ``ask`` returned. Pure."""
        raise NotImplementedError

    def refusal(self, questions: Questions) -> Gap | None:
        """Say why these questions are not sent at all, if they are not."""
        if questions.kind is QueryKind.CONTROL and self.capabilities.control:
            return None
        if questions.kind is not QueryKind.BALANCE:
            return Gap("kind-unsupported", detail=f"{questions.kind} questions are not asked here")
        if questions.asset != self.spec.native:
            return Gap("asset-unsupported", detail=f"{questions.asset} is not read")
        return None

    async def together(self, requests: Sequence[Request], endpoint: str) -> list[Exchange]:
        """Send several requests to one endpoint at once; answers in their order."""
        ask = self.transport.exchange
        return list(await asyncio.gather(*(ask(request, endpoint) for request in requests)))

    async def pin(self, height: int) -> tuple[Exchange, ...]:
        """Ask every configured endpoint for the moment."""
        names = self.transport.endpoints
        shown = await asyncio.gather(*(self._pin_one(height, name) for name in names))
        return tuple(exchange for own in shown for exchange in own)

    async def _pin_one(self, height: int, endpoint: str) -> list[Exchange]:
        first = await self.together(self.pin_requests(height), endpoint)
        return first + await self.pin_more(height, endpoint, first)

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Resolve the moment; raises ``WrongChain``, ``Disagreement`` or why nobody knew it."""
        return agree(self.spec, height, self.views(height, exchanges))

    def views(self, height: int, exchanges: Sequence[Exchange]) -> Mapping[str, View]:
        """Read what each endpoint showed; raises ``WrongChain``. Pure."""
        shown = by_endpoint(exchanges)
        return {name: self.view(height, name, own) for name, own in shown.items()}

    async def extract(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
        """Yield one extract per group."""
        positions = range(len(questions.accounts))
        if self.refusal(questions) is not None:
            yield Extract(positions=positions, decoder=UNASKED, exchanges=())
            return
        size = self.group_size(at)
        jobs = (
            partial(self._extract, questions, at, positions[start : start + size])
            for start in positions[::size]
        )
        async for extract in flow.in_window(jobs, self.window):
            yield extract

    def group_size(self, at: Snapshot) -> int:
        """Return ``group``, or less where a group is one request and an endpoint takes less."""
        transport = self.transport
        if self.capabilities.batch == 1 or not isinstance(transport, Declaring):
            return self.group
        declared = [transport.spec(name).batch for name in at.endpoints]
        return min([self.group, *(batch for batch in declared if batch)])

    async def _extract(self, questions: Questions, at: Snapshot, positions: range) -> Extract:
        accounts = [questions.accounts[position] for position in positions]
        exchanges = await self.ask(questions, at, accounts)
        decoder = f"{questions.kind}/1"
        return Extract(positions=positions, decoder=decoder, exchanges=tuple(exchanges))

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract. Pure."""
        refusal = self.refusal(questions)
        if refusal is not None:
            return all_gaps(extract, refusal)
        accounts = [questions.accounts[position] for position in extract.positions]
        found = self.read(questions, at, accounts, extract.exchanges)
        if len(found) != len(accounts):
            raise ValueError(f"{len(found)} answers were read for {len(accounts)} accounts")
        held = {i: one for i, one in enumerate(found) if isinstance(one, Held)}
        own = all(exchange.own_node for exchange in extract.exchanges)
        return Answers(
            positions=extract.positions,
            units=[_units(one) for one in found],
            gaps={i: one for i, one in enumerate(found) if isinstance(one, Gap)},
            parts={i: one.parts for i, one in held.items() if not _is_plain(one)},
            subjects={i: one.subject for i, one in held.items() if one.subject is not None},
            facts={i: _facts(one) for i, one in enumerate(found) if _facts(one)},
            source=Source.OWN_NODE if own else Source.SINGLE,
            method=self.method,
            endpoint=extract.exchanges[0].endpoint,
        )


def _units(one: Read) -> int | None:
    if isinstance(one, Gap):
        return None
    return one.units if isinstance(one, Held) else 0


def _is_plain(held: Held) -> bool:
    """Tell whether the balance is one liquid part, which needs no list of parts."""
    return len(held.parts) == 1 and held.parts[0] == Part(PartKind.LIQUID, held.units)


def _facts(one: Read) -> str:
    if isinstance(one, ControlFacts):
        return encode(one)
    return one.text if isinstance(one, Fact) else ""

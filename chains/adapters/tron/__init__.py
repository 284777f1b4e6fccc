"""TRON: liquid TRX at a height, from nodes that record the history of balances.

A node started with ``--history-balance-lookup`` keeps, per account, the balance after every
block that changed it, and ``/wallet/getaccountbalance`` returns the last such record at or
below the asked block. Without the flag, before it was switched on, and for accounts without
a record the same call answers **balance 0 and the asked block**, with no error. That echo is
never read as zero by itself; ``rules`` says what is.

What a height cannot show: staked, delegated and unclaimed TRX (``/wallet/getaccount`` tells
them for now only) and TRC-20 balances (nodes keep no past contract state). Balances are
therefore the liquid part only. A node whose flag was off for some blocks between a record
and the height answers with an outdated record: only a second endpoint can show that.

``spec.params``: ``genesis_hash`` (id of block 0, required), ``canaries`` (``T…`` addresses
that hold TRX at every height of interest, optional).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import ClassVar

from chains import addresses, flow
from chains.adapters.tron import pinning, rules, wire
from chains.model import (
    Answers,
    Capabilities,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Method,
    QueryKind,
    Questions,
    Request,
    Snapshot,
    Source,
    Transport,
    all_gaps,
)

BATCH = 50
"""Accounts per extract: one request each, with a canary before them."""
WINDOW = 4
"""Extracts under way at once; the endpoint's slot decides how many requests really are."""
DECODER = "balance-record/1"
UNASKED = "unasked/1"
"""Decoder of extracts that were not sent: the question, not the chain, says the answer."""
TRC20 = (
    "TRON nodes keep no past state of TRC-20 contracts: no balance at a height by this method; "
    "it would have to be rolled back over Transfer events"
)
BROKEN_OFF = "the first request of the batch failed; the others were not sent"
OTHER_ASSET = "only the native TRX is read at a height"
OTHER_KIND = "only balances are asked of TRON nodes"


class Adapter:
    """Reads liquid TRX in sun (10^-6 TRX) at a block."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="flagged",
        assets=("slip44",),
        methods=(Method.STATE,),
        zero_rule=(
            "A zero counts if the canary of the same batch is right and either a record below "
            "the height shows the block that emptied the account, or the head state shows that "
            "no account existed at the height. An echoed zero alone is the gap no-record. "
            "Liquid TRX only: staked TRX is not seen at a height."
        ),
        batch=1,
        shard=2000,
    )

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        self._spec = spec
        self._transport = transport
        self._declared = tuple(
            addresses.decode(spec, str(text)) for text in spec.params.get("canaries", ())
        )

    async def pin(self, height: int) -> tuple[Exchange, ...]:
        """Ask every endpoint for block 0, its heads, the block, and the canaries at it."""
        endpoints = self._transport.endpoints
        shown = await asyncio.gather(*(self._pin_one(height, name) for name in endpoints))
        return tuple(exchange for own in shown for exchange in own)

    async def _pin_one(self, height: int, endpoint: str) -> list[Exchange]:
        ask = self._transport.exchange
        requests = [wire.block_request(0), wire.head_request(wire.SOLID_HEAD)]
        if height:
            requests.append(wire.block_request(height))
        exchanges = list(await asyncio.gather(*(ask(request, endpoint) for request in requests)))
        if pinning.serves_no_solid_head(exchanges[1]):
            exchanges.append(await ask(wire.head_request(wire.HEAD), endpoint))
        answer = wire.read_object(exchanges[2 if height else 0])
        block = answer if isinstance(answer, Gap) else wire.read_block(answer)
        if isinstance(block, Gap):
            return exchanges
        canaries = pinning.canary_accounts(answer, self._declared)
        asked = (wire.balance_request(who, height, block.id) for who in canaries)
        return exchanges + list(await asyncio.gather(*(ask(one, endpoint) for one in asked)))

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Resolve the block; raises ``WrongChain`` or ``Disagreement``."""
        return pinning.snapshot(self._spec, height, exchanges, self._declared)

    async def extract(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
        """Ask for each account, in batches of one endpoint that each carry a canary."""
        positions = range(len(questions.accounts))
        if self._refusal(questions) is not None:
            yield Extract(positions=positions, decoder=UNASKED, exchanges=())
            return
        jobs = (
            partial(self._extract_batch, questions, at, positions[start : start + BATCH])
            for start in positions[::BATCH]
        )
        async for extract in flow.in_window(jobs, WINDOW):
            yield extract

    async def _extract_batch(self, questions: Questions, at: Snapshot, positions: range) -> Extract:
        accounts = [questions.accounts[position] for position in positions]
        canaries = [bytes.fromhex(text) for text in at.canaries[:1]]
        asked = [wire.balance_request(who, at.height, at.block_hash) for who in canaries + accounts]
        first = await self._transport.exchange_any(asked[0], at.endpoints)
        exchanges = [first]
        if not first.failure:
            exchanges += await self._ask(asked[1:], first.endpoint)
            echoed = [
                who
                for who, exchange in zip(canaries + accounts, exchanges, strict=True)
                if rules.is_echo(rules.record(exchange, at.height, at.block_hash), at)
            ]
            if echoed and canaries:
                states = [wire.account_request(who) for who in dict.fromkeys(canaries + echoed)]
                exchanges += await self._ask(states, first.endpoint)
        return Extract(positions=positions, decoder=DECODER, exchanges=tuple(exchanges))

    async def _ask(self, requests: Sequence[Request], endpoint: str) -> list[Exchange]:
        ask = self._transport.exchange
        return list(await asyncio.gather(*(ask(request, endpoint) for request in requests)))

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract by the rules of ``rules``. Pure."""
        refusal = self._refusal(questions)
        if refusal is not None:
            return all_gaps(extract, refusal)
        first = extract.exchanges[0]
        if first.failure:
            gap = Gap(first.failure, retryable=first.retryable, detail=BROKEN_OFF)
            return all_gaps(extract, gap, first.endpoint)
        found = rules.decode(questions, extract, at)
        own = all(exchange.own_node for exchange in extract.exchanges)
        return Answers(
            positions=extract.positions,
            units=[None if isinstance(one, Gap) else one for one in found],
            gaps={i: one for i, one in enumerate(found) if isinstance(one, Gap)},
            source=Source.OWN_NODE if own else Source.SINGLE,
            method=Method.STATE,
            endpoint=first.endpoint,
        )

    def _refusal(self, questions: Questions) -> Gap | None:
        """Say why these questions are not sent at all, if they are not."""
        if questions.kind is not QueryKind.BALANCE:
            return Gap("kind-unsupported", detail=OTHER_KIND)
        if questions.asset == self._spec.native:
            return None
        if "/trc20:" in questions.asset:
            return Gap("no-history", detail=TRC20)
        return Gap("asset-unsupported", detail=OTHER_ASSET)

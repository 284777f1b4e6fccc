"""Solana: SOL at a slot, as far as it can be known without history.

Nodes answer for the newest finalized slot only. Asked at the slot itself the answer is the
balance; asked later it still is, for every account that no transaction has touched since:
most published addresses. ``rules`` says what is concluded from what. The others are gaps;
a capture at the slot or a roll-back over their transactions would answer them.

``spec.params``: ``genesis_hash`` (base58, required), ``canaries`` (base58 keys that hold
lamports for ever; the system program and the clock sysvar unless given), ``busy`` (an account
that transactions name in every block; the compute budget program unless given), ``calls`` (the
most calls in one array, 10 unless given: some providers take no more for historical methods).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import ClassVar

from chains import flow
from chains.adapters.solana import pinning, rules, wire
from chains.addresses import AddressError
from chains.addresses.base58 import base58_to_bytes
from chains.errors import ConfigError
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
    Snapshot,
    Source,
    Transport,
    all_gaps,
)

CANARIES = ("1" * 32, "SysvarC1ock11111111111111111111111111111111")
"""The system program and the clock sysvar: part of the runtime, never without lamports.
Source: https://solana.com/docs/core/programs, https://docs.anza.xyz/runtime/sysvars"""
BUSY = "ComputeBudget111111111111111111111111111111"
"""Named by nearly every transaction that sets its fee. Source: solana-sdk-ids"""
CALLS = 10
"""Source: https://www.helius.dev/docs/rpc/guides/getblock (ten archival calls per array)"""
WINDOW = 4
"""Extracts under way at once; the endpoint's slot decides how many requests really are."""
DECODER = "untouched/1"
UNASKED = "unasked/1"
"""Decoder of extracts that were not sent: the question, not the chain, says the answer."""
ACCOUNT_BYTES = 32
OTHER_ASSET = "only the native SOL is read so far; token accounts are not"
OTHER_KIND = "only balances are asked of Solana nodes"


class Adapter:
    """Reads lamports (10^-9 SOL) at a slot."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="tip",
        assets=("slip44",),
        methods=(Method.STATE, Method.UNTOUCHED),
        zero_rule=(
            "A zero counts if a standing account (canary) of the same answer is there and the "
            "account is absent either at the slot itself, or later with no transaction since "
            "the slot in a ledger that reaches back to it and is shown to be up to date. "
            "Accounts touched since, and stake and vote accounts, are the gap no-history."
        ),
        batch=wire.MOST_ACCOUNTS - 1,
        shard=4950,
    )

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        self._spec = spec
        self._transport = transport
        self._canaries = tuple(_account(spec, text) for text in _canaries(spec))
        self._busy = wire.key(_account(spec, str(spec.params.get("busy", BUSY))))
        self._calls = max(2, int(spec.params.get("calls", CALLS)))

    async def pin(self, height: int) -> tuple[Exchange, ...]:
        """Ask every endpoint for the cluster, its newest slot, the block and the canaries."""
        keys = [wire.key(account) for account in self._canaries]
        requests = pinning.pin_requests(height, keys)
        endpoints = self._transport.endpoints
        ask = self._transport.exchange
        return tuple(
            await asyncio.gather(
                *(ask(request, name) for name in endpoints for request in requests)
            )
        )

    def snapshot(self, height: int, exchanges: Sequence[Exchange]) -> Snapshot:
        """Resolve the slot; raises ``WrongChain``, ``Disagreement``, ``Unanswerable``."""
        return pinning.snapshot(self._spec, height, exchanges, self._canaries)

    async def extract(self, questions: Questions, at: Snapshot) -> AsyncIterator[Extract]:
        """Ask for accounts, a canary among them, then for their newest transactions."""
        positions = range(len(questions.accounts))
        if self._refusal(questions) is not None:
            yield Extract(positions=positions, decoder=UNASKED, exchanges=())
            return
        size = wire.MOST_ACCOUNTS - 1
        jobs = (
            partial(self._extract_batch, questions, at, positions[start : start + size])
            for start in positions[::size]
        )
        async for extract in flow.in_window(jobs, WINDOW):
            yield extract

    async def _extract_batch(self, questions: Questions, at: Snapshot, positions: range) -> Extract:
        keys = [wire.key(questions.accounts[position]) for position in positions]
        canaries = [wire.key(bytes.fromhex(text)) for text in at.canaries[:1]]
        asked = wire.accounts_request(canaries + keys, at.height)
        first = await self._transport.exchange_any(asked, at.endpoints)
        exchanges = [first]
        accounts = wire.read_accounts(first, at.height)
        if not isinstance(accounts, Gap) and accounts.slot != at.height:
            size = self._calls - 1
            requests = (
                wire.signatures_request([self._busy, *keys[start : start + size]], accounts.slot)
                for start in range(0, len(keys), size)
            )
            ask = self._transport.exchange
            exchanges += await asyncio.gather(*(ask(one, first.endpoint) for one in requests))
        return Extract(positions=positions, decoder=DECODER, exchanges=tuple(exchanges))

    def decode(self, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
        """Interpret one extract by the rules of ``rules``. Pure."""
        refusal = self._refusal(questions)
        if refusal is not None:
            return all_gaps(extract, refusal)
        first = extract.exchanges[0]
        found, method, parts = rules.decode(questions, extract, at, self._busy)
        own = all(exchange.own_node for exchange in extract.exchanges)
        gaps = {i: one for i, one in enumerate(found) if isinstance(one, Gap)}
        return Answers(
            positions=extract.positions,
            units=[None if isinstance(one, Gap) else one for one in found],
            gaps=gaps,
            parts={i: part for i, part in parts.items() if i not in gaps},
            source=Source.OWN_NODE if own else Source.SINGLE,
            method=method,
            endpoint=first.endpoint,
        )

    def _refusal(self, questions: Questions) -> Gap | None:
        """Say why these questions are not sent at all, if they are not."""
        if questions.kind is not QueryKind.BALANCE:
            return Gap("kind-unsupported", detail=OTHER_KIND)
        if questions.asset != self._spec.native:
            return Gap("asset-unsupported", detail=OTHER_ASSET)
        return None


def _canaries(spec: ChainSpec) -> Sequence[str]:
    declared = spec.params.get("canaries")
    return CANARIES if declared is None else [str(text) for text in declared]


def _account(spec: ChainSpec, text: str) -> bytes:
    try:
        account = base58_to_bytes(text)
    except AddressError as error:
        raise ConfigError(f"chain {spec.id}: canary {text!r} is not base58") from error
    if len(account) != ACCOUNT_BYTES:
        raise ConfigError(f"chain {spec.id}: canary {text!r} has {len(account)} bytes, not 32")
    return account

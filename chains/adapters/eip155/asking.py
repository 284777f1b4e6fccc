"""Questions about contracts, one account at a time, and what their answers have in common.

Everything about one account is asked of one endpoint: what another one showed about it does not
count. Reading is pure.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from chains import flow
from chains.adapter import Transport
from chains.adapters.eip155.endpoints import concurrency, primaries
from chains.adapters.eip155.reading import UNSENT, code_request, find, reason_unsent
from chains.adapters.eip155.refusals import refine
from chains.adapters.eip155.ways import ACCOUNT, answer_bytes
from chains.control import ControlFacts, encode
from chains.model import (
    Answers,
    Exchange,
    Extract,
    Gap,
    Method,
    Questions,
    Request,
    Snapshot,
    Source,
    all_gaps,
)

Ask = Callable[[Sequence[str], bytes], Awaitable[tuple[Exchange, ...]]]
"""Asks whichever of these endpoints is free all it takes about one question."""


async def extracts(
    transport: Transport, questions: Questions, at: Snapshot, decoder: str, ask: Ask
) -> AsyncIterator[Extract]:
    """Yield one extract per account; no more are under way than the endpoints have slots."""
    names = primaries(transport, at.endpoints)

    async def one(position: int, asked: bytes) -> Extract:
        if not names:
            unsent = await transport.exchange_any(code_request(asked[:ACCOUNT], at), ())
            return Extract(positions=[position], decoder=UNSENT, exchanges=(unsent,))
        exchanges = await ask(names, asked)
        return Extract(positions=[position], decoder=decoder, exchanges=exchanges)

    jobs = (partial(one, position, asked) for position, asked in enumerate(questions.accounts))
    slots = sum(concurrency(transport, name) for name in names)
    async for extract in flow.in_window(jobs, max(1, slots)):
        yield extract


def answers(
    questions: Questions, extract: Extract, read: Callable[[bytes, Shown], ControlFacts | Gap]
) -> Answers:
    """Answer the one position of an extract with what ``read`` makes of its exchanges."""
    if extract.decoder == UNSENT:
        return all_gaps(extract, reason_unsent(extract))
    if not extract.exchanges:
        return all_gaps(extract, Gap("not-answered", detail="nothing was asked"))
    endpoint = extract.exchanges[0].endpoint
    facts = read(questions.accounts[extract.positions[0]], Shown(extract.exchanges))
    if isinstance(facts, Gap):
        return all_gaps(extract, facts, endpoint)
    own = all(exchange.own_node for exchange in extract.exchanges)
    return Answers(
        positions=extract.positions,
        units=[0] * len(extract.positions),
        source=Source.OWN_NODE if own else Source.SINGLE,
        method=Method.STATE,
        endpoint=endpoint,
        facts={0: encode(facts)},
    )


class Shown:
    """What one endpoint answered about one account: the endpoint that was asked first."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._exchanges = exchanges
        self._endpoint = exchanges[0].endpoint

    def exchange(self, request: Request) -> Exchange | None:
        """Return the exchange that sent exactly this request, if there is one."""
        return find(self._exchanges, request, self._endpoint)

    def answer(self, request: Request) -> bytes | Gap:
        """Return the bytes that answer exactly this request; a call's revert is a ``Gap``."""
        found = self.exchange(request)
        if found is None:
            return Gap("not-answered", detail="a question is missing")
        raw = answer_bytes(found)
        return refine(raw) if isinstance(raw, Gap) else raw

    def call(self, request: Request) -> bytes | Gap | None:
        """Return what a contract's function returned, ``None`` where it reverted."""
        raw = self.answer(request)
        return None if isinstance(raw, Gap) and raw.reason == "call-failed" else raw

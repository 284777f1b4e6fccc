"""Facts about a token at the pinned block: decimals, symbol, total supply, code.

They confirm our own configuration (a wrong ``decimals`` is our fault, not a shortfall) and
show that the token exists at this block.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec

from chains.adapter import Transport
from chains.adapters.eip155.endpoints import primaries
from chains.adapters.eip155.reading import (
    UNSENT,
    code_request,
    find,
    reason_unsent,
    supply_request,
    view_request,
)
from chains.adapters.eip155.refusals import refine
from chains.adapters.eip155.ways import ACCOUNT, answer_bytes
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
from chains.token_facts import TokenFacts, read_text
from chains.words import WORD

DECODER = "asset-fact"
DECIMALS = "313ce567"
SYMBOL = "95d89b41"


def requests(token: bytes, at: Snapshot, rate_call: bytes = b"") -> tuple[Request, ...]:
    """Return the questions: code, decimals, symbol, total supply and, where asked, the rate.

    Spec: https://eips.ethereum.org/EIPS/eip-20
    """
    return (
        code_request(token, at),
        view_request(token, DECIMALS, at),
        view_request(token, SYMBOL, at),
        supply_request(token, at),
        *([view_request(token, rate_call.hex(), at)] if rate_call else []),
    )


def _rate_call(questions: Questions) -> bytes:
    """Return the calldata that stands behind the token's own account, if any does."""
    return questions.accounts[0][ACCOUNT:]


async def extract(
    transport: Transport, token: bytes, questions: Questions, at: Snapshot
) -> AsyncIterator[Extract]:
    """Ask one endpoint after the other until one has answered all questions."""
    every = list(range(len(questions.accounts)))
    trail: list[Exchange] = []
    for endpoint in primaries(transport, at.endpoints):
        answers = await asyncio.gather(
            *(
                transport.exchange(request, endpoint)
                for request in requests(token, at, _rate_call(questions))
            )
        )
        trail.extend(answers)
        if not any(exchange.failure for exchange in answers):
            break
    if not trail:
        trail.append(await transport.exchange_any(code_request(token, at), ()))
        yield Extract(positions=every, decoder=UNSENT, exchanges=tuple(trail))
        return
    yield Extract(positions=every, decoder=DECODER, exchanges=tuple(trail))


def decode(token: bytes, questions: Questions, extract: Extract, at: Snapshot) -> Answers:
    """Read the facts; an endpoint's failure is a ``Gap``, a token's silence is ``null``."""
    if extract.decoder == UNSENT:
        return all_gaps(extract, reason_unsent(extract))
    endpoint = extract.exchanges[-1].endpoint
    asked = requests(token, at, _rate_call(questions))
    found = [find(extract.exchanges, request, endpoint) for request in asked]
    answers: list[bytes | None] = []
    for exchange in found:
        if exchange is None:
            return all_gaps(extract, Gap("not-answered", detail="a question is missing"))
        raw = answer_bytes(exchange)
        gap = refine(raw) if isinstance(raw, Gap) else None
        if gap is not None and gap.reason != "call-failed":
            return all_gaps(extract, gap, endpoint)
        answers.append(None if isinstance(raw, Gap) else raw)
    code, decimals, symbol, supply, *rates = answers
    if not code:
        return all_gaps(extract, Gap("no-contract"), endpoint)
    places = _number(decimals)
    total = _number(supply)
    rate = _number(rates[0]) if rates else None
    facts = TokenFacts(
        decimals=places if places is not None and places < 256 else None,  # noqa: PLR2004
        symbol=None if symbol is None else read_text(symbol),
        total_supply=None if total is None else str(total),
        code=True,
        rate=None if rate is None else str(rate),
    )
    text = msgspec.json.encode(facts).decode()
    count = len(extract.positions)
    own = all(exchange is not None and exchange.own_node for exchange in found)
    return Answers(
        positions=extract.positions,
        units=[0] * count,
        source=Source.OWN_NODE if own else Source.SINGLE,
        method=Method.STATE,
        endpoint=endpoint,
        facts=dict.fromkeys(range(count), text),
    )


def _number(raw: bytes | None) -> int | None:
    if raw is None or len(raw) < WORD:
        return None
    return int.from_bytes(raw[:WORD], "big")

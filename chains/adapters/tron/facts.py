"""What a TRC-20 contract says of itself now: decimals, symbol, total supply.

They confirm our own configuration. TRON keeps no past contract state, so that they were the
same at the height is not shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chains.accounts import Fact
from chains.adapter import Transport
from chains.adapters.tron import tokens
from chains.model import Exchange, Gap, Request, Snapshot
from chains.token_facts import TokenFacts, read_text

MOST_DECIMALS = 255
"""``decimals`` is a ``uint8``. Spec: https://eips.ethereum.org/EIPS/eip-20"""


def requests(token: bytes) -> list[Request]:
    """Ask for decimals, symbol and total supply."""
    selectors = (tokens.DECIMALS, tokens.SYMBOL, tokens.TOTAL_SUPPLY)
    return [tokens.call_request(token, selector) for selector in selectors]


async def ask(transport: Transport, at: Snapshot, token: bytes) -> list[Exchange]:
    """Ask one endpoint; the others only where the first question fails there."""
    first, *others = requests(token)
    exchanges = [await transport.exchange_any(first, at.endpoints)]
    if not exchanges[0].failure:
        for request in others:
            exchanges.append(await transport.exchange(request, exchanges[0].endpoint))
    return exchanges


def read(exchanges: Sequence[Exchange], token: bytes) -> Fact | Gap:
    """Read the facts; an endpoint's failure is a ``Gap``, a token's silence is ``null``."""
    found = {exchange.request: exchange for exchange in exchanges}
    answers: list[bytes | None] = []
    for request in requests(token):
        exchange = found.get(request)
        if exchange is None:
            return _missing(exchanges)
        raw = tokens.read_return(exchange)
        if isinstance(raw, Gap) and raw.reason != "call-failed":
            return raw
        answers.append(None if isinstance(raw, Gap) else raw)
    decimals, symbol, supply = answers
    places, total = _number(decimals), _number(supply)
    facts = TokenFacts(
        decimals=places if places is not None and places <= MOST_DECIMALS else None,
        symbol=None if symbol is None else read_text(symbol),
        total_supply=None if total is None else str(total),
        code=True,
    )
    return Fact(msgspec.json.encode(facts).decode())


def _missing(exchanges: Sequence[Exchange]) -> Gap:
    """Say why a question has no answer: the first one failed, or it was not asked."""
    first = tokens.read_return(exchanges[0])
    return first if isinstance(first, Gap) else Gap("not-answered")


def _number(raw: bytes | None) -> int | None:
    return int.from_bytes(raw, "big") if raw is not None and len(raw) == tokens.WORD else None

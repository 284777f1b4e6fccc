"""How far an endpoint is: the newest block that its adapter would pin.

Nothing here is evidence. A head only chooses a height; the pin that follows shows chain, block
and state. Adapters that can tell it have two more methods (``TellsHead``); the others say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from chains.adapter import Transport
from chains.errors import ChainError
from chains.model import Exchange, Gap, Request

HIGHEST = 2**63
"""Heights at or above this are no height: they do not fit the files of a run."""
UNTOLD = Gap("kind-unsupported", detail="the adapter of this network does not tell the head")
DEFECTS = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    ArithmeticError,
    AttributeError,
    RecursionError,
)


@runtime_checkable
class TellsHead(Protocol):
    """An adapter that can say how far an endpoint is."""

    def head_requests(self) -> Sequence[Request]:
        """Return what is asked; nothing where this chain's head cannot be told."""
        ...

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Return the newest final block from the answers, in the order of the requests. Pure."""
        ...


async def heads(adapter: object, transport: Transport) -> Mapping[str, int | Gap]:
    """Ask every endpoint for its newest final block; never raises for what they answer."""
    requests = adapter.head_requests() if isinstance(adapter, TellsHead) else ()
    if not isinstance(adapter, TellsHead) or not requests:
        return dict.fromkeys(transport.endpoints, UNTOLD)

    async def one(endpoint: str) -> int | Gap:
        asked = (transport.exchange(request, endpoint) for request in requests)
        return _read(adapter, await asyncio.gather(*asked))

    names = transport.endpoints
    found = await asyncio.gather(*map(one, names))
    return dict(zip(names, found, strict=True))


def _read(adapter: TellsHead, exchanges: Sequence[Exchange]) -> int | Gap:
    """Read one endpoint's answers; whatever they are, a height or a ``Gap`` comes out."""
    try:
        found = adapter.read_head(exchanges)
    except ChainError as error:
        return Gap(error.code, detail=str(error)[:200])
    except DEFECTS as error:
        return Gap("adapter-error", detail=f"{type(error).__name__}: {error}"[:200])
    if isinstance(found, Gap):
        return found
    if not 0 <= found < HIGHEST:
        return Gap("malformed-answer", detail="the head is no height")
    return found

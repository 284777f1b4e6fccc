"""REST as the chains speak it: paths under an endpoint's URL, JSON bodies, exact numbers.

A status that means something (404: no such account) is the adapter's to read: the transport
hands it over as the failure ``refused`` with status and body kept.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chains.jsonrpc import exact, failure, malformed
from chains.model import Exchange, Gap, Request

_decode = msgspec.json.Decoder(Any, float_hook=exact).decode


def get(path: str) -> Request:
    """Build a GET; ``path`` is relative to the endpoint's URL and may carry a query."""
    return Request(method="GET", path=path)


def post(path: str, body: Any) -> Request:
    """Build a POST of a JSON body."""
    return Request(path=path, body=msgspec.json.encode(body))


def answer(exchange: Exchange) -> Any | Gap:
    """Return the decoded body of a successful answer, or a ``Gap``."""
    gap = failure(exchange)
    return gap if gap is not None else body(exchange)


def body(exchange: Exchange) -> Any | Gap:
    """Return the decoded body whatever the status said; a ``Gap`` where it is no JSON."""
    try:
        return _decode(exchange.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return failure(exchange) or malformed(exchange)

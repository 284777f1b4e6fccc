"""What the transport knows about its endpoints, where it says so.

The ``Transport`` protocol promises names only. ``HttpTransport`` also tells each endpoint's
declaration; a transport in a test need not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from chains.adapter import Transport
from chains.endpoints import EndpointSpec

DEFAULT_CONCURRENCY = 4


@runtime_checkable
class _Declares(Protocol):
    """A transport that tells how its endpoints were declared."""

    def spec(self, endpoint: str) -> EndpointSpec: ...


def declaration(transport: Transport, endpoint: str) -> EndpointSpec | None:
    """Return how the user declared the endpoint, if the transport tells."""
    return transport.spec(endpoint) if isinstance(transport, _Declares) else None


def concurrency(transport: Transport, endpoint: str) -> int:
    """Return how many requests may be under way at once."""
    spec = declaration(transport, endpoint)
    return DEFAULT_CONCURRENCY if spec is None else max(1, spec.concurrency)


def batch_limit(transport: Transport, endpoint: str) -> int:
    """Return how many questions one request may carry, 0 where the user leaves it to us."""
    spec = declaration(transport, endpoint)
    return 0 if spec is None else spec.batch


def primaries(transport: Transport, among: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``among`` that are asked: a witness only when nothing else is there.

    The engine asks a witness by handing over a snapshot that names it alone.
    """
    first = tuple(name for name in among if not _is_witness(transport, name))
    return first or tuple(among)


def _is_witness(transport: Transport, endpoint: str) -> bool:
    spec = declaration(transport, endpoint)
    return spec is not None and spec.role == "witness"

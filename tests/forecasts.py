"""A forecast (``crawler.asking.forecast``) held against what a simulated node received."""

from __future__ import annotations

from chains.simulated.node import SimulatedNode
from crawler.asking.forecast import Load


def received(node: SimulatedNode) -> Load:
    """Return what a node was asked so far."""
    return Load(node.requests, node.counted)


def check_about(said: Load, now: Load, before: Load) -> None:
    """Check a forecast against what a node received.

    Accounts that hold nothing may take a request more, or fewer: a forecast is no promise.
    """
    for promised, after, earlier in zip(said, now, before, strict=True):
        assert promised / 2 <= after - earlier <= promised * 2, (said, now, before)

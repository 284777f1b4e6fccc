"""Which block is meant by a slot on Solana, and which endpoints may be asked about it.

An endpoint may be asked if it shows the declared genesis hash, a finalized slot at or above
the asked one, the block of that slot, and a canary: an account that exists on every cluster.
A slot can be skipped: then no block exists there, and there is nothing to pin. A slot is not
a block height; the two differ by millions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chains.adapters.solana import rules, wire
from chains.errors import (
    ChainError,
    ConfigError,
    Disagreement,
    NodeBehind,
    Transient,
    Unanswerable,
    WrongChain,
)
from chains.model import ChainSpec, Exchange, Gap, Request, Snapshot

PASSING = frozenset({"rate-limited", "unreachable", "timeout", "server-error", "truncated-answer"})
"""Reasons for which asking later may help."""


class _View(msgspec.Struct, frozen=True):
    block: wire.Block | None = None
    first: int | None = None
    reason: str = ""


def genesis_of(spec: ChainSpec) -> str:
    """Return the declared genesis hash; raises ``ConfigError`` where none is declared."""
    value = spec.params.get("genesis_hash", spec.params.get("genesis"))
    if not isinstance(value, str) or not value:
        raise ConfigError(f"chain {spec.id}: params.genesis_hash is missing")
    return value


def pin_requests(slot: int, canaries: Sequence[str]) -> list[Request]:
    """Return what every endpoint is asked."""
    return [
        wire.genesis_request(),
        wire.slot_request(),
        wire.block_request(slot),
        wire.first_block_request(),
        wire.accounts_request(canaries, slot),
    ]


def snapshot(
    spec: ChainSpec, slot: int, exchanges: Sequence[Exchange], canaries: Sequence[bytes]
) -> Snapshot:
    """Resolve the slot; raises ``WrongChain`` or ``Disagreement``.

    Where no endpoint could name the block it raises ``NodeBehind``, another ``Transient`` or
    ``Unanswerable`` (a skipped slot). Where the block is known and no endpoint convinces, the
    snapshot names none, and ``rejected`` says why.
    """
    keys = [wire.key(account) for account in canaries]
    requests = pin_requests(slot, keys)
    by_endpoint: dict[str, dict[Request, Exchange]] = {}
    for exchange in exchanges:
        by_endpoint.setdefault(exchange.endpoint, {})[exchange.request] = exchange
    views = {name: _view(spec, slot, name, own, requests) for name, own in by_endpoint.items()}
    block = _agreed(spec, slot, views)
    if block is None:
        raise _nobody(spec, slot, {name: view.reason for name, view in views.items()})
    usable = tuple(name for name, view in views.items() if not view.reason)
    detail = {
        rules.ledger_key(name): str(views[name].first)
        for name in usable
        if views[name].first is not None
    }
    detail["parent-hash"] = block.parent
    return Snapshot(
        chain=spec.id,
        height=slot,
        block_hash=block.hash,
        time=block.time,
        endpoints=usable,
        rejected={name: view.reason for name, view in views.items() if view.reason},
        canaries=tuple(account.hex() for account in canaries),
        detail=detail,
    )


def _view(
    spec: ChainSpec,
    slot: int,
    name: str,
    own: Mapping[Request, Exchange],
    requests: Sequence[Request],
) -> _View:
    genesis, newest, found, first, accounts = (own.get(request) for request in requests)
    said = _result(genesis)
    if isinstance(said, Gap):
        return _View(reason="identity-unproven" if said.reason == "rpc-error" else said.reason)
    if said != genesis_of(spec):
        raise WrongChain(
            f"{name} serves the cluster with genesis {said}; {spec.id} declares {genesis_of(spec)}"
        )
    head = wire.read_integer(_result(newest))
    if isinstance(head, Gap):
        return _View(reason=head.reason)
    block = wire.read_block(_result(found))
    if head < slot:
        return _View(reason="node-behind")
    if isinstance(block, Gap):
        return _View(reason=block.reason)
    ledger = wire.read_integer(_result(first))
    shown = Gap("not-answered") if accounts is None else wire.read_accounts(accounts, slot)
    if isinstance(shown, Gap):
        return _View(block, reason=shown.reason)
    alive = all(held is not None and held.lamports for held in shown.held.values())
    return _View(
        block,
        first=None if isinstance(ledger, Gap) else ledger,
        reason="" if alive else "canary-failed",
    )


def _result(exchange: Exchange | None) -> Any | Gap:
    return Gap("not-answered") if exchange is None else wire.read_result(exchange)


def _agreed(spec: ChainSpec, slot: int, views: Mapping[str, _View]) -> wire.Block | None:
    blocks = {name: view.block for name, view in views.items() if view.block is not None}
    distinct = {block.hash: name for name, block in blocks.items()}
    if len(distinct) > 1:
        said = ", ".join(f"{name}: {block_hash}" for block_hash, name in sorted(distinct.items()))
        raise Disagreement(f"{spec.id} slot {slot} differs between endpoints ({said})")
    return next(iter(blocks.values()), None)


def _nobody(spec: ChainSpec, slot: int, reasons: Mapping[str, str]) -> ChainError:
    """Build the error for a block that no endpoint could name."""
    if not reasons:
        return Unanswerable(f"no endpoint is configured for {spec.id}", code="no-endpoint")
    said = ", ".join(f"{name}: {reason}" for name, reason in sorted(reasons.items()))
    message = f"no endpoint could name the block of slot {slot} of {spec.id} ({said})"
    if "node-behind" in reasons.values():
        return NodeBehind(message)
    passing = next((one for one in reasons.values() if one in PASSING), None)
    if passing is not None:
        return Transient(message, code=passing)
    if "slot-skipped" in reasons.values():
        return Unanswerable(
            f"{spec.id} has no block at slot {slot}: it was skipped, or the number is a block "
            "height; name the slot of a block",
            code="slot-skipped",
        )
    return Unanswerable(message, code=next(iter(reasons.values())))

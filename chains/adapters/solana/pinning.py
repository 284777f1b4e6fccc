"""Which block is meant by a slot on Solana, and which endpoints may be asked about it.

An endpoint may be asked if it shows the declared genesis hash, a finalized slot at or above
the asked one, the block of that slot, and a canary: an account that exists on every cluster.
A slot can be skipped: then no block exists there, and there is nothing to pin. A slot is not
a block height; the two differ by millions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.adapters.solana import rules, wire
from chains.errors import ConfigError, WrongChain
from chains.model import ChainSpec, Exchange, Gap, Request
from chains.pinning import View


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


def view(
    spec: ChainSpec,
    slot: int,
    name: str,
    own: Mapping[Request, Exchange],
    canaries: Sequence[bytes],
) -> View:
    """Read what one endpoint showed of the slot; raises ``WrongChain``."""
    requests = pin_requests(slot, [wire.key(account) for account in canaries])
    genesis, newest, found, first, accounts = (own.get(request) for request in requests)
    said = _result(genesis)
    if isinstance(said, Gap):
        return View(reason="identity-unproven" if said.reason == "rpc-error" else said.reason)
    if said != genesis_of(spec):
        raise WrongChain(
            f"{name} serves the cluster with genesis {said}; {spec.id} declares {genesis_of(spec)}"
        )
    head = wire.read_integer(_result(newest))
    if isinstance(head, Gap):
        return View(reason=head.reason)
    block = wire.read_block(_result(found))
    if head < slot:
        return View(reason="node-behind")
    if isinstance(block, Gap):
        return View(reason=block.reason)
    ledger = wire.read_integer(_result(first))
    shown = Gap("not-answered") if accounts is None else wire.read_accounts(accounts, slot)
    if isinstance(shown, Gap):
        reason = shown.reason
    else:
        alive = all(held is not None and held.lamports for held in shown.held.values())
        reason = "" if alive else "canary-failed"
    return View(
        block_hash=block.hash,
        time=block.time,
        reason=reason,
        shown={"parent-hash": block.parent},
        canaries=tuple(account.hex() for account in canaries),
        detail={} if isinstance(ledger, Gap) else {rules.LEDGER: str(ledger)},
    )


def read_slot(exchange: Exchange) -> int | Gap:
    """Read the newest finalized slot."""
    return wire.read_integer(_result(exchange))


def _result(exchange: Exchange | None) -> Any | Gap:
    return Gap("not-answered") if exchange is None else wire.read_result(exchange)

"""Which block is meant by a height on TRON, and which endpoints may be asked about it.

An endpoint may be asked if it shows, in this order: block 0 with the declared id, the
asked block, a head that makes that block final, and a canary: an account that is known not
to be empty read back as not empty. Canaries come from the configuration (known to hold TRX
for ever) and from the block itself (accounts that received TRX in it, whose record must
therefore name exactly this block: an endpoint that makes balances up from the present
cannot do that). All endpoints must agree on the block and on every canary's record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chains.adapters.tron import rules, wire
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

CONFIRMATIONS = 27
"""Blocks on top that make a block final where no solidified head is served: one per super
representative. Source: https://developers.tron.network/docs/super-representatives"""
CANARIES_FROM_BLOCK = 4
PASSING = frozenset({"rate-limited", "unreachable", "timeout", "server-error", "truncated-answer"})
"""Reasons for which asking later may help."""


class _View(msgspec.Struct, frozen=True):
    """What one endpoint showed: the block and the canaries' records, or why it is rejected."""

    block: wire.Block | None
    records: Mapping[bytes, wire.Record] = {}
    reason: str = ""


def genesis_of(spec: ChainSpec) -> str:
    """Return the declared id of block 0; raises ``ConfigError`` where none is declared."""
    value = spec.params.get("genesis_hash", spec.params.get("genesis"))
    if not isinstance(value, str) or not value:
        raise ConfigError(f"chain {spec.id}: params.genesis_hash, the id of block 0, is missing")
    return value.lower()


def serves_no_solid_head(exchange: Exchange) -> bool:
    """Tell whether the endpoint answered, but not with a solidified head: some serve none."""
    answer = wire.read_object(exchange)
    return isinstance(answer, Gap) and answer.reason in {"refused", "malformed-answer", "rpc-error"}


def canary_accounts(answer: Mapping[str, Any] | Gap, declared: Sequence[bytes]) -> list[bytes]:
    """Return the accounts to ask as canaries: declared ones, then receivers in the block."""
    receivers = () if isinstance(answer, Gap) else wire.receivers(answer, CANARIES_FROM_BLOCK)
    return list(dict.fromkeys((*declared, *receivers)))


def snapshot(
    spec: ChainSpec, height: int, exchanges: Sequence[Exchange], declared: Sequence[bytes]
) -> Snapshot:
    """Resolve the block; raises ``WrongChain`` or ``Disagreement``.

    Where no endpoint could name the block it raises ``NodeBehind``, another ``Transient`` or
    ``Unanswerable``. Where the block is known and no endpoint convinces, the snapshot names
    none, and ``rejected`` says why.
    """
    by_endpoint: dict[str, list[Exchange]] = {}
    for exchange in exchanges:
        by_endpoint.setdefault(exchange.endpoint, []).append(exchange)
    views = {name: _view(spec, height, name, own, declared) for name, own in by_endpoint.items()}
    block = _agreed_block(spec, height, views)
    if block is None:
        raise _nobody(spec, height, {name: view.reason for name, view in views.items()})
    usable = tuple(name for name, view in views.items() if not view.reason)
    records = _agreed_records({name: views[name] for name in usable})
    rejected = {name: view.reason for name, view in views.items() if view.reason}
    detail = {f"canary:{who.hex()}": rules.pinned_text(read) for who, read in records.items()}
    detail["time-ms"] = str(block.time)
    return Snapshot(
        chain=spec.id,
        height=height,
        block_hash=block.id,
        time=block.time // 1000,
        endpoints=usable,
        rejected=rejected,
        canaries=tuple(who.hex() for who in records),
        detail=detail,
    )


def _view(
    spec: ChainSpec, height: int, name: str, own: Sequence[Exchange], declared: Sequence[bytes]
) -> _View:
    genesis = genesis_of(spec)
    first = _block(own, wire.block_request(0))
    if isinstance(first, Gap):
        return _View(None, reason=_reason(first, behind="identity-unproven"))
    if first.id != genesis:
        raise WrongChain(
            f"{name} serves a chain whose block 0 is {first.id}; {spec.id} declares {genesis}"
        )
    head = _final_head(own)
    if isinstance(head, Gap):
        return _View(None, reason=head.reason)
    block = _block(own, wire.block_request(height))
    if isinstance(block, Gap):
        behind = "node-behind" if head < height else "state-pruned"
        return _View(None, reason=_reason(block, behind=behind))
    if block.number != height or (height and not block.time):
        return _View(None, reason="malformed-answer")
    if head < height:
        return _View(block, reason="node-behind")
    records, failed = _canaries(height, block, own, declared)
    return _View(block, records, reason=failed)


def _reason(gap: Gap, *, behind: str) -> str:
    return behind if gap.reason == "node-behind" else gap.reason


def _block(own: Sequence[Exchange], request: Request) -> wire.Block | Gap:
    answer = _answer(own, request)
    return answer if isinstance(answer, Gap) else wire.read_block(answer)


def _answer(own: Sequence[Exchange], request: Request) -> Mapping[str, Any] | Gap:
    for exchange in own:
        if exchange.request == request:
            return wire.read_object(exchange)
    return Gap("not-answered")


def _final_head(own: Sequence[Exchange]) -> int | Gap:
    """Return the highest final block of an endpoint: solidified, or buried deep enough."""
    solid = _block(own, wire.head_request(wire.SOLID_HEAD))
    if not isinstance(solid, Gap):
        return solid.number
    head = _block(own, wire.head_request(wire.HEAD))
    return head if isinstance(head, Gap) else head.number - CONFIRMATIONS


def _canaries(
    height: int, block: wire.Block, own: Sequence[Exchange], declared: Sequence[bytes]
) -> tuple[dict[bytes, wire.Record], str]:
    """Return the canaries' records of an endpoint, or the reason why they do not convince.

    Every declared canary must hold TRX. Of those from the block one must (a receiver may
    pass everything on in the same block), in a record that names this block.
    """
    found = rules.by_account(own)
    shown: dict[bytes, wire.Record] = {}
    from_block = {"asked": 0, "shown": 0}
    for who in canary_accounts(_answer(own, wire.block_request(height)), declared):
        read = rules.record(found.get((wire.BALANCE, who)), height, block.id)
        if isinstance(read, Gap):
            return {}, read.reason
        if who in declared:
            if not read.balance:
                return {}, "canary-failed"
            shown[who] = read
            continue
        from_block["asked"] += 1
        if read.balance and read.number == height:
            from_block["shown"] += 1
            shown[who] = read
    failed = from_block["asked"] and not from_block["shown"]
    return shown, "canary-failed" if failed else ""


def _agreed_block(spec: ChainSpec, height: int, views: Mapping[str, _View]) -> wire.Block | None:
    blocks = {name: view.block for name, view in views.items() if view.block is not None}
    distinct = {block.id: name for name, block in blocks.items()}
    if len(distinct) > 1:
        said = ", ".join(f"{name}: {block_id}" for block_id, name in sorted(distinct.items()))
        raise Disagreement(f"{spec.id} block {height} differs between endpoints ({said})")
    return next(iter(blocks.values()), None)


def _agreed_records(views: Mapping[str, _View]) -> dict[bytes, wire.Record]:
    agreed: dict[bytes, tuple[str, wire.Record]] = {}
    for name, view in views.items():
        for who, read in view.records.items():
            other, known = agreed.setdefault(who, (name, read))
            if known != read:
                raise Disagreement(
                    f"{other} and {name} give account {wire.hex_address(who)} different balances"
                )
    return {
        who: read
        for who, (_, read) in agreed.items()
        if all(who in view.records for view in views.values())
    }


def _nobody(spec: ChainSpec, height: int, reasons: Mapping[str, str]) -> ChainError:
    """Build the error for a block that no endpoint could name."""
    if not reasons:
        return Unanswerable(f"no endpoint is configured for {spec.id}", code="no-endpoint")
    said = ", ".join(f"{name}: {reason}" for name, reason in sorted(reasons.items()))
    message = f"no endpoint could name block {height} of {spec.id} ({said})"
    if "node-behind" in reasons.values():
        return NodeBehind(message)
    passing = next((one for one in reasons.values() if one in PASSING), None)
    if passing is not None:
        return Transient(message, code=passing)
    return Unanswerable(message, code=next(iter(reasons.values())))

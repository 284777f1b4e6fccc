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

from chains.adapters.tron import rules, tokens, wire
from chains.errors import ConfigError, WrongChain
from chains.model import ChainSpec, Exchange, Gap, Request
from chains.pinning import View

CONFIRMATIONS = 27
"""Blocks on top that make a block final where no solidified head is served: one per super
representative. Source: https://developers.tron.network/docs/super-representatives"""
CANARIES_FROM_BLOCK = 4

Shown = Mapping[Request, Exchange]


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


def view(spec: ChainSpec, height: int, name: str, own: Shown, declared: Sequence[bytes]) -> View:
    """Read what one endpoint showed of the block; raises ``WrongChain``."""
    genesis = genesis_of(spec)
    first = _block(own, wire.block_request(0))
    if isinstance(first, Gap):
        return View(reason=_reason(first, behind="identity-unproven"))
    if first.id != genesis:
        raise WrongChain(
            f"{name} serves a chain whose block 0 is {first.id}; {spec.id} declares {genesis}"
        )
    head = final_head(own)
    if isinstance(head, Gap):
        return View(reason=head.reason)
    block = _block(own, wire.block_request(height))
    if isinstance(block, Gap):
        behind = "node-behind" if head < height else "state-pruned"
        return View(reason=_reason(block, behind=behind))
    if block.number != height or (height and not block.time):
        return View(reason="malformed-answer")
    records: Mapping[bytes, wire.Record] = {}
    failed = "node-behind"
    if head >= height:
        records, failed = _canaries(height, block, own, declared)
    shown = {f"canary:{who.hex()}": rules.pinned_text(read) for who, read in records.items()}
    return View(
        block_hash=block.id,
        time=block.time // 1000,
        reason=failed,
        shown={"time-ms": str(block.time), **shown},
        canaries=tuple(who.hex() for who in records),
        detail={tokens.EVENTS: "served"} if _serves_events(own) else {},
    )


def _serves_events(own: Shown) -> bool:
    """Tell whether the endpoint answered the question for the newest event, if it was asked."""
    return any(
        tokens.asks_for_newest(request) and not isinstance(tokens.read_newest(exchange), Gap)
        for request, exchange in own.items()
    )


def _reason(gap: Gap, *, behind: str) -> str:
    return behind if gap.reason == "node-behind" else gap.reason


def _block(own: Shown, request: Request) -> wire.Block | Gap:
    answer = _answer(own, request)
    return answer if isinstance(answer, Gap) else wire.read_block(answer)


def _answer(own: Shown, request: Request) -> Mapping[str, Any] | Gap:
    exchange = own.get(request)
    return Gap("not-answered") if exchange is None else wire.read_object(exchange)


def final_head(own: Shown) -> int | Gap:
    """Return the highest final block of an endpoint: solidified, or buried deep enough."""
    solid = _block(own, wire.head_request(wire.SOLID_HEAD))
    if not isinstance(solid, Gap):
        return solid.number
    head = _block(own, wire.head_request(wire.HEAD))
    return head if isinstance(head, Gap) else head.number - CONFIRMATIONS


def _canaries(
    height: int, block: wire.Block, own: Shown, declared: Sequence[bytes]
) -> tuple[dict[bytes, wire.Record], str]:
    """Return the canaries' records of an endpoint, or the reason why they do not convince.

    Every declared canary must hold TRX. Of those from the block one must (a receiver may
    pass everything on in the same block), in a record that names this block.
    """
    found = rules.by_account(tuple(own.values()))
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

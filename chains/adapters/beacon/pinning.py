"""Finding the slot of an execution block, and what an endpoint must show of it.

Each slot has at most one block, and since the merge each block carries the next execution block.
So the slot of execution block H lies at or after ``slot + (H - block)`` for every known pair, and a
block found there with number n leaves at least ``H - n`` slots to go: the search only moves
forward and ends exactly at H, after few steps where few slots were missed.

The steps are written once, as a generator of requests: ``pin`` feeds it from the network, ``view``
from the recorded exchanges.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import msgspec

from chains.adapters.beacon import wire
from chains.errors import ConfigError, WrongChain
from chains.model import ChainSpec, Exchange, Gap, Request, Snapshot
from chains.pinning import View

T = TypeVar("T")
Steps = Generator[Request, Exchange, T]

MOST_PROBES = 64
"""Slots looked at in one search, each with at most two requests."""
_ELSEWHERE = frozenset({"refused", "server-error"})
"""How nodes say that they do not look states up by root: 404, some 500."""


class Params(msgspec.Struct, frozen=True):
    """``ChainSpec.params`` of a beacon chain.

    ``anchors`` are pairs of an execution block and its slot, the first one being the merge;
    ``electra_slot`` is the first slot with queues of deposits and withdrawals.
    """

    genesis_time: int
    genesis_validators_root: str
    anchors: list[tuple[int, int]]
    electra_slot: int
    seconds_per_slot: int = 12


class Rejected(Exception):
    """Why an endpoint may not be asked, as a code of ``chains.reasons``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def params_of(spec: ChainSpec) -> Params:
    """Read ``spec.params``; raises ``ConfigError``."""
    try:
        params = msgspec.convert(dict(spec.params), Params)
    except msgspec.ValidationError as error:
        raise ConfigError(f"chain {spec.id}: params: {error}") from error
    if not params.anchors or params.seconds_per_slot < 1:
        raise ConfigError(f"chain {spec.id}: params: anchors or seconds_per_slot are missing")
    return params


def steps(spec: ChainSpec, height: int) -> Steps[View]:
    """Yield requests, take their exchanges, and return the view. Raises ``WrongChain``."""
    params = params_of(spec)
    named = View()
    try:
        yield from _identify(spec, params)
        block, payload = yield from _find(params, height)
        header = yield from _header(block)
        named = View(block_hash=header.root, time=int(payload.timestamp))
        state, canary = yield from _state(header)
    except Rejected as rejected:
        return msgspec.structs.replace(named, reason=rejected.code)
    return msgspec.structs.replace(
        named,
        shown={
            "slot": str(header.slot),
            "state_root": header.state_root.lower(),
            "execution_hash": payload.block_hash.lower(),
            "canary": _shown(canary),
        },
        canaries=(canary.key.hex(),),
        detail={"state": state},
    )


def is_pinned(canary: wire.Record, at: Snapshot) -> bool:
    """Tell whether this is the proposer with the balance that it had at the pin."""
    return _shown(canary) == at.detail["canary"]


def _shown(canary: wire.Record) -> str:
    return f"{canary.key.hex()} {canary.balance}"


def unsound_header(exchange: Exchange, block_hash: str) -> Gap | None:
    """Say why this answer does not show the pinned block as final, if it does not."""
    shown = wire.read(exchange, wire.HEADER)
    if isinstance(shown, Gap):
        lost = wire.is_absent(exchange)
        return (
            Gap("wrong-block", detail="the pinned block is not known any more") if lost else shown
        )
    header = shown.data.header.message
    if not shown.data.canonical or header.root != block_hash or not _is_named(shown.data):
        return Gap("wrong-block", retryable=True, detail="the header is not the pinned one")
    return unsettled(shown)


def unsettled(answer: wire.Answer[Any]) -> Gap | None:
    """Say why what an answer refers to is not settled, if it is not.

    Absent flags are no objection: the pinned slot lies before the finalized one.
    """
    if answer.execution_optimistic:
        return Gap("optimistic-answer", retryable=True)
    if answer.finalized is False:
        return Gap("node-behind", retryable=True, detail="the answer is not finalized")
    return None


def _identify(spec: ChainSpec, params: Params) -> Steps[None]:
    exchange = yield wire.genesis()
    genesis = _answer(exchange, wire.GENESIS).data
    shown = (genesis.genesis_time, genesis.genesis_validators_root.lower())
    if shown != (params.genesis_time, params.genesis_validators_root.lower()):
        raise WrongChain(
            f"{exchange.endpoint} serves a beacon chain that began at {shown[0]} with {shown[1]}, "
            f"not {spec.id}"
        )


def _find(params: Params, height: int) -> Steps[tuple[wire.Block, wire.Payload]]:
    """Find the block that carries execution block ``height``, at or before the finalized one."""
    known = [anchor for anchor in params.anchors if anchor[0] <= height]
    if not known:
        raise Rejected("no-history")
    finalized = _answer((yield wire.header("finalized")), wire.HEADER)
    if finalized.execution_optimistic:
        raise Rejected("optimistic-answer")
    last = finalized.data.header.message.slot
    number, slot = max(known)
    slot += height - number
    for _ in range(MOST_PROBES):
        if slot > last:
            raise Rejected("node-behind")
        block = yield from _block(slot)
        if block is None:
            slot += 1
            continue
        payload = block.payload
        if payload is None or payload.block_number > height:
            raise Rejected("slot-unknown")
        if payload.block_number == height:
            if payload.timestamp != params.genesis_time + slot * params.seconds_per_slot:
                raise Rejected("wrong-block")
            return block, payload
        slot += height - payload.block_number
    raise Rejected("slot-unknown")


def _block(slot: int) -> Steps[wire.Block | None]:
    """Ask a slot's block, blinded where the node can; ``None`` where there is none."""
    exchange = yield wire.blinded_block(slot)
    if exchange.failure == "refused":
        exchange = yield wire.whole_block(slot)
        if wire.is_absent(exchange):
            return None
    block: wire.Block = _answer(exchange, wire.BLOCK).data.message
    if block.slot != slot:
        raise Rejected("wrong-block")
    return block


def _header(block: wire.Block) -> Steps[wire.Header]:
    """Ask the header of a found block and compare; it must be final, and hash to its root."""
    answer = _answer((yield wire.header(str(block.slot))), wire.HEADER)
    header: wire.Header = answer.data.header.message
    same = (header.slot, header.proposer_index, header.state_root.lower()) == (
        block.slot,
        block.proposer_index,
        block.state_root.lower(),
    )
    if not answer.data.canonical:
        raise Rejected("reorganised")
    if not same or not _is_named(answer.data):
        raise Rejected("wrong-block")
    _raise_for(unsettled(answer))
    return header


def _is_named(named: wire.Named) -> bool:
    return named.header.message.root == named.root.lower()


def _state(header: wire.Header) -> Steps[tuple[str, wire.Record]]:
    """Find by which name the node knows the state, and the proposer in it.

    By its root, which ties every answer to the block; by slot where the node has no index of
    roots, if it says that the state of this slot has this root.
    """
    by_root = header.state_root.lower()
    exchange = yield wire.validators(by_root, [str(header.proposer_index)])
    if exchange.failure not in _ELSEWHERE:
        return by_root, _canary(exchange, header)
    shown = yield wire.state_root(header.slot)
    if wire.is_absent(shown):
        raise Rejected("state-pruned")
    if _answer(shown, wire.STATE_ROOT).data.root.lower() != by_root:
        raise Rejected("wrong-block")
    exchange = yield wire.validators(str(header.slot), [str(header.proposer_index)])
    if wire.is_absent(exchange):
        raise Rejected("state-pruned")
    return str(header.slot), _canary(exchange, header)


def _canary(exchange: Exchange, header: wire.Header) -> wire.Record:
    """Return the proposer of the block, who is active and so owns something."""
    answer = _answer(exchange, wire.VALIDATORS)
    _raise_for(unsettled(answer))
    records: list[wire.Record] = answer.data
    if len(records) != 1 or records[0].index != header.proposer_index or not records[0].balance:
        raise Rejected("canary-failed")
    return records[0]


def _answer(exchange: Exchange, decoder: msgspec.json.Decoder[Any]) -> Any:
    found = wire.read(exchange, decoder)
    if isinstance(found, Gap):
        raise Rejected(found.reason)
    return found


def _raise_for(gap: Gap | None) -> None:
    if gap is not None:
        raise Rejected(gap.reason)

"""What one group's answers say about validators: balances, control, and who is not there.

A validator that the list leaves out is *absent* only if the node, asked for that key alone at the
same state, answers 404 in the API's own form, while it shows the proposer of the pinned block both
in the list and alone. Anything else about a key that is left out is a ``Gap``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chains.accounts import Held
from chains.adapters.beacon import wire
from chains.adapters.beacon.pinning import is_pinned, unsettled, unsound_header
from chains.control import Authority, ControlFacts
from chains.jsonrpc import failure
from chains.model import Exchange, Gap, Part, PartKind, Request, Snapshot

WITHDRAWAL = "withdrawal-credentials"
_EXECUTION = ("01", "02")
"""Credentials that name an execution address. Spec: EIP-7251 (0x02, compounding)."""
_MISSING = frozenset({400, 404, 405, 501})

Own = Mapping[Request, Exchange]


class Queues(msgspec.Struct, frozen=True):
    """What waits to be added to balances or taken from them, in gwei."""

    deposits: Mapping[bytes, int]
    withdrawals: Mapping[int, int]
    leaving: frozenset[int] = frozenset()


NO_QUEUES = Queues({}, {})


class Registry(msgspec.Struct, frozen=True):
    """The validators of one answer, by public key, and by which state id they were asked."""

    records: Mapping[bytes, wire.Record]
    canary: bytes
    state: str

    def find(self, key: bytes, own: Own) -> wire.Record | Gap | None:
        """Return a validator, ``None`` if it is shown to be absent."""
        record = self.records.get(key)
        if record is not None:
            return record
        witness = self._canary_alone(own)
        if witness is not None:
            return witness
        exchange = own.get(wire.validator(self.state, key))
        if exchange is None:
            return Gap("not-answered", detail="the key was not asked for alone")
        if wire.is_absent(exchange):
            return None
        gap = failure(exchange)
        if gap is not None and gap.reason != "refused":
            return gap
        return Gap("no-record", detail="left out of the list, and not shown to be absent")

    def _canary_alone(self, own: Own) -> Gap | None:
        """Say why single questions prove nothing: the canary must come back as in the list."""
        exchange = own.get(wire.validator(self.state, self.canary))
        if exchange is None:
            return Gap("no-record", detail="the canary was not asked for alone")
        answer = wire.read(exchange, wire.VALIDATOR)
        if isinstance(answer, Gap):
            lost = answer.reason == "refused"
            return Gap("canary-wrong", retryable=True) if lost else answer
        if answer.data != self.records[self.canary]:
            return Gap("canary-wrong", retryable=True, detail="alone, the proposer is another")
        return unsettled(answer)


def state_of(at: Snapshot, endpoint: str) -> str:
    """Return by which id an endpoint knows the pinned state."""
    return at.detail[f"state@{endpoint}"]


def ids(accounts: Sequence[bytes], at: Snapshot) -> list[str]:
    """Return what a group's list asks for: never nothing, the canary once, in ascending order."""
    return [wire.key_text(key) for key in sorted({*accounts, bytes.fromhex(at.canaries[0])})]


def registry(accounts: Sequence[bytes], at: Snapshot, endpoint: str, own: Own) -> Registry | Gap:
    """Read a group's list of validators, or say why nothing in it can be believed."""
    state, canary = state_of(at, endpoint), bytes.fromhex(at.canaries[0])
    gap = _unsound(at, state, own)
    if gap is not None:
        return gap
    exchange = own[wire.validators(state, ids(accounts, at))]
    if wire.is_absent(exchange):
        return Gap("state-pruned", detail="the node no longer finds the pinned state")
    answer = wire.read(exchange, wire.VALIDATORS)
    if isinstance(answer, Gap):
        return answer
    records: dict[bytes, wire.Record] = {}
    for record in answer.data:
        if records.setdefault(record.key, record) != record:
            return Gap("malformed-answer", retryable=True, detail="a validator stands there twice")
    gap = unsettled(answer)
    if gap is None and (canary not in records or not is_pinned(records[canary], at)):
        gap = Gap("canary-wrong", retryable=True, detail="the block's proposer is missing or other")
    return gap or Registry(records, canary, state)


def left_out(accounts: Sequence[bytes], found: Registry) -> list[bytes]:
    """Return the keys of a group that the list does not show."""
    return [key for key in accounts if key not in found.records]


def queue_requests(state: str) -> tuple[Request, ...]:
    """Return the questions about the three queues."""
    return (
        wire.pending_deposits(state),
        wire.pending_withdrawals(state),
        wire.pending_consolidations(state),
    )


def queues(state: str, own: Own) -> Queues | Gap:
    """Read the three queues; without one of them no balance is complete."""
    decoders = (wire.DEPOSITS, wire.WITHDRAWALS, wire.CONSOLIDATIONS)
    read: list[list[Any]] = []
    for request, decoder in zip(queue_requests(state), decoders, strict=True):
        exchange = own[request]
        if exchange.failure == "refused" and exchange.status in _MISSING:
            return Gap("method-missing", detail=request.path.rpartition("/")[2])
        answer = wire.read(exchange, decoder)
        if isinstance(answer, Gap):
            return answer
        gap = unsettled(answer)
        if gap is not None:
            return gap
        read.append(answer.data)
    deposits: Counter[bytes] = Counter()
    withdrawals: Counter[int] = Counter()
    for deposit in read[0]:
        deposits[bytes.fromhex(deposit.pubkey[2:])] += deposit.amount
    for withdrawal in read[1]:
        withdrawals[withdrawal.validator_index] += withdrawal.amount
    return Queues(deposits, withdrawals, frozenset(one.source_index for one in read[2]))


def balance(key: bytes, record: wire.Record | None, waiting: Queues) -> Held:
    """Return the parts of a validator's balance, in gwei.

    A queued deposit to a known validator is counted: it is credited whoever made it, and is in no
    balance until then. To an unknown key it is not: it is lost if its signature is bad. What is
    queued to leave is still in the balance, so it is shown beside it and not counted: partial
    withdrawals, and stake that moves to another validator.
    Spec: https://github.com/ethereum/consensus-specs (electra: apply_pending_deposit,
    process_pending_consolidations)
    """
    queued = waiting.deposits.get(key, 0)
    if record is None:
        later = (Part(PartKind.RESERVED, queued, counted=False),) if queued else ()
        return Held((Part(PartKind.STAKED, 0), *later))
    parts = [Part(PartKind.STAKED, int(record.balance))]
    if queued:
        parts.append(Part(PartKind.RESERVED, queued))
    withdrawn = waiting.withdrawals.get(record.index, 0)
    if withdrawn:
        parts.append(Part(PartKind.UNBONDING, withdrawn, counted=False))
    if record.index in waiting.leaving and not record.validator.slashed:
        moving = min(record.balance, record.validator.effective_balance)
        parts.append(Part(PartKind.FROZEN, int(moving), counted=False))
    return Held(tuple(parts))


def control(record: wire.Record | None) -> ControlFacts:
    """Return who may withdraw: the address in the credentials, or nobody that the chain names.

    Credentials of type 0x00 are the hash of a key; they say nothing about an address.
    Spec: https://github.com/ethereum/consensus-specs (phase0, validator.md: withdrawal credentials)
    """
    if record is None:
        return ControlFacts(exists=False)
    credentials = record.validator.withdrawal_credentials[2:].lower()
    notes = {"withdrawal_credentials": f"0x{credentials}", "status": record.status[:40]}
    if credentials[:2] not in _EXECUTION or credentials[2:24] != "0" * 22:
        return ControlFacts(exists=True, notes=notes)
    way = Authority(kind=WITHDRAWAL, threshold=1, weights={f"0x{credentials[24:]}": 1})
    return ControlFacts(exists=True, ways=(way,), notes=notes)


def _unsound(at: Snapshot, state: str, own: Own) -> Gap | None:
    """Say why these answers are not about the pinned state, if they are not."""
    gap = unsound_header(own[wire.header(at.block_hash)], at.block_hash)
    if gap is not None or state == at.detail["state_root"]:
        return gap
    answer = wire.read(own[wire.state_root(int(state))], wire.STATE_ROOT)
    if isinstance(answer, Gap):
        return answer
    if answer.data.root.lower() != at.detail["state_root"]:
        return Gap("wrong-block", retryable=True, detail="the slot has another state")
    return unsettled(answer)

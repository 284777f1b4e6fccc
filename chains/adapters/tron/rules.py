"""What makes a TRON answer a balance, and above all what makes a zero one.

The rule, per account and in this order:

1. A positive balance in a record at or below the height is the balance.
2. A balance of 0 in a record *below* the height is a zero: the node shows the block that
   emptied the account. The canary of the same batch must be right.
3. A balance of 0 that names the asked block is an echo, and nothing by itself. It becomes a
   zero only if the canary of the same batch is right on the same endpoint and the head state
   shows that there was no account at the height: it does not exist, or it was created after
   the block and is no contract. (Accounts are never removed, except contracts that destroy
   themselves; those are recorded where history is.)
4. Everything else is a Gap: ``no-record`` where the account existed, ``zero-without-canary``
   where no canary was shown.

A canary that comes back other than it was pinned makes the whole batch worthless.

Staked, delegated and unbonding TRX and rewards are added from the head state where it is shown
that the account itself did nothing after the block (``account``); otherwise they are not seen,
and the answer is the liquid part alone, as it is for contracts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains import workings
from chains.accounts import Held, liquid
from chains.adapters.tron import account as holdings
from chains.adapters.tron import wire, working
from chains.control import Authority, ControlFacts
from chains.model import Exchange, Gap, Part, PartKind, Snapshot

Found = Mapping[tuple[str, bytes], Exchange]

NO_RECORD = "the account existed at this height and the node shows no record of its balance"
BROKEN_OFF = "the first request of the batch failed; the others were not sent"
OPERATED = (
    "the account did something after this block, and its permissions are shown as they are now; "
    "a capture at the height would answer it"
)
CONTRACT_CONTROL = (
    "a contract's owner is shown as it is now, and nothing shows when it changed last; "
    "a capture at the height would answer it"
)
CONTRACT = "the account is a contract, which may have been destroyed and created anew"


def by_account(exchanges: Sequence[Exchange]) -> Found:
    """Index exchanges by path and by the account that they ask about."""
    found: dict[tuple[str, bytes], Exchange] = {}
    for exchange in exchanges:
        account = wire.asked_account(exchange.request) if exchange.request.body else None
        if account is not None:
            found[(exchange.request.path, account)] = exchange
    return found


def record(exchange: Exchange | None, height: int, block_id: str) -> wire.Record | Gap:
    """Read one balance exchange for the block that was asked for."""
    if exchange is None:
        return Gap("not-answered")
    answer = wire.read_object(exchange)
    if isinstance(answer, Gap):
        return answer
    return wire.read_record(answer, height, block_id)


def account(exchange: Exchange | None, asked: bytes) -> wire.Account | Gap:
    """Read one head-state exchange."""
    if exchange is None:
        return Gap("not-answered")
    answer = wire.read_object(exchange)
    return answer if isinstance(answer, Gap) else wire.read_account(answer, asked)


def is_echo(found: wire.Record | Gap, at: Snapshot) -> bool:
    """Tell whether this is the zero that names the asked block: no record, or emptied in it."""
    return isinstance(found, wire.Record) and found.balance == 0 and found.number == at.height


def pinned_text(found: wire.Record) -> str:
    """Return the form in which a canary's record is kept in ``Snapshot.detail``."""
    return f"{found.balance}@{found.number}"


def canary_gap(found: Found, at: Snapshot) -> tuple[Gap | None, Gap | None]:
    """Judge the canaries of a batch: (what voids the batch, what voids its zeros)."""
    shown = 0
    doubt = Gap("zero-without-canary", detail="no canary is known for this block")
    for text in at.canaries:
        exchange = found.get((wire.BALANCE, bytes.fromhex(text)))
        if exchange is None:
            continue
        read = record(exchange, at.height, at.block_hash)
        if isinstance(read, Gap):
            doubt = Gap("zero-without-canary", retryable=True, detail=f"canary: {read.reason}")
            continue
        if pinned_text(read) != at.detail.get(f"canary:{text}"):
            gap = Gap("canary-wrong", retryable=True, detail=f"canary {text} reads {read.balance}")
            return gap, gap
        shown += 1
    return None, None if shown else doubt


def units(asked: bytes, found: Found, at: Snapshot, doubt: Gap | None) -> int | Gap:
    """Answer one account in sun, by the rule above; ``doubt`` voids zeros."""
    read = record(found.get((wire.BALANCE, asked)), at.height, at.block_hash)
    if isinstance(read, Gap):
        return read
    if read.balance:
        return read.balance
    if doubt is not None:
        return doubt
    return 0 if read.number < at.height else _echo(asked, found, at)


def _echo(asked: bytes, found: Found, at: Snapshot) -> int | Gap:
    """Decide the echoed zero from the head state."""
    if not any(_exists(found, bytes.fromhex(canary)) for canary in at.canaries):
        return Gap("zero-without-canary", retryable=True, detail="head state without canary")
    state = account(found.get((wire.ACCOUNT, asked)), asked)
    if isinstance(state, Gap):
        return state
    if not state.exists:
        return 0
    if state.contract:
        return Gap("no-record", detail=CONTRACT)
    return 0 if state.created > int(at.detail["time-ms"]) else Gap("no-record", detail=NO_RECORD)


def _exists(found: Found, canary: bytes) -> bool:
    state = account(found.get((wire.ACCOUNT, canary)), canary)
    return not isinstance(state, Gap) and state.exists


def read(asked: Sequence[bytes], exchanges: Sequence[Exchange], at: Snapshot) -> list[Held | Gap]:
    """Answer every account of a batch, with the parts that are not liquid where they are known."""
    first = exchanges[0]
    if first.failure:
        return [Gap(first.failure, first.retryable, BROKEN_OFF)] * len(asked)
    found = by_account(exchanges)
    void, doubt = canary_gap(found, at)
    if void is not None:
        return [void] * len(asked)
    return [_held(who, found, at, doubt) for who in asked]


def _held(asked: bytes, found: Found, at: Snapshot, doubt: Gap | None) -> Held | Gap:
    amount = units(asked, found, at, doubt)
    if isinstance(amount, Gap):
        return amount
    answer = _state(found.get((wire.ACCOUNT, asked)), asked)
    if isinstance(answer, Gap):
        return answer
    if not answer or not holdings.untouched(answer, int(at.detail["time-ms"])):
        return liquid(amount)
    parts = holdings.stakes(answer)
    if isinstance(parts, Gap):
        return parts
    held = Held((Part(PartKind.LIQUID, amount), *parts))
    if parts:
        workings.tell(asked, working.of_stakes, answer, at, held)
    return held


def _state(exchange: Exchange | None, asked: bytes) -> Mapping[str, Any] | Gap:
    """Return the head state; empty where there is no account, or where it was not asked."""
    if exchange is None:
        return {}
    known = account(exchange, asked)
    if isinstance(known, Gap):
        return known
    return wire.read_object(exchange)


def control(
    asked: Sequence[bytes],
    exchanges: Sequence[Exchange],
    at: Snapshot,
    params: Mapping[str, Any],
) -> list[ControlFacts | Gap]:
    """Say who controls every account of a batch: the head state where it is that of the height.

    An account created in the block after the pinned one carries the pinned block's time.
    Source: tronprotocol/java-tron, TransferActuator (the time of the block before).
    """
    first = exchanges[0]
    answer = wire.read_object(first)
    head = answer if isinstance(answer, Gap) else wire.read_block(answer)
    if isinstance(head, Gap):
        return [head] * len(asked)
    if head.number < at.height:
        return [Gap("node-behind", retryable=True, detail=f"its head is {head.number}")] * len(
            asked
        )
    found = by_account(exchanges)
    return [_control(who, found, at, params) for who in asked]


def _control(
    asked: bytes, found: Found, at: Snapshot, params: Mapping[str, Any]
) -> ControlFacts | Gap:
    known = account(found.get((wire.ACCOUNT, asked)), asked)
    if isinstance(known, Gap):
        return known
    if known.contract:
        return Gap("no-history", detail=CONTRACT_CONTROL)
    time_ms = int(at.detail["time-ms"])
    if not known.exists or known.created >= time_ms:
        if any(_exists(found, bytes.fromhex(canary)) for canary in at.canaries):
            return ControlFacts(exists=False)
        return Gap("zero-without-canary", retryable=True, detail="head state without canary")
    ways = _ways(found[(wire.ACCOUNT, asked)], asked, time_ms, params)
    return ways if isinstance(ways, Gap) else ControlFacts(exists=True, ways=ways)


def _ways(
    exchange: Exchange, asked: bytes, time_ms: int, params: Mapping[str, Any]
) -> tuple[Authority, ...] | Gap:
    answer = wire.read_object(exchange)
    if isinstance(answer, Gap):
        return answer
    if not holdings.untouched(answer, time_ms):
        return Gap("no-history", detail=OPERATED)
    return holdings.ways(answer, asked, params)

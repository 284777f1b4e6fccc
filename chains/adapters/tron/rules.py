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
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chains.adapters.tron import wire
from chains.model import Exchange, Extract, Gap, Questions, Snapshot

Found = Mapping[tuple[str, bytes], Exchange]

NO_RECORD = "the account existed at this height and the node shows no record of its balance"
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


def decode(questions: Questions, extract: Extract, at: Snapshot) -> list[int | Gap]:
    """Answer every position of the extract, in its order."""
    found = by_account(extract.exchanges)
    void, doubt = canary_gap(found, at)
    if void is not None:
        return [void] * len(extract.positions)
    return [units(questions.accounts[p], found, at, doubt) for p in extract.positions]

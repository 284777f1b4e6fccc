"""What makes a Solana answer the balance at a slot, and what makes a zero one.

Nodes keep no past balances. Two ways lead from "now" to the slot H:

1. The answer's context slot *is* H: it is the balance at H (method ``state``).
2. The answer is for a later slot T, and the newest finalized transaction that names the
   account, asked for afterwards at T or later, lies at H or below: nothing moved in (H, T],
   so the balance at T is the balance at H (method ``untouched``). A transaction names every
   account whose lamports it moves, also through lookup tables and failed transactions' fees.

Not so for accounts that are credited or debited without a transaction: those of the stake
and vote programs (rewards) and sysvars, and accounts with less than the rent-exempt minimum.
These, and accounts touched after H, are the gap ``no-history``.

An empty list of signatures means "untouched" only where the node's ledger reaches back to H;
on a pruned ledger it means nothing. No list means anything if the index that it comes from
lags behind T: so each array of calls also asks for an account that transactions name in every
block (``busy``), whose newest transaction must lie at T or later.

An account that is not there is a zero by the same two ways, if the canary of the same batch
is there on the same endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chains.accounts import Held, liquid
from chains.adapters.solana import wire
from chains.model import Exchange, Gap, Method, Part, PartKind, Snapshot

STAKE_PROGRAM = "Stake11111111111111111111111111111111111111"
VOTE_PROGRAM = "Vote111111111111111111111111111111111111111"
SYSVAR = "Sysvar1111111111111111111111111111111111111"
MOVED_WITHOUT_TRANSACTION = frozenset({STAKE_PROGRAM, VOTE_PROGRAM, SYSVAR})
"""Source: https://solana.com/docs/core/accounts, solana-sdk-ids"""
RENT_PER_BYTE = 6_960
"""Lamports per byte for exemption: 3480 a byte-year, two years.
Source: solana-rent, DEFAULT_LAMPORTS_PER_BYTE_YEAR and DEFAULT_EXEMPTION_THRESHOLD"""
RENT_OVERHEAD_BYTES = 128
"""Source: solana-rent, ACCOUNT_STORAGE_OVERHEAD"""

ANSWERED_BY = "a capture at the slot, or a roll-back over its transactions, would answer it"
Last = Mapping[str, int | Gap | None]


LEDGER = "first-available"
"""Name in ``View.detail`` of the first block that an endpoint holds."""


def read(
    asked: Sequence[bytes], exchanges: Sequence[Exchange], at: Snapshot, busy: str
) -> list[Held | Gap]:
    """Answer every account in lamports."""
    first = exchanges[0]
    accounts = wire.read_accounts(first, at.height)
    if isinstance(accounts, Gap):
        return [accounts] * len(asked)
    doubt = _canary_gap(accounts, at)
    if doubt is not None and doubt.reason == "canary-wrong":
        return [doubt] * len(asked)
    exact = accounts.slot == at.height
    last: dict[str, int | Gap | None] = {}
    for exchange in exchanges[1:]:
        last.update(_fresh(wire.read_last_slots(exchange), busy, accounts.slot))
    reaches = _ledger_reaches(at, first.endpoint)
    answers: list[Held | Gap] = []
    for name in map(wire.key, asked):
        if name not in accounts.held:
            answers.append(Gap("not-answered"))
            continue
        held = accounts.held[name]
        moved = None if exact else _moved(name, held, last, at, reaches)
        answers.append(_held(held, doubt) if moved is None else moved)
    return answers


def method(first: Exchange, at: Snapshot) -> Method:
    """Tell how the answers of a group are tied to the slot."""
    accounts = wire.read_accounts(first, at.height)
    late = isinstance(accounts, wire.Accounts) and accounts.slot != at.height
    return Method.UNTOUCHED if late else Method.STATE


def _fresh(last: Last, busy: str, slot: int) -> Last:
    """Return the newest slots of one array, or Gaps where its index is behind ``slot``."""
    newest = last.get(busy, Gap("not-answered"))
    if isinstance(newest, int) and newest >= slot:
        return last
    if isinstance(newest, Gap):
        gap = newest
    else:
        gap = Gap("node-behind", retryable=True, detail=f"its list of transactions lags ({newest})")
    return {name: found if isinstance(found, Gap) else gap for name, found in last.items()}


def _held(held: wire.Held | None, doubt: Gap | None) -> Held | Gap:
    if held is None or not held.lamports:
        return doubt if doubt is not None else liquid(0)
    if held.owner == STAKE_PROGRAM:
        return Held((Part(PartKind.STAKED, held.lamports),))
    return liquid(held.lamports)


def _canary_gap(accounts: wire.Accounts, at: Snapshot) -> Gap | None:
    """Say what the canaries of this answer leave in doubt."""
    shown = [accounts.held[name] for name in map(_canary_key, at.canaries) if name in accounts.held]
    if not shown:
        return Gap("zero-without-canary", detail="no canary is known for this chain")
    if any(held is None or not held.lamports for held in shown):
        return Gap("canary-wrong", retryable=True, detail="the canary is reported as empty")
    return None


def _canary_key(text: str) -> str:
    return wire.key(bytes.fromhex(text))


def _moved(
    name: str, held: wire.Held | None, last: Last, at: Snapshot, reaches: Gap | None
) -> Gap | None:
    """Return ``None`` if nothing can have moved since the slot, else why that is not shown."""
    if held is not None and held.owner in MOVED_WITHOUT_TRANSACTION:
        return Gap(
            "no-history",
            detail=f"credited without transactions (owner {held.owner}): only a "
            "capture at the slot would answer it",
        )
    if held is not None and held.lamports < RENT_PER_BYTE * (RENT_OVERHEAD_BYTES + held.space):
        return Gap(
            "no-history",
            detail="may be debited for rent without a transaction: only a "
            "capture at the slot would answer it",
        )
    slot = last.get(name, Gap("not-answered"))
    if isinstance(slot, Gap):
        return slot
    if slot is None:
        return reaches
    if slot > at.height:
        return Gap("no-history", detail=f"touched at slot {slot}: {ANSWERED_BY}")
    return None


def _ledger_reaches(at: Snapshot, endpoint: str) -> Gap | None:
    """Return ``None`` if an empty list of signatures is worth something on this endpoint."""
    text = at.detail.get(f"{LEDGER}@{endpoint}")
    if text is None:
        return Gap("state-pruned", detail="the endpoint does not say how far its ledger reaches")
    if int(text) > at.height:
        return Gap("state-pruned", detail=f"the endpoint's ledger begins at slot {text}")
    return None

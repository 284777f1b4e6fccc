"""What makes a Solana answer the balance at a slot, and what makes a zero one.

Nodes keep no past balances. Three ways lead from "now" to the slot H:

1. The answer's context slot *is* H: it is the balance at H (method ``state``).
2. The answer is for a later slot T, and the newest finalized transaction that names the
   account, asked for afterwards at T or later, lies at H or below: nothing moved in (H, T],
   so the balance at T is the balance at H (method ``untouched``). A transaction names every
   account whose lamports it moves, also through lookup tables and failed transactions' fees.
3. The account was touched after H: the transactions on both sides of H state the balance between
   them (method ``rolled-back``; ``history``).

Accounts of the stake and vote programs are credited without a transaction (rewards). Untouched,
they count only if the last transaction at or below H left what is there at T: no reward came in
between. A reward in between is the gap ``no-history``; so are sysvars and accounts with less than
the rent-exempt minimum, which may be debited. Not seen: fees credited to a leader's identity,
a wallet of the system program (a validator's identity signs in nearly every slot, so it is never
untouched).

An empty list of signatures means "untouched" only where the node's ledger reaches back to H;
on a pruned ledger it means nothing. No list means anything if the index that it comes from
lags behind T: so each array of calls also asks for an account that transactions name in every
block (``busy``), whose newest transaction must lie at T or later.

An account that is not there is a zero by the same ways, if the canary of the same batch
is there on the same endpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chains import workings
from chains.accounts import Held, liquid
from chains.adapters.solana import history, layouts, wire, working
from chains.adapters.solana.history import Book, Halt, Limits, Need, Trail
from chains.addresses.base58 import base58_to_bytes
from chains.model import Exchange, Gap, Request, Snapshot

STAKE_PROGRAM = "Stake11111111111111111111111111111111111111"
VOTE_PROGRAM = "Vote111111111111111111111111111111111111111"
SYSVAR = "Sysvar1111111111111111111111111111111111111"
REWARDED = frozenset({STAKE_PROGRAM, VOTE_PROGRAM})
"""Programs whose accounts are credited without a transaction.
Source: https://solana.com/docs/core/accounts, solana-sdk-ids"""
RENT_PER_BYTE = 6_960
"""Lamports per byte for exemption: 3480 a byte-year, two years.
Source: solana-rent, DEFAULT_LAMPORTS_PER_BYTE_YEAR and DEFAULT_EXEMPTION_THRESHOLD"""
RENT_OVERHEAD_BYTES = 128
"""Source: solana-rent, ACCOUNT_STORAGE_OVERHEAD"""

TOUCHED = Gap(
    "no-history",
    detail="touched since the slot: a capture at the slot, or a roll-back over its "
    "transactions, would answer it",
)
NOT_ANSWERED = Gap("not-answered")
Last = Mapping[str, int | Gap | None]


LEDGER = "first-available"
"""Name in ``View.detail`` of the first block that an endpoint holds."""


class Natives(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all groups: the moment, evidence, limits, slots of an epoch if known."""

    at: Snapshot
    busy: str
    limits: Limits
    epoch_slots: int = 0

    @property
    def epoch(self) -> int | None:
        """The epoch of the slot, where epochs are known to be of one length since slot 0."""
        return self.at.height // self.epoch_slots if self.epoch_slots else None


class Wallets:
    """Reads one group from a book; what a roll-back misses is raised as ``Need``."""

    def __init__(self, asked: Natives, book: Book, first: Exchange) -> None:
        self._asked, self._book = asked, book
        self._shown = wire.read_accounts(first, asked.at.height)
        self._reaches = ledger_reaches(asked.at, first.endpoint)

    def answers(self, accounts: Sequence[bytes], *, roll: bool) -> list[Held | Gap]:
        """Answer accounts in lamports; without ``roll``, those it would take are ``TOUCHED``."""
        shown = self._shown
        if isinstance(shown, Gap):
            return [shown] * len(accounts)
        doubt = canary_gap(shown, self._asked.at)
        if doubt is not None and doubt.reason == "canary-wrong":
            return [doubt] * len(accounts)
        last: dict[str, int | Gap | None] = {}
        for request in filter(wire.is_newest, self._book.exchanges):
            newest = wire.read_last_slots(self._book.exchanges[request])
            last |= fresh(newest, self._asked.busy, shown.slot)
        found: list[Held | Gap] = []
        missing: list[Request] = []
        for name in map(wire.key, accounts):
            try:
                found.append(self._answer(name, shown, last.get(name, NOT_ANSWERED), roll=roll))
            except Need as need:
                missing += need.requests
            except Halt as halt:
                found.append(halt.gap)
        if missing:
            raise Need(missing)
        return [_believed(one, doubt) for one in found]

    def _answer(
        self, name: str, shown: wire.Accounts, slot: int | Gap | None, *, roll: bool
    ) -> Held | Gap:
        """Answer one account; raises ``Need`` or ``Halt``."""
        at, epoch = self._asked.at, self._asked.epoch
        if name not in shown.held:
            return NOT_ANSWERED
        held = shown.held[name]
        if shown.slot == at.height:
            return _held(held, epoch)
        if held is not None:
            _refuse(held)
        touched = is_touched(slot, at.height, self._reaches)
        rewarded = held is not None and held.owner in REWARDED
        if not touched and not rewarded:
            found = _held(held, epoch)
            if workings.is_listened() and isinstance(found, Held):
                newest = None if isinstance(slot, Gap) else slot
                shown_at = (at.height, shown.slot, newest, found.units)
                workings.tell(base58_to_bytes(name), working.untouched, name, *shown_at)
            return found
        if not roll:
            return TOUCHED
        trail = Trail(at.height, shown.slot, self._asked.limits.pages, self._reaches)
        now = None if held is None or touched else held.lamports
        both = held is None or rewarded
        stated = history.lamports(name)
        units = history.balance(self._book, name, trail, stated, now=now, both=both)
        if workings.is_listened():
            told = (self._book, name, trail, stated, units)
            workings.tell(base58_to_bytes(name), working.between, *told, now=now)
        return liquid(units) if touched else _held(held, epoch)


def is_touched(slot: int | Gap | None, height: int, reaches: Gap | None) -> bool:
    """Tell from its newest transaction if an account was named since the slot; raises ``Halt``."""
    if isinstance(slot, Gap):
        raise Halt(slot)
    if slot is None and reaches is not None:
        raise Halt(reaches)
    return slot is not None and slot > height


def _believed(one: Held | Gap, doubt: Gap | None) -> Held | Gap:
    """Return an answer, a zero only if the canary is there."""
    zero = isinstance(one, Held) and not one.units
    return doubt if zero and doubt is not None else one


def _refuse(held: wire.Held) -> None:
    """Raise ``Halt`` for accounts that may lose lamports, or hold others, without transaction."""
    if held.owner == SYSVAR:
        detail = f"changed without transactions (owner {held.owner})"
    elif held.lamports < RENT_PER_BYTE * (RENT_OVERHEAD_BYTES + held.space):
        detail = "may be debited for rent without a transaction"
    else:
        return
    raise Halt(Gap("no-history", detail=f"{detail}: only a capture at the slot would answer it"))


def _held(held: wire.Held | None, epoch: int | None) -> Held | Gap:
    if held is None or not held.lamports:
        return liquid(0)
    if held.owner != STAKE_PROGRAM:
        return liquid(held.lamports)
    parts = layouts.stake_parts(held, epoch)
    return parts if isinstance(parts, Gap) else Held(parts)


def fresh(last: Last, busy: str, slot: int) -> Last:
    """Return the newest slots of one array, or Gaps where its index is behind ``slot``."""
    newest = last.get(busy, Gap("not-answered"))
    if isinstance(newest, int) and newest >= slot:
        return last
    if isinstance(newest, Gap):
        gap = newest
    else:
        gap = Gap("node-behind", retryable=True, detail=f"its list of transactions lags ({newest})")
    return {name: found if isinstance(found, Gap) else gap for name, found in last.items()}


def canary_gap(accounts: wire.Accounts, at: Snapshot) -> Gap | None:
    """Say what the canaries of this answer leave in doubt."""
    shown = [accounts.held[name] for name in map(_canary_key, at.canaries) if name in accounts.held]
    if not shown:
        return Gap("zero-without-canary", detail="no canary is known for this chain")
    if any(held is None or not held.lamports for held in shown):
        return Gap("canary-wrong", retryable=True, detail="the canary is reported as empty")
    return None


def _canary_key(text: str) -> str:
    return wire.key(bytes.fromhex(text))


def ledger_reaches(at: Snapshot, endpoint: str) -> Gap | None:
    """Return ``None`` if an empty list of signatures is worth something on this endpoint."""
    text = at.detail.get(f"{LEDGER}@{endpoint}")
    if text is None:
        return Gap("state-pruned", detail="the endpoint does not say how far its ledger reaches")
    if int(text) > at.height:
        return Gap("state-pruned", detail=f"the endpoint's ledger begins at slot {text}")
    return None

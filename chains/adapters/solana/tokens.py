"""SPL tokens of an owner at a slot: the associated token account and all others of the mint.

Per group of owners one endpoint is asked for the mint, the owners' accounts (a list may name a
token account itself: then that alone is read, and its owner is the answer's subject) and their
associated accounts under both token programs; for the owners' token accounts of the mint
(``getTokenAccountsByOwner``), a holder that is no part of the list among them; and, unless all that
was for the slot itself, for the newest transaction of every owner and token account.

Tokens move only by transactions that name the token account, so ``rules`` hold for it as they do
for a wallet. That no other account of the owner existed at the slot is shown by the owner's own
transactions: none since the slot, or few enough (``transactions``) to read them all; whoever
closes an account or gives it away signs. Accounts that a delegate or a close authority emptied and
closed without the owner are not seen. An account that was touched is rolled back (``history``).

A list without a token account counts as zero if the holder's own list shows it to hold tokens.
The node's largest account of the mint is that holder unless ``token_canaries`` names one. A list
that lacks an associated account that exists is no answer.

Frozen amounts are parts of their own; fees withheld in an account are not its owner's and do not
count; an account with an encrypted balance (confidential transfers) is the gap
``balance-hidden``. Interest and scaling of Token-2022 change how amounts are displayed, not the
units read here. What was frozen at the slot is not seen where an account is rolled back.

Spec: https://solana.com/docs/rpc/http/gettokenaccountsbyowner
Spec: https://solana.com/docs/rpc/http/gettokenlargestaccounts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chains import jsonrpc, workings
from chains.accounts import Fact, Held, Read
from chains.adapters.solana import history, layouts, rules, wire, working
from chains.adapters.solana.derive import TOKEN_PROGRAMS, associated
from chains.adapters.solana.history import Book, Halt, Limits, Need, Trail
from chains.adapters.solana.layouts import TokenAccount
from chains.addresses.base58 import base58_to_bytes
from chains.model import Exchange, Gap, Part, PartKind, Request, Snapshot

GROUP = 32
"""Owners per group: with mint, canary and two derived accounts each, 98 accounts of 100."""
MOST_LISTED = 64
"""Token accounts of one owner and mint that are looked into."""
NAMESPACE = "token"

Listed = Mapping[str, wire.Held]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all groups: the mint, evidence and limits; keys are base58."""

    mint: str
    at: Snapshot
    busy: str
    calls: int
    limits: Limits
    holder: str = ""


class Lists(msgspec.Struct, frozen=True):
    """Token accounts per owner, the lowest and highest slot shown, and what voids zeros."""

    by_owner: Mapping[str, Listed | Gap]
    slots: tuple[int, int]
    doubt: Mapping[str, Gap | None]


def first_request(asked: Asked, owners: Sequence[bytes]) -> Request:
    """Ask for a canary, the mint, the owners and their associated accounts."""
    mint = base58_to_bytes(asked.mint)
    keys = [wire.key(bytes.fromhex(text)) for text in asked.at.canaries[:1]]
    keys += [asked.mint, *map(wire.key, owners)]
    for program in TOKEN_PROGRAMS:
        keys += [wire.key(associated(owner, mint, program)) for owner in owners]
    return wire.accounts_request(keys, asked.at.height, layouts.TOKEN_BYTES)


def list_request(owners: Sequence[str], mint: str, at_least: int) -> Request:
    """Ask for token accounts of a mint, as an array with one call per owner."""
    wanted = wire.sliced(at_least, layouts.TOKEN_BYTES)
    calls = [("getTokenAccountsByOwner", [owner, {"mint": mint}, wanted]) for owner in owners]
    return jsonrpc.batch(calls)


def read_lists(exchange: Exchange) -> dict[str, tuple[int, Listed] | Gap]:
    """Read an array of lists: slot and accounts by key."""
    owners = wire.asked_keys(exchange.request)
    results = map(wire.classified, jsonrpc.results(exchange, len(owners)))
    return dict(zip(owners, map(_list, results), strict=True))


def _list(result: Any) -> tuple[int, Listed] | Gap:
    if isinstance(result, Gap):
        return result
    bad = Gap("malformed-answer", detail="a list of token accounts that cannot be read")
    try:
        slot = wire.integer(result["context"]["slot"])
        value = wire.listed(result["value"])
        shown = [(one["pubkey"], wire.read_held(one["account"])) for one in value]
    except (KeyError, TypeError):
        return bad
    held = {
        name: one for name, one in shown if isinstance(name, str) and isinstance(one, wire.Held)
    }
    return bad if slot is None or len(held) != len(shown) else (slot, held)


def largest_request(mint: str) -> Request:
    """Ask for the largest accounts of a mint."""
    return jsonrpc.call("getTokenLargestAccounts", [mint, wire.FINALIZED])


def read_largest(exchange: Exchange) -> str | Gap:
    """Read the key of the largest account."""
    result = wire.read_result(exchange)
    if isinstance(result, Gap):
        return result
    try:
        name = result["value"][0]["address"]
    except (KeyError, TypeError, IndexError):
        return Gap("malformed-answer", detail="no largest account")
    good = isinstance(name, str) and name.isalnum() and len(name) <= 44  # noqa: PLR2004 - base58
    return name if good else Gap("malformed-answer", detail="no largest account")


class Group:
    """Reads one group from a book; what is missing is raised as ``Need``."""

    def __init__(self, asked: Asked, book: Book, first: Exchange) -> None:
        self._asked, self._book, self._first = asked, book, first
        self._reaches = rules.ledger_reaches(asked.at, first.endpoint)

    def answers(self, owners: Sequence[bytes], *, roll: bool) -> list[Held | Gap]:
        """Answer owners; with ``roll`` those that were touched since the slot are rolled back."""
        try:
            self._shared()
        except Halt as halt:
            return [halt.gap] * len(owners)
        found: list[Held | Gap] = []
        missing: list[Request] = []
        for name in map(wire.key, owners):
            try:
                found.append(self._owner(name, roll=roll))
            except Halt as halt:
                found.append(halt.gap)
            except Need as need:
                missing += need.requests
                found.append(Gap("not-answered"))
        if missing:
            raise Need(missing)
        return found

    def _shared(self) -> None:
        """Read what all owners of the group rest on."""
        at = self._asked.at
        accounts = wire.read_accounts(self._first, at.height)
        if isinstance(accounts, Gap):
            raise Halt(accounts)
        self._accounts = accounts
        self._doubt = rules.canary_gap(accounts, at)
        if self._doubt is not None and self._doubt.reason == "canary-wrong":
            raise Halt(self._doubt)
        mint = layouts.mint_decimals(accounts.held.get(self._asked.mint))
        if isinstance(mint, Gap):
            raise Halt(mint)
        self._program = mint[0]
        self._lists = self._read_lists()
        low, self._at_least = self._lists.slots
        self._exact = low == self._at_least == at.height
        self._last = {} if self._exact else self._newest()

    def _owners(self) -> list[str]:
        """Return the owners of the group, as the first question names them, in its order."""
        names = wire.asked_keys(self._first.request)[len(self._asked.at.canaries[:1]) + 1 :]
        return names[: len(names) // (1 + len(TOKEN_PROGRAMS))]

    def _associated(self, owner: str) -> str:
        pair = base58_to_bytes(owner), base58_to_bytes(self._asked.mint)
        return wire.key(associated(*pair, self._program))

    def _itself(self, name: str) -> TokenAccount | None:
        """Return the account that is asked about if it is a token account of the mint."""
        found = layouts.token_account(self._accounts.held.get(name))
        return found if found is not None and found.mint == self._asked.mint else None

    def _holder(self) -> str | Gap:
        """Return an owner that holds tokens of the mint; the list has no say in who it is."""
        if self._asked.holder:
            return self._asked.holder
        largest = self._book.show(largest_request(self._asked.mint), read_largest)
        if isinstance(largest, Gap):
            return Gap("zero-without-canary", largest.retryable, f"holders: {largest.reason}")
        request = wire.accounts_request([largest], self._asked.at.height, layouts.TOKEN_BYTES)
        shown = self._book.show(request, _accounts)
        if isinstance(shown, Gap):
            return Gap("zero-without-canary", shown.retryable, f"holder: {shown.reason}")
        account = layouts.token_account(shown.held[largest])
        if account is None or account.mint != self._asked.mint or not account.amount:
            return Gap("zero-without-canary", detail="the largest account holds nothing")
        return account.owner

    def _read_lists(self) -> Lists:
        holder = self._holder()
        canary = [] if isinstance(holder, Gap) else [holder]
        owners = [name for name in self._owners() if self._itself(name) is None and name != holder]
        size = max(1, self._asked.calls - 1)
        requests = [
            list_request([*canary, *some], self._asked.mint, self._accounts.slot)
            for some in wire.batches(owners, size)
        ]
        if canary and not requests and holder in self._owners():
            requests = [list_request(canary, self._asked.mint, self._accounts.slot)]
        self._book.want(requests)
        by_owner: dict[str, Listed | Gap] = {}
        doubt: dict[str, Gap | None] = {}
        slots = [self._accounts.slot]
        for request in requests:
            shown = read_lists(self._book.exchanges[request])
            slots += [one[0] for one in shown.values() if not isinstance(one, Gap)]
            own = self._void(holder, shown)
            for name, one in shown.items():
                by_owner[name] = one if isinstance(one, Gap) else self._checked(name, *one)
                doubt[name] = own
        return Lists(by_owner, (min(slots), max(slots)), doubt)

    def _void(self, holder: str | Gap, shown: Mapping[str, tuple[int, Listed] | Gap]) -> Gap | None:
        """Say why an empty list of this array is no zero, if it is none."""
        if isinstance(holder, Gap):
            return holder
        own = shown[holder]
        if isinstance(own, Gap):
            return Gap("zero-without-canary", own.retryable, f"the holder's list: {own.reason}")
        accounts = map(layouts.token_account, own[1].values())
        if any(one is not None and one.amount and one.mint == self._asked.mint for one in accounts):
            return None
        return Gap("canary-wrong", retryable=True, detail="a holder's list shows no tokens")

    def _checked(self, owner: str, slot: int, listed: Listed) -> Listed | Gap:
        """Return a list if all of it is the owner's and nothing known is missing."""
        if len(listed) > MOST_LISTED:
            return Gap("answer-too-large", detail=f"{len(listed)} token accounts of one owner")
        if slot < self._accounts.slot:
            return Gap("node-behind", retryable=True, detail=f"the list is for slot {slot}")
        for one in listed.values():
            account = layouts.token_account(one)
            if account is None or one.owner != self._program:
                return Gap("malformed-answer", detail="a list with what is no token account")
            if (account.mint, account.owner) != (self._asked.mint, owner):
                return Gap("malformed-answer", detail="a list with another's token account")
        return self._missing(owner, slot, listed) or listed

    def _missing(self, owner: str, slot: int, listed: Listed) -> Gap | None:
        """Say if a list lacks the associated account, which was seen at its own address."""
        known = self._associated(owner)
        account = layouts.token_account(self._accounts.held.get(known))
        if account is not None and account.owner == owner and known not in listed:
            if slot == self._accounts.slot:
                return Gap("canary-wrong", detail="the list lacks the associated token account")
            return Gap("node-behind", retryable=True, detail="the associated account just went")
        return None

    def _newest(self) -> dict[str, int | Gap | None]:
        """Return the slot of the newest transaction of every owner and token account."""
        names: dict[str, None] = {}
        for owner in self._owners():
            listed = self._lists.by_owner.get(owner, {})
            names |= dict.fromkeys([owner, self._associated(owner)])
            names |= dict.fromkeys(() if isinstance(listed, Gap) else listed)
        requests = [
            wire.signatures_request([self._asked.busy, *some], self._at_least)
            for some in wire.batches(list(names), self._asked.calls - 1)
        ]
        self._book.want(requests)
        last: dict[str, int | Gap | None] = {}
        for request in requests:
            shown = wire.read_last_slots(self._book.exchanges[request])
            last |= rules.fresh(shown, self._asked.busy, self._at_least)
        return last

    def _owner(self, owner: str, *, roll: bool) -> Held:
        """Answer one owner; raises ``Halt`` or ``Need``."""
        itself = self._itself(owner)
        if itself is not None:
            held = self._sum(owner, {owner: itself}, roll=roll)
            return msgspec.structs.replace(held, subject=base58_to_bytes(itself.owner))
        listed = self._lists.by_owner.get(owner, Gap("not-answered"))
        doubt = self._lists.doubt.get(owner)
        if isinstance(listed, Gap):
            raise Halt(listed)
        if doubt is not None and doubt.reason == "canary-wrong":
            raise Halt(doubt)
        own: dict[str, TokenAccount | None] = {self._associated(owner): None}
        own |= {name: layouts.token_account(one) for name, one in listed.items()}
        if not self._exact and self._touched(owner):
            if not roll:
                raise Halt(rules.TOUCHED)
            own = dict.fromkeys(self._given_away(owner)) | own
        held = self._sum(owner, own, roll=roll)
        doubt = self._doubt or doubt
        if doubt is not None and not held.units and not listed:
            raise Halt(doubt)
        return held

    def _touched(self, name: str) -> bool:
        """Tell whether a transaction named an account since the slot; raises ``Halt``."""
        slot = self._last.get(name, rules.NOT_ANSWERED)
        return rules.is_touched(slot, self._asked.at.height, self._reaches)

    def _trail(self) -> Trail:
        at = self._asked.at
        return Trail(at.height, self._at_least, self._asked.limits.pages, self._reaches)

    def _given_away(self, owner: str) -> list[str]:
        """Return the accounts of an owner that its transactions since the slot show."""
        trail, most = self._trail(), self._asked.limits.transactions
        listed = history.entries(self._book, owner, trail)
        since = [one for one in listed if one.slot > trail.height]
        if len(since) > most:
            detail = f"the owner has more than {most} transactions since the slot, any of which may"
            raise Halt(Gap("no-history", detail=f"{detail} have closed a token account"))
        found: dict[str, None] = {}
        for one in history.transactions(self._book, since):
            for side in one.tokens or ():
                for at, shown in side.items():
                    if shown.mint != self._asked.mint or at >= len(one.keys):
                        continue
                    if shown.owner is None or owner in (shown.owner, one.keys[at]):
                        found[one.keys[at]] = None
        return list(found)

    def _sum(self, owner: str, own: Mapping[str, TokenAccount | None], *, roll: bool) -> Held:
        """Add up an owner's accounts at the slot; raises ``Halt`` or ``Need``."""
        free = frozen = withheld = 0
        missing: list[Request] = []
        for name, account in own.items():
            if account is not None and account.hidden:
                raise Halt(Gap("balance-hidden", detail=f"token account {name}"))
            if not self._exact and (name not in self._last or self._touched(name)):
                if not roll:
                    raise Halt(rules.TOUCHED)
                try:
                    free += self._rolled(owner, name)
                except Need as need:
                    missing += need.requests
            elif account is not None:
                withheld += account.withheld
                frozen += account.amount if account.frozen else 0
                free += 0 if account.frozen else account.amount
                self._tell_untouched(owner, name, account.amount)
        if missing:
            raise Need(missing)
        more = (
            Part(PartKind.FROZEN, frozen),
            Part(PartKind.RESERVED, withheld, counted=False),
        )
        return Held((Part(PartKind.LIQUID, free), *(part for part in more if part.units)))

    def _rolled(self, owner: str, name: str) -> int:
        """Return what a token account held at the slot; raises ``Halt`` or ``Need``."""
        statement, trail = history.tokens(name, self._asked.mint, owner), self._trail()
        units = history.balance(self._book, name, trail, statement)
        if workings.is_listened():
            told = (self._book, name, trail, statement, units)
            workings.tell(base58_to_bytes(owner), working.between, *told)
        return units

    def _tell_untouched(self, owner: str, name: str, units: int) -> None:
        """Tell why what a token account holds now was there at the slot, if that is later."""
        if self._exact or not workings.is_listened():
            return
        last = self._last.get(name)
        newest = last if isinstance(last, int) else None
        told = (name, self._asked.at.height, self._at_least, newest, units)
        workings.tell(base58_to_bytes(owner), working.untouched, *told)


def _accounts(exchange: Exchange) -> wire.Accounts | Gap:
    return wire.read_accounts(exchange, 0)


def facts(asked: Asked, exchange: Exchange) -> Read:
    """Read the decimals of a mint; it holds no symbol."""
    accounts = wire.read_accounts(exchange, asked.at.height)
    if isinstance(accounts, Gap):
        return accounts
    found = layouts.mint_decimals(accounts.held.get(asked.mint))
    if isinstance(found, Gap):
        return found
    return Fact(msgspec.json.encode({"decimals": found[1], "symbol": ""}).decode())

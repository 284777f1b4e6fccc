"""The balance of an account at a slot from the transactions on both sides of it.

A transaction's record states the balances before and after it. The last transaction at or below
the slot that names the account leaves the balance in which the first one above the slot finds
it: both are read, and they must agree. What is credited without a transaction (rewards of stake
and vote accounts, fees of a block's leader) breaks the agreement, and so does a list with a hole
or transactions of one slot in a wrong order; where it holds, the balance did not change in
between, because such credits only add. Where the list ends above the slot, in a ledger that
reaches back to it, what the first transaction found is the balance.

Reading is pure: what is missing is raised as ``Need`` and asked for by the adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

import msgspec

from chains.adapters.solana import past
from chains.adapters.solana.derive import TOKEN_PROGRAMS
from chains.adapters.solana.past import Entry, Transaction
from chains.model import Exchange, Gap, Request

SIBLINGS = 16
"""The most transactions of one slot that are read on either side."""
T = TypeVar("T")
_BROKEN = (
    "the balances around the slot do not continue each other: credited without a transaction, or "
    "a list with a hole"
)
Statement = tuple[int, int] | None
"""Units before and after a transaction, ``None`` where it says nothing about the account."""


class Limits(msgspec.Struct, frozen=True):
    """How far back is looked: pages of 1000 signatures, and transactions of a tokens' owner."""

    pages: int = 5
    transactions: int = 25


class Need(Exception):
    """These requests have not been asked yet."""

    def __init__(self, requests: Iterable[Request]) -> None:
        super().__init__("not asked yet")
        self.requests = tuple(dict.fromkeys(requests))


class Halt(Exception):
    """The question ends in this ``Gap``."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.reason)
        self.gap = gap


class Book:
    """What one endpoint answered, by request; every answer is read once."""

    def __init__(self, exchanges: Iterable[Exchange] = ()) -> None:
        self.exchanges: dict[Request, Exchange] = {}
        self._read: dict[Request, object] = {}
        self.add(exchanges)

    def add(self, exchanges: Iterable[Exchange]) -> None:
        """Take in further answers."""
        self.exchanges |= {one.request: one for one in exchanges}

    def show(self, request: Request, reader: Callable[[Exchange], T | Gap]) -> T | Gap:
        """Read an answer by the one reader of its kind; raises ``Need``."""
        if request not in self._read:
            if request not in self.exchanges:
                raise Need([request])
            self._read[request] = reader(self.exchanges[request])
        return self._read[request]  # type: ignore[return-value]

    def read(self, request: Request, reader: Callable[[Exchange], T | Gap]) -> T:
        """Read an answer; raises ``Need`` or ``Halt``."""
        found = self.show(request, reader)
        if isinstance(found, Gap):
            raise Halt(found)
        return found

    def want(self, requests: Sequence[Request]) -> None:
        """Raise one ``Need`` for all of these that are missing."""
        missing = [one for one in requests if one not in self.exchanges]
        if missing:
            raise Need(missing)


class Trail(msgspec.Struct, frozen=True):
    """The slot, the endpoint's newest shown slot, and why its ledger shows less, if it does."""

    height: int
    at_least: int
    pages: int
    reaches: Gap | None


def entries(book: Book, name: str, trail: Trail) -> list[Entry]:
    """Return the transactions that name an account, newest first, down to the slot."""
    found: list[Entry] = []
    for _ in range(trail.pages):
        before = found[-1].signature if found else ""
        page = book.read(past.page_request(name, trail.at_least, before), past.read_page)
        if not page:
            if trail.reaches is not None:
                raise Halt(trail.reaches)
            return found
        if found and page[0].slot > found[-1].slot:
            raise Halt(Gap("malformed-answer", detail="a page that is newer than the one before"))
        found += page
        if page[-1].slot <= trail.height:
            return found
    raise Halt(_far(f"more than {trail.pages} pages of transactions since the slot"))


def transactions(book: Book, listed: Sequence[Entry]) -> list[Transaction]:
    """Read transactions; raises ``Need`` for all that are missing."""
    requests = [past.transaction_request(one.signature) for one in listed]
    book.want(requests)
    found = [book.read(request, past.read_transaction) for request in requests]
    for one, entry in zip(found, listed, strict=True):
        if (one.slot, one.signature) != (entry.slot, entry.signature):
            raise Halt(Gap("malformed-answer", detail="another transaction than the one asked for"))
    return found


def around(listed: Sequence[Entry], height: int) -> tuple[list[Entry], list[Entry]]:
    """Return those of the last slot at or below, and of the first above, oldest first."""
    older = [one for one in listed if one.slot <= height]
    newer = [one for one in listed if one.slot > height]
    before = [one for one in older if one.slot == older[0].slot][::-1]
    after = [one for one in newer if one.slot == newer[-1].slot][::-1]
    if len(before) > SIBLINGS or len(after) > SIBLINGS:
        raise Halt(_far(f"more than {SIBLINGS} transactions in one slot"))
    return before, after


def balance(
    book: Book,
    name: str,
    trail: Trail,
    statement: Callable[[Transaction], Statement],
    *,
    now: int | None = None,
    both: bool = False,
) -> int:
    """Return the units of an account at the slot.

    ``now`` is its balance if nothing named it since the slot: then that is the other side.
    ``both`` asks for a statement on either side, unless the balance is zero.
    """
    before, after = around(entries(book, name, trail), trail.height)
    if now is not None and (after or not before):
        raise Halt(Gap("node-behind", retryable=True, detail="its lists of transactions differ"))
    if now is None and not after:
        raise Halt(Gap("node-behind", retryable=True, detail="its list of transactions lags"))
    found = [statement(one) for one in transactions(book, before + after)]
    earlier = [one for one in found[: len(before)] if one is not None]
    later = [one for one in found[len(before) :] if one is not None]
    if now is not None:
        later = [(now, now)]
    chain = earlier + later
    if not chain:
        raise Halt(_far("the transactions around the slot do not state the balance"))
    if any(one[1] != following[0] for one, following in pairwise(chain)):
        raise Halt(_far(_BROKEN))
    units = earlier[-1][1] if earlier else later[0][0]
    if both and units and not (earlier and later):
        raise Halt(_far("no transaction on the other side of the slot states the balance"))
    return units


def _far(detail: str) -> Gap:
    return Gap("no-history", detail=f"{detail}; a capture at the slot would answer it")


def lamports(name: str) -> Callable[[Transaction], Statement]:
    """Return what reads an account's lamports around a transaction."""

    def statement(one: Transaction) -> Statement:
        at = _place(one, name)
        return one.before[at], one.after[at]

    return statement


def tokens(name: str, mint: str, owner: str) -> Callable[[Transaction], Statement]:
    """Return what reads an owner's base units of a mint in one account around a transaction.

    The account may be the owner itself: a list may name token accounts.
    """

    def statement(one: Transaction) -> Statement:
        at = _place(one, name)
        if one.tokens is None:
            raise Halt(_far("a transaction without record of token balances"))
        shown = [one.tokens[0].get(at), one.tokens[1].get(at)]
        if shown == [None, None]:
            if not one.before[at] and not one.after[at]:
                return 0, 0
            if name == owner or not any(program in one.keys for program in TOKEN_PROGRAMS):
                return None
            raise Halt(_far("a transaction that does not state the balance"))
        before, after = (0 if side is None else _owned(side, name, mint, owner) for side in shown)
        return before, after

    return statement


def _owned(side: past.TokenBalance, name: str, mint: str, owner: str) -> int:
    if side.mint != mint:
        return 0
    if side.owner is None and name != owner:
        raise Halt(_far("a transaction that does not say whose the tokens are"))
    return side.amount if owner in (side.owner, name) else 0


def _place(one: Transaction, name: str) -> int:
    if name not in one.keys:
        raise Halt(Gap("malformed-answer", detail="a transaction that does not name the account"))
    return one.keys.index(name)

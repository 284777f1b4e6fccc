"""A balance of a checkpoint that the service has dropped: from a later one, and what came between.

The balance is read as of a later checkpoint that the service still keeps, and all transactions
after the first one that affected the address. Without any it is ``untouched``; else it is
``rolled-back`` by their balance changes in the coin. What shows that none is missing:

- the service's records reach from the checkpoint to the later one, by its own word in each answer;
- its index lists who sent transactions in the checkpoint after the first one and in the later one;
- the newest transaction, asked for by itself, is the last one that was read;
- each transaction has a record of its changes, and what it cost if the account paid the gas;
- the address balance did not change: lists need not name what is sent there by others, so that
  nothing may have been written to the object that holds it;
- the address is that of a key: what an object owns others may take, which lists need not name.

Stake is not in balance changes: where one was made, moved or ended there is no answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from chains.accounts import Held
from chains.adapter import Transport
from chains.adapters.sui import fields, past, stakes, wire
from chains.adapters.sui.past import Asked, Moved
from chains.model import Exchange, Gap, Part, PartKind, Request, Snapshot
from chains.workings import Clock, Movement, Rule, Working, in_time

LAG = 20
"""Checkpoints below the newest one, some seconds, that other machines of a service know as well."""
CANDIDATES = 4
PINNING = 4
"""Requests of a group for the two ends: the moment, who sent transactions at both, canaries."""
PAGES = 30
"""The most pages of an account: 300 transactions for SUI, 1,500 for other coins."""
UNASKED = Gap("not-answered", retryable=True, detail="the questions about later times broke off")
TOO_MANY = Gap(
    "too-much-history",
    detail="more transactions since the checkpoint than are taken back; a capture at the "
    "checkpoint would answer",
)

Own = Mapping[Request, Exchange]


class Found(msgspec.Struct, frozen=True):
    """A balance of the checkpoint and how it came about, or why there is none."""

    held: Held | Gap
    moved: bool = False
    working: Working | None = None


class Ends(msgspec.Struct, frozen=True):
    """The later checkpoint, and an account whose SUI was shown there."""

    asked: Asked
    at: Snapshot
    canary: bytes
    units: int


def is_dropped(at: Snapshot, first: Exchange) -> bool:
    """Tell whether a service says that it has no balances of the checkpoint any more."""
    answer = wire.read(first)
    said = wire.within(answer, at.height, at.block_hash) if isinstance(answer, wire.Answer) else {}
    if isinstance(answer, Gap) or isinstance(said, Gap):
        return wire.NO_HISTORY in (answer, said)
    return wire.balance(answer, said, "a0") == wire.NO_HISTORY


async def ask(
    transport: Transport, at: Snapshot, coin: str, accounts: Sequence[bytes], first: Exchange
) -> list[Exchange]:
    """Ask the endpoint that answered first for the later checkpoint, then account by account."""
    asked: list[Exchange] = []
    for _ in range(3):
        missing = _pinning(at, coin, {one.request: one for one in asked})
        if not missing:
            break
        new = [transport.exchange(request, first.endpoint) for request in missing]
        asked += await asyncio.gather(*new)
    ends = _ends(at, coin, {one.request: one for one in asked})
    if isinstance(ends, Gap):
        return asked
    each = [_ask_one(transport, ends, account, first.endpoint) for account in accounts]
    return asked + [exchange for own in await asyncio.gather(*each) for exchange in own]


async def _ask_one(
    transport: Transport, ends: Ends, account: bytes, endpoint: str
) -> list[Exchange]:
    trail = Trail(ends, account)
    shown: list[Exchange] = []
    while trail.request is not None:
        shown.append(await transport.exchange(trail.request, endpoint))
        trail.take(shown[-1])
    if ends.asked.is_native and shown and trail.gap is None:
        await stakes.ask(transport, ends.at, [account], shown, earned=False)
    return shown


def read(
    at: Snapshot, coin: str, accounts: Sequence[bytes], exchanges: Sequence[Exchange]
) -> list[Found]:
    """Read what was asked. Pure: each answer says what was asked next."""
    own = {exchange.request: exchange for exchange in exchanges}
    ends = _ends(at, coin, own)
    if isinstance(ends, Gap):
        return [Found(ends)] * len(accounts)
    return [_read_one(ends, account, own) for account in accounts]


def _read_one(ends: Ends, account: bytes, own: Own) -> Found:
    trail = Trail(ends, account)
    shown: list[Exchange] = []
    while trail.request is not None:
        exchange = own.get(trail.request)
        if exchange is None:
            return Found(UNASKED)
        shown.append(exchange)
        trail.take(exchange)
    if trail.gap is not None:
        return Found(trail.gap)
    if not ends.asked.is_native:
        return trail.found(0)
    (staked,) = stakes.read(ends.at, [account], list(own.values()))
    return Found(staked) if isinstance(staked, Gap) else trail.found(staked.units)


def _pinning(at: Snapshot, coin: str, own: Own) -> list[Request]:
    """Return what is to be asked next about the two ends, nothing where all is asked."""
    moment = wire.moment(at.height)
    if moment not in own:
        return [moment]
    later = _later(at, own)
    if isinstance(later, Gap):
        return []
    senders = [wire.senders(later), wire.senders(at.height + 1)]
    missing = [request for request in senders if request not in own]
    late, early = _candidates(at, later, own)
    ends = past.ends(Asked(at.height, later, coin), late, early)
    return missing or ([ends] if late and ends not in own else [])


def _later(at: Snapshot, own: Own) -> int | Gap:
    """Return the later checkpoint: a little below the newest one."""
    answer = wire.read(own.get(wire.moment(at.height)))
    if isinstance(answer, Gap):
        return answer
    named = answer.data.get("checkpoint")
    tip = wire.sequence(answer.data.get("tip"))
    if tip is None:
        return answer.missing("tip")
    if not isinstance(named, dict):
        return answer.missing("checkpoint") if answer.errors else wire.NO_HISTORY
    if wire.sequence(named) != at.height or named.get("digest") != at.block_hash:
        return Gap("wrong-block")
    later = tip - LAG
    return later if later > at.height else Gap("node-behind", retryable=True)


def _candidates(at: Snapshot, later: int, own: Own) -> tuple[list[bytes], list[bytes]]:
    """Return who sent transactions in the later checkpoint, and in the one after the first."""
    found = [wire.who_sent(wire.read(own.get(wire.senders(n)))) for n in (later, at.height + 1)]
    return found[0][:CANDIDATES], found[1][:1]


def _ends(at: Snapshot, coin: str, own: Own) -> Ends | Gap:
    """Read the later checkpoint and its canary; a ``Gap`` where they do not show themselves."""
    later = _later(at, own)
    if isinstance(later, Gap):
        return UNASKED if later.reason == "not-answered" else later
    asked = Asked(at.height, later, coin)
    late, early = _candidates(at, later, own)
    if not late and wire.senders(later) in own:
        return Gap("zero-without-canary", retryable=True, detail="no sender of a transaction")
    answer = wire.read(own.get(past.ends(asked, late, early)))
    if isinstance(answer, Gap):
        return UNASKED if answer.reason == "not-answered" else answer
    named = answer.data.get("checkpoint")
    digest = str(named.get("digest")) if isinstance(named, dict) else ""
    said = wire.within(answer, later, digest if wire.digest(digest) else "")
    if isinstance(said, Gap):
        return said
    gap = past.reach(asked, answer, said) or _unlisted(answer, said, len(late), len(early))
    return gap or _canary(at, asked, (digest, late), answer, said)


def _canary(
    at: Snapshot,
    asked: Asked,
    shown: tuple[str, Sequence[bytes]],
    answer: wire.Answer,
    said: Mapping[str, object],
) -> Ends | Gap:
    """Take the first sender that owns coins; ``shown`` are the later digest and the senders."""
    digest, late = shown
    for i, account in enumerate(late):
        held = wire.balance(answer, said, f"c{i}")
        if isinstance(held, Gap):
            return held
        if held.coins:
            of = (account.hex(),)
            later = msgspec.structs.replace(at, height=asked.later, block_hash=digest, canaries=of)
            return Ends(asked, later, account, held.units)
    return Gap("zero-without-canary", retryable=True, detail="no sender is shown to own SUI")


def _unlisted(answer: wire.Answer, said: Mapping[str, object], late: int, early: int) -> Gap | None:
    """Say why the index does not show that it covers both ends, if it does not."""
    for alias in (*(f"s{i}" for i in range(late)), *(f"l{i}" for i in range(early))):
        listed = past.newest(answer, said, alias)
        if isinstance(listed, Gap):
            return listed
        if not listed:
            return Gap("canary-wrong", detail="its index leaves out who sent a transaction")
    return None


class Trail:
    """Where the reading of an account stands; ``request`` is the next question, if any."""

    def __init__(self, ends: Ends, account: bytes) -> None:
        self._ends, self._asked, self._account = ends, ends.asked, account
        self._pages = 0
        self._cursors: set[str] = set()
        self._seen: set[str] = set()
        self._newest = ""
        self._next = ""
        self._open: list[Moved] = []
        self._done: list[Moved] = []
        self._held = wire.Balance(0, 0)
        self.gap: Gap | None = None
        self.request: Request | None = None
        if fields.address_balance(self._asked.coin, account) is None:
            self.gap = Gap("no-history", detail="a coin whose type has types is not taken back")
        else:
            self.request = past.first_page(self._asked, account, ends.canary)

    def take(self, exchange: Exchange) -> None:
        """Read the answer to ``request``, and set what is asked next."""
        self.request, self.gap = None, self._take(exchange)
        if self.gap is None:
            self._go_on()

    def _take(self, exchange: Exchange) -> Gap | None:
        answer = wire.read(exchange)
        if isinstance(answer, Gap):
            return answer
        said = wire.within(answer, self._asked.later, self._ends.at.block_hash)
        if isinstance(said, Gap):
            return said
        gap = past.reach(self._asked, answer, said)
        if gap is None and not self._pages:
            gap = self._begin(answer, said)
        if gap is not None:
            return gap
        if self._open:
            return self._rest(answer, said)
        return self._page(answer, said)

    def _begin(self, answer: wire.Answer, said: Mapping[str, object]) -> Gap | None:
        """Read the balance, and whether the lists can be complete."""
        canary = wire.balance(answer, said, wire.CANARY)
        held = wire.balance(answer, said, "a0")
        newest = past.newest(answer, said, "z")
        is_object = past.is_there(answer, said, "o")
        for one in (canary, held, newest, is_object):
            if isinstance(one, Gap):
                return one
        if isinstance(canary, wire.Balance) and canary.units != self._ends.units:
            return Gap("canary-wrong", detail=wire.text(self._ends.canary))
        if is_object:
            return Gap("no-history", detail="the address is an object's; others may empty it")
        if isinstance(held, wire.Balance) and isinstance(newest, str):
            self._held, self._newest = held, newest
        if not self._held.units and not self._asked.is_native and not said.get(wire.COIN):
            return Gap("zero-without-canary", detail="the coin shows no metadata")
        return self._address_balance(answer, said)

    def _address_balance(self, answer: wire.Answer, said: Mapping[str, object]) -> Gap | None:
        """Say why the address balance may have changed, if it may."""
        changed, before = past.last_change(answer, said), past.is_there(answer, said, "h")
        if isinstance(changed, Gap):
            return changed
        if isinstance(before, Gap):
            return before
        is_new = changed is not None and changed > self._asked.height
        if is_new or before != bool(self._held.address):
            return Gap(
                "no-history",
                detail="the address balance changed after the checkpoint; transactions of others "
                "that pay into it need not be listed. A capture would answer",
            )
        return None

    def _page(self, answer: wire.Answer, said: Mapping[str, object]) -> Gap | None:
        page = past.read_page(self._asked, self._account, answer, said)
        if isinstance(page, Gap):
            return page
        self._pages += 1
        for one in page.moved:
            last = self._done[-1].at if self._done else self._asked.height
            if one.digest in self._seen or one.at < last:
                return Gap("malformed-answer", detail="a list of transactions that repeats itself")
            self._seen.add(one.digest)
            self._done.append(one)
        if page.cursor in self._cursors:
            return Gap("malformed-answer", detail="pages of transactions that go round")
        self._cursors.add(page.cursor)
        self._next = page.cursor
        self._open = [one for one in page.moved if one.rest]
        return None

    def _rest(self, answer: wire.Answer, said: Mapping[str, object]) -> Gap | None:
        before = self._open.pop(0)
        whole = past.read_rest(self._asked, self._account, answer, said, before)
        if isinstance(whole, Gap):
            return whole
        if whole.rest and whole.recorded == before.recorded:
            return Gap("malformed-answer", detail="pages of balance changes that go round")
        self._done[self._done.index(before)] = whole
        self._open = [whole, *self._open] if whole.rest else self._open
        return None

    def _go_on(self) -> None:
        """Set the next question, or look over what was read."""
        if self._open:
            one = self._open[0]
            self.request = past.rest(self._asked, one.digest, one.rest)
            too_long = one.recorded > past.PAGE * PAGES
        elif self._next:
            self.request = past.next_page(self._asked, self._account, self._next)
            too_long = self._pages >= PAGES
        else:
            self.gap = self._doubt()
            return
        if too_long:
            self.request, self.gap = None, TOO_MANY

    def _doubt(self) -> Gap | None:
        """Say why the transactions may not be all there is, if they may not."""
        if (self._done[-1].digest if self._done else "") != self._newest:
            return Gap("malformed-answer", detail="the list ends before its newest transaction")
        for one in self._done:
            unpaid = self._asked.is_native and one.pays and not one.own
            if unpaid or (not one.recorded and not one.is_system):
                return Gap("no-record", detail=f"changes of {one.digest} are not recorded")
            if one.staked:
                return Gap(
                    "no-history",
                    detail="stake was made, moved or ended after the checkpoint; a capture at "
                    "the checkpoint would answer",
                )
        return None

    def found(self, staked: int) -> Found:
        """Return the balance of the checkpoint; ``staked`` did not change since."""
        coins = self._held.coins - sum(one.units for one in self._done)
        if coins < 0:
            return Found(Gap("malformed-answer", detail="more came in since than there is"))
        parts = [Part(PartKind.LIQUID, coins)]
        if self._held.address:
            parts.append(Part(PartKind.LIQUID, self._held.address))
        if staked:
            parts.append(Part(PartKind.STAKED, staked))
        return Found(Held(tuple(parts)), bool(self._done), self._working(coins, staked))

    def _working(self, coins: int, staked: int) -> Working:
        beside = self._held.address + staked
        return Working(
            rule=Rule.BACK if self._done else Rule.UNTOUCHED,
            clock=Clock.HEIGHT,
            height=self._asked.height,
            start=self._held.coins + beside,
            start_at=self._asked.later,
            movements=in_time(
                [Movement(units=one.units, at=one.at, id=one.digest) for one in self._done]
            ),
            result=coins + beside,
            shown="the service's list of transactions that affected the address, from the "
            "checkpoint to the later one; nothing was written to its address balance",
        )

"""Events besides Transfer by which the contract of a token changes balances: what each one added.

Declared per token (``params.supply_events``), from the contract's own source: the event's name, the
field with the amount and its sign, the field with the account or, where that is empty, the
contract's owner. An event without an amount (a contract that hands over to another one) makes every
balance at an earlier height unknowable. Tether's contract issues and redeems at its owner, and
destroys the funds of a blacklisted account, with no Transfer for any of them.

The lists are read from TronGrid's event API for the whole contract, once per batch, since the
pinned block and to their end, like the account's transfers (``tokens``). The owner is the one of
now: that the contract had another one when something was issued cannot be seen, and concerns nobody
but owners. An event that the declaration does not name cannot be seen either: a token belongs on
the list only if its source was read.

Spec: https://developers.tron.network/reference/get-events-by-contract-address
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chains import rest
from chains.adapters.tron import tokens, wire
from chains.adapters.tron.tokens import Ask, Found
from chains.model import Exchange, Gap, Request

OWNER = "8da5cb5b"
"""Selector of ``owner()``. Spec: https://eips.ethereum.org/EIPS/eip-173"""
MOST_PAGES = 10
UNKNOWABLE = "the contract did something since the height after which no balance can be taken back"

_ACCOUNT = re.compile(r"(0x|41)?[0-9a-fA-F]{40}\Z")
_DIGITS = re.compile(r"[0-9]{1,78}\Z")

Added = Mapping[bytes, Sequence[tuple[int, int]]]
"""By account: (block time in milliseconds, what the event added to its balance)."""


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of event. ``sign``: 1 where it adds ``amount`` to the account, -1 where it takes."""

    name: str
    amount: str = ""
    sign: int = 0
    account: str = ""


class Supply(msgspec.Struct, frozen=True):
    """The events of one token since a time, in the endpoint's texts."""

    contract: bytes
    token: str
    since_ms: int
    events: tuple[Event, ...]

    @property
    def owner(self) -> Request:
        """Ask who the contract's owner is."""
        return tokens.call_request(self.contract, OWNER)

    @property
    def asks_owner(self) -> bool:
        """Whether an event concerns the owner."""
        return any(one.amount and not one.account for one in self.events)

    def page(self, event: Event, mark: str = "") -> Request:
        """Ask for one page of an event; the first where ``mark`` is empty."""
        query = (
            f"event_name={event.name}&only_confirmed=false&limit={tokens.PAGE}"
            f"&min_block_timestamp={self.since_ms}"
        )
        more = f"&fingerprint={mark}" if mark else ""
        return rest.get(f"/v1/contracts/{self.token}/events?{query}{more}")


async def ask(ask_one: Ask, endpoint: str, of: Supply) -> list[Exchange]:
    """Ask for the owner and for every event, page after page, as far as they can be read."""
    exchanges = [await ask_one(of.owner, endpoint)] if of.asks_owner else []
    for event in of.events:
        mark = ""
        for _ in range(MOST_PAGES):
            exchanges.append(await ask_one(of.page(event, mark), endpoint))
            page = _page(exchanges[-1], of, event)
            if isinstance(page, Gap) or page[1] in ("", mark):
                break
            mark = page[1]
    return exchanges


def read(found: Found, of: Supply) -> Added | Gap:
    """Read what the events added to whom; a ``Gap`` unless every list is shown to its end."""
    owner = owner_of(found, of) if of.asks_owner else b""
    if isinstance(owner, Gap):
        return owner
    added: dict[bytes, list[tuple[int, int]]] = {}
    for event in of.events:
        rows = _rows(found, of, event)
        if isinstance(rows, Gap):
            return rows
        for row in rows:
            time: int = row["block_timestamp"]  # ``_page`` lets no row through without one
            if time <= of.since_ms:
                continue
            if not event.amount:
                return Gap("no-history", detail=f"{event.name}: {UNKNOWABLE}")
            change = change_of(row, event, owner)
            if change is None:
                return Gap("malformed-answer", detail=f"an event {event.name} that cannot be read")
            account, units = change
            added.setdefault(account, []).append((time, units * event.sign))
    return added


def owner_of(found: Found, of: Supply) -> bytes | Gap:
    """Read who the contract's owner is."""
    exchange = found.get(of.owner)
    raw = Gap("not-answered") if exchange is None else tokens.read_return(exchange)
    if isinstance(raw, Gap):
        return raw
    if len(raw) != tokens.WORD:
        return Gap("call-failed", detail="the contract names no owner")
    return raw[-20:]


def _rows(found: Found, of: Supply, event: Event) -> list[Mapping[str, Any]] | Gap:
    rows: list[Mapping[str, Any]] = []
    mark = ""
    for _ in range(MOST_PAGES):
        exchange = found.get(of.page(event, mark))
        page = Gap("not-answered") if exchange is None else _page(exchange, of, event)
        if isinstance(page, Gap):
            return page
        rows += page[0]
        if not page[1]:
            return rows
        if page[1] == mark:
            return Gap("malformed-answer", detail="a page that names itself as the next one")
        mark = page[1]
    return Gap("no-history", detail=f"more than {MOST_PAGES} pages of {event.name} since then")


def _page(
    exchange: Exchange, of: Supply, event: Event
) -> tuple[list[Mapping[str, Any]], str] | Gap:
    """Read one page: its rows, all of this event and contract, and the mark of the next page."""
    listed = tokens.read_listed(exchange)
    if isinstance(listed, Gap):
        return listed
    data, mark = listed
    for row in data:
        if (
            not isinstance(row, dict)
            or (row.get("event_name"), row.get("contract_address")) != (event.name, of.token)
            or not wire.integer(row, "block_timestamp")
        ):
            return Gap("malformed-answer", detail=f"a row that is no event {event.name}")
    return data, mark


def change_of(row: Mapping[str, Any], event: Event, owner: bytes) -> tuple[bytes, int] | None:
    """Return whose balance an event changed, and by how much."""
    result = row.get("result")
    if not isinstance(result, dict):
        return None
    amount = result.get(event.amount)
    if not isinstance(amount, str) or not _DIGITS.match(amount):
        return None
    if not event.account:
        return owner, int(amount)
    account = result.get(event.account)
    if not isinstance(account, str) or not _ACCOUNT.match(account):
        return None
    return bytes.fromhex(account[-40:]), int(amount)

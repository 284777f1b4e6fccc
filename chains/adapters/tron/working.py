"""How TRON's balances were worked out, for ``chains.workings``: the same answers, with their ids.

A token's balance is taken back over transfers and over the events that ``supply`` gives; stakes
are those of now where the account did nothing since. Pure, and only read while somebody listens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chains.accounts import Held
from chains.adapters.tron import supply, tokens, wire
from chains.adapters.tron.tokens import Found
from chains.model import Gap, PartKind, Request, Snapshot
from chains.workings import Clock, Movement, Rule, Working, in_time


def of_token(
    found: Found,
    who: bytes,
    *,
    asked: Request,
    of: tokens.List,
    events: supply.Supply,
    reading: tokens.Reading,
    units: int,
) -> Working:
    """Tell how what the contract says now became the balance at the height."""
    now = tokens.read_number(found[asked])
    moved = in_time([*_transfers(found, of), *_changes(found, events, who)])
    since = tuple(one for one in moved if one.at > of.since_ms)
    listed = "the account's transfers of the token since the block"
    if events.events:
        listed += f", and the contract's own events ({', '.join(e.name for e in events.events)})"
    return Working(
        rule=Rule.BACK if since else Rule.UNTOUCHED,
        clock=Clock.MILLISECONDS,
        height=of.since_ms,
        start=None if isinstance(now, Gap) else now,
        start_at=reading.first_ms,
        movements=since,
        last=moved[len(moved) - len(since) - 1] if len(moved) > len(since) else None,
        result=units,
        shown=f"{listed}, all pages to the end",
    )


def _transfers(found: Found, of: tokens.List) -> Iterator[Movement]:
    """Yield what transfers added to an account; an approval adds nothing and is left out."""
    for row in _pages(found, of.page):
        read = tokens.read_row(row, of)
        if read is not None and read[1]:
            yield _movement(row, read, "Transfer")


def _changes(found: Found, of: supply.Supply, who: bytes) -> Iterator[Movement]:
    """Yield what other events of the contract added to an account."""
    owner = supply.owner_of(found, of) if of.asks_owner else b""
    for event in of.events:
        for row in _pages(found, lambda mark, event=event: of.page(event, mark)):
            read = None if isinstance(owner, Gap) else supply.change_of(row, event, owner)
            if read is not None and read[0] == who:
                time = wire.integer(row, "block_timestamp") or 0
                yield _movement(row, (time, read[1] * event.sign), event.name)


def _pages(found: Found, page: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of all pages."""
    mark = ""
    for _ in range(tokens.MOST_PAGES):
        exchange = found.get(page(mark))
        shown = Gap("not-answered") if exchange is None else tokens.read_listed(exchange)
        if isinstance(shown, Gap):
            return
        yield from (row for row in shown[0] if isinstance(row, dict))
        mark = shown[1]
        if not mark:
            return


def _movement(row: Mapping[str, Any], read: tuple[int, int], what: str) -> Movement:
    named = row.get("transaction_id")
    return Movement(
        at=read[0], units=read[1], what=what, id=named if isinstance(named, str) else ""
    )


def of_stakes(answer: Mapping[str, Any], at: Snapshot, held: Held) -> Working:
    """Tell why what is staked now was staked at the height."""
    units = sum(part.units for part in held.parts if part.kind is not PartKind.LIQUID)
    return Working(
        rule=Rule.UNTOUCHED,
        clock=Clock.MILLISECONDS,
        height=int(at.detail["time-ms"]),
        start=units,
        last=Movement(units=None, at=wire.integer(answer, "latest_opration_time") or 0),
        result=units,
        of="what is not liquid",
        shown="the account's own latest operation is not after the block",
        whole=False,
    )

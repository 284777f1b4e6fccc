"""How Solana's balances were worked out, for ``chains.workings``: the records around the slot."""

from __future__ import annotations

from collections.abc import Callable

from chains.adapters.solana import history
from chains.adapters.solana.history import Book, Statement, Trail
from chains.adapters.solana.past import Transaction
from chains.workings import Clock, Movement, Rule, Working


def between(
    book: Book,
    name: str,
    trail: Trail,
    statement: Callable[[Transaction], Statement],
    units: int,
    *,
    now: int | None = None,
) -> Working:
    """Tell what the transactions on both sides of the slot state; ``of`` is the account's key.

    ``now`` is the balance where nothing named the account since the slot.
    """
    before, after = history.around(history.entries(book, name, trail), trail.height)
    found = []
    for one in history.transactions(book, before + after):
        stated = statement(one)
        if stated is not None:
            change = stated[1] - stated[0]
            found.append(
                Movement(
                    units=change, at=one.slot, id=one.signature, found=stated[0], left=stated[1]
                )
            )
    return Working(
        rule=Rule.BETWEEN,
        clock=Clock.SLOT,
        height=trail.height,
        start=now,
        start_at=None if now is None else trail.at_least,
        movements=tuple(found),
        result=units,
        of=name,
        shown="the records of the last transactions up to the slot and of the first after it, in "
        "the list of those that name the account",
    )


def untouched(name: str, height: int, shown_at: int, newest: int | None, units: int) -> Working:
    """Tell why what is there now was there at the slot."""
    return Working(
        rule=Rule.UNTOUCHED,
        clock=Clock.SLOT,
        height=height,
        start=units,
        start_at=shown_at,
        last=None if newest is None else Movement(units=None, at=newest),
        result=units,
        of=name,
        shown="no transaction names the account, in a ledger that reaches back to the slot"
        if newest is None
        else "the newest transaction that names the account is not after the slot",
    )

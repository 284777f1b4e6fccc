"""Binance's monthly wallet lists: two tables of one layout, hot and cold wallets and deposits.

    coin,network,address,balance,Height,Third party custodian name

No signatures and no totals. The archive holds both tables (``PR…_HotCold.csv``, about a
thousand rows, and ``PR…_Deposit.csv``, millions); they are two halves of one list and told
apart by nothing but their names, so either may come first. The custodian's name, where a row
has one, stays in ``type``: that row is held by somebody else, and counts as any other.

Source: the header, member names and sample rows as third parties report them for the lists of
April and September 2026; unconfirmed on a whole file.
"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.lists.layout import Layout, index, refuse_repeats, unread

HEADER = "coin,network,address,balance,Height,Third party custodian name"
NONE = frozenset({""})

_MARKS = ("coin", "network", "address", "balance", "height")
_CUSTODIAN = "third party custodian name"


def recognise(header: Sequence[str]) -> Layout | None:
    """Give the layout of a wallet list, or nothing when this header is of another kind."""
    if not set(_MARKS) <= set(header):
        return None
    refuse_repeats(header)
    read = {index(header, name) for name in (*_MARKS, _CUSTODIAN)}
    needed = [index(header, name) for name in _MARKS]
    return Layout(
        dialect="binance",
        exchange="binance",
        header=tuple(header),
        minimum=1 + max(place for place in needed if place is not None),
        none=NONE,
        required=("asset", "network", "address"),
        several=True,
        asset=index(header, "coin"),
        network=index(header, "network"),
        type=index(header, _CUSTODIAN),
        address=index(header, "address"),
        amount=index(header, "balance"),
        height=index(header, "height"),
        unread=unread(header, read),
    )

"""HTX's (Huobi's) monthly wallet lists.

    coin,address,snapshot height,balance,message,signature

A totals section comes first; ``-`` means "not given". The coin label carries the network
(``USDT-TRC20``), so ``network`` stays empty. A row with neither height nor balance only
carries a signer of the contract wallet above it. Balances are rounded by hand to the digits
that stand in the text, in an unknown direction.

Which totals are sums over others: those whose label has ``(ALL)`` in any case and that give
no height. In the lists of October 2023 to March 2024 ``TRX(ALL)`` and ``HT(ALL)`` give a
height; they stand alone, with no other line of their coin, and are ordinary totals.
"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.lists.layout import Layout, index, refuse_repeats, unread
from crawler.model import Rounding

HEADER = "coin,address,snapshot height,balance,message,signature"
NONE = frozenset({"", "-"})

_MARKS = ("coin", "address", "snapshot height", "balance")


def recognise(header: Sequence[str]) -> Layout | None:
    """Give the layout of a monthly list, or nothing when this header is of another kind."""
    if not set(_MARKS) <= set(header):
        return None
    refuse_repeats(header)
    read = {index(header, name) for name in (*_MARKS, "message", "signature")}
    needed = [index(header, name) for name in _MARKS]
    signature = index(header, "signature")
    return Layout(
        dialect="htx",
        exchange="htx",
        header=tuple(header),
        minimum=1 + max(place for place in needed if place is not None),
        none=NONE,
        required=("asset", "address"),
        rounding=Rounding(places="as-written", direction="unknown"),
        asset=index(header, "coin"),
        address=index(header, "address"),
        height=index(header, "snapshot height"),
        amount=index(header, "balance"),
        message=index(header, "message"),
        signatures=() if signature is None else (signature,),
        signer_rows=True,
        unread=unread(header, read),
    )

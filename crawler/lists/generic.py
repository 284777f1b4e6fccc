"""recount's own table, for lists of any exchange that somebody brought into one shape.

    network,address[,exchange,asset,amount,height,message,signature1,signature2,signatures,
    script,public_key,owner1,owner2,scheme]

As CSV, JSON lines or Parquet. Only ``network`` and ``address`` must be there. A column of
another name is an error that names it, because it may change what a row means; columns
whose names start with ``x_`` are the author's own and are not read. ``signatures`` holds
any number: a JSON array or texts joined by ``;`` in CSV, a list elsewhere. They follow
``signature1`` and ``signature2``.
"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.errors import ListError
from crawler.lists.layout import NO_TOKENS, Layout, index, refuse_repeats

COLUMNS = (
    "exchange",
    "network",
    "asset",
    "address",
    "amount",
    "height",
    "message",
    "signature1",
    "signature2",
    "signatures",
    "script",
    "public_key",
    "owner1",
    "owner2",
    "scheme",
)
HEADER = (
    "network,address[,exchange,asset,amount,height,message,signature1,signature2,"
    "signatures,script,public_key,owner1,owner2,scheme,x_…]"
)


def refuse_unknown(names: Sequence[str]) -> None:
    """Raise ``ListError`` naming the columns that the generic table does not have."""
    unknown = [name for name in names if name not in COLUMNS and not name.startswith("x_")]
    if unknown:
        raise ListError(
            f"unknown column {', '.join(repr(name[:80]) for name in unknown[:10])}; a generic "
            f"table may have: {', '.join(COLUMNS)}; start a name with 'x_' to have it left alone"
        )


def recognise(header: Sequence[str]) -> Layout | None:
    """Read a generic CSV table's header; ``ListError`` when it has columns of other names."""
    if not {"network", "address"} <= set(header):
        return None
    refuse_repeats(header)
    refuse_unknown(header)
    pairs = (("signature1", "signature2"), ("owner1", "owner2"))
    signatures, owners = (
        tuple(place for name in pair if (place := index(header, name)) is not None)
        for pair in pairs
    )
    needed = [index(header, name) for name in ("network", "address")]
    return Layout(
        dialect="generic",
        exchange=None,
        header=tuple(header),
        minimum=1 + max(place for place in needed if place is not None),
        none=NO_TOKENS,
        required=("network", "address"),
        exchange_name=index(header, "exchange"),
        network=index(header, "network"),
        asset=index(header, "asset"),
        address=index(header, "address"),
        amount=index(header, "amount"),
        height=index(header, "height"),
        message=index(header, "message"),
        signatures=signatures,
        more_signatures=index(header, "signatures"),
        script=index(header, "script"),
        public_key=index(header, "public_key"),
        owners=owners,
        scheme=index(header, "scheme"),
        unread=tuple(name for name in header if name.startswith("x_")),
    )

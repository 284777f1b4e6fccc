"""The layout OKX used for its auditor's check: signatures only, no amounts, no heights.

    digitalAsset,network,address,signedMessage,signedMessage2,message,publicKey,owner1,owner2

Some files carry one more column, a status; it is not read, and named in ``unread``.
``publicKey`` holds redeem scripts as well as keys, so its content decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.lists.layout import Layout, index, numbered, refuse_repeats, unread

HEADER = "digitalAsset,network,address,signedMessage,signedMessage2,message,publicKey,owner1,owner2"
NONE = frozenset({"", "null", "\\N"})

_SINGLE = ("digitalasset", "network", "address", "signedmessage", "message", "publickey")


def recognise(header: Sequence[str]) -> Layout | None:
    """Give the layout of an auditor's file, or nothing when this header is of another kind."""
    if not {"digitalasset", "network", "address", "signedmessage"} <= set(header):
        return None
    refuse_repeats(header)
    first = index(header, "signedmessage")
    signatures = (*(() if first is None else (first,)), *numbered(header, "signedmessage"))
    owners = numbered(header, "owner")
    read = {index(header, name) for name in _SINGLE} | set(signatures) | set(owners)
    needed = [index(header, name) for name in ("digitalasset", "network", "address")]
    return Layout(
        dialect="okx-auditor",
        exchange="okx",
        header=tuple(header),
        minimum=1 + max(place for place in needed if place is not None),
        none=NONE,
        required=("asset", "network", "address"),
        network=index(header, "network"),
        asset=index(header, "digitalasset"),
        address=index(header, "address"),
        message=index(header, "message"),
        signatures=signatures,
        key=index(header, "publickey"),
        owners=owners,
        unread=unread(header, read),
    )

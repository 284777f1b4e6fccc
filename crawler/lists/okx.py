"""OKX's monthly wallet lists: 7, 9, 11 or 12 columns, and whatever comes next.

    2022      coin,address,amount,message,signature1,signature2,redeem script/ public key
    to 2024   … with Network and Snapshot Height
    2024-11   … with eoa1, eoa2
    2026-07   … with Type (staking) after the coin

A totals section comes first. Amounts are as exact as the asset. The last column but the
owners holds a script or a key; its content decides which (``claims.key_columns``). In
staking rows the address is the validator's key and eoa1 the signing owner: both stay as
published, and ``type`` says so.

The staking file that some archives carry beside the main list has the same columns; it is
told apart by its content (``is_staking_row``), never by its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from crawler.lists.layout import Layout, index, numbered, refuse_repeats, unread

HEADER = (
    "coin[,Type][,Network,Snapshot Height],address,amount,message,signature1,signature2,"
    "redeem script/public key[,eoa1,eoa2]"
)
NONE = frozenset({"", "null", "\\N"})

_MARKS = ("coin", "address", "amount", "message", "signature1")
_KEY_NAMES = ("redeem script/public key", "redeem script", "public key")
_SINGLE = ("coin", "type", "network", "snapshot height", "address", "amount", "message")
_VALIDATOR_KEY = re.compile(r"(?:0x)?[0-9a-fA-F]{96}")


def recognise(header: Sequence[str]) -> Layout | None:
    """Give the layout of a monthly list, or nothing when this header is of another kind."""
    if not set(_MARKS) <= set(header):
        return None
    refuse_repeats(header)
    signatures = numbered(header, "signature")
    owners = numbered(header, "eoa")
    key = index(header, *_KEY_NAMES)
    read = {index(header, name) for name in _SINGLE} | {key} | set(signatures) | set(owners)
    network = index(header, "network")
    needed = [index(header, name) for name in ("coin", "network", "address", "amount")]
    columns = len([name for name in header if name])
    return Layout(
        dialect=f"okx-monthly-{columns}",
        exchange="okx",
        header=tuple(header),
        minimum=1 + max(place for place in needed if place is not None),
        none=NONE,
        required=("asset", "address") if network is None else ("asset", "network", "address"),
        network=network,
        asset=index(header, "coin"),
        type=index(header, "type"),
        address=index(header, "address"),
        amount=index(header, "amount"),
        height=index(header, "snapshot height"),
        message=index(header, "message"),
        signatures=signatures,
        key=key,
        owners=owners,
        unread=unread(header, read),
    )


def is_staking_row(layout: Layout, fields: Sequence[str]) -> bool:
    """Tell whether a row is about a validator: by its type, or by a 48-byte key as address."""
    kind = fields[layout.type] if layout.type is not None and layout.type < len(fields) else ""
    if "staking" in kind.lower():
        return kind.strip().lower() != "non staking"
    address = layout.address
    return (
        address is not None
        and address < len(fields)
        and _VALIDATOR_KEY.fullmatch(fields[address]) is not None
    )

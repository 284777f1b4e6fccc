"""Rows whose account is an Ed25519 key itself, which signed once, in hex."""

from __future__ import annotations

from collections.abc import Iterator

from chains.addresses import decode_column
from chains.bulk import Bytes, Flags, texts
from chains.bulk.curves import verify_ed25519
from chains.bulk.encodings import HexBytes
from chains.signatures.ed25519 import (
    FORMATS,
    KEY_LENGTH,
    PAYLOADS,
    RULES,
    SIGN_BIT,
    SIGNATURE_LENGTH,
    SMALL_ORDER,
    same,
)
from chains.signatures.lanes.model import Settled, SignedAddresses, bound_by_key


def settle(rows: SignedAddresses, scheme: str) -> Iterator[Settled]:
    """Settle rows that name no other key than the account, or none."""
    address = rows.spec.address
    if address not in FORMATS[scheme] or RULES[address].account is not same:
        return
    rows = rows.signed_once()
    decoded = decode_column(rows.spec, texts(rows.addresses))
    if decoded is None:
        return
    accounts, good = decoded
    named = texts(rows.public_keys)
    keys, are_keys = HexBytes(named).rows(KEY_LENGTH)
    good &= (named.lengths == 0) | (are_keys & (keys == accounts).all(axis=1))
    raw, are_signatures = HexBytes(rows.signature_texts()).rows(SIGNATURE_LENGTH)
    good &= are_signatures & ~_doubtful(accounts) & ~_doubtful(raw[:, :KEY_LENGTH])
    good = verify_ed25519(PAYLOADS[scheme](rows.message), accounts, raw, good)
    yield bound_by_key(rows, accounts, accounts, good, "")


def _doubtful(points: Bytes) -> Flags:
    """Tell which encodings the judge may find weak: of small order, or near the field's end."""
    bodies = points.copy()
    bodies[:, KEY_LENGTH - 1] &= 0xFF ^ SIGN_BIT
    found: Flags = (bodies[:, 1 : KEY_LENGTH - 1] == 0xFF).all(axis=1)  # noqa: PLR2004 - all bits
    for point in SMALL_ORDER:
        found |= (bodies == list(point)).all(axis=1)
    return found

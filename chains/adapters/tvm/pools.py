"""Stake in nominator pools: contracts of the masterchain that keep books of who gave them what.

A pool is one of known code, since any contract may list anything. While its validator is at work
the coins are in the elector; the books say what is whose all the same, with rewards of rounds that
have ended. What a nominator wants back counts as unbonding, what waits for the next round as
reserved. The validator's own part is not read.

Spec: https://github.com/ton-blockchain/nominator-pool (get methods; nominators are in workchain 0)
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping, Sequence

from chains.adapters.tvm import cells, jettons, wire
from chains.model import Exchange, Gap, Part, PartKind, Request

CODES = frozenset({b64decode("mj7BS8CY9rRAZMMFIiyuooAPF92oXuaoGYpwle3hDc8=")})
"""Hashes of the pools' code. Source: the repository's code, as tonweb 0.0.66 carries it"""
_BASECHAIN = b"\0"
_ACCOUNT_BYTES = 32
_FIELDS = 4
SHARED = Gap("shared-account", detail="its nominators' stake is read from its books")

Own = Mapping[Request, Exchange]
Stakes = Mapping[bytes, tuple[Part, ...]]


def requests(pools: Sequence[bytes], seqno: int) -> list[Request]:
    """Ask for the code of each pool and for its books."""
    asked = [(wire.state(one, seqno), wire.run(one, "list_nominators", seqno)) for one in pools]
    return [request for both in asked for request in both]


def stakes(own: Own, pools: Sequence[bytes], at: wire.Block) -> Stakes | Gap:
    """Return what each nominator has in all the pools; what one does not tell is a gap. Pure."""
    total: dict[bytes, tuple[Part, ...]] = {}
    for pool in pools:
        found = _books(own, pool, at)
        if isinstance(found, Gap):
            return found
        for nominator, parts in found.items():
            total[nominator] = total.get(nominator, ()) + parts
    return total


def _books(own: Own, pool: bytes, at: wire.Block) -> Stakes | Gap:
    account = wire.account(own.get(wire.state(pool, at.seqno)), at)
    if isinstance(account, Gap):
        return account
    try:
        is_pool = account.state == wire.ACTIVE and cells.of_text(account.code).digest in CODES
    except cells.CellError as error:
        return Gap("malformed-answer", detail=str(error))
    if not is_pool:
        return Gap("no-contract", detail=f"{pool.hex()} is no nominator pool of known code")
    ran = jettons.ended_well(own.get(wire.run(pool, "list_nominators", at.seqno)), at)
    rows = ran if isinstance(ran, Gap) else ran.rows(0, _FIELDS)
    return rows if isinstance(rows, Gap) else _by_nominator(rows)


def _by_nominator(rows: Sequence[Sequence[int]]) -> Stakes | Gap:
    found: dict[bytes, tuple[Part, ...]] = {}
    for number, amount, pending, wanted in rows:
        is_read = 0 <= number < 1 << 8 * _ACCOUNT_BYTES and min(amount, pending) >= 0
        if not is_read or max(amount, pending) > wire.MOST:
            return Gap("malformed-answer", detail="a nominator that cannot be read")
        nominator = _BASECHAIN + number.to_bytes(_ACCOUNT_BYTES, "big")
        if nominator in found:
            return Gap("malformed-answer", detail="a nominator who is listed twice")
        kind = PartKind.UNBONDING if wanted else PartKind.STAKED
        parts = (Part(kind, amount), Part(PartKind.RESERVED, pending))
        found[nominator] = tuple(part for part in parts if part.units)
    return found

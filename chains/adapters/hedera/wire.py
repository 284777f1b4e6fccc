"""The REST API of Hedera's mirror nodes: paths, and answers as typed records or Gaps.

Times are seconds with nine decimals in text, here nanoseconds; amounts are tinybars (10^-8 HBAR).
An account that did not exist at the asked time is status 404 with a message in JSON.

Spec: https://github.com/hiero-ledger/hiero-mirror-node (rest/api/v1/openapi.yml)
"""

from __future__ import annotations

import re
from typing import Any, TypeGuard

import msgspec

from chains import jsonrpc, rest
from chains.adapters.hedera import keys
from chains.adapters.hedera.keys import BadKey
from chains.control import Authority, ControlFacts
from chains.model import Exchange, Gap, Request
from chains.workings import Movement

MOST = 100
"""Transactions in one answer. Spec: openapi.yml, limitQueryParam"""
NOT_FOUND = 404
NANOSECONDS = 10**9
_TIME = re.compile(r"([0-9]{1,11})\.([0-9]{9})\Z")
_HASH = re.compile(r"0x[0-9a-f]{96}\Z")
_LIMIT = 2**63
_TYPES = {"ED25519": keys.ED25519, "ECDSA_SECP256K1": keys.SECP256K1}


class Block(msgspec.Struct, frozen=True):
    """A block: a record file. ``first`` and ``last`` are the times of its transactions."""

    number: int
    hash: str
    previous: str
    first: int
    last: int


class Account(msgspec.Struct, frozen=True):
    """An account at a time: what it held at the snapshot before that, and its key."""

    units: int
    snapshot: int
    key: Any
    deleted: bool


ABSENT = Account(units=0, snapshot=0, key=None, deleted=True)
"""What 404 says: there was no such account."""


def moment(time: int) -> str:
    """Write a time as the API does."""
    return f"{time // NANOSECONDS}.{time % NANOSECONDS:09d}"


def block_request(number: int) -> Request:
    """Ask for a block by number."""
    return rest.get(f"/api/v1/blocks/{number}")


def newest_request() -> Request:
    """Ask for the newest block."""
    return rest.get("/api/v1/blocks?limit=1&order=desc")


def account_request(account: str, time: int) -> Request:
    """Ask for an account as it was at a time, without its transactions."""
    return rest.get(f"/api/v1/accounts/{account}?timestamp=lte:{moment(time)}&transactions=false")


def moves_request(account: str, after: int, until: int) -> Request:
    """Ask for the transactions that name an account."""
    within = f"timestamp=gt:{moment(after)}&timestamp=lte:{moment(until)}"
    return rest.get(f"/api/v1/transactions?account.id={account}&{within}&limit={MOST}&order=asc")


def any_request(first: int, last: int) -> Request:
    """Ask for one transaction of the block."""
    within = f"timestamp=gte:{moment(first)}&timestamp=lte:{moment(last)}"
    return rest.get(f"/api/v1/transactions?{within}&limit=1&order=asc")


def _object(exchange: Exchange) -> dict[str, Any] | Gap:
    said = rest.answer(exchange)
    return said if isinstance(said, dict | Gap) else jsonrpc.malformed(exchange)


def is_absent(exchange: Exchange) -> bool:
    """Tell whether the API itself says that there is nothing: 404 and its message."""
    if exchange.failure != "refused" or exchange.status != NOT_FOUND:
        return False
    said = rest.body(exchange)
    status = said.get("_status") if isinstance(said, dict) else None
    return isinstance(status, dict) and status.get("messages") == [{"message": "Not found"}]


def read_newest(exchange: Exchange) -> Block | Gap:
    """Read the newest block of a list."""
    said = _object(exchange)
    if isinstance(said, Gap):
        return said
    blocks = said.get("blocks")
    return _block(blocks[0]) if isinstance(blocks, list) and blocks else _malformed("blocks")


def read_block(exchange: Exchange) -> Block | Gap:
    """Read a block; one that the mirror node does not have is ``state-pruned``."""
    if is_absent(exchange):
        return Gap("state-pruned", detail="no such block")
    said = _object(exchange)
    return said if isinstance(said, Gap) else _block(said)


def _block(said: Any) -> Block | Gap:
    if not isinstance(said, dict):
        return _malformed("a block")
    number, span = said.get("number"), said.get("timestamp")
    names = said.get("hash"), said.get("previous_hash")
    times = [_time(span.get(end)) for end in ("from", "to")] if isinstance(span, dict) else []
    known = [one for one in times if one is not None]
    hashes = [one for one in names if isinstance(one, str) and _HASH.match(one)]
    if not _is_amount(number) or len(known) + len(hashes) != 4 or known != sorted(known):  # noqa: PLR2004
        return _malformed("number, hash or time of a block")
    return Block(number, hashes[0], hashes[1], known[0], known[1])


def read_account(exchange: Exchange, account: str) -> Account | Gap:
    """Read an account; ``ABSENT`` where it did not exist."""
    if is_absent(exchange):
        return ABSENT
    said = _object(exchange)
    if isinstance(said, Gap):
        return said
    balance, deleted = said.get("balance"), said.get("deleted")
    if said.get("account") != account:
        return _malformed("the answer is about another account")
    if balance is None:
        return Gap("no-history", detail="the mirror node has no balance snapshot for this time")
    units = balance.get("balance") if isinstance(balance, dict) else None
    snapshot = _time(balance.get("timestamp")) if isinstance(balance, dict) else None
    if not _is_amount(units) or snapshot is None or not isinstance(deleted, bool | None):
        return _malformed("balance or deleted")
    return Account(units, snapshot, said.get("key"), deleted is True)


def read_moves(exchange: Exchange, account: str, after: int, until: int) -> int | Gap | None:
    """Sum what transactions moved in tinybars, ``None`` where there was none."""
    found = movements(exchange, account, after, until)
    if isinstance(found, Gap):
        return found
    return sum(one.units or 0 for one in found) if found else None


def movements(exchange: Exchange, account: str, after: int, until: int) -> list[Movement] | Gap:
    """Read what each transaction that names the account moved, in tinybars."""
    said = _transactions(exchange, after + 1, until)
    if isinstance(said, Gap):
        return said
    listed, more = said
    if more:
        return Gap(
            "no-history",
            detail=f"more than {MOST} transactions since the snapshot: adding up all would answer",
        )
    found: list[Movement] = []
    for one in listed:
        transfers = one.get("transfers")
        if not isinstance(transfers, list):
            return _malformed("the transfers of a transaction")
        amounts: list[int] = []
        for transfer in transfers:
            amount = transfer.get("amount") if isinstance(transfer, dict) else None
            if not isinstance(amount, int) or isinstance(amount, bool) or abs(amount) >= _LIMIT:
                return _malformed("a transfer")
            amounts += [amount] if transfer.get("account") == account else []
        at, named = _time(one["consensus_timestamp"]), one.get("transaction_id")
        text = named if isinstance(named, str) else ""
        found.append(Movement(units=sum(amounts), at=at or 0, id=text))
    return found


def has_transaction(exchange: Exchange, first: int, last: int) -> bool | Gap:
    """Tell whether the list of a block's transactions is not empty."""
    said = _transactions(exchange, first, last)
    return said if isinstance(said, Gap) else bool(said[0])


def _transactions(exchange: Exchange, first: int, last: int) -> tuple[list[Any], bool] | Gap:
    """Return the transactions of an answer, all of them within the times; whether more follow."""
    said = _object(exchange)
    if isinstance(said, Gap):
        return said
    listed, links = said.get("transactions"), said.get("links")
    if not isinstance(listed, list) or not isinstance(links, dict) or "next" not in links:
        return _malformed("transactions or links")
    times = [_time(one.get("consensus_timestamp")) for one in listed if isinstance(one, dict)]
    known = [one for one in times if one is not None and first <= one <= last]
    if len(known) != len(listed) or known != sorted(set(known)):
        return _malformed("the time of a transaction")
    return listed, links["next"] is not None


def read_control(account: Account) -> ControlFacts:
    """Read who can act for an account by its key at the time."""
    if account.deleted:
        return ControlFacts(exists=False)
    try:
        way = _way(account.key)
    except (BadKey, ValueError) as error:
        return ControlFacts(exists=True, notes={"key": f"not read: {error}"[:80]})
    return ControlFacts(exists=True, ways=(way,))


def _way(key: Any) -> Authority:
    kind = key.get("_type") if isinstance(key, dict) else None
    text = key.get("key") if isinstance(key, dict) else None
    if not isinstance(kind, str) or not isinstance(text, str):
        raise BadKey("the account names none")
    encoded = bytes.fromhex(text)
    if kind in _TYPES:
        return keys.single(_TYPES[kind], encoded)
    if kind == "ProtobufEncoded":
        return keys.nested(encoded)
    raise BadKey("an unknown type of key")


def _time(text: Any) -> int | None:
    match = _TIME.match(text) if isinstance(text, str) and text.isascii() else None
    return None if match is None else int(match[1]) * NANOSECONDS + int(match[2])


def _is_amount(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LIMIT


def _malformed(what: str) -> Gap:
    return Gap("malformed-answer", retryable=True, detail=what)

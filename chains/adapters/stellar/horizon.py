"""What is asked of Horizon, and how its answers are read.

Spec: https://developers.stellar.org/docs/data/apis/horizon/api-reference
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as BinasciiError
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeGuard

import msgspec

from chains import rest
from chains.addresses import AddressError, stellar
from chains.jsonrpc import malformed
from chains.model import Exchange, Gap, Request

ROOT = rest.get("/")
MOST_SIGNERS = 21
_NOT_FOUND, _BEFORE_HISTORY = 404, 410
_U32 = 2**32
_AMOUNT = re.compile(r"([0-9]{1,12})\.([0-9]{7})\Z")


class Entry(msgspec.Struct, frozen=True):
    """An account now; ``fixed`` counts the base reserves of its minimum balance."""

    changed: int
    units: int
    selling: int
    fixed: int
    threshold: int
    signers: Mapping[str, int]


def ledger_request(sequence: int) -> Request:
    """Ask for a ledger."""
    return rest.get(f"/ledgers/{sequence}")


def touching_request(sequence: int) -> Request:
    """Ask for the first transactions of a ledger."""
    return rest.get(f"/ledgers/{sequence}/transactions?order=asc&limit=10&include_failed=true")


def account_request(name: str) -> Request:
    """Ask for an account."""
    return rest.get(f"/accounts/{name}")


def last_request(name: str) -> Request:
    """Ask for the last transaction of an account."""
    return rest.get(f"/accounts/{name}/transactions?order=desc&limit=1&include_failed=true")


def read_entry(exchange: Exchange, name: str) -> Entry | Gap | None:
    """Read an account; ``None`` where Horizon says that there is none."""
    if _is_missing(exchange):
        return None
    answer = rest.answer(exchange)
    if isinstance(answer, Gap):
        return answer
    try:
        wire = msgspec.convert(answer, _Account)
        native = [one for one in wire.balances if one.asset_type == "native"]
        keys = [one for one in wire.signers if one.type == "ed25519_public_key"]
        units, selling = (_stroops(native[0].balance), _stroops(native[0].selling_liabilities))
        fixed = 2 + wire.subentry_count + wire.num_sponsoring - wire.num_sponsored
    except (msgspec.ValidationError, IndexError, ValueError):
        return malformed(exchange)
    signers = {one.key: one.weight for one in keys if is_account(one.key)}
    whole = (wire.last_modified_ledger, *signers.values(), wire.thresholds.med_threshold, fixed)
    if (
        wire.account_id != name
        or len(native) != 1
        or len(signers) != len(keys)
        or len(wire.signers) > MOST_SIGNERS
        or not all(is_whole(one) for one in whole)
    ):
        return malformed(exchange)
    threshold = wire.thresholds.med_threshold
    return Entry(wire.last_modified_ledger, units, selling, fixed, threshold, signers)


class _Balance(msgspec.Struct, frozen=True):
    asset_type: str
    balance: str
    selling_liabilities: str = "0.0000000"


class _Signer(msgspec.Struct, frozen=True):
    key: str
    type: str
    weight: int


class _Thresholds(msgspec.Struct, frozen=True):
    med_threshold: int


class _Account(msgspec.Struct, frozen=True):
    """Spec: https://developers.stellar.org/docs/data/apis/horizon/api-reference/resources/accounts/object."""

    account_id: str
    last_modified_ledger: int
    subentry_count: int
    balances: tuple[_Balance, ...]
    signers: tuple[_Signer, ...]
    thresholds: _Thresholds
    num_sponsoring: int = 0
    num_sponsored: int = 0


def read_ledger(exchange: Exchange, sequence: int) -> dict[str, Any] | Gap:
    """Read what a view says of a ledger whose header hashes to its name.

    Source: stellar/stellar-xdr Stellar-ledger.x; confirmed with the documented ledger 26857634.
    """
    if exchange.status in (_NOT_FOUND, _BEFORE_HISTORY):
        return Gap("node-behind" if exchange.status == _NOT_FOUND else "state-pruned")
    answer = rest.answer(exchange)
    if isinstance(answer, Gap):
        return answer
    try:
        raw = b64decode(answer["header_xdr"], validate=True)
        closed = int(datetime.fromisoformat(answer["closed_at"]).timestamp())
        reserve, name, parent = (
            answer[key] for key in ("base_reserve_in_stroops", "hash", "prev_hash")
        )
        number = answer["sequence"]
    except (KeyError, TypeError, ValueError, BinasciiError, OverflowError):
        return malformed(exchange)
    if number != sequence or sequence.to_bytes(4, "big") not in (raw[-176:-172], raw[-184:-180]):
        return Gap("wrong-block", detail="a ledger of another number")
    if (
        sha256(raw).hexdigest() != name
        or raw[4:36].hex() != parent
        or int.from_bytes(raw[68:76], "big") != closed
        or not is_whole(reserve)
    ):
        return Gap("malformed-answer", detail="the ledger is not what its header says")
    shown = {"parent-hash": parent, "base-reserve": str(reserve)}
    return {"block_hash": name, "time": closed, "shown": shown}


def read_records(exchange: Exchange) -> list[dict[str, Any]] | Gap:
    """Read a page of records."""
    answer = rest.answer(exchange)
    if isinstance(answer, Gap):
        return answer
    embedded = answer.get("_embedded") if isinstance(answer, dict) else None
    records = embedded.get("records") if isinstance(embedded, dict) else None
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        return malformed(exchange)
    return records


def read_last(exchange: Exchange) -> int | Gap | None:
    """Read the ledger of the newest transaction, ``None`` where there is none."""
    records = [] if _is_missing(exchange) else read_records(exchange)
    if isinstance(records, Gap):
        return records
    if not records:
        return None
    ledger = records[0].get("ledger")
    return ledger if is_whole(ledger) else malformed(exchange)


def _is_missing(exchange: Exchange) -> bool:
    """Tell whether Horizon itself says that it knows no such thing."""
    if exchange.failure != "refused" or exchange.status != _NOT_FOUND:
        return False
    said = rest.body(exchange)
    kind = said.get("type") if isinstance(said, dict) else None
    return isinstance(kind, str) and kind.endswith("/not_found")


def is_account(value: object) -> TypeGuard[str]:
    """Tell whether a JSON value is a ``G…`` address."""
    try:
        return isinstance(value, str) and stellar.encode(stellar.decode(value, {}), {}) == value
    except AddressError:
        return False


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whether a JSON value is an unsigned number of 32 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _U32


def _stroops(text: str) -> int:
    """Read an amount with its seven decimals; raises ``ValueError``."""
    match = _AMOUNT.match(text)
    if match is None:
        raise ValueError(text[:40])
    return int(match[1] + match[2])

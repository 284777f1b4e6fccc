"""What an account holds of the core token, part by part, from the contracts' tables.

liquid: its row at the token contract. staked and delegated: the ``delband`` rows of its scope, to
itself and to others; what others delegate to it is in *their* scope. unbonding: ``refunds``.
REX: ``rexfund`` (core tokens in the contract, to be withdrawn at any time), proceeds of a filled
order in ``rexqueue``, and the REX of ``rexbal``, worth ``rex * total_lendable / total_rex``
rounded down: that is what the contract pays for it at this very state (``fill_rex_order``), in
integers as here. ``voter_info.staked``, ``vote_stake`` and ``total_resources`` repeat these
amounts and are not read.
Source: VaultaFoundation/system-contracts contracts/eosio.system (eosio.system.hpp, rex.cpp).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from chains.accounts import Held
from chains.adapters.antelope import wire
from chains.adapters.antelope.params import Params
from chains.model import Exchange, Gap, Part, PartKind, Request

PAGES = 20
"""The most answers that are asked for one account's delegations."""
Own = Mapping[Request, Exchange]
_REX_KEYED = ("rexfund", "rexqueue")
_REX = wire.Symbol("REX", 4)
"""Source: VaultaFoundation/system-contracts eosio.system.hpp (rex_symbol)"""


class Rate(msgspec.Struct, frozen=True):
    """What the REX pool holds and how many REX share it."""

    lendable: int
    rex: int


def standing_requests(params: Params) -> list[Request]:
    """Ask what every batch needs: a system row that is never absent, and the REX pool."""
    scope = _system(params)
    tables = ("global", "rexpool") if params.rex else ("global",)
    return [wire.rows_request(params.system, scope, table) for table in tables]


def requests(params: Params, account: bytes) -> list[Request]:
    """Ask for what the tables keep of one account, the first page of delegations among it."""
    key = wire.number(account)
    scope = _system(params)
    asked = [
        wire.balance_request(params.token, account, params.symbol.code),
        delegations_request(params, account),
    ]
    if params.rex:
        asked += [
            wire.rows_request(params.system, scope, table, lower=key, upper=key)
            for table in _REX_KEYED
        ]
    return asked


def delegations_request(params: Params, account: bytes, lower: str = "") -> Request:
    """Ask for delegations from a key on."""
    return wire.rows_request(params.system, account, "delband", lower=lower)


def standing(params: Params, own: Own) -> Rate | Gap:
    """Read what every batch needs; a gap where the node does not show the system's tables."""
    rows: list[dict[str, Any]] = []
    for request in standing_requests(params):
        found = _rows(own, request)
        if isinstance(found, Gap):
            return found
        if len(found) != 1:
            return Gap("canary-wrong", detail="a system table that is never empty was")
        rows += found
    if not params.rex:
        return Rate(0, 0)
    lendable = wire.read_units(rows[1].get("total_lendable"), params.symbol)
    rex = wire.read_units(rows[1].get("total_rex"), _REX)
    if lendable is None or rex is None:
        return wire.wrong("get_table_rows (rexpool)")
    return Rate(lendable, rex)


def read(params: Params, own: Own, account: bytes, shown: wire.Account, rate: Rate) -> Held | Gap:
    """Add up one account that exists."""
    liquid = _liquid(params, own, account, shown)
    if isinstance(liquid, Gap):
        return liquid
    bandwidth = _bandwidth(params, own, account, shown)
    if isinstance(bandwidth, Gap):
        return bandwidth
    unbonding = _refund(params, account, shown)
    if isinstance(unbonding, Gap):
        return unbonding
    rex = _rex(params, own, account, shown, rate)
    if isinstance(rex, Gap):
        return rex
    others = [*bandwidth, Part(PartKind.UNBONDING, unbonding), *rex]
    return Held((Part(PartKind.LIQUID, liquid), *(part for part in others if part.units)))


def delegations(params: Params, own: Own, account: bytes) -> tuple[list[dict[str, Any]], str] | Gap:
    """Return the delegations of all pages asked so far, and the key from which there are more."""
    rows: list[dict[str, Any]] = []
    key = ""
    for _ in range(PAGES):
        exchange = own.get(delegations_request(params, account, key))
        if exchange is None:
            break
        found = wire.read_rows(exchange)
        if isinstance(found, Gap):
            return found
        rows += found[0]
        if not found[1]:
            return rows, ""
        if key and int(found[1]) <= int(key):
            return wire.wrong("get_table_rows (next_key)")
        key = found[1]
    return rows, key


def _liquid(params: Params, own: Own, account: bytes, shown: wire.Account) -> int | Gap:
    asked = own.get(wire.balance_request(params.token, account, params.symbol.code))
    units = _unasked() if asked is None else wire.read_balance(asked, params.symbol)
    if isinstance(units, Gap):
        return units
    second = shown.fields.get("core_liquid_balance")
    repeats = second is None or wire.read_units(second, params.symbol) == (units or 0)
    return units or 0 if repeats else _contradiction("core_liquid_balance")


def _bandwidth(params: Params, own: Own, account: bytes, shown: wire.Account) -> list[Part] | Gap:
    found = delegations(params, own, account)
    if isinstance(found, Gap):
        return found
    if found[1]:
        return Gap("answer-too-large", detail=f"more than {PAGES} pages of delegations")
    to: dict[bytes, int] = {}
    for row in found[0]:
        receiver, units = wire.read_name(row.get("to")), _weights(params, row, "_weight")
        if receiver is None or units is None or wire.read_name(row.get("from")) != account:
            return wire.wrong("get_table_rows (delband)")
        if receiver in to:
            return wire.wrong("get_table_rows (delband, a row twice)")
        to[receiver] = units
    own_row = shown.fields.get("self_delegated_bandwidth")
    second = _weights(params, own_row, "_weight") if own_row is not None else 0
    if second != to.get(account, 0):
        return _contradiction("self_delegated_bandwidth")
    others = sum(units for receiver, units in to.items() if receiver != account)
    return [Part(PartKind.STAKED, to.get(account, 0)), Part(PartKind.DELEGATED, others)]


def _refund(params: Params, account: bytes, shown: wire.Account) -> int | Gap:
    row = shown.fields.get("refund_request")
    if row is None:
        return 0
    units = _weights(params, row, "_amount")
    if units is None or wire.read_name(row.get("owner")) != account:
        return wire.wrong("get_account (refund_request)")
    return units


def _rex(
    params: Params, own: Own, account: bytes, shown: wire.Account, rate: Rate
) -> list[Part] | Gap:
    if not params.rex:
        return []
    reserved = 0
    for table, field in zip(_REX_KEYED, ("balance", "proceeds"), strict=True):
        key = wire.number(account)
        asked = wire.rows_request(params.system, _system(params), table, lower=key, upper=key)
        rows = _rows(own, asked)
        if isinstance(rows, Gap):
            return rows
        amounts = [wire.read_units(row.get(field), params.symbol) for row in rows]
        owners = {wire.read_name(row.get("owner")) for row in rows}
        if len(rows) > 1 or None in amounts or not owners <= {account}:
            return wire.wrong(f"get_table_rows ({table})")
        reserved += sum(units for units in amounts if units is not None)
    row = shown.fields.get("rex_info")
    if row is None:
        return [Part(PartKind.RESERVED, reserved)]
    rex = wire.read_units(row.get("rex_balance"), _REX) if isinstance(row, dict) else None
    if rex is None or rex > rate.rex or wire.read_name(row.get("owner")) != account:
        return wire.wrong("get_account (rex_info)")
    worth = rex * rate.lendable // rate.rex if rex else 0
    return [Part(PartKind.RESERVED, reserved), Part(PartKind.STAKED, worth)]


def _weights(params: Params, row: object, suffix: str) -> int | None:
    if not isinstance(row, dict):
        return None
    cpu = wire.read_units(row.get("cpu" + suffix), params.symbol)
    net = wire.read_units(row.get("net" + suffix), params.symbol)
    return None if cpu is None or net is None else cpu + net


def _rows(own: Own, request: Request) -> list[dict[str, Any]] | Gap:
    exchange = own.get(request)
    found = _unasked() if exchange is None else wire.read_rows(exchange)
    if isinstance(found, Gap):
        return found
    return wire.wrong("get_table_rows (more)") if found[1] else found[0]


def _system(params: Params) -> bytes:
    return wire.read_name(params.system) or b""


def _unasked() -> Gap:
    return Gap("not-answered", retryable=True, detail="the batch broke off before this question")


def _contradiction(field: str) -> Gap:
    return Gap(
        "malformed-answer",
        retryable=True,
        detail=f"{field} of get_account and the table differ",
    )

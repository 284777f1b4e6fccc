"""nodeos's chain API: requests, and what its answers say, shape by shape.

Names are 64-bit numbers. Where a parameter is text that may be a number or a name (``scope``,
``lower_bound``) nodeos tries the number first, and names may be all digits: the scope
``123451234512`` would be another account's, and empty. So names go there as their number.
Source: AntelopeIO/spring plugins/chain_plugin/chain_plugin.cpp (convert_to_type).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

import msgspec

from chains import rest
from chains.addresses.antelope import decode, encode
from chains.jsonrpc import failure, malformed
from chains.model import Exchange, Gap, Request

CHAIN = "/v1/chain/"
INFO = rest.post(CHAIN + "get_info", {})
"""Spec: https://github.com/AntelopeIO/spring (plugins/chain_api_plugin/chain.swagger.yaml)"""
ROWS = 1000
"""The most rows of one answer. Source: AntelopeIO/spring chain_plugin.hpp (max_return_items)"""
MOST_UNITS = 2**62 - 1
"""Source: AntelopeIO/spring libraries/chain asset.hpp (max_amount)"""
ACCOUNT_QUERY = 3060002
UNKNOWN_BLOCK = 3100002
"""Source: AntelopeIO/spring libraries/chain exceptions.hpp"""
_SERVER_ERROR = 500
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_ASSET = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,18}))? ([A-Z]{1,7})\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?\Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_BLOCKS = 2**32


class Symbol(msgspec.Struct, frozen=True):
    """A token's code and the decimals of its amounts."""

    code: str
    decimals: int


class Fault(msgspec.Struct, frozen=True):
    """An error that the node answered with, its message shortened."""

    code: int
    text: str

    @property
    def gap(self) -> Gap:
        """The gap that it is where no rule reads it."""
        return Gap("rpc-error", detail=f"{self.code}: {self.text}"[:300])


class Info(msgspec.Struct, frozen=True):
    """Which chain the node serves, and where its state stands."""

    chain_id: str
    head: int
    head_id: str
    irreversible: int


class Account(msgspec.Struct, frozen=True):
    """An account as ``get_account`` shows it at block ``head``; ``created_ms`` in milliseconds."""

    head: int
    created_ms: int
    fields: Mapping[str, Any]


class Absent(msgspec.Struct, frozen=True):
    """The node says that there is no account of this name."""


def number(account: bytes) -> str:
    """Return a name's 64-bit number as text."""
    return str(int.from_bytes(account, "little"))


def block_request(height: int) -> Request:
    """Ask for a block's header and id."""
    return rest.post(CHAIN + "get_block_info", {"block_num": height})


def account_request(account: bytes) -> Request:
    """Ask for an account: its age, permissions and what the core contracts keep for it."""
    return rest.post(CHAIN + "get_account", {"account_name": encode(account, {})})


def balance_request(contract: str, account: bytes, code: str) -> Request:
    """Ask for an account's row of a token."""
    asked = {"code": contract, "account": encode(account, {}), "symbol": code}
    return rest.post(CHAIN + "get_currency_balance", asked)


def stats_request(contract: str, code: str) -> Request:
    """Ask for a token's supply row."""
    return rest.post(CHAIN + "get_currency_stats", {"code": contract, "symbol": code})


def rows_request(
    contract: str, scope: bytes, table: str, *, lower: str = "", upper: str = ""
) -> Request:
    """Ask for rows of a table; ``lower`` and ``upper`` are keys as numbers."""
    asked = {
        "json": True,
        "code": contract,
        "scope": number(scope),
        "table": table,
        "lower_bound": lower,
        "upper_bound": upper,
        "limit": ROWS,
    }
    return rest.post(CHAIN + "get_table_rows", asked)


def read(exchange: Exchange) -> Any | Fault | Gap:
    """Return a decoded answer, the node's own error, or why there is neither."""
    if exchange.failure != "refused":
        return rest.answer(exchange)
    body = rest.body(exchange)
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and is_integer(error.get("code")):
        details = error.get("details")
        first = details[0] if isinstance(details, list) and details else None
        text = first.get("message") if isinstance(first, dict) else error.get("what")
        return Fault(error["code"], str(text))
    if exchange.status == _SERVER_ERROR:
        return Gap("server-error", retryable=True, detail="500 without an error of nodeos")
    return failure(exchange) or malformed(exchange)


def read_object(exchange: Exchange) -> dict[str, Any] | Fault | Gap:
    """Return an answer that is an object."""
    found = read(exchange)
    if isinstance(found, dict | Fault | Gap):
        return found
    return malformed(exchange)


def read_info(exchange: Exchange) -> Info | Gap:
    """Read ``get_info``."""
    found = read_object(exchange)
    if isinstance(found, Fault):
        return found.gap
    if isinstance(found, Gap):
        return found
    chain, head_id = found.get("chain_id"), found.get("head_block_id")
    head, last = found.get("head_block_num"), found.get("last_irreversible_block_num")
    if not (is_hash(chain) and is_hash(head_id) and is_block(head) and is_block(last)):
        return wrong("get_info")
    return Info(chain, head, head_id, last)


def read_account(exchange: Exchange, account: bytes) -> Account | Absent | Gap:
    """Read ``get_account``; absence counts only if the error names this very account.

    Leap and Spring say 400 with code 3060002, older nodes 500 with code 0; the message ends with
    ``unknown key (…): (0 NAME)`` or ``unknown key (…): NAME``.
    """
    name = encode(account, {})
    found = read_object(exchange)
    if isinstance(found, Fault):
        missing = re.search(rf"unknown key \(.*\): (\(0 )?{re.escape(name)}\)*\s*\Z", found.text)
        return Absent() if missing and found.code in (0, ACCOUNT_QUERY) else found.gap
    if isinstance(found, Gap):
        return found
    created, head = read_time(found.get("created")), found.get("head_block_num")
    if found.get("account_name") != name or created is None or not is_block(head):
        return wrong("get_account")
    return Account(head, created, found)


def read_balance(exchange: Exchange, symbol: Symbol) -> int | Gap | None:
    """Read ``get_currency_balance``: units, ``None`` where the account has no row."""
    found = read(exchange)
    if isinstance(found, Fault):
        return found.gap
    if isinstance(found, Gap):
        return found
    if found == []:
        return None
    units = read_units(found[0], symbol) if isinstance(found, list) and len(found) == 1 else None
    return wrong("get_currency_balance") if units is None else units


def read_rows(exchange: Exchange) -> tuple[list[dict[str, Any]], str] | Gap:
    """Read ``get_table_rows``: the rows, and the key from which there are more."""
    found = read_object(exchange)
    if isinstance(found, Fault):
        return found.gap
    if isinstance(found, Gap):
        return found
    rows, more, key = found.get("rows"), found.get("more"), found.get("next_key", "")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return wrong("get_table_rows")
    if more is False:
        return rows, ""
    if more is not True or not isinstance(key, str) or not re.fullmatch("[0-9]{1,20}", key):
        return wrong("get_table_rows")
    return rows, key


def read_units(text: object, symbol: Symbol) -> int | None:
    """Read an amount such as ``12.3456 EOS``; ``None`` unless code and decimals are right."""
    found = _ASSET.match(text) if isinstance(text, str) else None
    if found is None:
        return None
    whole, fraction, code = found[1], found[2] or "", found[3]
    units = int(whole + fraction)
    fits = code == symbol.code and len(fraction) == symbol.decimals and units <= MOST_UNITS
    return units if fits else None


def read_symbol(text: object) -> Symbol | None:
    """Read which token an amount is of."""
    found = _ASSET.match(text) if isinstance(text, str) else None
    return None if found is None else Symbol(found[3], len(found[2] or ""))


def read_time(text: object) -> int | None:
    """Read a time such as ``2018-06-08T08:08:08.500``, UTC, as milliseconds."""
    if not isinstance(text, str) or not _TIME.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def read_name(text: object) -> bytes | None:
    """Read an account name of up to 12 letters."""
    try:
        return decode(text, {}) if isinstance(text, str) else None
    except ValueError:
        return None


def is_integer(value: object) -> bool:
    """Tell an integer from a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_block(value: object) -> TypeGuard[int]:
    """Tell whether this is a block number."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST_BLOCKS


def is_hash(value: object) -> TypeGuard[str]:
    """Tell whether these are the 64 hex digits of a hash."""
    return isinstance(value, str) and _HASH.match(value) is not None


def wrong(call: str) -> Gap:
    """Say that an answer has another shape than the call's."""
    return Gap("malformed-answer", retryable=True, detail=f"not an answer of {call}")

"""A small nodeos: the chain API over accounts, token rows and the system contract's tables.

The state is that of the head and of nothing else, as with the real one: ``head`` past ``height``
is the node that cannot answer for the height any more. Shapes, errors and the reading of scopes
follow AntelopeIO/spring plugins/chain_plugin and what nodeos 4.1 answers (the integration tests
compare the two).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from aiohttp import web

from chains.addresses import AddressError
from chains.addresses.antelope import decode, encode
from chains.simulated.node import Faults, SimulatedNode, json_response

KEY = "EOS6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV"
"""The public development key of the EOSIO manuals."""
STAKE = decode("eosio.stake", {})
SYSTEM = decode("eosio", {})
STAKED_UNITS = 10**12
POOL = (10**9, 3 * 10**12)
"""Core tokens in the REX pool, and REX that share them."""
_START = datetime(2018, 6, 8, tzinfo=UTC)
_BLOCK = timedelta(milliseconds=500)
_UNKNOWN_KEY = "unknown key (boost::tuples::tuple<bool, eosio::chain::name>): (0 {})"
_OLD_UNKNOWN_KEY = "unknown key (eosio::chain::name): {}"
_LAST = 2**64 - 1
_TABLES = frozenset({"delband", "refunds", "global", "rexpool", "rexfund", "rexqueue", "rexbal"})

_Asked = Mapping[str, Any]
_Row = dict[str, Any]


class Stored(msgspec.Struct, kw_only=True):
    """What the chain keeps for one account, in units; weights are (net, cpu)."""

    liquid: int = 0
    created: int = 1
    delegated: Mapping[bytes, tuple[int, int]] = {}
    refund: tuple[int, int] | None = None
    rex: int = 0
    rex_fund: int = 0
    rex_order: int | None = None
    tokens: Mapping[str, int] = {}
    permissions: Sequence[Mapping[str, Any]] | None = None


def required(
    threshold: int = 1,
    keys: Mapping[str, int] | None = None,
    accounts: Mapping[str, int] | None = None,
    waits: Mapping[int, int] | None = None,
) -> dict[str, Any]:
    """Return a ``required_auth``; accounts are named ``actor@permission``."""
    levels = [(level.partition("@"), weight) for level, weight in (accounts or {}).items()]
    return {
        "threshold": threshold,
        "keys": [{"key": key, "weight": weight} for key, weight in (keys or {}).items()],
        "accounts": [
            {"permission": {"actor": actor, "permission": permission}, "weight": weight}
            for (actor, _, permission), weight in levels
        ],
        "waits": [{"wait_sec": sec, "weight": weight} for sec, weight in (waits or {}).items()],
    }


def permission(
    name: str, auth: Mapping[str, Any], *, linked: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return one permission as ``get_account`` lists it."""
    parent = {"owner": "", "active": "owner"}.get(name, "active")
    return {
        "perm_name": name,
        "parent": parent,
        "required_auth": dict(auth),
        "linked_actions": [dict(link) for link in linked],
    }


class SimulatedAntelope(SimulatedNode):
    """A node whose knobs are plain attributes; accounts are eight bytes.

    ``balances`` are liquid core tokens of accounts that exist; ``accounts`` adds to them.
    ``head`` is where the state stands (``height`` unless given), ``irreversible`` the last
    irreversible block (the head unless given). ``moves_after`` requests the head moves on by one.
    """

    def __init__(
        self,
        height: int,
        balances: Mapping[bytes, int],
        *,
        accounts: Mapping[bytes, Stored] | None = None,
        head: int | None = None,
        symbol: tuple[int, str] = (4, "EOS"),
        seed: str = "antelope",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.head = height if head is None else head
        self.irreversible: int | None = None
        self.accounts = {STAKE: Stored(liquid=STAKED_UNITS), SYSTEM: Stored()}
        self.accounts |= {who: Stored(liquid=units) for who, units in balances.items()}
        self.accounts |= dict(accounts or {})
        self.symbol = symbol
        self.tokens = {"core.vaulta": (4, "A")}
        self.seed = seed
        self.rex = True
        self.pool = POOL
        self.page = 1000
        self.moves_after = 0
        self.zero_for_everything = False
        self.knows_nobody = False
        self.tables_empty = False
        self.old_errors = False
        self.edit: Callable[[str, Any], Any] = lambda _, answer: answer
        """Changes an answer before it is sent: (call, answer)."""
        self.calls: dict[str, int] = {}

    @property
    def chain_id(self) -> str:
        """The id of the chain."""
        return sha256(self.seed.encode()).hexdigest()

    def block_id(self, number: int) -> str:
        """Return a block's id: its number in four bytes, then a hash."""
        return f"{number:08x}" + sha256(f"{self.seed} {number}".encode()).hexdigest()[8:]

    def block_time(self, number: int) -> str:
        """Return a block's time as nodeos prints it."""
        return (_START + number * _BLOCK).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one call of the chain API."""
        call = request.path.removeprefix("/v1/chain/")
        self.calls[call] = self.calls.get(call, 0) + 1
        if self.moves_after and self.requests > self.moves_after:
            self.head, self.moves_after = self.head + 1, 0
        methods: dict[str, Callable[[_Asked], Any]] = {
            "get_info": self._info,
            "get_block_info": self._block,
            "get_account": self._account,
            "get_currency_balance": self._balance,
            "get_currency_stats": self._stats,
            "get_table_rows": self._rows,
        }
        if call not in methods:
            return _fault(404, "Not Found", 0, "exception", "Unknown Endpoint")
        try:
            asked = msgspec.json.decode(body, type=dict[str, Any]) if body else {}
        except msgspec.DecodeError:
            text = "Unable to parse valid input from POST body"
            return _fault(400, "Invalid Request", 3200006, "invalid_http_request", text)
        found = methods[call](asked)
        if isinstance(found, web.Response):
            return found
        return json_response(self.edit(call, found))

    def _info(self, _: _Asked) -> Any:
        last = self.head if self.irreversible is None else self.irreversible
        return {
            "server_version": "3916ba05",
            "chain_id": self.chain_id,
            "head_block_num": self.head,
            "last_irreversible_block_num": last,
            "last_irreversible_block_id": self.block_id(last),
            "head_block_id": self.block_id(self.head),
            "head_block_time": self.block_time(self.head),
            "head_block_producer": "eosio",
            "server_version_string": "v4.1.0",
        }

    def _block(self, asked: _Asked) -> Any:
        number = asked.get("block_num")
        if not isinstance(number, int) or not 0 < number <= self.head:
            text = f"Could not find block: {number}"
            return _fault(400, "Unknown Block", 3100002, "unknown_block_exception", text)
        return {
            "block_num": number,
            "id": self.block_id(number),
            "timestamp": self.block_time(number),
            "producer": "eosio",
            "previous": self.block_id(number - 1),
        }

    def _account(self, asked: _Asked) -> Any:
        name = str(asked.get("account_name"))
        kept = self._stored(name)
        if kept is None and self.old_errors:
            text = _OLD_UNKNOWN_KEY.format(name)
            return _fault(500, "Internal Service Error", 0, "exception", text)
        if kept is None:
            text = f"unable to retrieve account info ({_UNKNOWN_KEY.format(name)})"
            return _fault(400, "Account lookup", 3060002, "account_query_exception", text)
        answer: _Row = {
            "account_name": name,
            "head_block_num": self.head,
            "head_block_time": self.block_time(self.head),
            "privileged": name == "eosio",
            "created": self.block_time(kept.created),
        }
        if kept.liquid and not self.zero_for_everything:
            answer["core_liquid_balance"] = self.text(kept.liquid)
        single = required(keys={KEY: 1})
        usual = [permission("active", single), permission("owner", single)]
        to_self = [row for row in self._delband(name) if row["to"] == name]
        return answer | {
            "permissions": usual if kept.permissions is None else list(kept.permissions),
            "self_delegated_bandwidth": to_self[0] if to_self else None,
            "refund_request": self._refund(name, kept),
            "voter_info": None,
            "rex_info": self._rexbal(name, kept),
        }

    def _balance(self, asked: _Asked) -> Any:
        contract, code = str(asked.get("code")), str(asked.get("symbol")).upper()
        symbol = self._symbol(contract)
        if symbol is None:
            return _no_contract(contract)
        kept = self._stored(str(asked.get("account")))
        if kept is None or symbol[1] != code or self.zero_for_everything:
            return []
        core = contract == "eosio.token"
        units = kept.liquid if core else kept.tokens.get(f"{contract}:{code}", 0)
        return [amount(units, *symbol)] if units else []

    def _stats(self, asked: _Asked) -> Any:
        contract, code = str(asked.get("code")), str(asked.get("symbol")).upper()
        symbol = self._symbol(contract)
        if symbol is None:
            return _no_contract(contract)
        if symbol[1] != code:
            return {}
        supply = amount(10**15, *symbol)
        return {code: {"supply": supply, "max_supply": supply, "issuer": contract}}

    def _rows(self, asked: _Asked) -> Any:
        table, scope = str(asked.get("table")), _as_name(asked.get("scope"))
        if asked.get("code") != "eosio" or table not in _TABLES:
            text = f"Table {table} is not specified in the ABI"
            name = "contract_table_query_exception"
            return _fault(500, "Internal Service Error", 3060003, name, text)
        lower, upper = int(asked.get("lower_bound") or 0), int(asked.get("upper_bound") or _LAST)
        empty = self.tables_empty or self.zero_for_everything
        rows = [] if empty else self._table(table, scope, lower, upper)
        within = sorted((_key(row), row) for row in rows if lower <= _key(row) <= upper)
        size = min(self.page, int(asked.get("limit", 10)))
        found: _Row = {"rows": [row for _, row in within[:size]], "more": len(within) > size}
        return found | {"next_key": str(within[size][0]) if len(within) > size else ""}

    def _table(self, table: str, scope: str, lower: int, upper: int) -> list[_Row]:
        if table == "delband":
            return self._delband(scope)
        if scope != "eosio":
            return []
        if table == "global":
            return [{"max_ram_size": "68719476736"}]
        return self._rex_table(table, self._between(lower, upper)) if self.rex else []

    def _between(self, lower: int, upper: int) -> dict[str, Stored]:
        """Return accounts by name: at least those within the bounds, which are often one."""
        names: Iterable[bytes] = self.accounts
        if lower == upper:
            names = [lower.to_bytes(8, "little")]
        return {encode(who, {}): self.accounts[who] for who in names if who in self.accounts}

    def _rex_table(self, table: str, among: Mapping[str, Stored]) -> list[_Row]:
        lendable, rex = self.pool
        match table:
            case "rexpool":
                return [{"total_lendable": self.text(lendable), "total_rex": amount(rex, 4, "REX")}]
            case "rexfund":
                return [
                    {"owner": who, "balance": self.text(kept.rex_fund)}
                    for who, kept in among.items()
                    if kept.rex_fund
                ]
            case "rexqueue":
                return [
                    {"owner": who, "proceeds": self.text(order), "is_open": int(order == 0)}
                    for who, order in ((who, kept.rex_order) for who, kept in among.items())
                    if order is not None
                ]
            case _:
                return []

    def _delband(self, scope: str) -> list[_Row]:
        kept = self._stored(scope)
        if kept is None or self.zero_for_everything:
            return []
        return [
            {"from": scope, "to": encode(to, {}), **self._weights("weight", weights)}
            for to, weights in kept.delegated.items()
        ]

    def _refund(self, name: str, kept: Stored) -> _Row | None:
        if kept.refund is None or self.zero_for_everything:
            return None
        weights = self._weights("amount", kept.refund)
        return {"owner": name, "request_time": "2024-01-01T00:00:00", **weights}

    def _rexbal(self, name: str, kept: Stored) -> _Row | None:
        if not kept.rex or self.zero_for_everything:
            return None
        rex = amount(kept.rex, 4, "REX")
        return {"owner": name, "vote_stake": self.text(1), "rex_balance": rex, "matured_rex": 0}

    def _weights(self, suffix: str, weights: tuple[int, int]) -> _Row:
        return {f"{kind}_{suffix}": self.text(weights[i]) for i, kind in enumerate(("net", "cpu"))}

    def text(self, units: int) -> str:
        """Return an amount of the core token."""
        return amount(units, *self.symbol)

    def _symbol(self, contract: str) -> tuple[int, str] | None:
        return ({"eosio.token": self.symbol} | self.tokens).get(contract)

    def _stored(self, name: str) -> Stored | None:
        try:
            kept = self.accounts.get(decode(name, {}))
        except AddressError:
            return None
        return None if kept is None or kept.created > self.head or self.knows_nobody else kept


def amount(units: int, decimals: int, code: str) -> str:
    """Return an amount as nodeos prints it: ``12.3456 EOS``."""
    digits = str(units).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return f"{whole}.{fraction} {code}" if decimals else f"{whole} {code}"


def _key(row: Mapping[str, Any]) -> int:
    name = row.get("to", row.get("owner"))
    return int.from_bytes(decode(name, {}), "little") if isinstance(name, str) else 0


def _as_name(text: object) -> str:
    """Read a scope as nodeos does: as a number if it can be one, else as a name."""
    if isinstance(text, str) and re.fullmatch("[0-9]+", text):
        try:
            return encode(int(text).to_bytes(8, "little"), {})
        except (AddressError, OverflowError):
            return ""
    return str(text)


def _no_contract(contract: str) -> web.Response:
    text = f"Fail to retrieve account for {contract}"
    return _fault(400, "Account lookup", 3060002, "account_query_exception", text)


def _fault(status: int, message: str, code: int, name: str, text: str) -> web.Response:
    detail = {"message": text, "file": "chain_plugin.cpp", "line_number": 1, "method": name}
    error = {"code": code, "name": name, "what": name.replace("_", " "), "details": [detail]}
    return json_response({"code": status, "message": message, "error": error}, status)

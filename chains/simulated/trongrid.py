"""A small TronGrid: a TRON node with TRC-20 contracts, and TronGrid's event API beside it.

``holdings`` are a token's balances at ``height``, ``transfers`` what was moved after it (or
before: those are listed and change nothing). ``balanceOf`` answers for the solidified head; the
list of transfers also has what is newer. ``events`` are those of Tether's contract (Issue, Redeem,
DestroyedBlackFunds), which change balances without a transfer.

Dangerous knobs: ``serves_events`` (a plain node),
``events_until`` (a list that lags), ``forgets_mark`` (a full page that does not name the next
one), ``cuts_page`` (rows missing, as the page's own count shows), ``loses_every`` (rows missing
without a trace), ``timeless`` (events that do not say when),
``token_zeros`` (a contract whose state is not there), ``reverts``.

Answers follow https://developers.tron.network/docs/get-trc20-transaction-history and
https://tronprotocol.github.io/documentation-en/api/http/smart-contract/triggerconstantcontract/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from aiohttp import web

from chains.addresses.base58 import bytes_to_base58check
from chains.simulated.node import json_response
from chains.simulated.tron import SimulatedTron

MOST_ROWS = 200
BALANCE_OF = "70a08231"
TOTAL_SUPPLY = "18160ddd"
DECIMALS = "313ce567"
SYMBOL = "95d89b41"
OWNER = "8da5cb5b"
TRIGGER = "/walletsolidity/triggerconstantcontract"
MISSING = "Smart contract is not exist."


class Transfer(NamedTuple):
    """One transfer of the token in a block; ``kind`` may be Approval."""

    block: int
    sender: bytes
    receiver: bytes
    value: int
    kind: str = "Transfer"


class Event(NamedTuple):
    """Another event of the token's contract in a block: its name and what it says."""

    block: int
    name: str
    result: Mapping[str, str]


class SimulatedTronGrid(SimulatedTron):
    """A node with one token; accounts as 20 bytes, amounts in the token's base units."""

    def __init__(
        self,
        height: int,
        token: bytes,
        holdings: Mapping[bytes, int],
        transfers: Sequence[Transfer] = (),
        **more: Any,
    ) -> None:
        super().__init__(height, {}, **more)
        self.token = token
        self.holdings = holdings
        self.transfers = tuple(transfers)
        self.events: tuple[Event, ...] = ()
        self.owner = bytes(20)
        self.decimals = 6
        self.symbol = "USDT"
        self.serves_events = True
        self.events_until: int | None = None
        self.forgets_mark = False
        self.cuts_page = False
        self.timeless = False
        self.loses_every = 0
        self.token_zeros = False
        self.reverts = False
        self._methods[TRIGGER] = self._trigger

    def held(self, account: bytes, block: int) -> int:
        """Return the balance of an account after a block at or above the height."""
        units = self.holdings.get(account, 0)
        for one in self.transfers:
            if one.kind == "Transfer" and self.height < one.block <= block:
                units += one.value * ((one.receiver == account) - (one.sender == account))
        for event in self.events:
            if self.height < event.block <= block:
                units += self._changed(event, account)
        return units

    def _changed(self, event: Event, account: bytes) -> int:
        """Return what an event of Tether's contract adds to an account."""
        if event.name == "DestroyedBlackFunds":
            named = bytes.fromhex(event.result["_blackListedUser"][-40:])
            return -int(event.result["_balance"]) * (named == account)
        sign = {"Issue": 1, "Redeem": -1}.get(event.name, 0)
        return sign * int(event.result.get("amount", "0")) * (account == self.owner)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one call of the wallet API or of the event API."""
        if not request.path.startswith("/v1/"):
            return await super().answer(request, body)
        self.calls[request.path] = self.calls.get(request.path, 0) + 1
        if not self.serves_events:
            return web.Response(status=404, text="<html><body>404 Not Found</body></html>")
        if "event_name" in request.query:
            return self._events(request.query)
        if request.path.startswith("/v1/contracts/"):
            newest = self.head if self.events_until is None else self.events_until
            return _listed([{"block_timestamp": self.block_time_ms(newest)}])
        return self._transfers(request.path.split("/")[3], request.query)

    def _transfers(self, account: str, query: Mapping[str, str]) -> web.Response:
        rows = [
            row
            for row in (self._row(one) for one in sorted(self.transfers, reverse=True))
            if account in (row["from"], row["to"])
            and row["block_timestamp"] >= int(query["min_timestamp"])
            and row["token_info"]["address"] == query["contract_address"]
        ]
        if self.loses_every:
            rows = [row for i, row in enumerate(rows) if i % self.loses_every]
        start = int(query.get("fingerprint", "0"))
        most = min(int(query["limit"]), MOST_ROWS)
        page = rows[start : start + most]
        more = len(rows) > start + most and not self.forgets_mark
        return _listed(page, str(start + most) if more else "", cut=self.cuts_page)

    def _events(self, query: Mapping[str, str]) -> web.Response:
        rows: list[dict[str, Any]] = [
            {
                "block_number": one.block,
                "block_timestamp": self.block_time_ms(one.block),
                "contract_address": text(self.token),
                "event_index": 0,
                "event_name": one.name,
                "result": dict(one.result),
            }
            for one in sorted(self.events, key=lambda one: -one.block)
            if one.name == query["event_name"]
            and self.block_time_ms(one.block) >= int(query["min_block_timestamp"])
        ]
        if self.timeless:
            rows = [{**row, "block_timestamp": None} for row in rows]
        return _listed(rows, cut=self.cuts_page)

    def _row(self, one: Transfer) -> dict[str, Any]:
        token = {"symbol": self.symbol, "address": text(self.token), "decimals": self.decimals}
        return {
            "transaction_id": sha256(repr(one).encode()).hexdigest(),
            "token_info": token | {"name": "Tether USD"},
            "block_timestamp": self.block_time_ms(one.block),
            "from": text(one.sender),
            "to": text(one.receiver),
            "type": one.kind,
            "value": str(one.value),
        }

    def _trigger(self, asked: Mapping[str, Any]) -> web.Response:
        if asked["contract_address"] != "41" + self.token.hex():
            message = MISSING.encode().hex()
            return json_response(
                {"result": {"code": "CONTRACT_VALIDATE_ERROR", "message": message}}
            )
        selector, argument = asked["data"][:8], bytes.fromhex(asked["data"][8:])
        if self.reverts:
            message = b"REVERT opcode executed".hex()
            return _returned(b"", {"result": True, "message": message}, {"ret": "FAILED"})
        return _returned(self._value(selector, argument), {"result": True}, {})

    def _value(self, selector: str, argument: bytes) -> bytes:
        if selector == SYMBOL:
            name = self.symbol.encode()
            return _word(32) + _word(len(name)) + name.ljust(32, b"\0")
        number = {
            BALANCE_OF: lambda: self.held(argument[-20:], self.solid_head),
            TOTAL_SUPPLY: lambda: sum(self.holdings.values()),
            DECIMALS: lambda: self.decimals,
            OWNER: lambda: int.from_bytes(self.owner, "big"),
        }[selector]()
        return _word(0 if self.token_zeros else number)


def text(account: bytes) -> str:
    """Return the ``T…`` text of an account."""
    return bytes_to_base58check(b"\x41" + account)


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _returned(value: bytes, result: dict[str, Any], ret: dict[str, str]) -> web.Response:
    return json_response(
        {
            "result": result,
            "energy_used": 935,
            "constant_result": [value.hex()],
            "transaction": {"ret": [ret], "visible": False},
        }
    )


def _listed(rows: list[dict[str, Any]], mark: str = "", *, cut: bool = False) -> web.Response:
    meta: dict[str, Any] = {"at": 1_777_447_160_779, "page_size": len(rows)}
    if mark:
        meta["fingerprint"] = mark
    return json_response({"data": rows[1:] if cut else rows, "success": True, "meta": meta})

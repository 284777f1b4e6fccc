"""A small XRP Ledger server: rippled's or Clio's JSON-RPC over accounts at one ledger.

``balances`` are drops at ledger ``index``; at any other ledger every account that is not empty has
one drop more per ledger, so that an answer for another ledger is never right by chance. The
genesis account exists always. ``roots`` adds or replaces fields of account entries (``OwnerCount``
is counted from ``objects`` unless given), ``signer_lists`` maps accounts to quorum and weights,
``objects`` are escrows and payment channels as they stand in the ledger.

Dangerous knobs: ``complete`` (the ledgers at hand, as text), ``has_known`` (no old ledgers),
``network`` (``None`` where none is configured), ``knows_nobody`` (``actNotFound`` for everybody),
``drifts`` (account answers are of that many ledgers later), ``forwards`` (answers of the open
ledger), ``error`` (an error instead of any answer about the state), ``warns`` (load), ``copies``
(errors copy the request), ``page`` objects per answer, the first page empty, ``repeats`` (a page
comes twice). Answers follow https://xrpl.org/docs/references/http-websocket-apis in names, types
and units; Clio's errors come with HTTP 400.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256, sha512
from typing import Any

import msgspec
from aiohttp import web

from chains.addresses import xrpl
from chains.simulated.node import Faults, SimulatedNode, json_response

GENESIS = xrpl.decode("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", {})
KNOWN = 32_570
"""The first ledger that Mainnet's servers have."""
CLOSED_S = 410_325_670
"""Close time of ledger ``KNOWN`` in seconds of the Ripple epoch."""
FEES = "4BC50C9B0D8515D3EAAE1E74B29A95804346C491EE1A95BF25E4AAB854A6A651"
COINS = 99_985_738_467_416_092
TYPES = {"escrow": "Escrow", "payment_channel": "PayChannel"}
ERRORS = {"actNotFound": 19, "lgrNotFound": 21, "slowDown": 10, "noCurrent": 16, "unknownCmd": 32}

_Params = Mapping[str, Any]


class RpcError(Exception):
    """An error code, with what the result says besides it."""

    def __init__(self, code: str, **said: object) -> None:
        super().__init__(code)
        self.code = code
        self.said = said


class SimulatedXrpl(SimulatedNode):
    """A server whose knobs are plain attributes; amounts in drops, accounts as 20 bytes."""

    def __init__(
        self,
        index: int,
        balances: Mapping[bytes, int],
        *,
        roots: Mapping[bytes, Mapping[str, Any]] | None = None,
        signer_lists: Mapping[bytes, tuple[int, Mapping[bytes, int]]] | None = None,
        objects: Sequence[Mapping[str, Any]] = (),
        seed: str = "xrpl",
        is_clio: bool = False,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.index = index
        self.balances = {GENESIS: 370_000_000} | dict(balances)
        self.roots = dict(roots or {})
        self.signer_lists = dict(signer_lists or {})
        self.objects = tuple(objects)
        self.seed = seed
        self.fork = ""
        self.is_clio = is_clio
        self.complete = f"{KNOWN}-{index + 50}"
        self.has_known = True
        self.network: int | None = 0
        self.knows_nobody = False
        self.drifts = 0
        self.forwards = False
        self.error = ""
        self.warns = False
        self.copies = True
        self.keeps_signers = True
        self.page = 400
        self.repeats = False
        self.has_old_fees = False
        self.calls: dict[str, int] = {}
        self._methods: dict[str, Callable[[_Params], dict[str, Any]]] = {
            "server_info": self._info,
            "ledger": self._ledger,
            "account_info": self._account,
            "account_objects": self._objects,
            "ledger_entry": self._entry,
        }

    def header(self, index: int) -> dict[str, Any]:
        """Return the fields of a header, with the hash that they have."""
        mark = f"{self.seed}{self.fork if index == self.index else ''}"
        fields = {
            "account_hash": _mark(f"{mark} state {index}"),
            "close_flags": 0,
            "close_time": CLOSED_S + 4 * (index - KNOWN),
            "close_time_resolution": 10,
            "closed": True,
            "ledger_index": index if self.is_clio else str(index),
            "parent_close_time": CLOSED_S + 4 * (index - KNOWN) - 4,
            "parent_hash": _mark(f"{self.seed} ledger {index - 1}"),
            "total_coins": str(COINS),
            "transaction_hash": _mark(f"{mark} transactions {index}"),
        }
        packed = b"LWR\0" + index.to_bytes(4, "big") + COINS.to_bytes(8, "big")
        for key in ("parent_hash", "transaction_hash", "account_hash"):
            packed += bytes.fromhex(str(fields[key]))
        for key in ("parent_close_time", "close_time"):
            packed += int(str(fields[key])).to_bytes(4, "big")
        return fields | {"ledger_hash": sha512(packed + b"\x0a\0").hexdigest()[:64].upper()}

    def hash_of(self, index: int) -> str:
        """Return the hash of a ledger."""
        return str(self.header(index)["ledger_hash"])

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer a call."""
        del request
        try:
            asked = msgspec.json.decode(body)
            name, params = str(asked["method"]), dict((asked.get("params") or [{}])[0])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            return web.Response(status=400, text="Unable to parse request")
        self.calls[name] = self.calls.get(name, 0) + 1
        answer: dict[str, Any] = {}
        try:
            answer["result"] = self._result(name, params) | {"status": "success"}
        except RpcError as error:
            answer["result"] = self._failed(error, asked, params | {"command": name})
        if self.is_clio:
            answer["warnings"] = [{"id": 2001, "message": "This is a clio server."}]
        if self.warns:
            answer["warning"] = "load"
        if self.forwards and "account_data" in answer["result"]:
            answer["forwarded"] = True
        is_error = answer["result"]["status"] == "error"
        return json_response(answer, status=400 if is_error and self.is_clio else 200)

    def _result(self, name: str, params: _Params) -> dict[str, Any]:
        if name not in self._methods:
            raise RpcError("unknownCmd")
        if self.error and name != "server_info":
            raise RpcError(self.error)
        return self._methods[name](params)

    def _failed(self, error: RpcError, asked: object, params: _Params) -> dict[str, Any]:
        said = {} if self.is_clio else error.said
        copied = {"request": asked if self.is_clio else params} if self.copies else {}
        number = ERRORS.get(error.code, 73)
        return {"error": error.code, "error_code": number, "status": "error"} | said | copied

    def _info(self, _: _Params) -> dict[str, Any]:
        info: dict[str, Any] = {"complete_ledgers": self.complete, "load_factor": 1}
        if self.network is not None:
            info["network_id"] = self.network
        return {"info": info}

    def _has(self, index: int) -> bool:
        if index == KNOWN:
            return self.has_known
        ranges = (part.partition("-") for part in self.complete.split(",") if part != "empty")
        return any(int(first) <= index <= int(last or first) for first, _, last in ranges)

    def _ledger(self, params: _Params) -> dict[str, Any]:
        index = params["ledger_index"]
        if not self._has(index):
            raise RpcError("lgrNotFound")
        named = {"ledger_hash": self.hash_of(index), "ledger_index": index, "validated": True}
        return named | {"ledger": self.header(index)}

    def _at(self, params: _Params) -> tuple[int, dict[str, Any]]:
        """Return the ledger of a request and how the answer names it."""
        if not self._has(self.index) or params.get("ledger_hash") != self.hash_of(self.index):
            raise RpcError("lgrNotFound")
        index = self.index + self.drifts
        if self.forwards:
            return index + 1, {"ledger_current_index": index + 1, "validated": False}
        named = {"ledger_hash": self.hash_of(index), "ledger_index": index, "validated": True}
        return index, named

    def _account(self, params: _Params) -> dict[str, Any]:
        index, named = self._at(params)
        account = xrpl.decode(params["account"], {})
        drops = self.balances.get(account, 0)
        if not drops or self.knows_nobody:
            raise RpcError("actNotFound", account=params["account"], **named)
        text = xrpl.encode(account, {})
        entry: dict[str, Any] = {
            "Account": text,
            "Balance": str(drops + index - self.index),
            "Flags": 0,
            "LedgerEntryType": "AccountRoot",
            "OwnerCount": sum(one["Account"] == text for one in self.objects),
            "Sequence": 6,
        }
        entry |= self.roots.get(account, {})
        answer = {"account_data": entry} | named
        if params.get("signer_lists") and self.keeps_signers:
            (answer if self.is_clio else entry)["signer_lists"] = self._signers(account)
        return answer

    def _signers(self, account: bytes) -> list[dict[str, Any]]:
        if account not in self.signer_lists:
            return []
        quorum, weights = self.signer_lists[account]
        entries = [
            {"SignerEntry": {"Account": xrpl.encode(who, {}), "SignerWeight": weight}}
            for who, weight in weights.items()
        ]
        return [{"SignerQuorum": quorum, "SignerEntries": entries, "SignerListID": 0}]

    def _objects(self, params: _Params) -> dict[str, Any]:
        _, named = self._at(params)
        account, kind = params["account"], TYPES[params["type"]]
        linked = [one for one in self.objects if account in (one["Account"], one["Destination"])]
        start = -1 if "marker" not in params else int(params["marker"].partition(",")[0])
        page = linked[start : start + self.page] if start >= 0 else []
        following = 0 if start < 0 else start + self.page
        answer = {
            "account": account,
            "account_objects": [one for one in page if one["LedgerEntryType"] == kind],
            "limit": params["limit"],
        }
        if following < len(linked):
            answer["marker"] = f"{following},0"
        elif self.repeats and start >= 0 and not params["marker"].endswith(",1"):
            answer["marker"] = "0,1"
        return answer | named

    def _entry(self, params: _Params) -> dict[str, Any]:
        _, named = self._at(params)
        if params["index"] != FEES:
            raise RpcError("entryNotFound", **named)
        node: dict[str, Any] = {"LedgerEntryType": "FeeSettings", "index": FEES}
        if self.has_old_fees:
            node |= {"ReserveBase": 20_000_000, "ReserveIncrement": 5_000_000}
        else:
            node |= {"ReserveBaseDrops": "1000000", "ReserveIncrementDrops": "200000"}
        return {"index": FEES, "node": node} | named


def _mark(text: str) -> str:
    return sha256(text.encode()).hexdigest().upper()

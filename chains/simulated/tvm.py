"""A small toncenter server, version 2: masterchain blocks, accounts at a block, get methods.

``balances`` are nanotons as of masterchain block ``seqno`` and of every one before; ``later`` is
what accounts have after it. ``states`` names accounts that are not active contracts. ``jettons``
maps a master to what owners have in wallets that are deployed; an owner's wallet is found by hash
(``wallet_of``). ``wallets`` maps accounts to their code and data (bags of cells in base64; other
contracts have an empty cell), ``contents`` masters to their descriptions (else that of USDT).

Dangerous knobs: ``newest`` (behind), ``oldest`` (an older block is not in its data base),
``shard_client`` (shards lag behind the masterchain), ``broken`` (how many of the next questions
for a state some lite server fails), ``ignores_seqno`` (answers as of the newest block),
``hides_block`` (the same, but names the block that was asked), ``nameless`` (get methods do not
name their block, as in servers of 2023), ``empty_states`` (a lite server without the state: no
account anywhere), ``no_supply``, ``methodless`` (no get methods), ``wrong_owner``, ``wrong_master``
and ``exit_code`` (of every wallet), ``odd`` (members of every account and get method's answer).

Names, types and errors follow https://github.com/toncenter/ton-http-api-cpp (schemas/v2.yaml);
remains on the stack beside a bad exit code are what servers really return.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from aiohttp import web

from chains.adapters.tvm import cells
from chains.addresses.ton import decode
from chains.simulated.node import Faults, SimulatedNode, json_response

ELECTOR = b"\xff" + b"\x33" * 32
ELECTOR_NANOTONS = 412_345_678_901_234_567
MAINNET_ZERO_STATE = (
    "F6OpKZKqvqeFp6CQmFomXNMfMj2EnaUSOXN+Mh+wVWk=",
    "XplPz01CXAps5qeSWUtxcyBfdAo5zVb1N979KLSKD24=",
)
"""Root and file hash. Source: https://ton.org/global.config.json (validator.zero_state)"""
USDT_CONTENT = (
    "te6cckEBBwEAfQABAwDAAQIBIAIDAUO/+HLr21FNnJfCg7fwrlF5Ap4rYRnDlGJxnk9G7Y90E+ZABAFDv/dAfpePAaQH"
    "EUEbGst3Opa92T+oO7XKhDUBPIxLOskfQAYBAgAFAD5odHRwczovL3RldGhlci50by91c2R0LXRvbi5qc29uAAQANhfF"
    "Q3M="
)
LIBRARY_CELL = "te6cckEBAQEAIwAIQgKPRS16Tf10BmtoI2UXclntBXNENb52tf1L1divK3w9aCBrv3Y="
"""Description and wallet code that USDT's master gives on mainnet."""
START_S, SECONDS_A_BLOCK = 1_700_000_000, 3
NOT_DEPLOYED, NO_METHOD = -13, 11
REMAINS = [["num", "0x14c97"]]
EMPTY_CELL = "te6cckEBAQEAAgAAAEysuc0="
_MASTERCHAIN, _WHOLE = -1, "-9223372036854775808"


class ApiError(Exception):
    """An error object of the API."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.answer = {"ok": False, "error": text, "code": status}


class SimulatedTon(SimulatedNode):
    """A server whose knobs are plain attributes; accounts are workchain byte and hash."""

    def __init__(
        self,
        seqno: int,
        balances: Mapping[bytes, int],
        *,
        later: Mapping[bytes, int] | None = None,
        states: Mapping[bytes, str] | None = None,
        jettons: Mapping[bytes, Mapping[bytes, int]] | None = None,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.seqno = seqno
        self.balances = {ELECTOR: ELECTOR_NANOTONS, **balances}
        self.later = dict(later or {})
        self.states = dict(states or {})
        self.jettons = {master: dict(held) for master, held in (jettons or {}).items()}
        self.contents: dict[bytes, str] = {}
        self.wallets: dict[bytes, tuple[str, str]] = {}
        self.suspended: set[bytes] = set()
        self.zero_state = MAINNET_ZERO_STATE
        self.global_id = -239
        self.seed = "ton"
        self.newest = seqno + 1000
        self.oldest = 0
        self.shard_client: int | None = None
        self.broken = 0
        self.ignores_seqno = self.hides_block = self.nameless = False
        self.empty_states = self.no_supply = self.methodless = False
        self.wrong_owner: bytes | None = None
        self.wrong_master: bytes | None = None
        self.exit_code: int | None = None
        self.odd: dict[str, Any] | None = None
        self.asked: list[tuple[str, int]] = []

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one request of the API."""
        method = request.path.rpartition("/")[2]
        try:
            result = self._answer(method, request.query, body)
        except ApiError as error:
            return json_response(error.answer, status=error.status)
        except (ValueError, KeyError, TypeError, msgspec.DecodeError):
            refused = ApiError(422, "failed to parse request")
            return json_response(refused.answer, status=refused.status)
        return json_response({"ok": True, "result": result, "@extra": "1700000000.0:0:0.5"})

    def _answer(self, method: str, query: Mapping[str, str], body: bytes) -> Any:
        if method == "getMasterchainInfo":
            return self._info()
        if method == "getBlockHeader":
            return self._header(int(query["seqno"]))
        if method == "getAddressInformation":
            return self._state(decode(query["address"], {}), int(query["seqno"]))
        if method == "runGetMethod" and not self.methodless:
            return self._run(msgspec.json.decode(body, type=dict[str, Any]))
        raise ApiError(404, "Not Found")

    def hash_of(self, kind: str, seqno: int) -> bytes:
        """Return a hash of a block."""
        return sha256(f"{self.seed} {kind} {seqno}".encode()).digest()

    def time_of(self, seqno: int) -> int:
        """Return the time of a block, Unix seconds."""
        return START_S + seqno * SECONDS_A_BLOCK

    def wallet_of(self, master: bytes, owner: bytes) -> bytes:
        """Return the address of an owner's wallet."""
        return b"\0" + sha256(master + owner).digest()

    def _block(self, seqno: int) -> dict[str, Any]:
        hashes = {f"{kind}_hash": _base64(self.hash_of(kind, seqno)) for kind in ("root", "file")}
        return _block_id(seqno, _WHOLE, **hashes)

    def _info(self) -> dict[str, Any]:
        root, file = self.zero_state
        return {
            "@type": "blocks.masterchainInfo",
            "last": self._block(self.newest),
            "state_root_hash": _base64(self.hash_of("state", self.newest)),
            "init": _block_id(0, "0", root, file),
        }

    def _within(self, seqno: int) -> None:
        if not self.oldest <= seqno <= self.newest:
            raise ApiError(
                500,
                "LITE_SERVER_NOTREADY: cannot find block (-1,8000000000000000) "
                f"seqno={seqno}: seqno not in db",
            )

    def _header(self, seqno: int) -> dict[str, Any]:
        self._within(seqno)
        return {
            "@type": "blocks.header",
            "id": self._block(seqno),
            "global_id": self.global_id,
            "version": 0,
            "is_key_block": False,
            "start_lt": str(seqno * 10**6),
            "end_lt": str(seqno * 10**6 + 4),
            "gen_utime": self.time_of(seqno),
            "prev_blocks": [self._block(seqno - 1)],
        }

    def _moment(self, what: str, seqno: int) -> tuple[int, dict[str, Any]]:
        """Return the block whose state is read, and the one that is named."""
        self.asked.append((what, seqno))
        self._within(seqno)
        if self.broken:
            self.broken -= 1
            raise ApiError(500, "LITE_SERVER_UNKNOWN: cannot get state: block handle not in db")
        if self.shard_client is not None and self.shard_client < seqno:
            lag = f"shard_client_seqno={self.shard_client} ls_seqno={self.newest}"
            text = f"block (0,8000000000000000,1) is not in db (possibly out of sync: {lag})"
            raise ApiError(500, f"LITE_SERVER_NOTREADY: cannot load block : {text}")
        read = self.newest if self.ignores_seqno or self.hides_block else seqno
        return read, self._block(seqno if self.hides_block else read)

    def _state(self, account: bytes, seqno: int) -> dict[str, Any]:
        read, named = self._moment("state", seqno)
        units, state = self._account(account, read)
        code, data = self.wallets.get(account, (EMPTY_CELL, EMPTY_CELL))
        return {
            "@type": "raw.fullAccountState",
            "balance": str(units) if units else 0,
            "extra_currencies": [],
            "last_transaction_id": {"@type": "internal.transactionId", "lt": "0", "hash": ""},
            "block_id": named,
            "code": code if state == "active" else "",
            "data": data if state == "active" else "",
            "frozen_hash": _base64(bytes(32)) if state == "frozen" else "",
            "sync_utime": self.time_of(read),
            "state": state,
            **({"suspended": True} if account in self.suspended else {}),
            **(self.odd or {}),
        }

    def _account(self, account: bytes, seqno: int) -> tuple[int, str]:
        """Return nanotons and state of an account after a block."""
        if self.empty_states:
            return 0, "uninitialized"
        units = self.balances.get(account, 0)
        if seqno > self.seqno:
            units = self.later.get(account, units)
        is_there = account in self.balances or account in self.jettons or self._owner(account)
        return units, self.states.get(account, "active" if is_there else "uninitialized")

    def _owner(self, wallet: bytes) -> tuple[bytes, bytes] | None:
        """Return master and owner of a wallet that is deployed."""
        for master, held in self.jettons.items():
            for owner in held:
                if self.wallet_of(master, owner) == wallet:
                    return master, owner
        return None

    def _run(self, asked: dict[str, Any]) -> dict[str, Any]:
        contract, seqno = decode(asked["address"], {}), asked["seqno"]
        _, named = self._moment(asked["method"], seqno)
        stack, code = self._returned(contract, asked["method"], asked["stack"])
        return {
            "@type": "smc.runResult",
            "gas_used": 0 if code == NOT_DEPLOYED else 1600,
            "stack": stack,
            "exit_code": code,
            **({} if self.nameless else {"block_id": named}),
            "last_transaction_id": {"@type": "internal.transactionId", "lt": "0", "hash": ""},
            **(self.odd or {}),
        }

    def _returned(self, contract: bytes, method: str, stack: list[Any]) -> tuple[list[Any], int]:
        """Return what a get method leaves on the stack, and its exit code."""
        if contract in self.jettons and method == "get_jetton_data":
            return self._jetton(contract), 0
        if contract in self.jettons and method == "get_wallet_address":
            owner = cells.address(cells.of_text(stack[0][1]))
            return [_slice(self.wallet_of(contract, owner))], 0
        whose = self._owner(contract)
        if whose is None or self.empty_states:
            return REMAINS, NO_METHOD if contract in self.balances else NOT_DEPLOYED
        if method != "get_wallet_data" or self.exit_code is not None:
            return REMAINS, self.exit_code or NO_METHOD
        master, owner = whose
        held = self.jettons[master][owner]
        addresses = [_slice(self.wrong_owner or owner), _slice(self.wrong_master or master)]
        return [["num", hex(held)], *addresses, ["cell", {"bytes": LIBRARY_CELL}]], 0

    def _jetton(self, master: bytes) -> list[Any]:
        supply = 0 if self.no_supply else sum(self.jettons[master].values())
        content = ["cell", {"bytes": self.contents.get(master, USDT_CONTENT)}]
        code = ["cell", {"bytes": LIBRARY_CELL}]
        return [["num", hex(supply)], ["num", "-0x1"], _slice(ELECTOR), content, code]


def _block_id(seqno: int, shard: str, root_hash: str, file_hash: str) -> dict[str, Any]:
    return {
        "@type": "ton.blockIdExt",
        "workchain": _MASTERCHAIN,
        "shard": shard,
        "seqno": seqno,
        "root_hash": root_hash,
        "file_hash": file_hash,
    }


def _slice(account: bytes) -> list[Any]:
    """Return a slice with an address as servers return it: a cell."""
    return ["cell", {"bytes": cells.address_bag(account)}]


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()

"""A small Solana RPC node: JSON-RPC over a ledger of lamports at one slot.

``balances`` are the lamports of accounts at the newest finalized slot. ``touched`` maps an
account to the slot of its last transaction; where it is not listed that is some slot below
``slot`` (derived from the key). The system program and the clock sysvar exist as on every
cluster, and transactions name the compute budget program in every block.

``tokens``, ``mints``, ``data`` (bytes of other accounts) and ``happened`` (transactions, in the
order in which they were executed) are of ``solana_ledger``; all accounts in them are 32 bytes.

Dangerous knobs: ``null_for_everything``; ``ignores_minimum`` with a low ``finalized`` (a
lagging node that does not say so); ``index_lag`` (a list of transactions that is behind the
accounts); ``skipped`` slots; ``first_available`` (a pruned ledger
that answers with an empty list of signatures); ``unlisted`` token accounts that their owner's list
lacks; ``lists_nothing`` (a token index that is empty); ``method_missing``. Answers follow
https://solana.com/docs/rpc/http in names, types and units.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from aiohttp import web

from chains.addresses import AddressError
from chains.addresses.base58 import base58_to_bytes, bytes_to_base58
from chains.simulated.node import Faults, SimulatedNode, json_response
from chains.simulated.solana_ledger import (
    RENT,
    Happened,
    Mint,
    TokenAccount,
    described,
    largest,
)

START_S = 1_584_368_940
SPREAD = 50_000
"""Accounts without a given slot were touched last within this many slots below the slot."""
SYSTEM_PROGRAM = "1" * 32
STANDING = {SYSTEM_PROGRAM: 1, "SysvarC1ock11111111111111111111111111111111": 1_169_280}
"""Accounts that exist on every cluster, with their lamports."""
BUSY = "ComputeBudget111111111111111111111111111111"
NATIVE_LOADER = "NativeLoader1111111111111111111111111111111"
MOST_ACCOUNTS = 100
VERSION = "3.0.0"

_Config = Mapping[str, Any]


class RpcError(Exception):
    """An error object of JSON-RPC."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.answer: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            self.answer["data"] = data


class SimulatedSolana(SimulatedNode):
    """A node whose knobs are plain attributes; amounts in lamports, accounts as 32 bytes.

    ``finalized`` is the newest finalized slot (``slot`` + 50 unless given). ``owners`` maps
    accounts to their program (base58, system program unless listed). ``sizes`` maps accounts
    to bytes of data. ``most_calls`` is the largest array of calls that is accepted.
    """

    def __init__(
        self,
        slot: int,
        balances: Mapping[bytes, int],
        *,
        finalized: int | None = None,
        touched: Mapping[bytes, int | None] | None = None,
        owners: Mapping[bytes, str] | None = None,
        sizes: Mapping[bytes, int] | None = None,
        skipped: Collection[int] = (),
        seed: str = "solana",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.slot = slot
        self.start_s = START_S
        self.balances = balances
        self.finalized = slot + 50 if finalized is None else finalized
        self.touched = dict(touched or {})
        self.owners = dict(owners or {})
        self.sizes = dict(sizes or {})
        self.skipped = frozenset(skipped)
        self.seed = seed
        self.first_available = 0
        self.null_for_everything = False
        self.ignores_minimum = False
        self.index_lag = 0
        self.keeps_signatures = True
        self.shuffles = False
        self.most_calls = 1000
        self.mints: dict[bytes, Mint] = {}
        self.tokens: dict[bytes, TokenAccount] = {}
        self.data: dict[bytes, bytes] = {}
        self.happened: list[Happened] = []
        self.unlisted: set[bytes] = set()
        self.lists_nothing = False
        self.method_missing: set[str] = set()
        self.page = 1000
        self.calls: dict[str, int] = {}
        self._methods: dict[str, Callable[[Sequence[Any]], Any]] = {
            "getGenesisHash": lambda _: self.genesis,
            "getSlot": lambda _: self.finalized,
            "getFirstAvailableBlock": lambda _: self.first_available,
            "getBlock": self._block,
            "getMultipleAccounts": self._accounts,
            "getSignaturesForAddress": self._signatures,
            "getTransaction": self._transaction,
            "getTokenAccountsByOwner": self._token_accounts,
            "getTokenLargestAccounts": self._largest,
        }

    @property
    def genesis(self) -> str:
        """The hash of the genesis configuration, base58."""
        return bytes_to_base58(sha256(f"{self.seed} genesis".encode()).digest())

    def block_hash(self, slot: int) -> str:
        """Return the hash of the block of a slot, base58."""
        return bytes_to_base58(sha256(f"{self.seed} {slot}".encode()).digest())

    def last_touched(self, account: bytes) -> int | None:
        """Return the slot of an account's last transaction, ``None`` if it never had one."""
        if account in self.touched:
            return self.touched[account]
        if account not in self.balances and account not in self.tokens:
            return None
        return max(1, self.slot - int.from_bytes(account[-4:], "big") % SPREAD)

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer a call or an array of calls."""
        del request
        try:
            asked = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return json_response(_failed(None, RpcError(-32700, "Parse error")))
        if not isinstance(asked, list):
            return json_response(self._one(asked))
        if len(asked) > self.most_calls:
            return json_response(_failed(None, RpcError(-32600, "batch is too large")), status=413)
        answers = [self._one(call) for call in asked]
        return json_response(answers[::-1] if self.shuffles else answers)

    def _one(self, call: Any) -> dict[str, Any]:
        if not isinstance(call, dict):
            return _failed(None, RpcError(-32600, "Invalid request"))
        name = str(call.get("method"))
        self.calls[name] = self.calls.get(name, 0) + 1
        method = None if name in self.method_missing else self._methods.get(name)
        if method is None:
            return _failed(call.get("id"), RpcError(-32601, "Method not found"))
        try:
            result = method(call.get("params", []))
        except RpcError as error:
            return _failed(call.get("id"), error)
        except (IndexError, TypeError, AddressError):
            return _failed(call.get("id"), RpcError(-32602, "Invalid params"))
        return {"jsonrpc": "2.0", "result": result, "id": call.get("id")}

    def _block(self, params: Sequence[Any]) -> dict[str, Any]:
        slot = params[0]
        if slot > self.finalized:
            raise RpcError(-32004, f"Block not available for slot {slot}")
        if slot < self.first_available:
            raise RpcError(
                -32001,
                f"Block {slot} cleaned up, does not exist on node. "
                f"First available block: {self.first_available}",
            )
        if slot in self.skipped:
            raise RpcError(
                -32007,
                f"Slot {slot} was skipped, or missing due to ledger jump to recent snapshot",
            )
        parent = slot - 1
        while parent in self.skipped:
            parent -= 1
        return {
            "blockHeight": slot,
            "blockTime": self.start_s + slot * 2 // 5,
            "blockhash": self.block_hash(slot),
            "parentSlot": parent,
            "previousBlockhash": self.block_hash(parent),
        }

    def _check_minimum(self, config: _Config) -> None:
        asked = config.get("minContextSlot", 0)
        if asked > self.finalized and not self.ignores_minimum:
            raise RpcError(
                -32016,
                "Minimum context slot has not been reached",
                {"contextSlot": self.finalized},
            )

    def _accounts(self, params: Sequence[Any]) -> dict[str, Any]:
        keys, config = params[0], params[1] if len(params) > 1 else {}
        if len(keys) > MOST_ACCOUNTS:
            raise RpcError(-32602, "Too many inputs provided; max 100")
        self._check_minimum(config)
        return self._now([self._account(key, config) for key in keys])

    def _now(self, value: object) -> dict[str, Any]:
        return {"context": {"apiVersion": VERSION, "slot": self.finalized}, "value": value}

    def _account(self, key: str, config: _Config) -> dict[str, Any] | None:
        if self.null_for_everything:
            return None
        if key in STANDING:
            owner = NATIVE_LOADER if key == SYSTEM_PROGRAM else "Sysvar" + "1" * 37
            return described(STANDING[key], owner, bytes(40), config)
        account = base58_to_bytes(key)
        if len(account) != 32:  # noqa: PLR2004
            raise RpcError(-32602, "Invalid param: WrongSize")
        if account in self.mints:
            mint = self.mints[account]
            return described(RENT, mint.program, mint.data(), config)
        if account in self.tokens:
            token = self.tokens[account]
            return described(RENT, self.mints[token.mint].program, token.data(), config)
        units = self.balances.get(account)
        if not units:
            return None
        owner = self.owners.get(account, SYSTEM_PROGRAM)
        data = self.data.get(account, bytes(self.sizes.get(account, 0)))
        return described(units, owner, data, config)

    def _token_accounts(self, params: Sequence[Any]) -> dict[str, Any]:
        owner, mint, config = base58_to_bytes(params[0]), params[1]["mint"], params[2]
        self._check_minimum(config)
        if base58_to_bytes(mint) not in self.mints:
            raise RpcError(-32602, "Invalid param: could not find mint")
        names = [
            bytes_to_base58(name)
            for name, token in self.tokens.items()
            if (token.owner, token.mint) == (owner, base58_to_bytes(mint))
            and name not in self.unlisted
        ]
        shown = [{"pubkey": name, "account": self._account(name, config)} for name in names]
        return self._now([] if self.lists_nothing else shown)

    def _largest(self, params: Sequence[Any]) -> dict[str, Any]:
        return self._now(largest(base58_to_bytes(params[0]), self.tokens))

    def _transaction(self, params: Sequence[Any]) -> dict[str, Any] | None:
        found = (one for one in self.happened if one.signature == params[0])
        one = next(found, None)
        return None if one is None else one.shown(self.start_s)

    def _signatures(self, params: Sequence[Any]) -> list[dict[str, Any]]:
        key, config = params[0], params[1] if len(params) > 1 else {}
        if not self.keeps_signatures:
            raise RpcError(-32011, "Transaction history is not available from this node")
        self._check_minimum(config)
        newest = self.finalized - self.index_lag
        listed = [
            (slot, signature)
            for slot, signature in self._listed(key, newest)
            if self.first_available <= slot <= newest
        ]
        signatures = [signature for _, signature in listed]
        if config.get("before"):
            listed = listed[signatures.index(config["before"]) + 1 :]
        return [
            {
                "blockTime": self.start_s + slot * 2 // 5,
                "confirmationStatus": "finalized",
                "err": None,
                "memo": None,
                "signature": signature,
                "slot": slot,
            }
            for slot, signature in listed[: min(self.page, config.get("limit", 1000))]
        ]

    def _listed(self, key: str, newest: int) -> list[tuple[int, str]]:
        """Return the transactions that name an account, newest first."""
        account = base58_to_bytes(key)
        own = [(one.slot, one.signature) for one in self.happened if account in one.lamports]
        if own and account not in self.touched:
            return own[::-1]
        last = newest if key == BUSY else self.last_touched(account)
        if last is None:
            return own[::-1]
        signature = bytes_to_base58(sha256(f"{key} {last}".encode()).digest() * 2)
        return sorted([*own[::-1], (last, signature)], key=lambda one: one[0], reverse=True)


def _failed(call_id: object, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": error.answer, "id": call_id}

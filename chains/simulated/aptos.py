"""A small Aptos fullnode: the REST API over a ledger of octas at one version.

``balances`` are APT at ``version``, which is the last one of block ``block``;
``0x1::coin::balance`` adds both halves of it, coin and fungible asset. ``tokens`` maps a metadata
address to what accounts have of it in their primary stores. ``keys`` are rotated authentication
keys, ``multisigs`` maps an account to owners and threshold, ``stakes`` maps (pool, account) to
active, inactive and pending inactive octas.

Dangerous knobs: ``without_store`` (accounts without the resource ``CoinStore`` at a version whose
framework knows nothing else: it aborts), ``ignores_version`` (answers for the tip),
``zero_views``, ``oldest`` (pruned: 410), ``newest`` (behind), ``stateless`` (an account that was
never created has default values), ``filtered`` (a view function that the operator does not
allow), ``odd`` (an answer in place of every view's). Names, types and errors follow
https://github.com/aptos-labs/aptos-core/blob/main/api/doc/spec.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha3_256
from typing import Any

import msgspec
from aiohttp import web

from chains.simulated.node import Faults, SimulatedNode, json_response

START_US = 1_760_000_000_000_000
BLOCK_SIZE = 5
PAYER = bytes.fromhex("ca11" * 16)
"""The account that sent the last user transaction before every version."""
PAYER_OCTAS = 987_654_321
APT = "0x1::aptos_coin::AptosCoin"
MULTISIG = "0x1::multisig_account::MultisigAccount"

Asked = Mapping[str, Any]


class ApiError(Exception):
    """An error object of the API."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message or code)
        self.status = status
        self.answer = {"message": message or code, "error_code": code, "vm_error_code": None}


class SimulatedAptos(SimulatedNode):
    """A node whose knobs are plain attributes; accounts are 32 bytes."""

    def __init__(
        self,
        version: int,
        balances: Mapping[bytes, int],
        *,
        tokens: Mapping[bytes, Mapping[bytes, int]] | None = None,
        keys: Mapping[bytes, bytes] | None = None,
        multisigs: Mapping[bytes, tuple[list[bytes], int]] | None = None,
        stakes: Mapping[tuple[bytes, bytes], tuple[int, int, int]] | None = None,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.version = version
        self.block = version // BLOCK_SIZE
        self.balances = {PAYER: PAYER_OCTAS, **balances}
        self.tokens = dict(tokens or {})
        self.keys = dict(keys or {})
        self.multisigs = dict(multisigs or {})
        self.stakes = dict(stakes or {})
        self.symbols: dict[bytes, tuple[str, int]] = {}
        self.paired: set[bytes] = set()
        self.without_store: set[bytes] = set()
        self.created: set[bytes] | None = None
        self.chain_id = 1
        self.seed = "aptos"
        self.newest = version + 1000
        self.oldest = 0
        self.ignores_version = False
        self.zero_views = False
        self.stateless = False
        self.no_payers = False
        self.filtered = ""
        self.odd: object = None
        self.views: list[tuple[str, int]] = []

    def digest(self, kind: str, number: int) -> str:
        """Return a hash of the ledger."""
        return "0x" + sha3_256(f"{self.seed} {kind} {number}".encode()).hexdigest()

    def time_us(self, version: int) -> int:
        """Return the time of the block in which a version lies, in microseconds."""
        return START_US + self._block_of(version) * 200_000

    def _block_of(self, version: int) -> int:
        return self.block + (version - self.version - 1) // BLOCK_SIZE + 1

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one request of the REST API."""
        parts = [part for part in request.path.split("/") if part and part != "v1"]
        try:
            return json_response(self._answer(request, parts, body))
        except ApiError as error:
            return json_response(error.answer, status=error.status)
        except (ValueError, KeyError, IndexError, TypeError, msgspec.DecodeError):
            return json_response(ApiError(400, "invalid_input").answer, status=400)

    def _answer(self, request: web.Request, parts: list[str], body: bytes) -> Any:
        if not parts:
            return self._index()
        if parts[0] in ("transactions", "blocks"):
            return self._ledger(request.query, parts)
        version = self._within(int(request.query.get("ledger_version", self.newest)))
        if parts == ["view"]:
            return self._view(msgspec.json.decode(body), version)
        if parts[0] == "accounts" and len(parts) == 2:  # noqa: PLR2004
            return self._account(_account(parts[1]))
        if parts[0] == "accounts" and parts[2:] == ["resource", MULTISIG]:
            return self._multisig(_account(parts[1]))
        raise ApiError(404, "web_framework_error", "not found")

    def _ledger(self, query: Mapping[str, str], parts: list[str]) -> Any:
        """Answer what is of the ledger, not of a state."""
        if parts[:2] == ["transactions", "by_version"]:
            return self._transaction(self._within(int(parts[2])))
        if parts[0] == "transactions":
            start, limit = int(query["start"]), int(query["limit"])
            return [self._transaction(self._within(start + i)) for i in range(min(limit, 100))]
        if parts[1] == "by_version":
            return self._block(self._block_of(self._within(int(parts[2]))))
        return self._block(int(parts[2]))

    def _within(self, version: int) -> int:
        if version < self.oldest:
            raise ApiError(410, "version_pruned", f"Ledger version({version}) has been pruned")
        if version > self.newest:
            raise ApiError(404, "version_not_found", f"Ledger version({version}) not found")
        return version

    def _index(self) -> dict[str, Any]:
        return {
            "chain_id": self.chain_id,
            "epoch": "14000",
            "ledger_version": str(self.newest),
            "oldest_ledger_version": str(self.oldest),
            "ledger_timestamp": str(self.time_us(self.newest)),
            "node_role": "full_node",
            "oldest_block_height": str(max(0, self._block_of(self.oldest))),
            "block_height": str(self._block_of(self.newest)),
            "git_hash": "0" * 40,
        }

    def _block(self, height: int) -> dict[str, Any]:
        last = self.version + (height - self.block) * BLOCK_SIZE
        if last > self.newest:
            raise ApiError(404, "block_not_found", f"Block not found by Block height({height})")
        if last < self.oldest:
            raise ApiError(410, "block_pruned", f"Block({height}) has been pruned")
        return {
            "block_height": str(height),
            "block_hash": self.digest("block", height),
            "block_timestamp": str(self.time_us(last)),
            "first_version": str(last - BLOCK_SIZE + 1),
            "last_version": str(last),
            "transactions": None,
        }

    def _transaction(self, version: int) -> dict[str, Any]:
        made: dict[str, Any] = {
            "version": str(version),
            "hash": self.digest("transaction", version),
            "state_change_hash": self.digest("change", version),
            "event_root_hash": self.digest("event", version),
            "state_checkpoint_hash": None,
            "gas_used": "0",
            "success": True,
            "vm_status": "Executed successfully",
            "accumulator_root_hash": self.digest("accumulator", version),
            "changes": [],
            "timestamp": str(self.time_us(version)),
        }
        place = (version - self.version) % BLOCK_SIZE
        if place == 0:
            return made | {"type": "block_epilogue_transaction"}
        if place == 1 or self.no_payers:
            return made | {"type": "block_metadata_transaction", "proposer": "0x1"}
        return made | {"type": "user_transaction", "sender": _text(PAYER), "gas_used": "9"}

    def _account(self, account: bytes) -> dict[str, str]:
        exists = account in (self.balances if self.created is None else self.created)
        if account not in self.keys and not exists and not self.stateless:
            raise ApiError(404, "account_not_found", f"Account not found by Address({account!r})")
        return {
            "sequence_number": "3" if exists else "0",
            "authentication_key": _text(self.keys.get(account, account)),
        }

    def _multisig(self, account: bytes) -> dict[str, Any]:
        if account not in self.multisigs:
            raise ApiError(404, "resource_not_found", "Resource not found")
        owners, threshold = self.multisigs[account]
        data = {
            "owners": ["0x" + owner.hex().lstrip("0") for owner in owners],
            "num_signatures_required": str(threshold),
            "last_executed_sequence_number": "0",
        }
        return {"type": MULTISIG, "data": data}

    def _view(self, asked: Asked, version: int) -> list[Any]:
        name, arguments = str(asked["function"]), asked["arguments"]
        self.views.append((name, version))
        if name == self.filtered:
            raise ApiError(403, "invalid_input", f"Function {name} is not allowed")
        if self.odd is not None:
            return self.odd  # type: ignore[return-value]
        at = self.newest if self.ignores_version else version
        if name == "0x1::timestamp::now_microseconds":
            return [str(self.time_us(at))]
        if name == "0x1::coin::balance" and asked["type_arguments"] == [APT]:
            return [str(self._coins(_account(arguments[0])))]
        if name == "0x1::delegation_pool::get_stake":
            pool, account = map(_account, arguments)
            if pool not in {one for one, _ in self.stakes}:
                raise ApiError(400, "invalid_input", "Move abort: pool does not exist")
            return [str(part) for part in self.stakes.get((pool, account), (0, 0, 0))]
        return [self._token(name, arguments)]

    def _coins(self, account: bytes) -> int:
        if account in self.without_store:
            raise ApiError(400, "invalid_input", "Move abort: ECOIN_STORE_NOT_PUBLISHED(0x60005)")
        return 0 if self.zero_views else self.balances.get(account, 0)

    def _token(self, name: str, arguments: list[str]) -> Any:
        metadata = _account(arguments[-1])
        if metadata not in self.tokens:
            raise ApiError(400, "invalid_input", "Move abort: object does not exist")
        held = self.tokens[metadata]
        symbol, decimals = self.symbols.get(metadata, ("USDt", 6))
        answers: dict[str, Any] = {
            "0x1::primary_fungible_store::balance": str(
                0 if self.zero_views else held.get(_account(arguments[0]), 0)
            ),
            "0x1::fungible_asset::supply": {
                "vec": [str(0 if self.zero_views else sum(held.values()))]
            },
            "0x1::fungible_asset::decimals": decimals,
            "0x1::fungible_asset::symbol": symbol,
            "0x1::coin::paired_coin": {"vec": [{}] if metadata in self.paired else []},
        }
        return answers[name]


def _text(account: bytes) -> str:
    return "0x" + account.hex()


def _account(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x").zfill(64))

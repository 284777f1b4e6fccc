"""A small Sui GraphQL service: checkpoints, balances as of them, coin metadata.

It reads the few shapes of queries that the adapter sends, not the whole language; what it cannot
read is the error ``GRAPHQL_PARSE_FAILED``. ``balances`` are MIST in coin objects at
``checkpoint``; ``address_balances`` the other half; ``coins`` maps a coin type to what accounts
have of it. ``stakes`` maps an account to the principals of its ``StakedSui`` objects,
``pool_tokens`` to those of a ``FungibleStakedSui``. What happened after the checkpoint stands in
``past`` (``chains.simulated.sui_past``), what stake earns in ``pools``.

Dangerous knobs: ``first_kept`` (older balances are "outside consistent range"), ``last_kept``
(the store of balances is behind the checkpoints), ``newest`` (the service is behind),
``zero_balances``, ``null_for`` (accounts whose balance fails with an internal error),
``forgets_half`` (the total without the address balance), ``lists_nothing`` (no object of anybody),
``no_objects`` (objects are not offered), ``most_objects`` (in one page), ``odd_stakes`` (their
contents without a principal), ``long_identifier`` (the chain as the
whole genesis digest), ``ignores_checkpoint`` (answers as of another), ``most_rich`` (balances in
one request). Names, types and errors follow
https://github.com/MystenLabs/sui/tree/main/crates/sui-indexer-alt-graphql.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from aiohttp import web

from chains.addresses.base58 import bytes_to_base58
from chains.simulated import sui_past, sui_pools
from chains.simulated.node import Faults, SimulatedNode, json_response

SUI = "0x2::sui::SUI"
SENDER = bytes.fromhex("5e" * 32)
SENDER_MIST = 123_456_789
MOST_BYTES = 5_000
"""The largest request that a service takes unless it is told otherwise."""
START_MS = 1_760_000_000_000
_AT = re.compile(r"checkpoint\(sequenceNumber:(\d+)\)")
_OBJECTS = re.compile(
    r'(\w+):address\(address:"0x(\w{64})"\)\{objects\(filter:\{type:"([^"]+)"\},'
    r'first:(\d+)(?:,after:"([^"]*)")?\)'
)
_BALANCE = re.compile(r'(\w+):address\(address:"0x(\w{64})"\)\{balance\(coinType:(\$t|"[^"]+")\)')


class SimulatedSui(SimulatedNode):
    """A service whose knobs are plain attributes; accounts are 32 bytes."""

    def __init__(
        self,
        checkpoint: int,
        balances: Mapping[bytes, int],
        *,
        address_balances: Mapping[bytes, int] | None = None,
        coins: Mapping[str, Mapping[bytes, int]] | None = None,
        stakes: Mapping[bytes, Sequence[int]] | None = None,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.checkpoint = checkpoint
        self.balances = {SENDER: SENDER_MIST, **balances}
        self.address_balances = dict(address_balances or {})
        self.coins = dict(coins or {})
        self.stakes = dict(stakes or {})
        self.pool_tokens: dict[bytes, int] = {}
        self.pools = sui_pools.Pools()
        self.lists_nothing = False
        self.no_objects = False
        self.odd_stakes = False
        self.most_objects = 50
        self.metadata: dict[str, dict[str, Any]] = {
            coin: {"decimals": 6, "symbol": "USDC"} for coin in self.coins
        }
        self.chain = "sui"
        self.seed = "sui"
        self.newest = checkpoint + 100
        self.first_kept = checkpoint - 10
        self.last_kept: int | None = None
        self.zero_balances = False
        self.null_for: set[bytes] = set()
        self.forgets_half = False
        self.long_identifier = False
        self.ignores_checkpoint = False
        self.no_senders = False
        self.most_rich = 21
        self.rich: list[int] = []
        self.past = sui_past.Past()

    @property
    def genesis(self) -> bytes:
        """The digest of the genesis checkpoint."""
        return sha256(f"{self.chain} genesis".encode()).digest()

    def digest(self, checkpoint: int) -> str:
        """Return the digest of a checkpoint, base58."""
        return bytes_to_base58(sha256(f"{self.seed} {checkpoint}".encode()).digest())

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one query."""
        del request
        if len(body) > MOST_BYTES:
            return json_response(_failed("Query payload is too large", "BAD_USER_INPUT"))
        try:
            asked = msgspec.json.decode(body)
            query, variables = asked["query"], asked.get("variables") or {}
        except (msgspec.DecodeError, KeyError, TypeError):
            return json_response(_failed("no query", "GRAPHQL_PARSE_FAILED"), status=400)
        errors: list[dict[str, Any]] = []
        data: dict[str, Any] = {}
        if "chainIdentifier" in query:
            whole = bytes_to_base58(self.genesis)
            data["chainIdentifier"] = whole if self.long_identifier else self.genesis[:4].hex()
            data["tip"] = {"sequenceNumber": self.newest}
        if query.startswith("{serviceConfig"):
            last = self.newest if self.last_kept is None else self.last_kept
            ends = {"first": self.first_kept, "last": last}
            kept = {name: {"sequenceNumber": number} for name, number in ends.items()}
            data["serviceConfig"] = {"availableRange": kept}
        at = _AT.search(query)
        if at is not None:
            data["checkpoint"] = self._checkpoint(int(at[1]), query, variables, errors)
        if not data or "query{}" in query:
            return json_response(_failed("expected a field", "GRAPHQL_PARSE_FAILED"), status=400)
        return json_response({"data": data, **({"errors": errors} if errors else {})})

    def _checkpoint(
        self, number: int, query: str, variables: Mapping[str, str], errors: list[dict[str, Any]]
    ) -> dict[str, Any] | None:
        if number > self.newest:
            return None
        at = number + 1 if self.ignores_checkpoint else number
        seconds, milliseconds = divmod(START_MS + at * 250, 1000)
        said: dict[str, Any] = {
            "sequenceNumber": at,
            "digest": self.digest(at),
            "timestamp": f"2025-10-09T{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:"
            f"{seconds % 60:02}.{milliseconds:03}Z",
            "previousCheckpointDigest": self.digest(at - 1),
        }
        if "transactions(last:20)" in query:
            sent = [] if self.no_senders else [{"sender": {"address": _text(SENDER)}}]
            said["transactions"] = {"nodes": [{"sender": None}, *sent]}
        if "query{" in query:
            said["query"] = self._fields(number, query, variables, errors)
        return said

    def _fields(
        self, number: int, query: str, variables: Mapping[str, str], errors: list[dict[str, Any]]
    ) -> dict[str, Any]:
        fields = self.past.fields(self, number, query)
        fields |= self.pools.fields(query)
        if "coinMetadata(" in query:
            fields["coin"] = self.metadata.get(variables["t"])
        for alias, digits, kind, first, after in _OBJECTS.findall(query):
            account = bytes.fromhex(digits)
            if self.no_objects:
                path = ["checkpoint", "query", alias, "objects"]
                errors.append({**_error("objects", "FEATURE_UNAVAILABLE"), "path": path})
                fields[alias] = {"objects": None}
            else:
                fields[alias] = {"objects": self._objects(account, kind, int(first), after)}
        asked = _BALANCE.findall(query)
        if asked:
            self.rich.append(len(asked))
        for i, (alias, digits, coin) in enumerate(asked):
            account = bytes.fromhex(digits)
            kind = variables["t"] if coin == "$t" else coin.strip('"')
            held = None
            reason = self._refuses(number, account, i)
            if reason:
                path = ["checkpoint", "query", alias, "balance"]
                errors.append({**reason, "path": path})
            else:
                held = self._held(number, account, kind)
                if self.past.zeros and "t:transactions(" in query:
                    held = dict.fromkeys(held, "0")
            fields[alias] = {"balance": held}
        return fields

    def _refuses(self, number: int, account: bytes, place: int) -> dict[str, Any]:
        """Return the error of one balance, empty where there is none."""
        last = self.newest if self.last_kept is None else self.last_kept
        if not self.first_kept <= number <= last:
            return _error("Request is outside consistent range", "BAD_USER_INPUT")
        if place >= self.most_rich:
            return _error("too many rich queries", "BAD_USER_INPUT")
        if account in self.null_for:
            return _error("Failed to fetch balance", "INTERNAL_SERVER_ERROR")
        return {}

    def _objects(self, account: bytes, kind: str, first: int, after: str) -> dict[str, Any]:
        if kind == "0x3::staking_pool":
            owned = [("StakedSui", units) for units in self.stakes.get(account, ())]
            if account in self.pool_tokens:
                owned.append(("FungibleStakedSui", self.pool_tokens[account]))
        else:
            owned = [("Coin", 1)] if self.balances.get(account) else []
        owned = [] if self.lists_nothing else owned
        start, count = int(after or 0), min(first, self.most_objects)
        nodes = [
            {
                "address": _text(sha256(account + bytes((place,))).digest()),
                "contents": {
                    "type": {"repr": f"0x{3:064x}::staking_pool::{name}"},
                    "json": None if self.odd_stakes else self.pools.stake(units),
                },
            }
            for place, (name, units) in enumerate(owned)
        ]
        end = start + count
        info = {"hasNextPage": end < len(owned), "endCursor": str(end) if nodes else None}
        return {"pageInfo": info, "nodes": nodes[start:end]}

    def _held(self, number: int, account: bytes, coin: str) -> dict[str, str]:
        is_native = coin == SUI
        coins = (self.balances if is_native else self.coins.get(coin, {})).get(account, 0)
        other = self.address_balances.get(account, 0) if is_native else 0
        coins += self.past.moved(account, coin, self.checkpoint, number)
        other += self.past.deposited(account, self.checkpoint, number) if is_native else 0
        if self.zero_balances:
            coins = other = 0
        total = coins if self.forgets_half else coins + other
        return {
            "totalBalance": str(total),
            "coinBalance": str(coins),
            "addressBalance": str(other),
        }


def _text(account: bytes) -> str:
    return "0x" + account.hex()


def _error(message: str, code: str) -> dict[str, Any]:
    return {"message": message, "extensions": {"code": code}}


def _failed(message: str, code: str) -> dict[str, Any]:
    return {"data": None, "errors": [_error(message, code)]}

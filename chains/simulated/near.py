"""A small NEAR node: JSON-RPC over a ledger of accounts at every height.

``balances`` are the liquid yoctoNEAR by account id; an account with 0 there does not exist unless
it is in ``empty``. ``staked`` are the locked ones. ``keys`` maps accounts to their access keys: key
text and permission as the protocol writes it. The producer of every block is ``AUTHOR``.

Dangerous knobs: ``unknown_for_everything`` (every account but the producer does not exist),
``forgets_everything`` (the producer neither), ``bare_errors`` (``UNKNOWN_ACCOUNT`` without the
account and the block, as some providers answer), ``answers_head`` (the state of the head,
whatever block was asked), ``first_block`` (older ones are deleted), ``skipped`` heights,
``untracked`` accounts (of a shard that the node does not hold). Answers follow
https://docs.near.org/api/rpc/introduction and https://docs.near.org/api/rpc/errors in names and
types.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from aiohttp import web

from chains.addresses.base58 import bytes_to_base58
from chains.simulated.node import Faults, SimulatedNode, json_response

AUTHOR = "astro-stakers.poolv1.near"
STAKE = 10**31
START_NS = 1_595_350_551_591_948_000
BLOCK_NS = 1_200_000_000
NO_CODE = "1" * 32
UNKNOWN_STATUS = 422
"""Status of an unknown block. Source: near/nearcore pull request 12402"""


class NearError(Exception):
    """An error by which the protocol answers."""

    def __init__(self, cause: str, info: Mapping[str, Any] | None = None) -> None:
        super().__init__(cause)
        self.answer = {
            "name": "HANDLER_ERROR",
            "cause": {"name": cause, "info": info or {}},
            "code": -32000,
            "message": "Server error",
            "data": f"{cause} {dict(info or {})}",
        }


class SimulatedNear(SimulatedNode):
    """A node whose knobs are plain attributes; amounts in yoctoNEAR, accounts as text."""

    def __init__(
        self,
        height: int,
        balances: Mapping[str, int],
        *,
        staked: Mapping[str, int] | None = None,
        keys: Mapping[str, Sequence[tuple[str, Any]]] | None = None,
        empty: Collection[str] = (),
        skipped: Collection[int] = (),
        seed: str = "near",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.balances = dict(balances)
        self.staked = {AUTHOR: STAKE, **(staked or {})}
        self.keys = dict(keys or {})
        self.empty = frozenset(empty)
        self.skipped = frozenset(skipped)
        self.seed = seed
        self.final = height + 100
        self.chain_id = "simulated"
        self.first_block: int | None = None
        self.unknown_for_everything = False
        self.forgets_everything = False
        self.bare_errors = False
        self.answers_head = False
        self.untracked: frozenset[str] = frozenset()
        self.names_another_block = False

    @property
    def genesis(self) -> str:
        """The hash of the genesis block, base58."""
        return self.block_hash(0)

    def block_hash(self, height: int) -> str:
        """Return the hash of a block, base58."""
        return bytes_to_base58(sha256(f"{self.seed} {height}".encode()).digest())

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one call; the protocol has no arrays of calls."""
        del request
        call = msgspec.json.decode(body)
        methods = {"status": self._status, "block": self._block, "query": self._query}
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        try:
            said["result"] = methods[call["method"]](call["params"])
        except NearError as error:
            unknown = error.answer["cause"] == {"name": "UNKNOWN_BLOCK", "info": {}}
            return json_response(said | {"error": error.answer}, UNKNOWN_STATUS if unknown else 200)
        return json_response(said)

    def _status(self, _: Any) -> dict[str, Any]:
        sync: dict[str, Any] = {"latest_block_height": self.final + 2, "syncing": False}
        if self.first_block is not None:
            sync["earliest_block_height"] = self.first_block
        return {
            "chain_id": self.chain_id,
            "genesis_hash": self.genesis,
            "protocol_version": 73,
            "sync_info": sync,
        }

    def _height(self, params: Mapping[str, Any]) -> int:
        """Return the height that is meant; raises ``NearError``."""
        asked = params.get("block_id")
        if params.get("finality") == "final":
            return self.final
        if isinstance(asked, str):  # a ledger this small knows the blocks around the head only
            near = range(max(0, self.final - 300), self.final + 1)
            asked = next((one for one in near if self._named(one) == asked), None)
        held = isinstance(asked, int) and (self.first_block or 0) <= asked <= self.final
        if not isinstance(asked, int) or not held or asked in self.skipped:
            raise NearError("UNKNOWN_BLOCK")
        return asked

    def _named(self, height: int) -> str:
        return self.block_hash(-height if self.names_another_block else height)

    def _block(self, params: Mapping[str, Any]) -> dict[str, Any]:
        height = self._height(params)
        header = {
            "height": height,
            "hash": self._named(height),
            "prev_hash": self._named(height - 1),
            "timestamp": START_NS + height * BLOCK_NS,
        }
        return {"author": AUTHOR, "header": header, "chunks": []}

    def _query(self, params: Mapping[str, Any]) -> dict[str, Any]:
        height = self.final if self.answers_head else self._height(params)
        where = {"block_height": height, "block_hash": self._named(height)}
        name = params["account_id"]
        if name in self.untracked:
            raise NearError("UNAVAILABLE_SHARD", {"requested_shard_id": 5})
        if params["request_type"] == "view_access_key_list":
            listed = [
                {"public_key": key, "access_key": {"nonce": 7, "permission": permission}}
                for key, permission in self.keys.get(name, ())
            ]
            return {"keys": listed, **where}
        liquid, locked = self.balances.get(name, 0), self.staked.get(name, 0)
        exists = bool(liquid or locked or name in self.empty)
        hidden = self.unknown_for_everything and name != AUTHOR
        if hidden or self.forgets_everything or not exists:
            info = {} if self.bare_errors else {"requested_account_id": name, **where}
            raise NearError("UNKNOWN_ACCOUNT", info)
        return {
            "amount": str(liquid),
            "locked": str(locked),
            "code_hash": NO_CODE,
            "storage_usage": 182,
            "storage_paid_at": 0,
            **where,
        }

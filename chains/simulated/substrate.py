"""A small Substrate node: JSON-RPC over balances and assets, a few blocks around one height.

``balances`` are ``free`` by account (32 bytes), at every height unless ``later`` maps a height to
what holds from there on; with 0 free and nothing reserved an account has no key. ``reserved`` and
``frozen`` are likewise. ``assets`` maps an asset's number to its accounts. ``TREASURY`` has a
balance and some of every asset. Headers are chained and hashed as the protocol does.

Dangerous knobs: ``moved`` (every account but the treasury is empty, as on a relay chain after its
balances moved), ``forgets_everything`` (null under every key), ``answers_head`` (the state of the
head, whatever block was asked), ``nulls_for_unknown`` (null instead of an error for a block that
it does not have, as chopsticks does), ``pruned`` heights, ``lacks`` (methods that it does not
offer), ``off_by`` (how far the named block is from the asked height), ``old_shape`` (accounts as
before 2021), ``reverses`` (values in another order), ``lies`` (key → hex text given instead),
``tampers`` (what is given instead of a node of a proof; nothing for ``None``), ``proves_at`` (the
block that a proof says it is of). Proofs are given at the node's height only, where the header's
root is that of a real trie (``state_version`` 0 or 1).

Spec: paritytech/polkadot-sdk substrate/client/rpc-api/src/{chain,state}; error texts as nodes of
2024 give them (substrate-api-sidecar issue 1562)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from hashlib import blake2b, sha256
from typing import Any

import msgspec
from aiohttp import web

from chains.adapters.substrate.storage import (
    NOW,
    account_key,
    asset_prefix,
    compact,
    hashed,
    metadata_key,
)
from chains.simulated.node import Faults, SimulatedNode, json_response
from chains.simulated.substrate_trie import Trie

TREASURY = b"modlpy/trsry".ljust(32, b"\0")
TREASURY_UNITS = 10**17
START_MS = 1_590_507_378_000
BLOCK_MS = 6000
SPAN = 16
"""Blocks that the node has on either side of its height."""
_FLAGS = 1 << 127


def _leave(node: bytes) -> bytes | None:
    return node


class RpcError(Exception):
    """An error object of the protocol."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.answer = {"code": code, "message": message}


class SimulatedSubstrate(SimulatedNode):
    """A node whose knobs are plain attributes; amounts in base units."""

    def __init__(
        self,
        height: int,
        balances: Mapping[bytes, int],
        *,
        reserved: Mapping[bytes, int] | None = None,
        frozen: Mapping[bytes, int] | None = None,
        assets: Mapping[int, Mapping[bytes, int]] | None = None,
        later: Mapping[int, Mapping[bytes, int]] | None = None,
        seed: str = "substrate",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.height = height
        self.balances = {TREASURY: TREASURY_UNITS, **balances}
        self.reserved = dict(reserved or {})
        self.frozen = dict(frozen or {})
        self.assets = {number: dict(held) for number, held in (assets or {}).items()}
        self.metadata = dict.fromkeys(self.assets, ("USDt", 6))
        self.later = dict(later or {})
        self.seed = seed
        self.genesis_text: str | None = None
        self.final = height + 3
        self.names_another_block = False
        self.off_by = 0
        self.moved = False
        self.forgets_everything = False
        self.answers_head = False
        self.nulls_for_unknown = False
        self.old_shape = False
        self.reverses = False
        self.pruned: Collection[int] = ()
        self.lacks: Collection[str] = ()
        self.lies: dict[bytes, Any] = {}
        self.state_version = 1
        self.proves_at = ""
        self.tampers: Callable[[bytes], bytes | None] = _leave

    @property
    def genesis(self) -> str:
        """The hash of block 0."""
        return self.genesis_text or "0x" + sha256(f"{self.seed} genesis".encode()).hexdigest()

    @cached_property
    def _trie(self) -> Trie:
        """The state at the node's height as a trie; its root stands in the header there."""
        state = self._truth(self.height)
        if self.names_another_block:
            state[b"another"] = b"block"
        return Trie(state, self.state_version)

    @cached_property
    def _chain(self) -> dict[int, tuple[str, dict[str, Any]]]:
        """Hash and header by height, each the parent of the next."""
        found: dict[int, tuple[str, dict[str, Any]]] = {}
        parent = sha256(f"{self.seed} before".encode()).hexdigest()
        for height in range(max(1, self.height - SPAN), self.height + SPAN):
            other = " other" if self.names_another_block else ""
            root = sha256(f"{self.seed} state {height}{other}".encode()).hexdigest()
            if height == self.height:
                root = self._trie.root.hex()
            body = sha256(f"{self.seed} body {height}".encode()).hexdigest()
            log = "06424142451001020304"
            encoded = bytes.fromhex(parent) + compact(height) + bytes.fromhex(root + body)
            encoded += compact(1) + bytes.fromhex(log)
            own = blake2b(encoded, digest_size=32).hexdigest()
            header = {
                "parentHash": f"0x{parent}",
                "number": hex(height),
                "stateRoot": f"0x{root}",
                "extrinsicsRoot": f"0x{body}",
                "digest": {"logs": [f"0x{log}"]},
            }
            found[height] = (f"0x{own}", header)
            parent = own
        return found

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer a call or an array of calls."""
        del request
        asked = msgspec.json.decode(body)
        if isinstance(asked, list):
            return json_response([self._called(one) for one in asked])
        return json_response(self._called(asked))

    def _called(self, call: Mapping[str, Any]) -> dict[str, Any]:
        methods: dict[str, Callable[..., Any]] = {
            "archive_v1_finalizedHeight": lambda: self.final,
            "chain_getBlockHash": self._block_hash,
            "chain_getFinalizedHead": lambda: self._chain[self.final][0],
            "chain_getHeader": lambda block: self._chain[self._height(block)][1],
            "state_getKeysPaged": self._keys,
            "state_queryStorageAt": self._query,
            "state_getReadProof": self._prove,
            "state_getStorage": self._single,
        }
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        if call["method"] not in methods or call["method"] in self.lacks:
            return said | {"error": {"code": -32601, "message": "Method not found"}}
        try:
            return said | {"result": methods[call["method"]](*call["params"])}
        except RpcError as error:
            return said | {"error": error.answer}

    def _block_hash(self, height: int) -> str | None:
        if height == 0:
            return self.genesis
        height += self.off_by
        return self._chain[height][0] if height in self._chain else None

    def _height(self, block: str) -> int:
        """Return the height of a block; raises ``RpcError``."""
        for height, (own, _) in self._chain.items():
            if own == block:
                return height
        text = f"Client error: UnknownBlock: Header was not found in the database: {block}"
        raise RpcError(4003, text)

    def _state(self, block: str) -> dict[bytes, bytes]:
        """Return the whole state at a block, by key; raises ``RpcError``."""
        try:
            height = self._height(block)
        except RpcError:
            if self.nulls_for_unknown:
                return {}
            raise
        if height in self.pruned:
            raise RpcError(4003, f"Client error: UnknownBlock: State already discarded for {block}")
        if self.forgets_everything:
            return {}
        return self._truth(self.final if self.answers_head else height)

    def _truth(self, height: int) -> dict[bytes, bytes]:
        """Return what stands at a height."""
        state = {NOW: (START_MS + height * BLOCK_MS).to_bytes(8, "little")}
        state |= self._accounts(height)
        for number, held in self.assets.items():
            for account, units in {TREASURY: 10**9, **held}.items():
                if units:
                    key = asset_prefix(number) + hashed(account)
                    state[key] = units.to_bytes(16, "little") + bytes((0, 1))
            symbol, decimals = self.metadata[number]
            texts = (compact(len(text)) + text.encode() for text in ("Tether USD", symbol))
            state[metadata_key(number)] = bytes(16) + b"".join(texts) + bytes((decimals, 0))
        return state

    def _accounts(self, height: int) -> dict[bytes, bytes]:
        free = dict(self.balances)
        for since, changed in sorted(self.later.items()):
            free |= changed if since <= height else {}
        found: dict[bytes, bytes] = {}
        for account in free.keys() | self.reserved.keys():
            units = free.get(account, 0), self.reserved.get(account, 0)
            if any(units) and (not self.moved or account == TREASURY):
                found[account_key(account)] = self._account(*units, self.frozen.get(account, 0))
        return found

    def _account(self, free: int, reserved: int, frozen: int) -> bytes:
        """Encode an account: the shape of today, or that with two frozen amounts."""
        counters = (7, 0, 1) if self.old_shape else (7, 0, 1, 0)
        last = frozen // 2 if self.old_shape else _FLAGS
        amounts = (free, reserved, frozen, last)
        head = b"".join(one.to_bytes(4, "little") for one in counters)
        return head + b"".join(one.to_bytes(16, "little") for one in amounts)

    def _keys(self, prefix: str, count: int, start: str, block: str) -> list[str]:
        keys = sorted("0x" + key.hex() for key in self._state(block))
        return [key for key in keys if key.startswith(prefix) and key > start][:count]

    def _value(self, state: Mapping[bytes, bytes], text: str) -> Any:
        key = bytes.fromhex(text[2:])
        if key in self.lies:
            return self.lies[key]
        return "0x" + state[key].hex() if key in state else None

    def _query(self, keys: list[str], block: str) -> list[dict[str, Any]]:
        state = self._state(block)
        keys = keys[::-1] if self.reverses else keys
        return [{"block": block, "changes": [[key, self._value(state, key)] for key in keys]}]

    def _prove(self, keys: list[str], block: str) -> dict[str, Any]:
        if self._height(block) != self.height:
            raise RpcError(4003, f"Client error: UnknownBlock: State already discarded for {block}")
        nodes = self._trie.prove(bytes.fromhex(key[2:]) for key in keys)
        proof = [self.tampers(node) for node in nodes]
        kept = [node for node in proof if node is not None]
        at = self.proves_at or block
        return {"at": at, "proof": ["0x" + node.hex() for node in kept]}

    def _single(self, key: str, block: str) -> Any:
        return self._value(self._state(block), key)

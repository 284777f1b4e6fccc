"""A small aelf node: its web API over a ledger that stands at the head of the best chain.

``balances`` are ELF in base units at the head, ``tokens`` balances of other tokens by symbol.
``PRODUCER`` signs every block and holds ELF, and so does ``SENDER``, who sent a transaction in
every block. ``events`` maps a height to what its transactions fired, for heights after the pinned
one: (name, fields) of events of the token contract.

Dangerous knobs: ``best`` past the block, ``moves`` (the head grows by one with every call),
``final`` below the head, ``zero_for_everything``, ``echoes_another`` (an owner that was not
asked), ``says_nothing`` (an empty answer), ``bare`` (hex digits without quotes, as the node sends
to who accepts anything), ``unnamed_fees`` (events of a fee that name nobody), ``loses_results`` (a
block's transactions are told in part), ``claims_transactions`` (so many in every block),
``breaks_links`` (blocks that do not link up), ``stands`` (best height and branch that the next
``chainStatus`` name, whatever is true), ``switches_branch`` (after the balances another branch is
the best). Answers follow
AElfProject/AElf src/AElf.WebApp.Application.Chain in names and types; a call whose signature does
not verify is refused as the node does it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
from aiohttp import web
from coincurve import PrivateKey, PublicKey

from chains.adapters.aelf import calls, protobuf
from chains.addresses.aelf import encode
from chains.simulated.node import Faults, SimulatedNode, json_response

KEY = PrivateKey(sha256(b"producer").digest()).public_key.format(compressed=False)
PRODUCER = calls.address_of(KEY)
SENDER = b"\x5e" * 32
GENESIS, TOKEN = b"\x01" * 32, b"\x02" * 32
START_S = 1_607_580_000
INVALID_SIGNATURE, INVALID_TRANSACTION, NOT_FOUND = "20013", "20008", "20001"
_SIGNATURE = 10000
_SIGNATURE_BYTES = 68  # the key of field 10000 (3), the length (1), the signature (65), less one


class SimulatedAelf(SimulatedNode):
    """A node whose knobs are plain attributes; amounts in base units, accounts as 32 bytes."""

    def __init__(
        self,
        height: int,
        balances: Mapping[bytes, int],
        *,
        tokens: Mapping[str, Mapping[bytes, int]] | None = None,
        events: Mapping[int, Sequence[tuple[str, bytes]]] | None = None,
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.balances = {PRODUCER: 10**12, SENDER: 10**9, **balances}
        self.tokens = {symbol: dict(held) for symbol, held in (tokens or {}).items()}
        self.aliases: dict[str, str] = {}
        self.events = dict(events or {})
        self.best = height
        self.final: int | None = None
        self.chain = "AELF"
        self.seed = "aelf"
        self.fork = ""
        self.version = "1.12.1"
        self.token_contract = TOKEN
        self.moves = False
        self.zero_for_everything = False
        self.echoes_another = False
        self.says_nothing = False
        self.bare = False
        self.unnamed_fees = False
        self.loses_results = False
        self.breaks_links = False
        self.claims_transactions = 0
        self.switches_branch = False
        self.stands: list[tuple[int, str]] = []

    @property
    def genesis_hash(self) -> str:
        """The hash of the first block."""
        return sha256(f"{self.seed} 1".encode()).hexdigest()

    def block_hash(self, height: int, fork: str | None = None) -> str:
        """Return the hash of a block."""
        branch = self.fork if fork is None else fork
        return sha256(f"{self.seed}{branch} {height}".encode()).hexdigest()

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer a path."""
        query = request.query
        match request.path.rsplit("/", 1)[-1]:
            case "chainStatus":
                return json_response(self._status())
            case "networkInfo":
                return json_response({"Version": self.version, "ProtocolVersion": 1})
            case "blockByHeight":
                return self._block(int(query["blockHeight"]))
            case "transactionResults":
                return self._results(query["blockHash"], int(query["offset"]))
            case "executeTransaction":
                return self._execute(bytes.fromhex(msgspec.json.decode(body)["RawTransaction"]))
            case _:
                return web.Response(status=404)

    def _status(self) -> dict[str, Any]:
        best, fork = self.stands.pop(0) if self.stands else (self.best, self.fork)
        final, head = best if self.final is None else self.final, self.block_hash(best, fork)
        return {
            "ChainId": self.chain,
            "Branches": {head: best},
            "NotLinkedBlocks": {},
            "LongestChainHeight": best,
            "LongestChainHash": head,
            "GenesisBlockHash": self.genesis_hash,
            "GenesisContractAddress": encode(GENESIS, {}),
            "LastIrreversibleBlockHash": self.block_hash(final),
            "LastIrreversibleBlockHeight": final,
            "BestChainHash": head,
            "BestChainHeight": best,
        }

    def _block(self, height: int) -> web.Response:
        if not 1 <= height <= self.best:
            return _refused(NOT_FOUND, "Not found")
        broken = self.breaks_links and height > 1
        when = datetime.fromtimestamp(START_S + height // 2, UTC)
        header = {
            "PreviousBlockHash": self.block_hash(-1 if broken else height - 1),
            "Height": height,
            "Time": when.strftime("%Y-%m-%dT%H:%M:%S.1234567Z"),
            "ChainId": self.chain,
            "SignerPubkey": KEY.hex(),
        }
        count = self.claims_transactions or 1 + len(self.events.get(height, ()))
        body = {"TransactionsCount": count, "Transactions": None}
        return json_response({"BlockHash": self.block_hash(height), "Header": header, "Body": body})

    def _results(self, named: str, offset: int) -> web.Response:
        known = (height for height in range(self.best, max(0, self.best - 3000), -1))
        height = next((one for one in known if self.block_hash(one) == named), None)
        if height is None:
            return _refused(NOT_FOUND, "Not found")
        results = [_result(named, [])]
        for name, fields in self.events.get(height, ()):
            shown = b"\x0a\x03ELF" if self.unnamed_fees else fields
            results.append(_result(named, [(name, shown)]))
        kept = results[:-1] if self.loses_results else results
        return json_response(kept[offset : offset + 100])

    def _execute(self, raw: bytes) -> web.Response:
        sent = protobuf.parse(raw)
        signature = protobuf.one_bytes(sent, _SIGNATURE)
        digest = sha256(raw[: -_SIGNATURE_BYTES - 1]).digest()
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
        sender = protobuf.one_bytes(sent, 1)
        if calls.message(calls.address_of(key.format(compressed=False))) != sender:
            return _refused(INVALID_SIGNATURE, "Invalid signature")
        method, params = protobuf.one_bytes(sent, 5).decode(), protobuf.one_bytes(sent, 6)
        self.best += int(self.moves)
        self.fork = "other" if self.switches_branch else self.fork
        if self.says_nothing:
            return web.Response(text="", content_type="text/plain")
        if protobuf.one_bytes(sent, 2) == calls.message(GENESIS):
            found = calls.message(self.token_contract) if params else b""
        elif method == "GetTokenInfo":
            found = self._token(protobuf.one_bytes(protobuf.parse(params), 1).decode())
        elif method == "GetBalance":
            found = self._balance(params)
        else:
            return _refused(INVALID_TRANSACTION, "Invalid transaction information")
        if self.bare or not found:
            return web.Response(text=found.hex(), content_type="text/plain")
        return json_response(found.hex())

    def _token(self, asked: str) -> bytes:
        symbol = self.aliases.get(asked, asked)
        if symbol != "ELF" and symbol not in self.tokens:
            return b""
        name = protobuf.text(1, symbol.encode()) + protobuf.text(2, b"A token")
        return name + protobuf.integer(3, 10**15) + protobuf.integer(5, 8)

    def _balance(self, params: bytes) -> bytes:
        asked = protobuf.parse(params)
        symbol, owner = protobuf.one_bytes(asked, 1), protobuf.one_bytes(asked, 2)
        name = self.aliases.get(symbol.decode(), symbol.decode())
        held = self.balances if name == "ELF" else self.tokens.get(name, {})
        units = 0 if self.zero_for_everything else held.get(owner[2:], 0)
        shown = calls.message(b"\x77" * 32) if self.echoes_another else owner
        return protobuf.text(1, symbol) + protobuf.text(2, shown) + protobuf.integer(3, units)


def _result(named: str, fired: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
    logs = [
        {
            "Address": encode(TOKEN, {}),
            "Name": name,
            "Indexed": [],
            "NonIndexed": b64encode(fields).decode(),
        }
        for name, fields in fired
    ]
    return {
        "TransactionId": sha256(named.encode()).hexdigest(),
        "Status": "MINED",
        "Logs": logs,
        "BlockHash": named,
        "Transaction": {"From": encode(SENDER, {}), "To": encode(TOKEN, {})},
        "Error": None,
    }


def _refused(code: str, message: str) -> web.Response:
    error: dict[str, object] = {"code": code, "message": message, "details": None, "data": {}}
    return json_response({"error": error}, 403)

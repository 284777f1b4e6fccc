"""A simulated server of the Electrum protocol, over a chain of real headers and transactions.

Blocks hold a reward and what the ledger says; ids, Merkle roots and header hashes are computed, so
that a client which checks them finds them right. Answers have the shape of ElectrumX 2.0 at
protocol 1.6: nothing is answered before ``server.version``, headers are hex, histories list what
is in blocks first.

Spec: https://electrumx.readthedocs.io/en/latest/protocol-methods.html
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import msgspec

from chains.simulated.node import Faults, SimulatedNode, counted

COIN = 100_000_000
REWARD = 50 * COIN
_NOTIFICATION = (
    b'{"jsonrpc":"2.0","method":"blockchain.headers.subscribe","params":[{"height":1}]}\n'
)


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction in the block at ``height``: outpoints as (txid, vout), outputs in satoshi."""

    height: int
    spends: tuple[tuple[str, int], ...]
    pays: tuple[tuple[bytes, int], ...]

    @property
    def raw(self) -> bytes:
        """The transaction as bytes, without witnesses."""
        inputs = b"".join(
            bytes.fromhex(txid)[::-1] + vout.to_bytes(4, "little") + b"\x00" + b"\xff" * 4
            for txid, vout in self.spends
        )
        return _transaction(len(self.spends), inputs, self.pays)

    @property
    def txid(self) -> str:
        """Its id, usual order."""
        return _sha256d(self.raw)[::-1].hex()


class ElectrumFaults(Faults, kw_only=True):
    """The dangerous answers of this protocol, beside the knobs that all nodes share.

    ``wrong_chain``: another block 0. ``other_block``: another hash for every later block.
    ``silent_zero``: all balances are 0. ``no_history``: all histories are empty. ``forgetful``:
    histories end with the pinned block. ``half_history``: they lack their first transaction.
    ``made_up``: transactions of other amounts under the same ids. ``odd_branch``: Merkle branches
    of another block. ``too_large``: every long history is an error. ``moving``: a block arrives
    with every question for balances, so often as it says. ``notify``: a notification before every
    answer. ``negative``: balances below zero. ``unordered``: answers of an array backwards.
    """

    wrong_chain: bool = False
    other_block: bool = False
    silent_zero: bool = False
    no_history: bool = False
    forgetful: int = 0
    half_history: bool = False
    made_up: bool = False
    odd_branch: bool = False
    too_large: int = 0
    moving: int = 0
    notify: bool = False
    negative: bool = False
    unordered: bool = False


class _RpcError(Exception):
    """Becomes the ``error`` of an answer."""


class SimulatedElectrum(SimulatedNode):
    """A server whose newest block is ``tip``. ``waiting`` are transactions in no block."""

    faults: ElectrumFaults

    def __init__(
        self,
        transfers: Iterable[Transfer] = (),
        *,
        tip: int = 100,
        faults: ElectrumFaults | None = None,
        miner: bytes = b"\x51",
    ) -> None:
        super().__init__(faults or ElectrumFaults())
        self.transfers = list(transfers)
        self.waiting: list[Transfer] = []
        self.tip = tip
        self.miner = miner
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[Any] | None] = set()

    async def start(self, port: int = 0) -> Self:
        """Listen on 127.0.0.1; port 0 takes a free one."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def stop(self) -> None:
        """Stop listening and drop all connections."""
        self._hanging.set()
        if self._server is not None:
            self._server.close()
            self.drop()
            await asyncio.gather(*filter(None, self._serving), return_exceptions=True)
            await self._server.wait_closed()
            self._server = None

    def drop(self) -> None:
        """End every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    def reward(self, height: int) -> bytes:
        """Return the transaction that pays a block's reward."""
        script = height.to_bytes(4, "little") + (b"x" if self.faults.wrong_chain else b"")
        inputs = bytes(32) + b"\xff" * 4 + bytes([len(script)]) + script + b"\xff" * 4
        return _transaction(1, inputs, [(self.miner, REWARD), (b"\x6a\x00", 0)])

    def reward_id(self, height: int) -> str:
        """Return the id of a block's reward."""
        return _sha256d(self.reward(height))[::-1].hex()

    def txids(self, height: int) -> list[str]:
        """Return the ids of a block's transactions, the reward first."""
        own = [one.txid for one in self.transfers if one.height == height]
        return [self.reward_id(height), *own]

    def header(self, height: int) -> bytes:
        """Return the 80 bytes of a block's header."""
        before = bytes(32) if not height else _sha256d(self._headers(height - 1))
        return self._made(height, before)

    def block_hash(self, height: int) -> str:
        """Return a block's hash, usual order."""
        return _sha256d(self.header(height))[::-1].hex()

    @property
    def genesis(self) -> str:
        """The hash of block 0, usual order."""
        return self.block_hash(0)

    def units(self, script: bytes, height: int) -> int:
        """Return what a script holds at a height, by the ledger."""
        coins = {
            (self.reward_id(one), 0): REWARD if script == self.miner else 0
            for one in range(height + 1)
        }
        for one in sorted(self.transfers, key=lambda transfer: transfer.height):
            if one.height <= height:
                for spent in one.spends:
                    coins.pop(spent, None)
                for vout, (paid, units) in enumerate(one.pays):
                    coins[one.txid, vout] = units if paid == script else 0
        return sum(coins.values())

    def _headers(self, height: int) -> bytes:
        made = b""
        for one in range(height + 1):
            made = self._made(one, _sha256d(made) if made else bytes(32))
        return made

    def _made(self, height: int, before: bytes) -> bytes:
        root = _merkle(self.txids(height))[0]
        time = (1_296_688_602 + 600 * height).to_bytes(4, "little")
        bits = b"\xff\x7f\x20\x00" if height and self.faults.other_block else b"\xff\xff\x7f\x20"
        return (1).to_bytes(4, "little") + before + root + time + bits + bytes(4)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._serving.add(asyncio.current_task())
        self._writers.add(writer)
        greeted = False
        try:
            while line := await reader.readline():
                if not greeted:
                    greeted = b'"server.version"' in line
                    writer.write(self._greet(line) if greeted else b"")
                    if not greeted:
                        break
                    continue
                self.requests += 1
                self.counted += counted(line)
                await self._answer(line, writer)
        except (ConnectionError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _greet(self, line: bytes) -> bytes:
        asked = msgspec.json.decode(line)
        return msgspec.json.encode({"id": asked["id"], "result": ["Simulated", "1.6"]}) + b"\n"

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        faults = self.faults
        if self._strikes("hang", faults.hang_every):
            await self._hanging.wait()
        if self._strikes("cut", faults.cut_every):
            writer.transport.abort()
            return
        answer = msgspec.json.encode(self._answers(msgspec.json.decode(line)))
        if self._strikes("truncate", faults.truncate_every):
            writer.write(answer[: len(answer) // 2])
            writer.close()
            return
        if self._strikes("oversize", faults.oversize_every):
            answer = b" " * faults.oversize_bytes
        elif self._strikes("bad-json", faults.bad_json_every):
            answer += b"}"
        elif self._strikes("html", faults.html_every):
            answer = b"<html>busy</html>"
        writer.write((_NOTIFICATION if faults.notify else b"") + answer + b"\n")
        await writer.drain()

    def _answers(self, calls: Any) -> Any:
        if not isinstance(calls, list):
            return self._call(calls)
        answers = [self._call(call) for call in calls]
        return answers[::-1] if self.faults.unordered else answers

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        head = {"jsonrpc": "2.0", "id": call["id"]}
        methods: dict[str, Callable[..., Any]] = {
            "server.features": self._features,
            "blockchain.headers.subscribe": self._subscribe,
            "blockchain.block.header": self._header,
            "blockchain.scripthash.get_balance": self._balance,
            "blockchain.scripthash.get_history": self._history,
            "blockchain.transaction.get": self._get,
            "blockchain.transaction.id_from_pos": self._place,
        }
        try:
            return {**head, "result": methods[call["method"]](*call["params"])}
        except _RpcError as error:
            return {**head, "error": {"code": 1, "message": str(error)}}

    def _features(self) -> dict[str, Any]:
        return {"genesis_hash": self.genesis, "server_version": "Simulated", "pruning": None}

    def _subscribe(self) -> dict[str, Any]:
        return {"height": self.tip, "hex": self.header(self.tip).hex()}

    def _header(self, height: int) -> str:
        if not 0 <= height <= self.tip:
            raise _RpcError(f"height {height:,d} out of range")
        return self.header(height).hex()

    def _balance(self, scripthash: str, *_: str) -> dict[str, int]:
        if self.faults.moving:
            self.faults.moving -= 1
            self.caused["moving"] += 1
            self.tip += 1
        units = sum(self.units(script, self.tip) for script in self._scripts(scripthash))
        if self.faults.silent_zero:
            self.caused["silent-zero"] += 1
            units = 0
        return {"confirmed": -1 if self.faults.negative else units, "unconfirmed": -7}

    def _history(self, scripthash: str) -> list[dict[str, Any]]:
        faults = self.faults
        (script,) = self._scripts(scripthash) or (b"",)
        found: list[dict[str, Any]] = [
            {"tx_hash": self.reward_id(height), "height": height}
            for height in range(self.tip + 1)
            if script == self.miner and height
        ]
        made = {
            (one.txid, i): paid for one in self.transfers for i, (paid, _) in enumerate(one.pays)
        }
        for one in [*self.transfers, *self.waiting]:
            touches = any(paid == script for paid, _ in one.pays)
            touches |= any(made.get(spent, self.miner) == script for spent in one.spends)
            if script and touches and one.height <= self.tip:
                found.append({"tx_hash": one.txid, "height": one.height})
        if faults.too_large and len(found) > faults.too_large:
            raise _RpcError("history too large")
        if faults.no_history or faults.half_history:
            self.caused["history"] += 1
            found = [] if faults.no_history else found[1:]
        if faults.forgetful:
            self.caused["history"] += 1
            found = [one for one in found if one["height"] <= faults.forgetful]
        return sorted(found, key=lambda one: one["height"] if one["height"] > 0 else 1 << 40)

    def _get(self, txid: str) -> str:
        known = {one.txid: one.raw for one in self.transfers}
        known |= {self.reward_id(height): self.reward(height) for height in range(self.tip + 1)}
        if txid not in known:
            raise _RpcError("daemon error: No such mempool or blockchain transaction")
        raw = bytearray(known[txid])
        if self.faults.made_up:
            self.caused["made-up"] += 1
            raw[-20] ^= 1
        return raw.hex()

    def _place(self, height: int, position: int, merkle: bool) -> Any:  # noqa: FBT001
        if not 0 <= height <= self.tip:
            raise _RpcError(f"height {height:,d} out of range")
        txids = self.txids(height)
        if position >= len(txids):
            raise _RpcError(f"no tx at position {position:,d}")
        branch = _merkle(txids, position)[1]
        if self.faults.odd_branch:
            self.caused["odd-branch"] += 1
            branch = [*branch, "ab" * 32]
        return {"tx_hash": txids[position], "merkle": branch} if merkle else txids[position]

    def _scripts(self, scripthash: str) -> list[bytes]:
        known = {self.miner, *(paid for one in self.transfers for paid, _ in one.pays)}
        return [one for one in known if hashlib.sha256(one).digest()[::-1].hex() == scripthash]


def _transaction(count: int, inputs: bytes, pays: Sequence[tuple[bytes, int]]) -> bytes:
    outputs = b"".join(
        units.to_bytes(8, "little") + bytes([len(script)]) + script for script, units in pays
    )
    head = (2).to_bytes(4, "little") + bytes([count])
    return head + inputs + bytes([len(pays)]) + outputs + bytes(4)


def _merkle(txids: Sequence[str], position: int = 0) -> tuple[bytes, list[str]]:
    """Return the root and the branch of one transaction."""
    nodes = [bytes.fromhex(txid)[::-1] for txid in txids]
    branch: list[str] = []
    while len(nodes) > 1:
        nodes += nodes[-1:] if len(nodes) % 2 else []
        branch.append(nodes[position ^ 1][::-1].hex())
        nodes = [_sha256d(nodes[i] + nodes[i + 1]) for i in range(0, len(nodes), 2)]
        position >>= 1
    return nodes[0], branch


def _sha256d(raw: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(raw).digest()).digest()

"""A simulated Bitcoin Core: the RPC that the adapter calls, and UTXO set dumps.

The ledger is a list of coins with the heights at which they were made. Block headers are
real: 80 bytes, chained, hashing to the block's hash. Answers have the shape of Bitcoin Core
29 (``scantxoutset`` with ``unspents``, amounts as JSON decimals); errors are those of its
source. JSON-RPC arrays and single calls are both understood.

Spec: https://developer.bitcoin.org/reference/rpc/
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from chains.adapters.bip122 import dump
from chains.simulated.node import Faults, SimulatedNode

REGTEST_MAGIC = bytes.fromhex("fabfb5da")
"""src/kernel/chainparams.cpp, CRegTestParams."""
GENESIS_TIME = 1_296_688_602
BLOCK_SECONDS = 600
SALT = "recount"


class SimulatedCoin(msgspec.Struct, frozen=True, kw_only=True):
    """One output. ``txid`` is hex in the usual order, ``units`` are satoshi.

    ``spent`` is the height at which it is spent, 0 where it never is.
    """

    txid: str
    vout: int
    height: int
    units: int
    script: bytes
    coinbase: bool = False
    spent: int = 0


class CoreFaults(Faults, kw_only=True):
    """The dangerous answers of this family, beside the knobs that all nodes share.

    ``wrong_chain``: another block 0. ``other_block``: another hash at every other height.
    ``silent_zero``: a scan that finds nothing, though it says that it was complete.
    ``partial_scan``: a scan that says it was not. ``scan_in_progress``: another scan runs.
    ``no_scan``: the method is missing. ``drop_coin``: a coin is left out of the list but not
    of the total. ``moving_tip``: a block arrives while a scan runs. ``pruned``: the blocks are
    gone, not their headers. ``warming_up``: error -28 to everything.
    """

    wrong_chain: bool = False
    other_block: bool = False
    silent_zero: bool = False
    partial_scan: bool = False
    scan_in_progress: bool = False
    no_scan: bool = False
    drop_coin: bool = False
    moving_tip: bool = False
    pruned: bool = False
    warming_up: bool = False


class RpcError(Exception):
    """Becomes the ``error`` of an answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class SimulatedCore(SimulatedNode):
    """A node with ``coins`` and its tip at ``tip``. Both may be changed while it runs.

    ``salt`` makes another chain, which from ``forked_at`` on differs from that of the default.
    ``names_block=False``: scans do not name their block, as those of Bitcoin Cash Node.
    """

    faults: CoreFaults

    def __init__(
        self,
        coins: Iterable[SimulatedCoin] = (),
        *,
        tip: int = 100,
        faults: CoreFaults | None = None,
        salt: str = SALT,
        forked_at: int = 0,
        names_block: bool = True,
    ) -> None:
        super().__init__(faults or CoreFaults())
        self.coins = list(coins)
        self.tip = tip
        self.genesis_time = GENESIS_TIME
        self.names_block = names_block
        self.reward_script = b"\x51"  # OP_TRUE: anyone may spend it
        self._salt = salt
        self._forked_at = forked_at
        self._headers: dict[str, list[bytes]] = {}

    @property
    def genesis(self) -> str:
        """The hash of block 0, usual order."""
        return self.block_hash(0)

    def header(self, height: int) -> bytes:
        """Return the 80 bytes of a block's header."""
        salt = self._salt + ("-other" if self.faults.wrong_chain else "")
        headers = self._headers.setdefault(salt, [])
        while len(headers) <= height:
            parent = _sha256d(headers[-1]) if headers else bytes(32)
            own = salt if len(headers) >= self._forked_at else SALT
            root = hashlib.sha256(f"{own}:{len(headers)}".encode()).digest()
            time = (self.genesis_time + BLOCK_SECONDS * len(headers)).to_bytes(4, "little")
            headers.append(
                (1).to_bytes(4, "little") + parent + root + time + b"\xff\xff\x7f\x20" + bytes(4)
            )
        found = headers[height]
        return found[:-1] + b"\x01" if self.faults.other_block and height else found

    def block_hash(self, height: int) -> str:
        """Return a block's hash, usual order."""
        return _sha256d(self.header(height))[::-1].hex()

    def coins_at(self, height: int) -> list[SimulatedCoin]:
        """Return the set of coins at a height; the block's own reward is always among them."""
        made = (coin for coin in self.coins if coin.height <= height)
        return [self.reward_of(height), *(coin for coin in made if not 0 < coin.spent <= height)]

    def reward_of(self, height: int) -> SimulatedCoin:
        """Return the output that pays the reward of a block."""
        return SimulatedCoin(
            txid=hashlib.sha256(f"reward {height}".encode()).hexdigest(),
            vout=0,
            height=height,
            units=50 * dump.COIN,
            script=self.reward_script,
            coinbase=True,
        )

    def dump(self, path: Path, *, height: int | None = None, version: int = 2) -> None:
        """Write the set of coins at ``height`` (the tip) as a dump."""
        at = self.tip if height is None else height
        write = write_dump if version == dump.VERSION else write_old_dump
        write(path, self.coins_at(at), block_hash=self.block_hash(at))

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer a single call or an array."""
        if request.method != "POST":
            return web.Response(status=405, text="JSONRPC server handles only POST requests")
        try:
            calls = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return _json(
                {"result": None, "error": {"code": -32700, "message": "Parse error"}, "id": None},
                status=500,
            )
        if isinstance(calls, list):
            return _json([self._call(call) for call in calls])
        answer = self._call(calls)
        legacy = calls.get("jsonrpc") != "2.0"
        return _json(answer, status=500 if legacy and "error" in answer else 200)

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        head = {"jsonrpc": "2.0", "id": call.get("id")}
        try:
            return {**head, "result": self._result(call["method"], call.get("params", []))}
        except RpcError as error:
            return {**head, "error": {"code": error.code, "message": str(error)}}

    def _result(self, method: str, params: Sequence[Any]) -> Any:
        if self.faults.warming_up:
            self.caused["warming-up"] += 1
            raise RpcError(-28, "Loading block index…")
        answers = self.methods()
        if method not in answers or (method == "scantxoutset" and self.faults.no_scan):
            raise RpcError(-32601, "Method not found")
        return answers[method](params)

    def methods(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """Return what the node can be asked."""
        return {
            "getblockchaininfo": self._info,
            "getblockcount": lambda _: self.tip,
            "getblockhash": lambda p: self.block_hash(self._height(p[0])),
            "getblockheader": self._header_answer,
            "getblock": self._block,
            "getrawtransaction": self._reward,
            "scantxoutset": self._scan,
        }

    def _height(self, height: int) -> int:
        if not 0 <= height <= self.tip:
            raise RpcError(-8, "Block height out of range")
        return height

    def _info(self, _: Sequence[Any]) -> dict[str, Any]:
        return {
            "chain": "regtest",
            "blocks": self.tip,
            "headers": self.tip,
            "bestblockhash": self.block_hash(self.tip),
            "initialblockdownload": False,
            "pruned": False,
        }

    def _header_answer(self, params: Sequence[Any]) -> Any:
        height = self._height_of(params[0])
        header = self.header(height)
        if len(params) > 1 and params[1] is False:
            return header.hex()
        return {
            "hash": params[0],
            "confirmations": self.tip - height + 1,
            "height": height,
            "time": int.from_bytes(header[68:72], "little"),
            "merkleroot": header[36:68][::-1].hex(),
        }

    def _height_of(self, block_hash: str) -> int:
        for height in range(self.tip + 1):
            if self.block_hash(height) == block_hash:
                return height
        raise RpcError(-5, "Block not found")

    def _block(self, params: Sequence[Any]) -> Any:
        height = self._height_of(params[0])
        if self.faults.pruned:
            self.caused["pruned"] += 1
            raise RpcError(-1, "Block not available (pruned data)")
        made = [coin.txid for coin in self.coins if coin.height == height]
        transactions = [self.reward_of(height).txid, *dict.fromkeys(made)]
        return {"hash": params[0], "height": height, "nTx": len(transactions), "tx": transactions}

    def _reward(self, params: Sequence[Any]) -> Any:
        reward = self.reward_of(self._height_of(params[2]))
        if params[0] != reward.txid:
            raise RpcError(-5, "No such transaction found in the provided block.")
        paid = {
            "value": _amount(reward.units),
            "n": 0,
            "scriptPubKey": {"hex": reward.script.hex()},
        }
        note = {"value": _amount(0), "n": 1, "scriptPubKey": {"hex": "6a00"}}
        return {"txid": reward.txid, "vout": [paid, note], "blockhash": params[2]}

    def _scan(self, params: Sequence[Any]) -> Any:
        faults = self.faults
        if params[0] != "start":
            return None
        if faults.scan_in_progress:
            self.caused["scan-in-progress"] += 1
            raise RpcError(-8, 'Scan already in progress, use action "abort" or "status"')
        wanted = {_script_of(descriptor) for descriptor in params[1]}
        held = self.coins_at(self.tip)
        found = [coin for coin in held if coin.script in wanted]
        if faults.silent_zero:
            self.caused["silent-zero"] += 1
            found = []
        total = sum(coin.units for coin in found)
        if faults.drop_coin and found:
            self.caused["drop-coin"] += 1
            found = found[:-1]
        block = {
            "txouts": len(held),
            "height": self.tip,
            "bestblock": self.block_hash(self.tip),
        }
        answer = {
            "success": not faults.partial_scan,
            **(block if self.names_block else {"searched_items": len(held)}),
            "unspents": [self._unspent(coin) for coin in found],
            "total_amount": _amount(total),
        }
        if faults.moving_tip:
            self.caused["moving-tip"] += 1
            self.tip += 1
        return answer

    def _unspent(self, coin: SimulatedCoin) -> dict[str, Any]:
        return {
            "txid": coin.txid,
            "vout": coin.vout,
            "scriptPubKey": coin.script.hex(),
            "desc": f"raw({coin.script.hex()})",
            "amount": _amount(coin.units),
            "coinbase": coin.coinbase,
            "height": coin.height,
            "blockhash": self.block_hash(coin.height),
            "confirmations": self.tip - coin.height + 1,
        }


def write_dump(
    path: Path,
    coins: Iterable[SimulatedCoin],
    *,
    block_hash: str,
    magic: bytes = REGTEST_MAGIC,
) -> None:
    """Write coins as a version 2 dump, in the order in which Core's database holds them."""
    ordered = _ordered(coins)
    with path.open("wb") as file:
        file.write(dump.MAGIC + dump.VERSION.to_bytes(2, "little") + magic)
        file.write(bytes.fromhex(block_hash)[::-1] + len(ordered).to_bytes(8, "little"))
        for txid, group in groupby(ordered, key=lambda coin: coin.txid):
            members = list(group)
            file.write(bytes.fromhex(txid)[::-1] + dump.write_compact_size(len(members)))
            for coin in members:
                file.write(dump.write_compact_size(coin.vout) + _encode(coin))


def write_old_dump(
    path: Path,
    coins: Iterable[SimulatedCoin],
    *,
    block_hash: str,
    transactions: int | None = 7,
) -> None:
    """Write coins as a version 1 dump; ``transactions=None`` as Core 22 to 27 did."""
    ordered = _ordered(coins)
    with path.open("wb") as file:
        file.write(bytes.fromhex(block_hash)[::-1] + len(ordered).to_bytes(8, "little"))
        file.write(b"" if transactions is None else transactions.to_bytes(4, "little"))
        for coin in ordered:
            outpoint = bytes.fromhex(coin.txid)[::-1] + coin.vout.to_bytes(4, "little")
            file.write(outpoint + _encode(coin))


def _ordered(coins: Iterable[SimulatedCoin]) -> list[SimulatedCoin]:
    return sorted(
        coins, key=lambda coin: (bytes.fromhex(coin.txid)[::-1], dump.write_varint(coin.vout))
    )


def _encode(coin: SimulatedCoin) -> bytes:
    compressed = dump.compress_script(coin.script)
    special = compressed[0] < dump.SPECIAL_SCRIPTS
    size = compressed[0] if special else len(coin.script) + dump.SPECIAL_SCRIPTS
    return (
        dump.write_varint(coin.height << 1 | coin.coinbase)
        + dump.write_varint(dump.compress_amount(coin.units))
        + dump.write_varint(size)
        + compressed[1:]
    )


def _script_of(descriptor: object) -> bytes:
    text = descriptor["desc"] if isinstance(descriptor, dict) else descriptor
    if not isinstance(text, str) or not text.startswith("raw(") or not text.endswith(")"):
        raise RpcError(-5, f"{text} is not a valid descriptor function")
    try:
        return bytes.fromhex(text[4:-1])
    except ValueError as error:
        raise RpcError(-5, "Raw script is not hex") from error


def _amount(units: int) -> msgspec.Raw:
    """Write satoshi as Core does: a JSON number with exactly eight decimals."""
    return msgspec.Raw(f"{units // dump.COIN}.{units % dump.COIN:08d}".encode())


def _sha256d(raw: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(raw).digest()).digest()


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )

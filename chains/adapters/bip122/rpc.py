"""The RPC of Bitcoin Core and its relatives: which chain, which block, and ``scantxoutset``.

Everything is asked in JSON-RPC arrays, even single calls: nodes older than Core 28 answer a
single failing call with HTTP 500, which looks like a broken server, but an array always with
200 and the error inside. Amounts come as JSON decimals of whole coins and are read exactly.

Reading is pure: each ``read_`` function takes a recorded exchange and returns what it says,
or a ``Gap``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from chains import jsonrpc
from chains.adapters.bip122.dump import COIN
from chains.errors import Malformed
from chains.model import Exchange, Gap, Request, Snapshot

DESCRIPTORS = 10_000
"""Scripts per ``scantxoutset`` call, where the endpoint declares no ``batch``."""
HEADER_BYTES = 80
"""src/primitives/block.h, CBlockHeader."""
_DECIMALS = 8
_LONGEST_AMOUNT = 20
"""Digits of an amount; all satoshi of any chain we know have 16 to 19."""


class BlockHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What a node says of one block. ``time`` is Unix seconds."""

    height: int
    time: int
    confirmations: int


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """A coin that is certainly unspent at the pinned block. ``units`` are satoshi."""

    outpoint: str
    script: bytes
    units: int


def identity_request(heights: Sequence[int]) -> Request:
    """Ask for the hashes of the blocks at these heights.

    Spec: https://developer.bitcoin.org/reference/rpc/getblockhash.html
    """
    return jsonrpc.batch([("getblockhash", [height]) for height in heights])


def read_identity(exchange: Exchange, count: int) -> list[str | Gap]:
    """Return the hash, or why there is none, for each of the ``count`` heights asked."""
    return [
        sharper(answer)
        if isinstance(answer, Gap)
        else answer
        if _is_hash(answer)
        else Gap("malformed-answer", detail="the answer is no block hash")
        for answer in jsonrpc.results(exchange, count)
    ]


TIP = jsonrpc.batch([("getblockcount", [])])
"""Spec: https://developer.bitcoin.org/reference/rpc/getblockcount.html"""


def read_tip(exchange: Exchange) -> int | Gap:
    """Return the height of the tip. No block of these chains is final."""
    (answer,) = jsonrpc.results(exchange, 1)
    if isinstance(answer, Gap):
        return sharper(answer)
    whole = isinstance(answer, int) and not isinstance(answer, bool)
    return answer if whole else Gap("malformed-answer", detail="the tip is no number")


def block_request(block_hash: str) -> Request:
    """Ask for a header, taken apart and as bytes, and for the block's transaction ids.

    Spec: https://developer.bitcoin.org/reference/rpc/getblockheader.html
    Spec: https://developer.bitcoin.org/reference/rpc/getblock.html
    """
    return jsonrpc.batch(
        [
            ("getblockheader", [block_hash]),
            ("getblockheader", [block_hash, False]),
            ("getblock", [block_hash, 1]),
        ]
    )


def read_header(exchange: Exchange, block_hash: str, *, checked: bool) -> BlockHeader | Gap:
    """Return the header; ``checked``: after its bytes were seen to hash to ``block_hash``."""
    parsed, raw, _ = jsonrpc.results(exchange, 3)
    for answer in (parsed, raw):
        if isinstance(answer, Gap):
            return sharper(answer)
    try:
        header = msgspec.convert(parsed, BlockHeader)
        encoded = bytes.fromhex(msgspec.convert(raw, str))
    except (msgspec.ValidationError, ValueError) as error:
        return Gap("malformed-answer", detail=str(error)[:200])
    if not checked:
        return header
    digest = hashlib.sha256(hashlib.sha256(encoded).digest()).digest()[::-1].hex()
    if len(encoded) != HEADER_BYTES or digest != block_hash:
        return Gap("wrong-block", detail="the header's bytes do not hash to the block")
    if header.time != int.from_bytes(encoded[68:72], "little"):
        return Gap("wrong-block", detail="the header's time is not that of its bytes")
    return header


def read_reward_id(exchange: Exchange) -> str | None:
    """Return the id of the block's first transaction; ``None`` where the node lacks the block."""
    block = jsonrpc.results(exchange, 3)[2]
    transactions = block.get("tx") if isinstance(block, dict) else None
    if not isinstance(transactions, list) or not transactions or not _is_hash(transactions[0]):
        return None
    return str(transactions[0])


def reward_request(txid: str, block_hash: str) -> Request:
    """Ask for the transaction that pays the block's reward.

    Spec: https://developer.bitcoin.org/reference/rpc/getrawtransaction.html
    """
    return jsonrpc.batch([("getrawtransaction", [txid, 1, block_hash])])


def read_reward(exchange: Exchange) -> Canary | None:
    """Return the reward's largest output: a coin that nobody can have spent at its own block."""
    (answer,) = jsonrpc.results(exchange, 1)
    try:
        reward = msgspec.convert(answer, _Transaction)
        outputs = [
            Canary(
                outpoint=f"{reward.txid}:{output.n}",
                script=bytes.fromhex(output.scriptPubKey.hex),
                units=satoshi(output.value),
            )
            for output in reward.vout
        ]
    except (msgspec.ValidationError, ValueError, Malformed):
        return None
    paying = [output for output in outputs if output.units]
    return max(paying, key=lambda output: output.units, default=None)


def scan_request(scripts: Sequence[bytes], *, names_block: bool = True) -> Request:
    """Ask for all coins of these scripts at the node's tip.

    Where the scan does not name its block, the node is asked for its tip before and after it, in
    the same array: calls of an array are made in order (src/rpc/server.cpp, JSONRPCExecBatch).
    Spec: https://developer.bitcoin.org/reference/rpc/scantxoutset.html
    Spec: https://docs.bitcoincashnode.org/doc/json-rpc/scantxoutset/
    """
    descriptors = [f"raw({script.hex()})" for script in scripts]
    scan: tuple[str, list[Any]] = ("scantxoutset", ["start", descriptors])
    return jsonrpc.batch([scan] if names_block else [_TIP, scan, _TIP])


_TIP: tuple[str, list[Any]] = ("getblockchaininfo", [])


class _ScriptPubKey(msgspec.Struct, frozen=True):
    hex: str


class _Output(msgspec.Struct, frozen=True):
    n: int
    value: Decimal | int
    scriptPubKey: _ScriptPubKey  # noqa: N815 - the node's name


class _Transaction(msgspec.Struct, frozen=True):
    """A transaction, as far as its outputs go."""

    txid: str
    vout: list[_Output]


class _Unspent(msgspec.Struct, frozen=True):
    """One coin of a scan; what later versions add is not needed."""

    txid: str
    vout: int
    scriptPubKey: str  # noqa: N815 - the node's name
    amount: Decimal | int
    height: int


_Height = Annotated[int, msgspec.Meta(lt=2**62)]
"""More is no height, and nobody is told of thousands of digits."""


class _Scan(msgspec.Struct, frozen=True):
    """The answer of ``scantxoutset start``; only later versions name the block."""

    success: bool
    unspents: list[_Unspent]
    total_amount: Decimal | int
    height: _Height = -1
    bestblock: str = ""


class _Tip(msgspec.Struct, frozen=True):
    """The tip in the answer of ``getblockchaininfo``."""

    blocks: _Height
    bestblockhash: str


def read_scan(
    exchange: Exchange,
    scripts: Sequence[bytes],
    at: Snapshot,
    canary: Canary | None,
    *,
    names_block: bool = True,
) -> list[int] | Gap:
    """Return satoshi per script, in order; a script without coins has 0.

    The zero is believed since the node says that it walked its whole set, names the pinned
    block as the set's own, and lists the canary, which was asked for in the same scan.
    """
    before, answer, after = (
        jsonrpc.results(exchange, 3)
        if not names_block
        else [None, *jsonrpc.results(exchange, 1), None]
    )
    for told in (answer, before, after):
        if isinstance(told, Gap):
            return sharper(told)
    if answer is None or (isinstance(answer, dict) and answer.get("success") is False):
        return Gap("truncated-answer", retryable=True, detail="the scan was broken off")
    units = dict.fromkeys((script.hex() for script in scripts), 0)
    try:
        scan = msgspec.convert(answer, _Scan)
        tips = [(scan.height, scan.bestblock)]
        if not names_block:
            told = [msgspec.convert(tip, _Tip) for tip in (before, after)]
            tips = [(tip.blocks, tip.bestblockhash) for tip in told]
        for height, block_hash in tips:
            if (height, block_hash) != (at.height, at.block_hash):
                return Gap("scan-mismatch", detail=_mismatch(height, at.height))
        listed = _sum_coins(scan, at.height, units, canary)
    except (msgspec.ValidationError, Malformed) as error:
        return Gap("malformed-answer", detail=str(error)[:200])
    if not listed:
        return Gap("zero-without-canary", detail="the scan does not list the block's own reward")
    return [units[script.hex()] for script in scripts]


def _sum_coins(scan: _Scan, height: int, units: dict[str, int], canary: Canary | None) -> bool:
    """Add every coin to its script in ``units``, and tell whether the canary was among them.

    Raises ``Malformed`` where the scan contradicts itself or was not asked for.
    """
    watched = "" if canary is None else canary.script.hex()
    listed = False
    seen: set[tuple[str, int]] = set()
    total = 0
    for coin in scan.unspents:
        if coin.scriptPubKey not in units and coin.scriptPubKey != watched:
            raise Malformed("the scan lists a coin of a script that was not asked for")
        if (coin.txid, coin.vout) in seen:
            raise Malformed("the scan lists a coin twice")
        if not 0 <= coin.height <= height:
            raise Malformed("the scan lists a coin from above its own block")
        seen.add((coin.txid, coin.vout))
        amount = satoshi(coin.amount)
        total += amount
        if coin.scriptPubKey in units:
            units[coin.scriptPubKey] += amount
        listed |= canary == Canary(
            outpoint=f"{coin.txid}:{coin.vout}",
            script=bytes.fromhex(coin.scriptPubKey),
            units=amount,
        )
    if total != satoshi(scan.total_amount):
        raise Malformed("the coins of the scan do not add up to its total")
    return listed


def satoshi(amount: Decimal | int) -> int:
    """Return an amount of whole coins in satoshi, exactly; raises ``Malformed``."""
    sign, digits, exponent = Decimal(amount).as_tuple()
    if (
        not isinstance(exponent, int)
        or sign
        or len(digits) > _LONGEST_AMOUNT
        or not -_DECIMALS <= exponent <= _LONGEST_AMOUNT
    ):
        raise Malformed(f"{str(amount)[:40]} is no amount of at most eight decimals")
    units = 0
    for digit in digits:
        units = units * 10 + digit
    return units * COIN // 10**-exponent if exponent < 0 else units * COIN * int(10**exponent)


def _mismatch(tip: int, height: int) -> str:
    if tip > height:
        return (
            f"the node's tip is {tip}, past {height}: write a dump with `bitcoin-cli -named"
            f" dumptxoutset path=utxo.dat rollback={height}` and declare it as an endpoint"
        )
    if tip < height:
        return f"the node's tip is {tip}, not yet {height}"
    return f"the node has another block at {height} than the pinned one"


def sharper(gap: Gap) -> Gap:
    """Give a node's error its own reason where we know it.

    Codes: https://github.com/bitcoin/bitcoin/blob/v29.0/src/rpc/protocol.h
    """
    if gap.reason != "rpc-error":
        return gap
    code = gap.detail.partition(":")[0]
    if "Scan already in progress" in gap.detail:
        return Gap("scan-in-progress", retryable=True, detail=gap.detail)
    if "Block height out of range" in gap.detail or code == "-28":
        return Gap("node-behind", retryable=True, detail=gap.detail)
    if code == "-32601":
        return Gap("method-missing", detail=gap.detail)
    return gap


def _is_hash(value: Any) -> bool:
    return (
        isinstance(value, str)
        and len(value) == 64  # noqa: PLR2004
        and all(c in "0123456789abcdef" for c in value)
    )

"""The node's web API: requests, and what its answers say, shape by shape.

Spec: https://docs.aelf.com/ (Web API); AElfProject/AElf src/AElf.WebApp.Application.Chain
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as BinasciiError
from datetime import UTC, datetime
from typing import Any, TypeGuard

import msgspec

from chains import rest
from chains.adapters.aelf import protobuf
from chains.addresses import AddressError
from chains.addresses.aelf import decode
from chains.jsonrpc import failure, malformed
from chains.model import Exchange, Gap, Request

CHAIN = "/api/blockChain/"
STATUS = rest.get(CHAIN + "chainStatus")
VERSION = rest.get("/api/net/networkInfo")
PAGE = 100
"""The most results of one answer. Source: AElfProject/AElf TransactionResultAppService.cs"""
ADDRESS_BYTES = 32
MOST_DECIMALS = 18
"""Source: AElfProject/AElf TokenContractConstants.cs (MaxDecimals)"""
_MOST_BLOCKS = 2**62
_MOST_TRANSACTIONS = 100_000
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_HEX = re.compile(rb"(?:[0-9a-f]{2})+\Z")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z\Z", re.ASCII)


class Status(msgspec.Struct, frozen=True):
    """Which chain the node serves, where its state stands and which block is irreversible."""

    chain: str
    genesis_hash: str
    genesis_contract: bytes
    best: int
    best_hash: str
    final: int


class Block(msgspec.Struct, frozen=True):
    """A block of the best chain, its producer's key and how many transactions it has."""

    number: int
    named: str
    parent: str
    time: int
    signer: bytes
    transactions: int


class Event(msgspec.Struct, frozen=True):
    """An event of a contract; ``fields`` are its fields, indexed ones first, as protobuf."""

    contract: bytes
    name: str
    fields: bytes


class Result(msgspec.Struct, frozen=True):
    """A transaction of a block: who sent it and what it fired."""

    sender: bytes
    events: tuple[Event, ...]


class Token(msgspec.Struct, frozen=True):
    """What a token is."""

    symbol: str
    decimals: int


def block_request(height: int) -> Request:
    """Ask for a block of the best chain."""
    return rest.get(f"{CHAIN}blockByHeight?blockHeight={height}&includeTransactions=false")


def results_request(block_hash: str, offset: int = 0) -> Request:
    """Ask for results of a block's transactions."""
    query = f"blockHash={block_hash}&offset={offset}&limit={PAGE}"
    return rest.get(f"{CHAIN}transactionResults?{query}")


def answer(exchange: Exchange) -> Any | Gap:
    """Return a decoded answer; the node's own errors have the status 403 and a code."""
    if exchange.failure != "refused":
        return rest.answer(exchange)
    return _own_error(exchange) or failure(exchange) or malformed(exchange)


def _own_error(exchange: Exchange) -> Gap | None:
    body = rest.body(exchange)
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return None
    said = f"{error['code']}: {error.get('message')} {error.get('details') or ''}"
    return Gap("rpc-error", detail=said.strip()[:300])


def read_status(exchange: Exchange) -> Status | Gap:
    """Read ``chainStatus``."""
    found = answer(exchange)
    if isinstance(found, Gap):
        return found
    if not isinstance(found, dict):
        return malformed(exchange)
    chain, genesis = found.get("ChainId"), found.get("GenesisBlockHash")
    contract = read_address(found.get("GenesisContractAddress"))
    best, named = found.get("BestChainHeight"), found.get("BestChainHash")
    final = found.get("LastIrreversibleBlockHeight")
    if not isinstance(chain, str) or not (is_hash(genesis) and is_hash(named)) or contract is None:
        return malformed(exchange)
    if not (is_height(best) and is_height(final)) or final > best:
        return malformed(exchange)
    return Status(chain, genesis, contract, best, named, final)


def read_version(exchange: Exchange) -> str:
    """Read the node's version; empty where it does not tell it."""
    found = answer(exchange)
    version = found.get("Version") if isinstance(found, dict) else None
    return version[:40] if isinstance(version, str) and version.isascii() else ""


def read_block(exchange: Exchange, height: int) -> Block | Gap:
    """Read a block that was asked for by its height."""
    found = answer(exchange)
    if isinstance(found, Gap):
        return found
    header = found.get("Header") if isinstance(found, dict) else None
    body = found.get("Body") if isinstance(found, dict) else None
    if not isinstance(header, dict) or not isinstance(body, dict):
        return malformed(exchange)
    named, parent = found.get("BlockHash"), header.get("PreviousBlockHash")
    time, signer = _read_time(header.get("Time")), _read_hex(header.get("SignerPubkey"))
    count = body.get("TransactionsCount")
    if not (is_hash(named) and is_hash(parent)) or time is None or signer is None:
        return malformed(exchange)
    if not is_integer(count) or not 0 <= count <= _MOST_TRANSACTIONS:
        return malformed(exchange)
    if not is_integer(header.get("Height")) or header["Height"] != height:
        return Gap("wrong-block", retryable=True, detail="the block has another height")
    return Block(height, named, parent, time, signer, count)


def read_results(exchange: Exchange, block: Block) -> list[Result] | Gap:
    """Read a page of a block's transactions."""
    found = answer(exchange)
    if isinstance(found, Gap):
        return found
    if not isinstance(found, list):
        return malformed(exchange)
    results = [_read_result(one, block) for one in found]
    whole = [one for one in results if one is not None]
    return whole if len(whole) == len(found) else malformed(exchange)


def _read_result(one: object, block: Block) -> Result | None:
    if not isinstance(one, dict) or one.get("BlockHash") != block.named:
        return None  # a transaction that still waits has no block, and its events are not told
    sent, logs = one.get("Transaction"), one.get("Logs")
    sender = read_address(sent.get("From")) if isinstance(sent, dict) else None
    if sender is None or not isinstance(logs, list):
        return None
    events = [_read_event(log) for log in logs]
    known = tuple(event for event in events if event is not None)
    return Result(sender, known) if len(known) == len(events) else None


def _read_event(log: object) -> Event | None:
    if not isinstance(log, dict) or not isinstance(log.get("Indexed"), list):
        return None
    contract, name = read_address(log.get("Address")), log.get("Name")
    pieces = [_read_base64(one) for one in (*log["Indexed"], log.get("NonIndexed"))]
    fields = [one for one in pieces if one is not None]
    if contract is None or not isinstance(name, str) or len(fields) != len(pieces):
        return None
    return Event(contract, name, b"".join(fields))


def returned(exchange: Exchange) -> protobuf.Fields | Gap:
    """Read what a called method returned: hex digits, bare or in quotes.

    Nothing at all is what a method says that has nothing to say: ``no-record``.
    """
    gap = answer_gap(exchange)
    if gap is not None:
        return gap
    body = exchange.body.strip()
    if body in (b"", b'""', b"null"):
        return Gap("no-record", detail="the contract returned nothing")
    body = body[1:-1] if body[:1] == b'"' == body[-1:] and len(body) > 1 else body
    if not _HEX.match(body):
        return malformed(exchange)
    try:
        return protobuf.parse(bytes.fromhex(body.decode()))
    except ValueError:
        return malformed(exchange)


def answer_gap(exchange: Exchange) -> Gap | None:
    """Say why a call has no answer, if it has none."""
    own = _own_error(exchange) if exchange.failure == "refused" else None
    return own or failure(exchange)


def read_contract(exchange: Exchange) -> bytes | Gap:
    """Read the address that the genesis contract knows under a name."""
    fields = returned(exchange)
    if isinstance(fields, Gap):
        return fields
    try:
        address = protobuf.one_bytes(fields, 1)
    except ValueError:
        return malformed(exchange)
    return address if len(address) == ADDRESS_BYTES and set(fields) == {1} else malformed(exchange)


def read_balance(exchange: Exchange, symbol: str, owner: bytes) -> int | Gap:
    """Read a balance in base units; the answer has to name this very symbol and owner.

    proto3 leaves out a zero, so that what is missing may be one: only the echo tells it from an
    answer to something else.
    """
    fields = returned(exchange)
    if isinstance(fields, Gap):
        return fields
    try:
        named = protobuf.one_bytes(fields, 1), protobuf.one_bytes(fields, 2)
        units = protobuf.one_integer(fields, 3)
    except ValueError:
        return malformed(exchange)
    if named != (symbol.encode(), protobuf.text(1, owner)) or set(fields) - {1, 2, 3}:
        return Gap("malformed-answer", retryable=True, detail="an answer about something else")
    return units if units >= 0 else malformed(exchange)


def read_token(exchange: Exchange, symbol: str) -> Token | Gap:
    """Read what a token is; an alias of another token is none of its own."""
    fields = returned(exchange)
    if isinstance(fields, Gap):
        missing = fields.reason == "no-record"
        return Gap("no-contract", detail=f"there is no token {symbol}") if missing else fields
    try:
        named, decimals = protobuf.one_bytes(fields, 1), protobuf.one_integer(fields, 5)
    except ValueError:
        return malformed(exchange)
    if named != symbol.encode():
        return Gap("no-contract", detail=f"{symbol} is another token's alias")
    return Token(symbol, decimals) if 0 <= decimals <= MOST_DECIMALS else malformed(exchange)


def read_address(text: object) -> bytes | None:
    """Read a bare address; ``None`` where it is none."""
    try:
        return decode(text, {}) if isinstance(text, str) and len(text) < ADDRESS_BYTES * 2 else None
    except AddressError:
        return None


def _read_hex(text: object) -> bytes | None:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _read_base64(text: object) -> bytes | None:
    try:
        return b64decode(text, validate=True) if isinstance(text, str) else None
    except (BinasciiError, ValueError):
        return None


def _read_time(text: object) -> int | None:
    """Read a time such as ``2019-07-01T13:39:45.8704899Z`` as Unix seconds."""
    match = _TIME.match(text) if isinstance(text, str) else None
    if match is None:
        return None
    try:
        return int(datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def is_integer(value: object) -> TypeGuard[int]:
    """Tell an integer from a truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_height(value: object) -> TypeGuard[int]:
    """Tell whether this is a block's height; the genesis block has 1."""
    return is_integer(value) and 0 < value < _MOST_BLOCKS


def is_hash(value: object) -> TypeGuard[str]:
    """Tell whether these are the 64 hex digits of a hash."""
    return isinstance(value, str) and _HASH.match(value) is not None

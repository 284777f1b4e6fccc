"""Substrate's JSON-RPC: requests as bytes, answers as hashes, headers, keys and values, or Gaps.

Bytes are hex behind ``0x``, numbers of headers too. Errors carry codes of their own; a pruned
state is told in words only (code 4003, before that -32603).

Spec: https://paritytech.github.io/json-rpc-interface-spec/ (the old methods are in its
introduction) and paritytech/polkadot-sdk substrate/client/rpc-api/src/{chain,state}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from chains import jsonrpc
from chains.adapters.substrate import storage
from chains.model import Exchange, Gap, Request

MOST_KEYS = 1000
"""Keys in one ``state_queryStorageAt``; an own node allows more, its answer 15 MB."""
CANDIDATES = 16
"""Accounts of the state that are looked at for one that is not empty."""
_HASH = re.compile(r"0x[0-9a-f]{64}\Z")
_NUMBER = re.compile(r"0x[0-9a-f]{1,16}\Z")
_PRUNED = ("already discarded", "unknownblock", "unknown block", "header was not found")
_MISSING = ("-32601", "method not found", "rpc method is not whitelisted")

Values = Mapping[bytes, bytes | None]
Own = Mapping[Request, Exchange]


class Header(msgspec.Struct, frozen=True):
    """A block's header; ``hash`` is computed from it, "" where the chain's form is another."""

    number: int
    hash: str
    parent: str
    state_root: str


def block_hash(height: int) -> Request:
    """Ask for the hash of the block that the node has at a height."""
    return jsonrpc.call("chain_getBlockHash", [height])


def finalized() -> Request:
    """Ask for the hash of the newest final block."""
    return jsonrpc.call("chain_getFinalizedHead", [])


def finalized_height() -> Request:
    """Ask for the height of the newest final block, which older nodes do not tell.

    Spec: https://paritytech.github.io/json-rpc-interface-spec/api/archive_v1_finalizedHeight.html
    """
    return jsonrpc.call("archive_v1_finalizedHeight", [])


def read_height(exchange: Exchange) -> int | Gap:
    """Read a height."""
    said = result(exchange)
    if isinstance(said, Gap):
        return said
    if not isinstance(said, int) or isinstance(said, bool) or said < 0:
        return Gap("malformed-answer", detail="the height of a block")
    return said


def header(block: str) -> Request:
    """Ask for a block's header."""
    return jsonrpc.call("chain_getHeader", [block])


def keys(prefix: bytes, block: str) -> Request:
    """Ask for the first keys under a prefix."""
    text = hexed(prefix)
    return jsonrpc.call("state_getKeysPaged", [text, CANDIDATES, text, block])


def query(asked: Sequence[bytes], block: str) -> Request:
    """Ask for values under several keys at a block."""
    return jsonrpc.call("state_queryStorageAt", [[hexed(key) for key in asked], block])


def singles(asked: Sequence[bytes], block: str) -> Request:
    """Ask for the same with one call per key, where ``query`` is not offered."""
    return jsonrpc.batch([("state_getStorage", [hexed(key), block]) for key in asked])


def result(exchange: Exchange | None) -> Any | Gap:
    """Return the result, or a Gap with the reason that the node's words mean."""
    if exchange is None:
        return Gap("not-answered")
    return _meant(jsonrpc.result(exchange))


def _meant(found: Any | Gap) -> Any | Gap:
    if not isinstance(found, Gap) or found.reason != "rpc-error":
        return found
    said = found.detail.lower()
    if any(words in said for words in _MISSING):
        return Gap("method-missing", detail=found.detail)
    if any(words in said for words in _PRUNED):
        return Gap("state-pruned", detail=found.detail)
    return found


def lacks_query(exchange: Exchange) -> bool:
    """Tell whether the node does not offer the method that it was asked for."""
    found = result(exchange)
    return isinstance(found, Gap) and found.reason == "method-missing"


def read_hash(exchange: Exchange | None) -> str | Gap | None:
    """Read a block's hash; ``None`` where the node has no block."""
    said = result(exchange)
    if said is None or isinstance(said, Gap):
        return said
    if not isinstance(said, str) or not _HASH.match(said):
        return Gap("malformed-answer", detail="the hash of a block")
    return said


def read_header(exchange: Exchange | None, *, extended: bool = False) -> Header | Gap:
    """Read a header and compute its hash, which is blake2b-256 of its SCALE encoding.

    Source: paritytech/polkadot-sdk substrate/primitives/runtime/src/generic/header.rs
    """
    said = result(exchange)
    if isinstance(said, Gap):
        return said
    wrong = Gap("malformed-answer", detail="the header of a block")
    if not isinstance(said, dict):
        return Gap("state-pruned", detail="no header") if said is None else wrong
    number, digest = said.get("number"), said.get("digest")
    hashes = [said.get(name) for name in ("parentHash", "stateRoot", "extrinsicsRoot")]
    logs = digest.get("logs") if isinstance(digest, dict) else None
    if not all(isinstance(one, str) and _HASH.match(one) for one in hashes):
        return wrong
    if not isinstance(number, str) or not _NUMBER.match(number) or not isinstance(logs, list):
        return wrong
    items = [unhexed(one) for one in logs]
    if None in items:
        return wrong
    height = int(number, 16)
    parent, state, extrinsics = (bytes.fromhex(str(one)[2:]) for one in hashes)
    encoded = [parent, storage.compact(height), state, extrinsics, storage.compact(len(items))]
    digest_of = blake2b(
        b"".join(encoded + [one for one in items if one is not None]), digest_size=32
    )
    own = "" if extended else "0x" + digest_of.hexdigest()
    return Header(height, own, str(hashes[0]), str(hashes[1]))


def read_accounts(exchange: Exchange | None, prefix: bytes) -> list[bytes] | Gap:
    """Read which accounts the first keys under a prefix are for."""
    said = result(exchange)
    if isinstance(said, Gap):
        return said
    if not isinstance(said, list):
        return Gap("malformed-answer", detail="the list of keys")
    found: list[bytes] = []
    for text in said[:CANDIDATES]:
        key = unhexed(text)
        account = None if key is None else storage.account_of(key, prefix)
        if account is None:
            return Gap("malformed-answer", detail="a key is not of the expected form")
        found.append(account)
    return found


def read_values(own: Own, asked: Sequence[bytes], block: str) -> Values | Gap:
    """Read the values under all keys, from whichever of the two ways was answered."""
    first = own.get(query(asked, block))
    second = own.get(singles(asked, block))
    if second is not None and first is not None and lacks_query(first):
        return _from_singles(second, asked)
    said = result(first)
    return said if isinstance(said, Gap) else _from_changes(said, asked, block)


def _from_changes(said: Any, asked: Sequence[bytes], block: str) -> Values | Gap:
    """Take a change set apart; it must be of the block and name every key once."""
    if not isinstance(said, list) or len(said) != 1 or not isinstance(said[0], dict):
        return Gap("malformed-answer", detail="not one set of changes")
    if said[0].get("block") != block:
        return Gap("wrong-block", detail="the values are of another block")
    changes = said[0].get("changes")
    if not isinstance(changes, list):
        return Gap("malformed-answer", detail="changes")
    found: dict[bytes, bytes | None] = {}
    for change in changes:
        pair = change if isinstance(change, list) and len(change) == 2 else (None, None)  # noqa: PLR2004
        key, value = unhexed(pair[0]), unhexed(pair[1])
        if key is None or key in found or (value is None and pair[1] is not None):
            return Gap("malformed-answer", detail="a change that is no key and value")
        found[key] = value
    if found.keys() != set(asked):
        return Gap("malformed-answer", detail="values of other keys than the asked ones")
    return found


def _from_singles(exchange: Exchange, asked: Sequence[bytes]) -> Values | Gap:
    found: dict[bytes, bytes | None] = {}
    for key, said in zip(asked, jsonrpc.results(exchange, len(asked)), strict=True):
        value = unhexed(said)
        if isinstance(said, Gap):
            return _meant(said)
        if value is None and said is not None:
            return Gap("malformed-answer", detail="a value that is not hex")
        found[key] = value
    return found


def hexed(data: bytes) -> str:
    """Write bytes as the protocol does."""
    return "0x" + data.hex()


def unhexed(text: Any) -> bytes | None:
    """Read ``0x`` and hex digits, ``None`` for anything else."""
    if not isinstance(text, str) or text[:2] != "0x":
        return None
    try:
        data = bytes.fromhex(text[2:])
    except ValueError:
        return None
    return data if len(text) == 2 + 2 * len(data) else None

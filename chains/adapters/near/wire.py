"""NEAR's JSON-RPC: requests as bytes, answers as typed records, refusals or Gaps.

The protocol answers with results and with errors whose ``cause`` has a name and ``info``; the
HTTP status of an error is 200, or 422 for an unknown block. Amounts are decimal text of yoctoNEAR
(10^-24), times nanoseconds.

Spec: https://docs.near.org/api/rpc/errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

import msgspec

from chains import jsonrpc, rest
from chains.accounts import Held
from chains.addresses import AddressError, near
from chains.addresses.base58 import base58_to_bytes
from chains.control import Authority, ControlFacts
from chains.model import Exchange, Gap, Part, PartKind, Request

ACCOUNT = "view_account"
KEYS = "view_access_key_list"
WAY = "full-access-key"
FULL = frozenset({"FullAccess", "GasKeyFullAccess"})
LIMITED = frozenset({"FunctionCall", "GasKeyFunctionCall"})
"""Permissions of access keys. Source: near/nearcore core/primitives/src/views.rs"""
GONE = frozenset({"UNKNOWN_BLOCK", "GARBAGE_COLLECTED_BLOCK"})
LATE = frozenset({"NO_SYNCED_BLOCKS", "NOT_SYNCED_YET"})
"""Causes of errors. Spec: https://docs.near.org/api/rpc/errors"""
KEY_LENGTHS = {"ed25519": 32, "secp256k1": 64}
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,38})\Z")
_KEY = re.compile(r"([a-z0-9-]{1,32}):([1-9A-HJ-NP-Za-km-z]{1,4096})\Z")
_HASH_LENGTH = 32
_NANOSECONDS = 10**9


class Refusal(msgspec.Struct, frozen=True):
    """An error by which the protocol answers: its cause and what that says of the question."""

    cause: str
    info: Mapping[str, Any]
    text: str

    @property
    def gap(self) -> Gap:
        """The Gap that it is, where it is no answer."""
        if self.cause in GONE:
            return Gap("state-pruned", detail=self.text)
        if self.cause in LATE:
            return Gap("node-behind", retryable=True, detail=self.text)
        return Gap("rpc-error", detail=self.text)


class Block(msgspec.Struct, frozen=True):
    """A block. ``time`` is in seconds; ``author`` produced it and has a stake."""

    height: int
    hash: str
    previous: str = ""
    time: int = 0
    author: str = ""


def view(request_type: str, account: str, block_hash: str) -> Request:
    """Ask something of an account at a block.

    Spec: https://docs.near.org/api/rpc/contracts#view-account
    """
    params = {"request_type": request_type, "block_id": block_hash, "account_id": account}
    return jsonrpc.call("query", params)


def answer(exchange: Exchange) -> dict[str, Any] | Refusal | Gap:
    """Return the result object, the protocol's own refusal (also with status 422), or a Gap."""
    gap = jsonrpc.failure(exchange)
    said = gap if gap is not None and gap.reason != "refused" else rest.body(exchange)
    if isinstance(said, Gap):
        return said
    if not isinstance(said, dict):
        return gap or jsonrpc.malformed(exchange)
    try:
        result = _refusal(said.get("error")) or jsonrpc.gap_or_result(said, 0)
        if isinstance(result, dict) and "error" in result:  # the old form of a failed query
            return Gap("rpc-error", detail=str(result["error"])[:300])
    except RecursionError:  # an error that is nested too deeply to be written down
        return _malformed("nested too deeply")
    return result if isinstance(result, dict | Refusal | Gap) else _malformed("the result")


def _refusal(error: Any) -> Refusal | None:
    cause = error.get("cause") if isinstance(error, dict) else None
    name = cause.get("name") if isinstance(cause, dict) else None
    if not isinstance(cause, dict) or not isinstance(name, str):
        return None
    info = cause.get("info")
    text = f"{name} {jsonrpc.error_text(error)}"[:300]
    return Refusal(name[:64], info if isinstance(info, dict) else {}, text)


def read_block(exchange: Exchange) -> Block | Refusal | Gap:
    """Read a block. Spec: https://docs.near.org/api/rpc/block-chunk#block-details."""
    said = answer(exchange)
    if isinstance(said, Gap | Refusal):
        return said
    header, author = said.get("header"), said.get("author")
    if not isinstance(header, dict) or not isinstance(author, str) or not _is_account(author):
        return _malformed("no header or author")
    height, time = header.get("height"), header.get("timestamp")
    names = header.get("hash"), header.get("prev_hash")
    if not is_height(height) or not is_height(time) or not all(map(_is_hash, names)):
        return _malformed("height, time or hash of the block")
    return Block(height, str(names[0]), str(names[1]), time // _NANOSECONDS, author)


def read_account(exchange: Exchange, account: str, block: Block) -> Held | Gap:
    """Read what an account holds at the block, in yoctoNEAR; nothing where it is unknown."""
    said = answer(exchange)
    if isinstance(said, Refusal) and said.cause == "UNKNOWN_ACCOUNT":
        if said.info.get("requested_account_id") != account:
            return Gap("no-record", detail="unknown account, but the answer does not name it")
        return _elsewhere(said.info, block) or Held(())
    if isinstance(said, Gap | Refusal):
        return said.gap if isinstance(said, Refusal) else said
    amounts = said.get("amount"), said.get("locked")
    if not all(isinstance(one, str) and _AMOUNT.match(one) for one in amounts):
        return _malformed("amount or locked")
    wrong = _elsewhere(said, block)
    if wrong is not None:
        return wrong
    liquid, locked = (int(str(one)) for one in amounts)
    parts = (Part(PartKind.LIQUID, liquid), Part(PartKind.STAKED, locked))
    return Held(parts if locked else parts[:1])


def read_control(shown: Exchange, keys: Exchange, account: str, block: Block) -> ControlFacts | Gap:
    """Read who can act for an account: each full-access key alone.

    Spec: https://docs.near.org/api/rpc/access-keys#view-access-key-list
    """
    held = read_account(shown, account, block)
    if isinstance(held, Gap):
        return held
    if not held.parts:
        return ControlFacts(exists=False)
    said = answer(keys)
    if isinstance(said, Gap | Refusal):
        return said.gap if isinstance(said, Refusal) else said
    listed = said.get("keys")
    if not isinstance(listed, list):
        return _malformed("the list of keys")
    full: dict[str, int] = {}
    for one in listed:
        key = _key(one)
        if isinstance(key, Gap):
            return key
        if key:
            full[key] = 1
    ways = (Authority(kind=WAY, threshold=1, weights=full),) if full else ()
    limited = str(len(listed) - len(full))
    facts = ControlFacts(exists=True, ways=ways, notes={"limited_keys": limited})
    return _elsewhere(said, block) or facts


def _key(entry: Any) -> str | Gap:
    """Return the text of a full-access key, empty for one that may only call functions."""
    text = entry.get("public_key") if isinstance(entry, dict) else None
    access = entry.get("access_key") if isinstance(entry, dict) else None
    permission = access.get("permission") if isinstance(access, dict) else None
    named = next(iter(permission)) if isinstance(permission, dict) and permission else permission
    match = _KEY.match(text) if isinstance(text, str) else None
    if match is None or not isinstance(named, str) or named not in FULL | LIMITED:
        return _malformed("an access key")
    if named in LIMITED:
        return ""
    try:
        length = KEY_LENGTHS.get(match[1])
        if length is not None and len(base58_to_bytes(match[2])) != length:
            return _malformed("the length of a key")
    except AddressError:
        return _malformed("the text of a key")
    return match[0]


def _elsewhere(said: Mapping[str, Any], block: Block) -> Gap | None:
    """Say that an answer is not of the pinned block."""
    if (said.get("block_hash"), said.get("block_height")) == (block.hash, block.height):
        return None
    return Gap("wrong-block", retryable=True, detail=str(said.get("block_hash"))[:64])


def _malformed(what: str) -> Gap:
    return Gap("malformed-answer", retryable=True, detail=what)


def is_height(value: Any) -> TypeGuard[int]:
    """Tell whether a value is an integer of 64 bits without sign."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64


def _is_hash(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(base58_to_bytes(value)) == _HASH_LENGTH
    except AddressError:
        return False


def _is_account(text: str) -> bool:
    try:
        return bool(near.decode(text, {}))
    except AddressError:
        return False

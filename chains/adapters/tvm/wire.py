"""What is sent to a toncenter API, version 2, and how its answers are read.

Every answer is an object with ``ok`` and ``result`` or ``error``; lite servers' own errors come
with status 500, as text. Accounts and get methods are asked at a masterchain block's number, and
their answers name the block in ``block_id``: whatever names another one, or none, is no answer.

Spec: https://docs.ton.org/applications/api/toncenter/v2,
https://github.com/toncenter/ton-http-api-cpp (schemas/v2.yaml)
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, TypeGuard

import msgspec

from chains import rest
from chains.adapters.tvm import cells
from chains.addresses.ton import encode
from chains.jsonrpc import asks_to_slow_down, failure
from chains.model import Exchange, Gap, Request

MASTERCHAIN, WHOLE = -1, str(-(2**63))
"""The masterchain and its only shard."""
ACTIVE, UNINITIALISED, FROZEN = "active", "uninitialized", "frozen"
SUCCEEDED = frozenset({0, 1})
"""Exit codes of a method that ended well; with any other, the stack holds remains.
Spec: https://docs.ton.org/v3/documentation/tvm/tvm-exit-codes"""
MOST = 2**120 - 1
"""The most that an amount (``VarUInteger 16``) holds.
Spec: https://github.com/ton-blockchain/ton/blob/master/crypto/block/block.tlb"""
MOST_SEQNO = 2**31 - 1
_HASH_BYTES, _HASH_DIGITS = 32, 64
_LONGEST = 40
_SERVER_ERROR, _NOT_FOUND = 500, 404
_FORBIDDEN = (401, 403)
_NUMBER = re.compile(r"(-?)0x([0-9a-fA-F]{1,64})\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,78}\Z")
_LAGGING = re.compile(r"shard_client_seqno=([0-9]{1,10})")
_MISSING = ("not in db", "cannot find block", "cannot load block", "gc'd", "block not found")
_LITE_SERVER = "lite_server"
_FINAL = frozenset({"refused", "method-missing"})
_MALFORMED = Gap("malformed-answer")


class Block(msgspec.Struct, frozen=True):
    """A masterchain block: its number, and root and file hash in hex."""

    seqno: int
    root: str
    file: str


class Account(msgspec.Struct, frozen=True):
    """An account: nanotons, state, and its code and data as bags of cells in base64.

    One that was never there is ``UNINITIALISED`` too.
    """

    balance: int
    state: str
    is_suspended: bool
    code: str
    data: str


class Ran(msgspec.Struct, frozen=True):
    """What a get method returned."""

    exit_code: int
    stack: Sequence[Any]

    def number(self, place: int) -> int | Gap:
        """Read an integer of the stack."""
        matched = _NUMBER.match(self._text(place, "num"))
        if matched is None:
            return _MALFORMED
        value = int(matched[2], 16)
        return -value if matched[1] else value

    def amount(self, place: int) -> int | Gap:
        """Read an amount of the stack."""
        value = self.number(place)
        return value if isinstance(value, Gap) or 0 <= value <= MOST else _MALFORMED

    def cell(self, place: int) -> cells.Cell | Gap:
        """Read a cell, or the cell that a slice was cut from."""
        try:
            return cells.of_text(self._text(place, "cell"))
        except cells.CellError as error:
            return Gap("malformed-answer", detail=str(error))

    def address(self, place: int) -> bytes | Gap:
        """Read an account's address."""
        found = self.cell(place)
        try:
            return found if isinstance(found, Gap) else cells.address(found)
        except cells.CellError as error:
            return Gap("malformed-answer", detail=str(error))

    def rows(self, place: int, width: int) -> list[list[int]] | Gap:
        """Read a list of tuples of integers, all of one width."""
        entry = self.stack[place] if place < len(self.stack) else None
        if not isinstance(entry, list) or len(entry) != 2 or entry[0] != "list":  # noqa: PLR2004
            return _MALFORMED
        rows = [_numbers(one) for one in _elements(entry[1])]
        known = [row for row in rows if row is not None and len(row) == width]
        is_read = isinstance(entry[1], dict) and len(known) == len(rows)
        return known if is_read else _MALFORMED

    def _text(self, place: int, kind: str) -> str:
        """Return the text of an entry of this kind, empty where it is another."""
        entry = self.stack[place] if place < len(self.stack) else None
        if not isinstance(entry, list) or len(entry) != 2 or entry[0] != kind:  # noqa: PLR2004
            return ""
        value = entry[1].get("bytes") if isinstance(entry[1], dict) else entry[1]
        return value if isinstance(value, str) else ""


def _elements(value: Any) -> list[Any]:
    """Return what is in a list or tuple, something unreadable where it is neither."""
    found = value.get("elements") if isinstance(value, dict) else None
    return found if isinstance(found, list) else [None]


def _numbers(entry: Any) -> list[int] | None:
    """Read a tuple of integers, as decimal text each."""
    inside = _elements(entry.get("tuple") if isinstance(entry, dict) else None)
    found = [one.get("number") if isinstance(one, dict) else None for one in inside]
    texts = [str(one.get("number")) if isinstance(one, dict) else "" for one in found]
    are_numbers = all(_DECIMAL.match(one) for one in texts)
    return [int(one) for one in texts] if are_numbers else None


def info() -> Request:
    """Ask for the newest masterchain block and the state before the first."""
    return rest.get("/getMasterchainInfo")


def header(seqno: int) -> Request:
    """Ask for the header of a masterchain block."""
    return rest.get(f"/getBlockHeader?workchain={MASTERCHAIN}&shard={WHOLE}&seqno={seqno}")


def state(account: bytes, seqno: int) -> Request:
    """Ask for an account as a masterchain block left it."""
    return rest.get(f"/getAddressInformation?address={encode(account, {})}&seqno={seqno}")


def run(account: bytes, method: str, seqno: int, *arguments: bytes) -> Request:
    """Build a call of a get method; the arguments are addresses."""
    stack = [["tvm.Slice", cells.address_bag(argument)] for argument in arguments]
    asked = {"address": encode(account, {}), "method": method, "stack": stack, "seqno": seqno}
    return rest.post("/runGetMethod", asked)


def may_pass(exchange: Exchange) -> bool:
    """Tell whether a lite server behind the endpoint failed: the next one may do better."""
    return exchange.status >= _SERVER_ERROR and bool(_error(exchange))


def _error(exchange: Exchange) -> str:
    """Return the text of an error object, empty where there is none."""
    said = rest.body(exchange)
    text = said.get("error") if isinstance(said, dict) and said.get("ok") is False else None
    return text if isinstance(text, str) else ""


def read(exchange: Exchange | None, seqno: int) -> Any | Gap:
    """Return the result of an answer about a masterchain block, or why there is none."""
    if exchange is None:
        return Gap("not-answered")
    gap = failure(exchange)
    if gap is not None and not (gap.reason == "refused" and exchange.body):
        return gap
    error = _error(exchange)
    if error:
        return _refused(exchange.status, error, seqno)
    if gap is not None:
        is_server = exchange.status == _SERVER_ERROR
        return Gap("server-error", retryable=True, detail="500") if is_server else gap
    said = rest.body(exchange)
    if isinstance(said, Gap):
        return said
    is_good = isinstance(said, dict) and said.get("ok") is True and "result" in said
    return said["result"] if is_good else _MALFORMED


def _refused(status: int, error: str, seqno: int) -> Gap:
    """Say what an error text means for a question about a block.

    Source: https://github.com/ton-blockchain/ton/blob/master/validator/impl/liteserver.cpp
    """
    text = error.lower()
    lagging = _LAGGING.search(text)
    is_behind = lagging is not None and int(lagging[1]) < seqno
    meanings = {
        "refused": status in _FORBIDDEN,
        "method-missing": status == _NOT_FOUND,
        "rate-limited": asks_to_slow_down(text),
        "node-behind": is_behind,
        "state-pruned": any(words in text for words in _MISSING),
        "timeout": "timeout" in text,
    }
    reason = next((one for one, is_meant in meanings.items() if is_meant), "rpc-error")
    is_final = reason in _FINAL or (reason == "rpc-error" and _LITE_SERVER not in text)
    return Gap(reason, retryable=not is_final, detail=f"{status} {error}"[:200])


def read_object(exchange: Exchange | None, seqno: int) -> dict[str, Any] | Gap:
    """Return a result that is an object."""
    said = read(exchange, seqno)
    return said if isinstance(said, dict | Gap) else _MALFORMED


def block(said: object) -> Block | Gap:
    """Read the name of a masterchain block."""
    if not isinstance(said, dict):
        return _MALFORMED
    seqno, root, file = said.get("seqno"), digest(said.get("root_hash")), said.get("file_hash")
    named = Block(seqno, root, digest(file)) if is_seqno(seqno) else None
    if named is None or not named.root or not named.file:
        return _MALFORMED
    is_master = said.get("workchain") == MASTERCHAIN and str(said.get("shard")) == WHOLE
    return named if is_master else Gap("wrong-block", detail="not a block of the masterchain")


def digest(value: object) -> str:
    """Read 32 bytes in base64 or hex, as hex; empty where they are not."""
    if not isinstance(value, str):
        return ""
    try:
        if len(value) == _HASH_DIGITS:
            raw = bytes.fromhex(value)
        else:
            raw = b64decode(value.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        return ""
    return raw.hex() if len(raw) == _HASH_BYTES else ""


def is_integer(value: object) -> TypeGuard[int]:
    """Tell whether a value is an integer, which true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_seqno(value: object) -> TypeGuard[int]:
    """Tell whether a value is a block's number."""
    return is_integer(value) and 0 <= value <= MOST_SEQNO


def _of_block(exchange: Exchange | None, at: Block) -> dict[str, Any] | Gap:
    """Return a result that names the block that it is for, and it is this one."""
    said = read_object(exchange, at.seqno)
    if isinstance(said, Gap):
        return said
    named = block(said.get("block_id"))
    if isinstance(named, Gap):
        return Gap(named.reason, detail="block_id")
    return said if named == at else Gap("wrong-block", detail=f"it is for block {named.seqno}")


def account(exchange: Exchange | None, at: Block) -> Account | Gap:
    """Read an account as a block left it."""
    said = _of_block(exchange, at)
    if isinstance(said, Gap):
        return said
    balance = _units(said.get("balance"))
    code, data, frozen = (said.get(name) for name in ("code", "data", "frozen_hash"))
    if not (isinstance(code, str) and isinstance(data, str) and isinstance(frozen, str)):
        return _MALFORMED
    if isinstance(balance, Gap):
        return balance
    shown = ACTIVE if code else FROZEN if frozen else UNINITIALISED
    if said.get("state") != shown:
        return Gap("malformed-answer", detail="the state is not that of code and frozen hash")
    return Account(balance, shown, said.get("suspended") is True, code, data)


def ran(exchange: Exchange | None, at: Block) -> Ran | Gap:
    """Read what a get method returned in the state of a block."""
    said = _of_block(exchange, at)
    if isinstance(said, Gap):
        return said
    code, stack = said.get("exit_code"), said.get("stack")
    if not is_integer(code) or not isinstance(stack, list):
        return _MALFORMED
    return Ran(code, stack)


def _units(value: object) -> int | Gap:
    """Read nanotons: decimal text, or a number where the server replaced a negative one by 0."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < _LONGEST:
        value = int(value)
    if not is_integer(value) or not 0 <= value <= MOST:
        return _MALFORMED
    return value

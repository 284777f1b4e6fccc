"""Starknet's JSON-RPC: arrays of calls as bytes, answers as felts, faults or Gaps.

A felt is a number below the field's prime, written in hex. A balance is a u256 in two felts, the
low 128 bits first.

Spec: https://github.com/starkware-libs/starknet-specs (api/starknet_api_openrpc.json)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeGuard

import msgspec

from chains import jsonrpc, rest
from chains.model import Exchange, Gap, Request
from chains.signatures.starknet import selector

CALL = "starknet_call"
CLASS_HASH = "starknet_getClassHashAt"
BALANCE_OF, TOTAL_SUPPLY = hex(selector("balanceOf")), hex(selector("totalSupply"))
NO_CONTRACT, NO_ENTRY_POINT, NO_BLOCK, CONTRACT_ERROR = 20, 21, 24, 40
"""Error codes. Before version 0.8 of the specification 40 stood for a missing entry point too."""
MISSING = (
    "ENTRYPOINT_NOT_FOUND",
    "0x454e545259504f494e545f4e4f545f464f554e44",
    "not found in contract",
)
"""How contract errors say that there is no such entry point.
Source: NethermindEth/juno pull request 2555; starkware-libs/cairo-vm issue 1255"""
ACCEPTED = frozenset({"ACCEPTED_ON_L2", "ACCEPTED_ON_L1"})
PRIME = 2**251 + 17 * 2**192 + 1
_FELT = re.compile(r"0x[0-9a-fA-F]{1,64}\Z")
_HALF = 2**128
_WORDS = 2
_LONGEST_TEXT = 20_000
_NESTED = Gap("malformed-answer", retryable=True, detail="nested too deeply")


class Fault(msgspec.Struct, frozen=True):
    """An error by which the protocol answers. ``reverted`` holds what the contract said."""

    code: int
    text: str
    reverted: str = ""

    @property
    def is_missing(self) -> bool:
        """Tell whether the contract has no such entry point."""
        said = self.code == CONTRACT_ERROR and any(mark in self.reverted for mark in MISSING)
        return self.code == NO_ENTRY_POINT or said

    @property
    def gap(self) -> Gap:
        """The Gap that it is, where it is no answer."""
        reasons = {NO_CONTRACT: "no-contract", NO_BLOCK: "state-pruned"}
        called = (NO_ENTRY_POINT, CONTRACT_ERROR)
        reason = "call-failed" if self.code in called else reasons.get(self.code, "rpc-error")
        return Gap(reason, detail=self.text)


class Block(msgspec.Struct, frozen=True):
    """An accepted block. ``time`` is in seconds; ``sequencer`` made it."""

    number: int
    hash: int
    parent: int
    root: int
    time: int
    sequencer: int


def call(contract: int, entry_point: str, arguments: Sequence[int], block: str) -> tuple[str, Any]:
    """Return one call of a contract at a block, for ``jsonrpc.batch``."""
    request = {
        "contract_address": hex(contract),
        "entry_point_selector": entry_point,
        "calldata": [hex(one) for one in arguments],
    }
    return CALL, [request, {"block_hash": block}]


def class_hash(contract: int, block: str) -> tuple[str, Any]:
    """Return the question whether there is a contract, for ``jsonrpc.batch``."""
    return CLASS_HASH, [{"block_hash": block}, hex(contract)]


def block_request(number: int) -> Request:
    """Ask for a block by number."""
    return jsonrpc.call("starknet_getBlockWithTxHashes", [{"block_number": number}])


def answers(exchange: Exchange, count: int) -> list[Any | Fault | Gap]:
    """Return the results of an array, the protocol's own errors as ``Fault``."""
    faults = _faults(exchange)
    try:
        results = jsonrpc.results(exchange, count)
    except RecursionError:  # an error message that is nested too deeply to be written down
        return [_NESTED] * count
    return [
        faults.get(i, found) if isinstance(found, Gap) and found.reason == "rpc-error" else found
        for i, found in enumerate(results)
    ]


def answer(exchange: Exchange) -> Any | Fault | Gap:
    """Return the result of a single call."""
    try:
        found = jsonrpc.result(exchange)
    except RecursionError:
        return _NESTED
    if isinstance(found, Gap) and found.reason == "rpc-error":
        return _faults(exchange).get(0, found)
    return found


def _faults(exchange: Exchange) -> dict[int, Fault]:
    """Return errors with a code by id; where an id comes twice ``jsonrpc`` has refused both."""
    said = rest.body(exchange)
    found: dict[int, Fault] = {}
    members = said if isinstance(said, list) else [said]
    for one in (member for member in members if isinstance(member, dict)):
        error, i = one.get("error"), one.get("id")
        code = error.get("code") if isinstance(error, dict) else None
        if isinstance(error, dict) and isinstance(i, int) and isinstance(code, int):
            text = f"{code}: {_text(error.get('message'))[:200]}"
            found[i] = Fault(code, text, _text(error.get("data")))
    return found


def _text(data: Any) -> str:
    """Return what an error carries as text; empty where it is nested too deeply."""
    try:
        return "" if data is None else str(data)[:_LONGEST_TEXT]
    except RecursionError:
        return ""


def felt(value: Any) -> int | None:
    """Return the number of a field element, ``None`` for anything else."""
    if not isinstance(value, str) or _FELT.match(value) is None:
        return None
    number = int(value, 16)
    return number if number < PRIME else None


def felts(value: Any) -> tuple[int, ...] | None:
    """Return the numbers of a list of field elements, ``None`` for anything else."""
    numbers = [felt(one) for one in value] if isinstance(value, list) else [None]
    known = tuple(one for one in numbers if one is not None)
    return known if len(known) == len(numbers) else None


def read_amount(said: Any | Fault | Gap) -> int | Gap:
    """Read a u256."""
    if isinstance(said, Fault):
        return said.gap
    if isinstance(said, Gap):
        return said
    words = felts(said)
    if words is None or len(words) != _WORDS or max(words) >= _HALF:
        return Gap("malformed-answer", retryable=True, detail="a u256 has two words of 128 bits")
    return words[0] + words[1] * _HALF


def read_block(said: Any | Fault | Gap) -> Block | Gap:
    """Read a block that is accepted; one that is not yet is ``node-behind``."""
    if isinstance(said, Fault):
        return said.gap
    if isinstance(said, Gap):
        return said
    if not isinstance(said, dict):
        return _malformed()
    status = _text(said.get("status"))
    if status not in ACCEPTED:
        return Gap("node-behind", retryable=True, detail=status[:40])
    number, time = said.get("block_number"), said.get("timestamp")
    names = ("block_hash", "parent_hash", "new_root", "sequencer_address")
    numbers = felts([said.get(name) for name in names])
    if not is_number(number) or not is_number(time) or numbers is None:
        return _malformed()
    own, parent, root, sequencer = numbers
    return Block(number, own, parent, root, time, sequencer)


def is_number(value: Any) -> TypeGuard[int]:
    """Tell whether a value is an integer of 64 bits without sign."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64


def _malformed() -> Gap:
    return Gap("malformed-answer", retryable=True, detail="a member of the block is missing")

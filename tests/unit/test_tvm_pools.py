"""The books of nominator pools: whatever is not a list of nominators is no stake and no zero."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chains.adapters.tvm import pools, wire
from chains.model import Exchange, Gap, Part, PartKind
from chains.simulated.tvm import EMPTY_CELL
from tests.unit.tvm_answers import BLOCK, FILE, HEIGHT, ROOT

pytestmark = pytest.mark.unit

POOL = b"\xff" + b"\x09" * 32
ALICE, BOB = (b"\0" + bytes((i,)) * 32 for i in (1, 2))
NAMED = {"workchain": -1, "shard": str(-(2**63)), "seqno": HEIGHT, "root_hash": ROOT}


def number(value: object) -> dict[str, Any]:
    return {"number": {"number": str(value)}}


def row(account: bytes, amount: int, pending: int = 0, wanted: int = 0) -> dict[str, Any]:
    values = (int.from_bytes(account[1:], "big"), amount, pending, wanted)
    return {"tuple": {"elements": [number(value) for value in values]}}


def exchange(request: Any, result: dict[str, Any]) -> Exchange:
    said = {"ok": True, "result": {**result, "block_id": {**NAMED, "file_hash": FILE}}}
    return Exchange(request=request, endpoint="a", status=200, body=msgspec.json.encode(said))


def told(stack: Any, monkeypatch: pytest.MonkeyPatch, *, code: str = EMPTY_CELL) -> Any:
    empty = bytes.fromhex("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7")
    monkeypatch.setattr(pools, "CODES", frozenset({empty}))
    state, books = pools.requests([POOL], HEIGHT)
    account = {"balance": "1", "code": code, "data": "", "frozen_hash": "", "state": "active"}
    shown = [exchange(state, account), exchange(books, {"exit_code": 0, "stack": stack})]
    return pools.stakes({one.request: one for one in shown}, [POOL], BLOCK)


def test_amount_what_waits_and_what_is_wanted_back_are_told_apart(monkeypatch):
    rows = [row(ALICE, 10**20, 7), row(BOB, 5, wanted=-1)]
    assert told([["list", {"elements": rows}]], monkeypatch) == {
        ALICE: (Part(PartKind.STAKED, 10**20), Part(PartKind.RESERVED, 7)),
        BOB: (Part(PartKind.UNBONDING, 5),),
    }


def test_a_pool_without_nominators_has_an_empty_list(monkeypatch):
    assert told([["list", {"elements": []}]], monkeypatch) == {}


@pytest.mark.parametrize(
    "stack",
    [
        [],
        [["num", "0x0"]],
        [["list", []]],
        [["list", {}]],
        [["list", {"elements": [None]}]],
        [["list", {"elements": [number(1)]}]],
        [["list", {"elements": [{"tuple": {"elements": [number(1)] * 3}}]}]],
        [["list", {"elements": [{"tuple": {"elements": [number("0x1")] * 4}}]}]],
        [["list", {"elements": [{"tuple": {"elements": [number(True)] * 4}}]}]],
        [["list", {"elements": [row(ALICE, -1)]}]],
        [["list", {"elements": [row(ALICE, 2**120)]}]],
        [["list", {"elements": [row(ALICE, 1), row(ALICE, 2)]}]],
    ],
)
def test_what_is_no_list_of_nominators_is_a_gap(stack, monkeypatch):
    found = told(stack, monkeypatch)
    assert isinstance(found, Gap)
    assert found.reason == "malformed-answer"


def test_code_that_is_not_known_lists_nobody(monkeypatch):
    other = wire.cells.address_bag(ALICE)
    found = told([["list", {"elements": [row(ALICE, 9)]}]], monkeypatch, code=other)
    assert isinstance(found, Gap)
    assert found.reason == "no-contract"

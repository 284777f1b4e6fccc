from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from eip155_fixtures import adapter, load

from chains.adapters.eip155.pinning import CHAIN_ID, HEAD, balance_request, block_request
from chains.errors import Disagreement, NodeBehind, Transient, Unanswerable, WrongChain
from chains.model import Exchange, Request

pytestmark = pytest.mark.unit

HEIGHT = 100
MINER, SENDER = "0x" + "aa" * 20, "0x" + "bb" * 20
HASH = "0x" + "01" * 32
BLOCK: dict[str, Any] = {
    "number": hex(HEIGHT),
    "hash": HASH,
    "parentHash": "0x" + "02" * 32,
    "stateRoot": "0x" + "03" * 32,
    "timestamp": "0x64",
    "miner": MINER,
    "transactions": [{"from": SENDER, "to": MINER}],
}
ERROR = {"code": -32000, "message": "missing trie node"}


def said(endpoint: str, request: Request, result: Any) -> Exchange:
    """Return an exchange with this result; a dict with ``message`` is an error."""
    key = "error" if isinstance(result, dict) and "message" in result else "result"
    body = json.dumps({"jsonrpc": "2.0", "id": 0, key: result}).encode()
    return Exchange(request=request, endpoint=endpoint, status=200, body=body)


def node(
    name: str,
    *,
    chain_id: Any = "0x7a69",
    head: Any = "0xff",
    block: Any = BLOCK,
    balances: Mapping[str, Any] | None = None,
) -> list[Exchange]:
    """Return what one endpoint said while pinning."""
    exchanges = [
        said(name, CHAIN_ID, chain_id),
        said(name, HEAD, head),
        said(name, block_request(HEIGHT, full=True), block),
    ]
    for at, units in ({SENDER: "0x5"} if balances is None else balances).items():
        exchanges.append(said(name, balance_request(bytes.fromhex(at[2:]), HASH), units))
    return exchanges


def test_one_endpoint_pins_the_block() -> None:
    at = adapter().snapshot(HEIGHT, node("a"))
    assert (at.height, at.block_hash, at.time) == (HEIGHT, HASH, 100)
    assert (at.endpoints, dict(at.rejected)) == (("a",), {})
    assert at.canaries == (SENDER[2:],)
    assert at.detail == {
        "parent_hash": BLOCK["parentHash"],
        "state_root": BLOCK["stateRoot"],
        "chain_id": "31337",
        "named_by": '["a"]',
        "canary_units": "5",
    }


def test_the_recorded_pin_resolves_again_to_the_same_snapshot() -> None:
    first, second = load("native-override"), load("native-override")
    assert msgspec.json.encode(first.at) == msgspec.json.encode(second.at)
    assert first.at.time >= 1_700_000_000


def test_another_chain_is_fatal_whoever_else_answers() -> None:
    with pytest.raises(WrongChain, match="endpoint b serves chain id 1"):
        adapter().snapshot(HEIGHT, [*node("a"), *node("b", chain_id="0x1")])


def test_two_hashes_are_fatal() -> None:
    other = {**BLOCK, "hash": "0x" + "09" * 32}
    with pytest.raises(Disagreement, match="endpoint b names 0x0909"):
        adapter().snapshot(HEIGHT, [*node("a"), *node("b", block=other)])


def test_two_canary_balances_are_fatal() -> None:
    with pytest.raises(Disagreement, match="canary"):
        adapter().snapshot(HEIGHT, [*node("a"), *node("b", balances={SENDER: "0x6"})])


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"chain_id": ERROR}, "state-pruned"),
        ({"chain_id": None}, "malformed-answer"),
        ({"block": None, "head": "0x1"}, "node-behind"),
        ({"block": None}, "state-pruned"),
        ({"block": {**BLOCK, "number": "0x65"}}, "wrong-block"),
        ({"block": {**BLOCK, "hash": "0x12"}}, "malformed-answer"),
        ({"block": "0x"}, "malformed-answer"),
        ({"balances": {SENDER: "0x0"}}, "canary-failed"),
        ({"balances": {SENDER: ERROR}}, "state-pruned"),
        ({"balances": {SENDER: "0x"}}, "malformed-answer"),
        ({"balances": {}}, "not-answered"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
def test_an_endpoint_that_cannot_show_the_state_is_rejected(
    more: dict[str, Any], reason: str
) -> None:
    at = adapter().snapshot(HEIGHT, [*node("a"), *node("b", **more)])
    assert at.endpoints == ("a",)
    assert dict(at.rejected) == {"b": reason}


def test_the_first_candidate_that_is_not_empty_is_the_canary() -> None:
    balances = {SENDER: "0x0", MINER: "0x7"}
    at = adapter().snapshot(HEIGHT, node("a", balances=balances))
    assert (at.canaries, at.endpoints) == ((MINER[2:],), ("a",))
    at = adapter().snapshot(HEIGHT, node("a", balances={SENDER: "0x0", MINER: "0x0"}))
    assert (at.canaries, at.endpoints) == ((), ("a",))
    assert "canary_units" not in at.detail


def test_a_block_without_usable_endpoint_is_still_known() -> None:
    at = adapter().snapshot(HEIGHT, node("a", balances={SENDER: ERROR, MINER: ERROR}))
    assert (at.block_hash, at.endpoints) == (HASH, ())
    assert dict(at.rejected) == {"a": "state-pruned"}


def test_a_configured_canary_needs_no_transactions() -> None:
    made = adapter(canaries=[MINER])
    exchanges = node("a", balances={MINER: "0x7"})
    exchanges[2] = said("a", block_request(HEIGHT, full=False), BLOCK)
    assert made.snapshot(HEIGHT, exchanges).canaries == (MINER[2:],)


def test_when_nobody_knows_the_block_the_error_says_why() -> None:
    with pytest.raises(NodeBehind, match="node-behind"):
        adapter().snapshot(HEIGHT, node("a", block=None, head="0x1"))
    with pytest.raises(Unanswerable) as caught:
        adapter().snapshot(HEIGHT, node("a", block=None))
    assert caught.value.code == "state-pruned"
    silent = [
        Exchange(request=request, endpoint="a", failure="timeout", retryable=True)
        for request in (CHAIN_ID, HEAD, block_request(HEIGHT, full=True))
    ]
    with pytest.raises(Transient) as passing:
        adapter().snapshot(HEIGHT, silent)
    assert passing.value.code == "timeout"
    with pytest.raises(Unanswerable) as empty:
        adapter().snapshot(HEIGHT, [])
    assert empty.value.code == "no-endpoint"


@pytest.mark.parametrize("first", ["0x0", None])
def test_a_canary_that_was_not_shown_for_once_is_no_moment_without_canary(first: Any) -> None:
    """What is pinned stays: a moment without canary would never believe a zero."""
    lost = msgspec.structs.replace(
        said("a", balance_request(bytes.fromhex(SENDER[2:]), HASH), None),
        status=0,
        body=b"",
        failure="timeout",
        retryable=True,
    )
    shown = {} if first is None else {MINER: first}
    with pytest.raises(Transient) as raised:
        adapter().snapshot(HEIGHT, [*node("a", balances=shown), lost])
    assert raised.value.code == "timeout"

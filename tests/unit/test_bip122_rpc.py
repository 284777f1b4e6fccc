"""Reading Core's answers, and resolving the moment from them, without a socket."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from chains.adapters.bip122 import Adapter, rpc
from chains.adapters.bip122.dump import MAGIC
from chains.adapters.bip122.params import Params
from chains.errors import (
    ConfigError,
    Disagreement,
    Malformed,
    NodeBehind,
    Unanswerable,
    Unreachable,
    WrongChain,
)
from chains.model import AssetId, ChainId, ChainSpec, Exchange, Gap, Request, Snapshot
from chains.simulated.bip122 import SimulatedCore

pytestmark = pytest.mark.unit

CHAIN = ChainId("bip122:test")
NODE = SimulatedCore(tip=100)
A, B = b"\x00\x14" + bytes(20), b"\x00\x14" + bytes(19) + b"\x01"
CANARY = rpc.Canary(outpoint="ee" * 32 + ":0", script=b"\x51", units=50 * 10**8)
AT = Snapshot(chain=CHAIN, height=100, block_hash=NODE.block_hash(100), time=1, endpoints=("node",))


class NoTransport:
    endpoints = ()


def spec(**params: Any) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="Test",
        adapter="bip122",
        address="bitcoin",
        native=AssetId(f"{CHAIN}/slip44:1"),
        params={"genesis": NODE.genesis, "magic": "fabfb5da"} | params,
    )


def adapter(**params: Any) -> Adapter:
    return Adapter(spec(**params), NoTransport())  # type: ignore[arg-type]


def answered(*results: Any, endpoint: str = "node", failure: str = "") -> Exchange:
    body = [{"id": i, "result": result} for i, result in enumerate(results)]
    return Exchange(
        request=Request(), endpoint=endpoint, body=msgspec.json.encode(body), failure=failure
    )


def pinned(
    *, endpoint: str = "node", genesis: str = NODE.genesis, height: int = 100, node: Any = NODE,
    header: bytes | None = None, confirmations: int = 1, said_height: int | None = None,
) -> list[Exchange]:  # fmt: skip
    raw = header or node.header(height)
    parsed = {
        "height": height if said_height is None else said_height,
        "time": int.from_bytes(node.header(height)[68:72], "little"),
        "confirmations": confirmations,
    }
    return [
        answered(genesis, node.block_hash(height), endpoint=endpoint),
        answered(parsed, raw.hex(), {"tx": []}, endpoint=endpoint),
    ]


def dumped(block: str, *, endpoint: str = "dump", magic: str = "fabfb5da") -> Exchange:
    body = MAGIC + b"\x02\x00" + bytes.fromhex(magic) + bytes.fromhex(block)[::-1] + bytes(8)
    return Exchange(request=Request(method="FILE", path="d"), endpoint=endpoint, body=body)


def failed(failure: str, endpoint: str = "node") -> Exchange:
    return Exchange(request=Request(), endpoint=endpoint, failure=failure, retryable=True)


@pytest.mark.parametrize(
    ("amount", "units"),
    [("0E-8", 0), ("0.00000001", 1), ("21000000.00000000", 2_100_000_000_000_000), ("1", 10**8),
     ("12.3", 1_230_000_000), ("92233720368.54775807", 2**63 - 1)],
)  # fmt: skip
def test_amounts_are_exact(amount: str, units: int) -> None:
    assert rpc.satoshi(Decimal(amount)) == units


@pytest.mark.parametrize("amount", ["-1", "0.000000001", "1E+999999", "NaN", "Infinity", "1" * 40])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(Malformed):
        rpc.satoshi(Decimal(amount))


def unspent(script: bytes, amount: str, txid: str = "aa", vout: int = 0) -> dict[str, Any]:
    return {
        "txid": txid * 32,
        "vout": vout,
        "scriptPubKey": script.hex(),
        "desc": "",
        "amount": msgspec.Raw(amount.encode()),
        "height": 5,
    }


def scan_of(*unspents: dict[str, Any], total: str, **changes: Any) -> Exchange:
    reward = unspent(CANARY.script, "50.00000000", "ee")
    return answered(
        {
            "success": True,
            "txouts": 9,
            "height": 100,
            "bestblock": AT.block_hash,
            "unspents": [*unspents, reward],
            "total_amount": msgspec.Raw(total.encode()),
        }
        | changes
    )


def test_a_scan_is_summed_by_script() -> None:
    exchange = scan_of(
        unspent(A, "0.10000000"), unspent(A, "0.00000001", vout=1), total="50.10000001"
    )
    assert rpc.read_scan(exchange, [A, B], AT, CANARY) == [10_000_001, 0]


def test_the_canary_may_be_one_of_the_accounts() -> None:
    exchange = scan_of(total="50.00000000")
    assert rpc.read_scan(exchange, [CANARY.script], AT, CANARY) == [50 * 10**8]


@pytest.mark.parametrize(
    ("exchange", "reason"),
    [
        (scan_of(total="50", height=101), "scan-mismatch"),
        (scan_of(total="50", height=99), "scan-mismatch"),
        (scan_of(total="50", height=10**3000), "malformed-answer"),
        (scan_of(total="50", bestblock="00" * 32), "scan-mismatch"),
        (scan_of(total="50", success=False), "truncated-answer"),
        (scan_of(total="0", unspents=[]), "zero-without-canary"),
        (scan_of(unspent(A, "1"), total="50"), "malformed-answer"),
        (scan_of(unspent(A, "1"), unspent(A, "1"), total="52"), "malformed-answer"),
        (scan_of(unspent(b"\x52", "1"), total="51"), "malformed-answer"),
        (scan_of(unspent(A, "1.123456789"), total="51"), "malformed-answer"),
        (scan_of(unspent(A, '"much"'), total="51"), "malformed-answer"),
        (scan_of(unspent(A, "1") | {"height": 101}, total="51"), "malformed-answer"),
        (scan_of(total="50", unspents=None), "malformed-answer"),
        (answered(None), "truncated-answer"),
        (failed("timeout"), "timeout"),
    ],
)
def test_a_scan_that_cannot_be_believed_is_a_gap(exchange: Exchange, reason: str) -> None:
    gap = rpc.read_scan(exchange, [A, B], AT, CANARY)
    assert isinstance(gap, Gap)
    assert gap.reason == reason


def test_the_canary_must_be_the_very_coin() -> None:
    exchange = scan_of(total="50.00000000")
    for changed in (
        rpc.Canary(outpoint=CANARY.outpoint, script=CANARY.script, units=CANARY.units + 1),
        rpc.Canary(outpoint="ee" * 32 + ":1", script=CANARY.script, units=CANARY.units),
    ):
        gap = rpc.read_scan(exchange, [A], AT, changed)
        assert isinstance(gap, Gap)
        assert gap.reason == "zero-without-canary"


def test_without_a_canary_no_scan_is_believed() -> None:
    gap = rpc.read_scan(scan_of(unspent(A, "1"), total="51"), [A, CANARY.script], AT, None)
    assert isinstance(gap, Gap)
    assert gap.reason == "zero-without-canary"


def test_a_node_pins_block_and_time() -> None:
    at = adapter().snapshot(100, pinned())
    assert (at.block_hash, at.time) == (NODE.block_hash(100), 1_296_688_602 + 60_000)
    assert at.detail == {"height_tied_by": "node"}


@pytest.mark.parametrize(
    ("exchanges", "reason"),
    [
        (pinned(header=NODE.header(99)), "wrong-block"),
        (pinned(header=NODE.header(100)[:-1] + b"\x07"), "wrong-block"),
        (pinned(said_height=99), "wrong-block"),
        (pinned()[:1], "not-answered"),
        ([answered(NODE.genesis, None)], "malformed-answer"),
    ],
)
def test_a_node_that_contradicts_itself_is_rejected(exchanges: list[Exchange], reason: str) -> None:
    with pytest.raises(Unanswerable) as error:
        adapter().snapshot(100, exchanges)
    assert error.value.code == reason


def test_a_block_that_was_reorganised_away_may_be_asked_again() -> None:
    with pytest.raises(Unreachable) as error:
        adapter().snapshot(100, pinned(confirmations=-1))
    assert error.value.code == "reorganised"


def test_a_node_behind_is_transient() -> None:
    body = msgspec.json.encode(
        [
            {"id": 0, "result": NODE.genesis},
            {"id": 1, "error": {"code": -8, "message": "Block height out of range"}},
        ]
    )
    with pytest.raises(NodeBehind):
        adapter().snapshot(100, [Exchange(request=Request(), endpoint="node", body=body)])


def test_another_genesis_is_the_wrong_chain() -> None:
    with pytest.raises(WrongChain):
        adapter().snapshot(100, pinned(genesis="00" * 32))


def test_a_fork_is_told_from_its_parent_by_the_fork_block() -> None:
    forked = adapter(fork_height=50, fork_hash="22" * 32)
    genesis, after = NODE.genesis, NODE.block_hash(100)
    said = [answered(genesis, NODE.block_hash(50), after), pinned()[1]]
    with pytest.raises(WrongChain):
        forked.snapshot(100, said)
    same = adapter(fork_height=50, fork_hash=NODE.block_hash(50))
    assert same.snapshot(100, said).block_hash == after


def test_nodes_that_disagree_stop_the_run() -> None:
    other = SimulatedCore(tip=100, salt="fork")
    with pytest.raises(Disagreement):
        adapter().snapshot(100, [*pinned(), *pinned(endpoint="second", node=other)])


def test_a_dump_of_another_network_is_the_wrong_chain() -> None:
    with pytest.raises(WrongChain):
        adapter().snapshot(100, [dumped("11" * 32, magic="f9beb4d9")])


def test_a_dump_of_another_block_is_rejected_but_the_node_stays() -> None:
    at = adapter().snapshot(100, [dumped("11" * 32), *pinned()])
    assert at.endpoints == ("node",)
    assert at.rejected == {"dump": "dump-mismatch"}


def test_a_dump_alone_leaves_the_height_unverified() -> None:
    at = adapter().snapshot(100, [dumped("11" * 32)])
    assert (at.block_hash, at.time) == ("11" * 32, 0)
    assert at.detail == {"height_tied_by": "newest-coin", "height_unverified": "true"}


def test_a_checkpoint_ties_a_dump_to_its_height() -> None:
    known = adapter(checkpoints={"100": "11" * 32})
    at = known.snapshot(100, [dumped("11" * 32)])
    assert at.detail == {"height_tied_by": "checkpoint"}
    with pytest.raises(Unanswerable) as error:
        known.snapshot(100, [dumped("22" * 32)])
    assert error.value.code == "dump-mismatch"


def test_two_dumps_of_different_blocks_disagree() -> None:
    with pytest.raises(Disagreement):
        adapter().snapshot(100, [dumped("11" * 32), dumped("22" * 32, endpoint="second")])


def test_a_failing_node_does_not_stop_a_dump() -> None:
    at = adapter().snapshot(100, [failed("timeout"), dumped("11" * 32)])
    assert at.rejected == {"node": "timeout"}
    assert at.detail["height_unverified"] == "true"


def test_nobody_reachable_is_transient() -> None:
    with pytest.raises(Unreachable) as error:
        adapter().snapshot(100, [failed("timeout")])
    assert error.value.code == "timeout"


@pytest.mark.parametrize(
    "params",
    [
        {"genesis": "ab"},
        {"genesis": 5},
        {"magic": "f9be"},
        {"magic": "xx"},
        {"magic": 7},
        {"checkpoints": 5},
        {"checkpoints": {"x": "11" * 32}},
        {"checkpoints": {"5": "11"}},
        {"header": "x11"},
        {"fork_height": 5},
        {"max_money": "much"},
    ],
)
def test_a_wrong_declaration_is_named(params: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="bip122:test, params"):
        Params.of(spec(**params))


def test_a_missing_genesis_is_named() -> None:
    with pytest.raises(ConfigError, match="genesis"):
        Params.of(msgspec.structs.replace(spec(), params={}))

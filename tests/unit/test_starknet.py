"""How Starknet answers are read, and what account contracts must say to show who controls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.adapters.starknet import Adapter, owners, wire
from chains.adapters.starknet.wire import Fault
from chains.control import Authority, ControlFacts
from chains.errors import ConfigError, NodeBehind, Unanswerable, WrongChain
from chains.model import AssetId, ChainId, ChainSpec, Exchange, Gap, Request

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "starknet"
CHAIN = ChainId("starknet:SN_MAIN")
SPEC = ChainSpec(
    id=CHAIN,
    name="Starknet",
    adapter="starknet",
    address="starknet",
    native=AssetId(f"{CHAIN}/slip44:60"),
)
MAIN = "0x534e5f4d41494e"
HEIGHT = 638_358
CLASS = "0x29927c8af6bccf3f6fda035981e765a7bdbf18a2dc0d630494f8758aa908e2b"
KEY = 0x6459074AA056E6DFB18539E414720CA7518B4D9B6D9A9FA0A3A64B8E2287963
MISSING = Fault(21, "21: missing")
REVERTED = Fault(40, "40: Contract error", "argent/only_guid")


class NoTransport:
    endpoints = ("a",)


def fixture(name: str) -> Any:
    return msgspec.json.decode((FIXTURES / name).read_bytes())


def exchange(body: Any, request: Request | None = None) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Exchange(request=request or Request(), endpoint="a", status=200, body=raw)


def result(value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 0, "result": value}


def test_a_documented_block():
    block = wire.read_block(wire.answer(exchange(fixture("block.json"))))
    assert isinstance(block, wire.Block)
    assert (block.number, block.time) == (HEIGHT, 1_714_988_247)
    assert hex(block.hash) == fixture("block.json")["result"]["block_hash"]


@pytest.mark.parametrize(
    ("member", "value", "reason"),
    [
        ("status", "PRE_CONFIRMED", "node-behind"),
        ("status", "PENDING", "node-behind"),
        ("status", "REJECTED", "node-behind"),
        ("status", None, "node-behind"),
        ("status", ["ACCEPTED_ON_L1"], "node-behind"),
        ("status", {"x": 1}, "node-behind"),
        ("block_hash", "0x" + "f" * 64, "malformed-answer"),
        ("block_hash", None, "malformed-answer"),
        ("block_hash", "12", "malformed-answer"),
        ("block_number", "638358", "malformed-answer"),
        ("block_number", True, "malformed-answer"),
        ("timestamp", -1, "malformed-answer"),
        ("sequencer_address", [], "malformed-answer"),
    ],
)
def test_no_block_that_is_not_accepted_or_not_whole(member, value, reason):
    said = fixture("block.json")
    said["result"][member] = value
    gap = wire.read_block(wire.answer(exchange(said)))
    assert isinstance(gap, Gap)
    assert gap.reason == reason


def test_both_forms_of_a_missing_entry_point_are_known():
    for name in ("entry-point-not-found.json", "entry-point-not-found-old.json"):
        fault = wire.answer(exchange(fixture(name)))
        assert isinstance(fault, Fault)
        assert fault.is_missing
        assert fault.gap.reason == "call-failed"
    assert not REVERTED.is_missing
    assert not Fault(20, "", "not found in contract").is_missing


@pytest.mark.parametrize(
    ("said", "units"),
    [
        (["0x5", "0x0"], 5),
        (["0x0", "0x1"], 2**128),
        (["0x0", "0x0"], 0),
        (["0x" + "f" * 32, "0x" + "f" * 32], 2**256 - 1),
        (["0x1" + "0" * 32, "0x0"], "malformed-answer"),
        (["0x5"], "malformed-answer"),
        (["0x5", "0x0", "0x0"], "malformed-answer"),
        ([5, 0], "malformed-answer"),
        (["-0x5", "0x0"], "malformed-answer"),
        (["0x5 ", "0x0"], "malformed-answer"),
        (["0x" + "9" * 5000, "0x0"], "malformed-answer"),
        ([], "malformed-answer"),
        (None, "malformed-answer"),
        ({"low": "0x5"}, "malformed-answer"),
        (Fault(20, ""), "no-contract"),
        (Fault(24, ""), "state-pruned"),
        (REVERTED, "call-failed"),
        (Fault(-32603, ""), "rpc-error"),
        (Gap("timeout"), "timeout"),
    ],
)
def test_amounts(said, units):
    found = wire.read_amount(said)
    assert (found.reason if isinstance(found, Gap) else found) == units


@pytest.mark.parametrize("body", [b"", b"[]", b"NaN", b"7", b"[7]", b"[" * 100_000, b'[{"id":0}]'])
def test_no_body_breaks_the_reader(body):
    assert all(isinstance(one, Gap) for one in wire.answers(exchange(body), 3))


def test_errors_belong_to_their_own_call():
    error = {"code": 20, "message": "Contract not found"}
    said = [{"id": 1, "error": error}, {"id": 0, "result": []}, {"id": 1, "error": error}]
    found = wire.answers(exchange(said), 3)
    assert found[0] == []
    assert [one.reason for one in found[1:]] == ["malformed-answer"] * 2  # twice, and never
    assert wire.answers(exchange([{"id": 1, "error": error}]), 2)[1] == Fault(
        20, "20: Contract not found"
    )


def test_an_error_that_is_nested_too_deeply_is_a_gap():
    for depth in range(900, 1000):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        for error in (b'{"code":1,"message":' + nested + b"}", nested):
            one = b'{"id":0,"error":' + error + b"}"
            assert isinstance(wire.answer(exchange(one)), Gap | Fault)
            assert isinstance(wire.answers(exchange(b"[" + one + b"]"), 1)[0], Gap | Fault)


def test_an_error_that_is_nested_deeply_is_still_one():
    nested: Any = "x"
    for _ in range(300):
        nested = {"error": nested}
    said = {"id": 0, "error": {"code": 40, "message": "Contract error", "data": nested}}
    fault = wire.answer(exchange(said))
    assert isinstance(fault, Fault)
    assert not fault.is_missing


def facts(contract: Any = CLASS, **answered: Any) -> ControlFacts | Gap:
    """Read what a contract answers: felts, or a fault; other entry points are missing."""
    said = [answered.get(name, MISSING) for name in owners.ENTRY_POINTS]
    words = [[hex(n) for n in one] if isinstance(one, list) else one for one in said]
    return owners.read([contract, *words])


WAY = Authority(kind="account-key", threshold=1, weights={f"0x{KEY:064x}": 1})


@pytest.mark.parametrize(
    "answered",
    [
        {"get_public_key": [KEY]},
        {"get_public_key": [KEY], "getPublicKey": [KEY]},
        {"getPublicKey": [KEY]},
        {"get_owner": [KEY], "get_guardian": [0]},
        {"get_owner": [KEY], "get_guardian": [0], "get_owner_type": [0]},
        {"getSigner": [KEY], "getGuardian": [0]},
        {"get_public_key": [KEY], "get_signers": [1, KEY, 0, 0]},
    ],
    ids=["oz", "oz-both", "camel", "argent-0.3", "argent-0.4", "argent-old", "braavos"],
)
def test_one_key_alone_controls_the_account(answered):
    assert facts(**answered) == ControlFacts(exists=True, ways=(WAY,))


@pytest.mark.parametrize(
    "answered",
    [
        {},
        {"get_owner": [KEY]},
        {"get_owner": [KEY], "get_guardian": [7]},
        {"get_owner": [KEY], "get_guardian": REVERTED},
        {"get_owner": REVERTED, "get_guardian": [0]},
        {"get_owner": [KEY], "get_guardian": [0], "get_owner_type": [3]},
        {"get_owner": [KEY], "get_guardian": [0], "getGuardian": [9]},
        {"get_owner": [KEY], "get_guardian": []},
        {"get_public_key": [KEY], "getPublicKey": [KEY + 1]},
        {"get_public_key": [KEY], "get_guardian": [5]},
        {"get_public_key": [0]},
        {"get_public_key": [1, 2, 3, 4]},
        {"get_public_key": [KEY], "get_signers": [1, KEY, 1, 77, 0]},
        {"get_public_key": [KEY], "get_signers": [1, KEY, 0, 1, 77]},
        {"get_public_key": [KEY], "get_signers": [2, KEY, 5, 0, 0]},
        {"get_public_key": [KEY], "get_signers": REVERTED},
    ],
)
def test_everything_else_shows_nobody(answered):
    found = facts(**answered)
    assert isinstance(found, ControlFacts)
    assert (found.exists, found.ways) == (True, ())
    assert found.notes


@pytest.mark.parametrize(
    ("contract", "answered", "reason"),
    [
        (Gap("timeout"), {}, "timeout"),
        (Fault(24, ""), {}, "state-pruned"),
        (Fault(-32603, ""), {}, "rpc-error"),
        ("0x0", {}, "malformed-answer"),
        (None, {}, "malformed-answer"),
        (CLASS, {"get_public_key": "0x5"}, "malformed-answer"),
        (CLASS, {"get_public_key": None}, "malformed-answer"),
        (CLASS, {"get_public_key": [KEY], "get_guardian": Gap("timeout")}, "timeout"),
        (CLASS, {"get_public_key": [KEY], "get_signers": Fault(-32603, "")}, "rpc-error"),
        (CLASS, {"get_public_key": [KEY], "get_signers": Fault(24, "")}, "state-pruned"),
    ],
)
def test_what_a_node_failed_to_say_is_a_gap(contract, answered, reason):
    found = facts(contract, **answered)
    assert isinstance(found, Gap)
    assert found.reason == reason


def test_an_account_without_a_contract_does_not_exist():
    assert facts(Fault(20, "")) == ControlFacts(exists=False)


def snapshot(chain: Any, newest: Any, block: Any, *amounts: Any) -> Any:
    adapter = Adapter(SPEC, NoTransport())  # type: ignore[arg-type]
    requests = list(adapter.pin_requests(HEIGHT))
    bodies = [result(chain), result(newest), block]
    if amounts:
        said = block["result"]
        sequencer = int(said["sequencer_address"], 16)
        requests.append(adapter._request((sequencer,), said["block_hash"]))
        bodies.append([{"id": i, "result": one} for i, one in enumerate(amounts)])
    pairs = zip(bodies, requests, strict=True)
    return adapter.snapshot(HEIGHT, [exchange(body, request) for body, request in pairs])


def test_the_documented_block_makes_a_snapshot():
    block = fixture("block.json")
    at = snapshot(MAIN, HEIGHT, block, ["0x9", "0x0"], ["0x3", "0x0"])
    assert (at.block_hash, at.endpoints) == (block["result"]["block_hash"], ("a",))
    assert at.detail["witnesses"] == "9 3"
    assert [one.lstrip("0") for one in at.canaries] == [
        block["result"]["sequencer_address"].removeprefix("0x")
    ]
    poor = snapshot(MAIN, HEIGHT, block, ["0x9", "0x0"], ["0x0", "0x0"])
    assert (poor.endpoints, poor.canaries) == (("a",), ())


def test_an_endpoint_without_a_supply_is_not_asked():
    block = fixture("block.json")
    empty = snapshot(MAIN, HEIGHT, block, ["0x0", "0x0"], ["0x3", "0x0"])
    assert empty.rejected == {"a": "canary-failed"}
    assert snapshot(MAIN, HEIGHT, block).rejected == {"a": "not-answered"}


@pytest.mark.parametrize(
    ("chain", "newest", "error"),
    [
        ("0x534e5f5345504f4c4941", HEIGHT, WrongChain),
        ("SN_MAIN", HEIGHT, Unanswerable),
        (None, HEIGHT, Unanswerable),
        (MAIN, HEIGHT - 1, NodeBehind),
        (MAIN, "638358", Unanswerable),
    ],
)
def test_identity_and_height_are_shown_or_nothing_is_asked(chain, newest, error):
    with pytest.raises(error):
        snapshot(chain, newest, fixture("block.json"))


def test_a_token_that_is_no_address_is_an_error_of_the_configuration():
    for params in ({"token": "0"}, {"token": "0x0"}, {"canaries": [7]}):
        with pytest.raises(ConfigError):
            Adapter(msgspec.structs.replace(SPEC, params=params), NoTransport())  # type: ignore[arg-type]

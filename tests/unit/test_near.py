"""How NEAR answers are read: documented ones, and what a hostile node might say instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.accounts import Held
from chains.adapters.near import Adapter, wire
from chains.adapters.near.wire import Block, Refusal
from chains.control import ControlFacts
from chains.errors import NodeBehind, Unanswerable, WrongChain
from chains.model import AssetId, ChainId, ChainSpec, Exchange, Gap, Part, PartKind, Request

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "near"
ACCOUNT = "account.rpc-examples.testnet"
AT = Block(187_440_904, "56xEo2LorUFVNbkFhCncFSWNiobdp1kzm14nZ47b5JVW")
KEYS_AT = Block(17_798_231, "Gm7YSdx22wPuciW1jTTeRGP9mFqmon69ErFQvgcFyEEB")
CHAIN = ChainId("near:testnet")
SPEC = ChainSpec(
    id=CHAIN,
    name="NEAR",
    adapter="near",
    address="near",
    native=AssetId(f"{CHAIN}/slip44:397"),
    params={"genesis_hash": "FWJ9kR6KFWoyMoNjpLXXGHeuiy7tEY6GmoFeCA5yuc6b"},
)
HEIGHT = 187_310_138


def fixture(name: str) -> Any:
    return msgspec.json.decode((FIXTURES / name).read_bytes())


def exchange(body: Any, request: Request | None = None, **fields: Any) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Exchange(request=request or Request(), endpoint="a", status=200, body=raw, **fields)


def shown(name: str, path: str = "", value: Any = None) -> Exchange:
    """Return a fixture as an exchange, one member of its result set to another value."""
    said = fixture(name)
    *parents, last = path.split(".")
    place = said
    for one in parents:
        place = place[int(one) if one.isdigit() else one]
    place |= {last: value} if path else {}
    return exchange(said)


def test_a_documented_account_is_read_exactly():
    held = wire.read_account(shown("view-account.json"), ACCOUNT, AT)
    assert held == Held((Part(PartKind.LIQUID, 999_788_200_694_421_800_000_000),))


def test_the_stake_of_a_validator_is_a_part_of_its_own():
    held = wire.read_account(shown("view-account.json", "result.locked", "7"), ACCOUNT, AT)
    assert isinstance(held, Held)
    assert held.parts[1] == Part(PartKind.STAKED, 7)
    assert held.units == 999_788_200_694_421_800_000_007


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("result.amount", 5, "malformed-answer"),
        ("result.amount", "-5", "malformed-answer"),
        ("result.amount", "5.0", "malformed-answer"),
        ("result.amount", "1" * 40, "malformed-answer"),
        ("result.amount", "\u0665", "malformed-answer"),
        ("result.locked", None, "malformed-answer"),
        ("result.block_height", AT.height + 1, "wrong-block"),
        ("result.block_hash", [[]], "wrong-block"),
        ("result", {"error": "account gone", "logs": []}, "rpc-error"),
        ("result", None, "malformed-answer"),
        ("result", [], "malformed-answer"),
        ("id", 1, "malformed-answer"),
        ("error", {"code": -32000, "message": "Server error"}, "rpc-error"),
        ("error", {"cause": ["UNKNOWN_ACCOUNT"]}, "rpc-error"),
        ("error", {"cause": {"name": {}}}, "rpc-error"),
        ("error", "down", "rpc-error"),
    ],
)
def test_no_account_answer_that_is_wrong_becomes_a_number(path, value, reason):
    held = wire.read_account(shown("view-account.json", path, value), ACCOUNT, AT)
    assert isinstance(held, Gap)
    assert held.reason == reason


@pytest.mark.parametrize("body", [b"", b"[]", b"NaN", b"{", b"[" * 100_000, b'{"result":1e9999}'])
def test_no_body_breaks_the_reader(body):
    assert isinstance(wire.read_account(exchange(body), ACCOUNT, AT), Gap)


def test_an_error_that_is_nested_too_deeply_is_a_gap():
    for depth in range(900, 1000):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        for said in (
            b'"error":{"message":' + nested + b"}",
            b'"error":' + nested,
            b'"result":{"error":' + nested + b"}",
        ):
            assert isinstance(
                wire.read_account(exchange(b'{"id":0,' + said + b"}"), ACCOUNT, AT), Gap
            )


def test_an_unknown_account_holds_nothing_if_the_answer_names_it_and_the_block():
    unknown = shown("unknown-account.json")
    assert wire.read_account(unknown, "gone.testnet", AT) == Held(())
    other = wire.read_account(unknown, "another.testnet", AT)
    assert isinstance(other, Gap)
    assert other.reason == "no-record"
    elsewhere = wire.read_account(unknown, "gone.testnet", KEYS_AT)
    assert isinstance(elsewhere, Gap)
    assert elsewhere.reason == "wrong-block"
    bare = shown("unknown-account.json", "error.cause.info", None)
    assert isinstance(wire.read_account(bare, "gone.testnet", AT), Gap)


def test_an_unknown_block_is_the_protocols_refusal_whatever_the_status():
    body = (FIXTURES / "unknown-block.json").read_bytes()
    refused = Exchange(request=Request(), endpoint="a", status=422, body=body, failure="refused")
    for one in (exchange(body), refused):
        said = wire.read_block(one)
        assert isinstance(said, Refusal)
        assert (said.cause, said.gap.reason) == ("UNKNOWN_BLOCK", "state-pruned")
    cut = msgspec.structs.replace(refused, failure="truncated-answer")
    assert wire.read_block(cut) == Gap("truncated-answer", detail="422")


def test_a_documented_block():
    assert wire.read_block(shown("block.json")) == Block(
        HEIGHT,
        "6RWmTYhXCzjMjoY3Mz1rfFcnBm8E6XeDDbFEPUA4sv1w",
        "Wj6B3RTv73EWDNbSammRDeA9315RaPyRrJYmiP4nG4X",
        1_739_254_177,
        "node2",
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("result.author", "../../x"),
        ("result.author", 7),
        ("result.header", []),
        ("result.header.hash", "0x12"),
        ("result.header.hash", "1" * 200),
        ("result.header.height", -1),
        ("result.header.height", True),
        ("result.header.timestamp", "1739254177539033760"),
    ],
)
def test_no_wrong_block_is_one(path, value):
    said = wire.read_block(shown("block.json", path, value))
    assert isinstance(said, Gap)
    assert said.reason == "malformed-answer"


def control(keys: Exchange) -> ControlFacts | Gap:
    account = fixture("view-account.json")
    account["result"] |= {"block_height": KEYS_AT.height, "block_hash": KEYS_AT.hash}
    return wire.read_control(exchange(account), keys, "example.testnet", KEYS_AT)


def test_only_documented_full_access_keys_control_the_account():
    facts = control(shown("access-keys.json"))
    assert isinstance(facts, ControlFacts)
    (way,) = facts.ways
    assert (way.kind, way.threshold) == ("full-access-key", 1)
    listed = fixture("access-keys.json")["result"]["keys"]
    assert way.weights == {listed[1]["public_key"]: 1, listed[2]["public_key"]: 1}
    assert facts.notes == {"limited_keys": "2"}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("result.keys", None, "malformed-answer"),
        ("result.keys", [7], "malformed-answer"),
        ("result.keys", [{"public_key": "ed25519:2j6q"}], "malformed-answer"),
        ("result.keys.1.public_key", "ed25519:111111", "malformed-answer"),
        ("result.keys.1.public_key", "ed25519:" + "z" * 200, "malformed-answer"),
        ("result.keys.1.access_key", {"permission": "Everything"}, "malformed-answer"),
        ("result.keys.1.access_key", {"permission": [["FullAccess"]]}, "malformed-answer"),
        ("result.keys.1.access_key", {"permission": {}}, "malformed-answer"),
        ("result.block_hash", AT.hash, "wrong-block"),
    ],
)
def test_a_list_of_keys_that_is_not_understood_shows_nobody(path, value, reason):
    facts = control(shown("access-keys.json", path, value))
    assert isinstance(facts, Gap)
    assert facts.reason == reason


def test_a_gas_key_with_full_access_counts_and_one_for_functions_does_not():
    said = fixture("access-keys.json")
    first, second = (entry["access_key"] for entry in said["result"]["keys"][:2])
    first["permission"] = {"GasKeyFullAccess": {"balance": "1", "num_nonces": 1}}
    second["permission"] = {"GasKeyFunctionCall": {"balance": "1", "receiver_id": "a.near"}}
    facts = control(exchange(said))
    assert isinstance(facts, ControlFacts)
    assert "ed25519:2j6qujbkPFuTstQLLTxKZUw63D5Wu3SG79Gop5JQrNJY" in facts.ways[0].weights
    assert "ed25519:4F9TwuSqWwvoyu7JVZDsupPhC7oYbYNsisBV2yQvyXFn" not in facts.ways[0].weights


class NoTransport:
    endpoints = ("a",)


def snapshot(status: Any, final: Any, block: Any, canary: Any = None) -> Any:
    adapter = Adapter(SPEC, NoTransport())  # type: ignore[arg-type]
    requests = list(adapter.pin_requests(HEIGHT))
    bodies = [status, final, block]
    if canary is not None:
        requests.append(wire.view(wire.ACCOUNT, "node2", block["result"]["header"]["hash"]))
        bodies.append(canary)
    pairs = zip(bodies, requests, strict=True)
    return adapter.snapshot(HEIGHT, [exchange(body, request) for body, request in pairs])


def final_block(height: int) -> Any:
    said = fixture("block.json")
    said["result"]["header"]["height"] = height
    return said


def canary(amount: str = "5", locked: str = "6") -> Any:
    said = fixture("view-account.json")
    block = fixture("block.json")["result"]["header"]
    where = {"block_height": block["height"], "block_hash": block["hash"]}
    said["result"] |= {"amount": amount, "locked": locked, **where}
    return said


def test_the_documented_answers_make_a_snapshot():
    block = fixture("block.json")
    at = snapshot(fixture("status.json"), final_block(HEIGHT + 9), block, canary())
    assert (at.block_hash, at.time) == (block["result"]["header"]["hash"], 1_739_254_177)
    assert (at.endpoints, at.canaries) == (("a",), (b"node2".hex(),))
    assert (at.detail["author"], at.detail["canary"]) == ("node2", "11")


def test_endpoints_that_show_no_canary_are_not_asked():
    pinned = fixture("status.json"), final_block(HEIGHT), fixture("block.json")
    assert snapshot(*pinned).rejected == {"a": "not-answered"}
    assert snapshot(*pinned, canary("0", "0")).rejected == {"a": "canary-failed"}
    assert snapshot(*pinned, fixture("unknown-account.json")).endpoints == ()


@pytest.mark.parametrize("first", [HEIGHT, HEIGHT + 1, None, "1", -5])
def test_an_unknown_block_was_skipped_only_if_the_node_reaches_back_to_it(first):
    status = fixture("status.json")
    status["result"]["sync_info"]["earliest_block_height"] = first
    with pytest.raises(Unanswerable) as error:
        snapshot(status, final_block(HEIGHT + 5), fixture("unknown-block.json"))
    assert error.value.code == ("slot-skipped" if first == HEIGHT else "state-pruned")


def test_another_chain_or_genesis_stops_the_run():
    for member, value in (("chain_id", "mainnet"), ("genesis_hash", "1" * 32)):
        status = fixture("status.json")
        status["result"][member] = value
        with pytest.raises(WrongChain):
            snapshot(status, final_block(HEIGHT), fixture("block.json"), canary())
    status = fixture("status.json")
    status["result"]["chain_id"] = None
    with pytest.raises(Unanswerable) as error:
        snapshot(status, final_block(HEIGHT), fixture("block.json"), canary())
    assert error.value.code == "identity-unproven"


def test_a_node_whose_final_block_is_lower_is_behind():
    with pytest.raises(NodeBehind):
        snapshot(fixture("status.json"), final_block(HEIGHT - 1), fixture("block.json"), canary())

"""How keys are made and values, headers and parameters are read: documented and hostile ones."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chains.accounts import Held
from chains.adapters.substrate import Adapter, storage, wire
from chains.addresses import ss58
from chains.errors import ConfigError
from chains.model import AssetId, ChainId, ChainSpec, Exchange, Gap, Part, PartKind, Request

pytestmark = pytest.mark.unit

ALICE = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
BLOCK = "0x" + "ab" * 32
REFERENCE = "91b171bb158e2d3848fa23a9f1c25182"
GENESIS = REFERENCE + "fb8e20313b2c1eb49219da7a70ce90c3"
FLAGS = 1 << 127


def little(*amounts: int, width: int = 16) -> bytes:
    return b"".join(amount.to_bytes(width, "little") for amount in amounts)


def counters(count: int = 4) -> bytes:
    return little(*range(count), width=4)


def said(result: Any) -> Exchange:
    body = {"jsonrpc": "2.0", "id": 0, "result": result}
    return Exchange(request=Request(), endpoint="a", status=200, body=msgspec.json.encode(body))


def reason(found: object) -> str:
    return found.reason if isinstance(found, Gap) else f"no gap but {found!r}"


def test_prefixes_are_those_that_every_client_knows():
    assert storage.ACCOUNTS.hex() == (
        "26aa394eea5630e07c48ae0c9558cef7b99d880ec681799c0cf30e8886371da9"
    )
    assert storage.NOW.hex() == "f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb"


def test_the_key_of_an_account_is_that_of_polkadot_js():
    """Source: polkadot-js/api fromMetadata test."""
    assert storage.account_key(ALICE).hex() == storage.ACCOUNTS.hex() + (
        "de1e86a9a8c739864cf3cc5ec2bea59f" + ALICE.hex()
    )


def test_the_key_of_an_assets_account_is_that_of_a_published_test():
    """Source: a public indexer's test of Statemine's asset 8."""
    account = ss58.decode("CpjsLDC1JFyrhm3ftC9Gs4QoyrkHKhZKtK7YqGTRFtTafgp", {"prefix": 2})
    assert (storage.asset_prefix(8) + storage.hashed(account)).hex() == (
        "682a59d51ab9e48a8c8cc418ff9708d2b99d880ec681799c0cf30e8886371da9"
        "be1f3931028cc05c2e18a319e8f64f9e08000000"
        "7de1acc72d42c39944451b6bdf599ae80aff6865635ae11013a83835c019d44ec3f865145943f487ae82a8e7bed3a66b"
    )


@pytest.mark.parametrize(
    ("number", "encoded"),
    [
        (0, "00"),
        (63, "fc"),
        (64, "0101"),
        (16383, "fdff"),
        (16384, "02000100"),
        (2**30 - 1, "feffffff"),
        (2**30, "0300000040"),
        (2**32, "070000000001"),
    ],
)
def test_compact_numbers_are_those_of_the_specification(number, encoded):
    assert storage.compact(number).hex() == encoded


def test_free_and_reserved_add_up_and_what_is_frozen_does_not():
    value = counters() + little(2**64 + 5, 7, 3, FLAGS)
    held = storage.read_account(value)
    assert held == Held(
        (
            Part(PartKind.LIQUID, 2**64 + 5),
            Part(PartKind.RESERVED, 7),
            Part(PartKind.FROZEN, 3, counted=False),
        )
    )
    assert held.units == 2**64 + 12


@pytest.mark.parametrize("count", [3, 4])
def test_the_old_shape_freezes_the_larger_of_two_amounts(count):
    held = storage.read_account(counters(count) + little(100, 0, 30, 40))
    assert held == Held((Part(PartKind.LIQUID, 100), Part(PartKind.FROZEN, 40, counted=False)))


@pytest.mark.parametrize("length", [0, 1, 16, 64, 68, 69, 72, 79, 81, 84, 96, 160])
def test_an_account_of_another_length_is_not_read(length):
    assert reason(storage.read_account(bytes(length))) == "malformed-answer"


def test_no_value_is_nothing_and_says_so():
    assert storage.read_account(None) == Held(())
    assert storage.read_asset_account(None) == Held(())
    assert reason(storage.read_metadata(None)) == "no-contract"
    assert reason(storage.read_time(None)) == "zero-without-canary"


@pytest.mark.parametrize(
    "tail", ["0000", "0001", "0003", "0002" + "11" * 16, "0004" + "22" * 32 + "11" * 16]
)
def test_an_assets_account_is_read_whatever_made_it_exist(tail):
    value = little(690_000_000_000_000) + bytes.fromhex(tail)
    assert storage.read_asset_account(value) == Held((Part(PartKind.LIQUID, 690_000_000_000_000),))


def test_a_frozen_account_of_an_asset_still_has_it():
    held = storage.read_asset_account(little(9) + b"\x01\x01")
    assert held == Held((Part(PartKind.LIQUID, 9), Part(PartKind.FROZEN, 9, counted=False)))


@pytest.mark.parametrize("tail", ["", "00", "000000", "0300", "0005", "0002", "0004" + "22" * 32])
def test_an_assets_account_of_another_shape_is_not_read(tail):
    value = little(9) + bytes.fromhex(tail)
    assert reason(storage.read_asset_account(value)) == "malformed-answer"


def metadata(name: bytes, symbol: bytes, tail: bytes) -> bytes:
    texts = (storage.compact(len(text)) + text for text in (name, symbol))
    return bytes(16) + b"".join(texts) + tail


def test_metadata_has_symbol_and_decimals():
    for name in (b"Tether USD", b"n" * 70):
        read = storage.read_metadata(metadata(name, b"USDt", b"\x06\x00"))
        assert read == storage.Metadata("USDt", 6)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        bytes(16),
        bytes(17),
        metadata(b"n", b"USDt", b"\x06"),
        metadata(b"n", b"USDt", b"\x06\x00\x00"),
        metadata(b"n", b"\xff\xfe", b"\x06\x00"),
        bytes(16) + b"\xfc",
        bytes(16) + b"\x02\x00\x00\x00",
        bytes(16) + b"\x03" * 40,
    ],
)
def test_metadata_of_another_shape_is_not_read(value):
    assert reason(storage.read_metadata(value)) == "malformed-answer"


def test_the_time_is_milliseconds():
    assert storage.read_time(little(1_638_703_104_001, width=8)) == 1_638_703_104
    assert reason(storage.read_time(bytes(7))) == "malformed-answer"


def header(**changes: Any) -> dict[str, Any]:
    """Return the header of Polkadot's block 789629. Source: substrate-api-sidecar header78629.ts"""
    pre = (
        "036d000000f4f4d80f00000000ec9bd8e2d0368c97f3d888837f7283bbe08266869eb613159db547905026c250"
        "2a70f168b9ffcc233344005d11ebecd166769200d270a2eaa642118a00acb708a0487a440b0caf3dd5c91ab173"
        "e80ddfe5735ef8b938ea87a6105a1161612707"
    )
    seal = (
        "ae78514e1de84a7d32e55b9b652f9d408ab1f7b4bfdbf6b2fad9cad94a91b86b"
        "0161cabf08f5ae1d3a1aa4993e2d96d56c94b03cee0898ccb8385a546084f88b"
    )
    return {
        "parentHash": "0x205da5dba43bbecae52b44912249480aa9f751630872b6b6ba1a9d2aeabf0177",
        "number": hex(789629),
        "stateRoot": "0x023b5bb1bc10a1a91a9ef683f46a8bb09666c50476d5592bd6575a73777eb173",
        "extrinsicsRoot": "0x4c1d65bf6b57086f00d5df40aa0686ffbc581ef60878645613b1fc3303de5030",
        "digest": {"logs": ["0x0642414245b501" + pre, "0x05424142450101" + seal]},
    } | changes


HASH = "0x7b713de604a99857f6c25eacc115a4f28d2611a23d9ddff99ab0e4f1c17a8578"


def test_a_published_header_has_the_published_hash():
    read = wire.read_header(said(header()))
    assert isinstance(read, wire.Header)
    assert (read.number, read.hash) == (789629, HASH)
    assert read.state_root == header()["stateRoot"]


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "0xc0c7e"},
        {"stateRoot": "0x" + "00" * 32},
        {"parentHash": "0x" + "00" * 32},
        {"extrinsicsRoot": "0x" + "00" * 32},
        {"digest": {"logs": []}},
    ],
)
def test_whatever_changes_in_a_header_changes_its_hash(changes):
    read = wire.read_header(said(header(**changes)))
    assert isinstance(read, wire.Header)
    assert read.hash != HASH
    extended = wire.read_header(said(header(**changes)), extended=True)
    assert isinstance(extended, wire.Header)
    assert extended.hash == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 789629},
        {"number": "789629"},
        {"number": "0x" + "f" * 17},
        {"number": "0x1\n"},
        {"number": None},
        {"stateRoot": None},
        {"stateRoot": "0x12"},
        {"stateRoot": "0x" + "AB" * 32},
        {"parentHash": [BLOCK]},
        {"digest": None},
        {"digest": {"logs": {}}},
        {"digest": {"logs": ["06"]}},
        {"digest": {"logs": ["0x0"]}},
        {"digest": {"logs": ["0x0 1"]}},
        {"digest": {"logs": [7]}},
    ],
)
def test_no_wrong_header_is_one(changes):
    assert reason(wire.read_header(said(header(**changes)))) == "malformed-answer"


@pytest.mark.parametrize(
    ("result", "expected"),
    [(None, "state-pruned"), ([], "malformed-answer"), ("0x", "malformed-answer")],
)
def test_no_header_at_all(result, expected):
    assert reason(wire.read_header(said(result))) == expected


@pytest.mark.parametrize("result", [7, "", "0x", "0x" + "a" * 63, BLOCK + "\n", [BLOCK], True])
def test_no_wrong_hash_is_one(result):
    assert reason(wire.read_hash(said(result))) == "malformed-answer"


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (4003, f"Client error: UnknownBlock: State already discarded for {BLOCK}", "state-pruned"),
        (-32603, "Client error: Api called for an unknown Block: …", "state-pruned"),
        (-32601, "Method not found", "method-missing"),
        (None, "Method not found: state_queryStorageAt", "method-missing"),
        (-32000, "busy", "rpc-error"),
    ],
)
def test_what_an_error_means(code, message, expected):
    body = {"jsonrpc": "2.0", "id": 0, "error": {"code": code, "message": message}}
    raw = msgspec.json.encode(body)
    exchange = Exchange(request=Request(), endpoint="a", status=200, body=raw)
    assert reason(wire.result(exchange)) == expected
    assert wire.lacks_query(exchange) == (expected == "method-missing")


ONE, TWO = b"one", b"two"


def values(changes: Any, block: Any = BLOCK) -> wire.Values | Gap:
    request = wire.query([ONE, TWO], BLOCK)
    own = {request: said([{"block": block, "changes": changes}])}
    return wire.read_values(own, [ONE, TWO], BLOCK)


def test_values_are_matched_by_key_in_any_order():
    found = values([["0x" + TWO.hex(), None], ["0x" + ONE.hex(), "0x0102"]])
    assert found == {ONE: b"\x01\x02", TWO: None}


@pytest.mark.parametrize(
    "changes",
    [
        [],
        None,
        {},
        [["0x" + ONE.hex(), "0x01"]],
        [["0x" + ONE.hex(), "0x01"], ["0x" + ONE.hex(), None]],
        [["0x" + ONE.hex(), "0x01"], ["0x" + TWO.hex(), None], ["0x00", None]],
        [["0x" + ONE.hex(), "0x01"], ["0x" + TWO.hex(), None], ["0x" + ONE.hex(), None]],
        [["0x" + ONE.hex(), "0x01"], ["0x" + TWO.hex()]],
        [["0x" + ONE.hex(), "0x01"], ["0x" + TWO.hex(), 0]],
        [["0x" + ONE.hex(), "0x01"], ["0x" + TWO.hex(), ""]],
        [["0x" + ONE.hex(), "0x01"], ["0x" + TWO.hex(), "0x0"]],
        [["0x" + ONE.hex(), "0x01"], [None, None]],
        [["0x" + ONE.hex(), "0x01"], 7],
    ],
)
def test_a_key_without_an_answer_of_its_own_is_no_zero(changes):
    assert reason(values(changes)) == "malformed-answer"


def test_values_of_another_block_are_none():
    good = [["0x" + ONE.hex(), "0x01"], ["0x" + TWO.hex(), None]]
    for block in ("0x" + "cd" * 32, None, [BLOCK], BLOCK.upper()):
        assert reason(values(good, block)) == "wrong-block"


@pytest.mark.parametrize("result", [None, {}, [], [7], [{}, {}], "x"])
def test_no_set_of_changes_is_no_zero(result):
    request = wire.query([ONE], BLOCK)
    found = wire.read_values({request: said(result)}, [ONE], BLOCK)
    assert reason(found) in {"malformed-answer", "wrong-block"}
    assert reason(wire.read_values({}, [ONE], BLOCK)) == "not-answered"


@pytest.mark.parametrize("body", [b"", b"[]", b"NaN", b"{", b"[" * 100_000, b'{"result":1e9999}'])
def test_no_body_breaks_the_readers(body):
    exchange = Exchange(request=Request(), endpoint="a", status=200, body=body)
    own = {wire.query([ONE], BLOCK): exchange}
    for found in (
        wire.read_hash(exchange),
        wire.read_header(exchange),
        wire.read_height(exchange),
        wire.read_accounts(exchange, storage.ACCOUNTS),
        wire.read_values(own, [ONE], BLOCK),
        wire.read_values(own | {wire.singles([ONE], BLOCK): exchange}, [ONE], BLOCK),
    ):
        assert isinstance(found, Gap)


def test_keys_name_their_accounts_and_nothing_else():
    key = wire.hexed(storage.account_key(ALICE))
    assert wire.read_accounts(said([key]), storage.ACCOUNTS) == [ALICE]
    for wrong in (key[:-2], key[:-2] + "00", "0x" + storage.ACCOUNTS.hex(), 7, None):
        found = wire.read_accounts(said([key, wrong]), storage.ACCOUNTS)
        assert reason(found) == "malformed-answer"


def spec(**params: Any) -> ChainSpec:
    chain = ChainId(f"polkadot:{REFERENCE}")
    return ChainSpec(
        id=chain,
        name="Polkadot",
        adapter="substrate",
        address="ss58",
        address_params={"prefix": 0},
        native=AssetId(f"{chain}/slip44:354"),
        params=params,
    )


class NoTransport:
    endpoints = ("a",)


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"genesis_hash": "91b1"}, "genesis_hash"),
        ({"batch": 0}, "batch"),
        ({"batch": 1001}, "batch"),
        ({"batch": True}, "batch"),
        ({"header": "other"}, "header"),
        ({"canaries": ["5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"]}, "canaries"),
        ({"moved_to": "polkadot:x"}, "moved_during"),
        ({"moved_during": [1, 2]}, "moved_during"),
        ({"moved_to": "x", "moved_from": "y", "moved_during": [1, 2]}, "moved_during"),
        ({"moved_to": "x", "moved_during": [2, 1]}, "moved_during"),
        ({"moved_to": "x", "moved_during": ["1", 2]}, "moved_during"),
        ({"migrated_to": "x"}, "migrated_to"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(params, name):
    with pytest.raises(ConfigError, match=name):
        Adapter(spec(**params), NoTransport())  # type: ignore[arg-type]


def test_a_genesis_may_be_named_in_full():
    adapter = Adapter(spec(genesis_hash=f"0x{GENESIS}"), NoTransport())  # type: ignore[arg-type]
    assert adapter.params.genesis == GENESIS
    assert Adapter(spec(), NoTransport()).params.genesis == REFERENCE  # type: ignore[arg-type]

"""How aelf answers are read: documented ones, hostile ones, and what happened since a block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from coincurve import PrivateKey

from chains.adapters.aelf import Adapter, calls, params, protobuf, wire
from chains.addresses.aelf import decode, encode
from chains.errors import ConfigError, WrongChain
from chains.model import AssetId, ChainId, ChainSpec, Exchange, Gap, Request

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "aelf"
GENESIS = "pykr77ft9UUKJZLVq15wCH8PinBSjVRQ12sD1Ayq92mKFsJ1i"
TOKEN = "25CecrU94dmMdbhC3LWMKxtoaL4Wv8PChGvVJM6PxkHAyvXEhB"
OWNER = bytes(range(32))
BLOCK = wire.Block(
    number=28411,
    named="fa22e4eddff12a728895a608db99d40a4b21894f7c07df1a4fa8f0625eb914a2",
    parent="ab" * 32,
    time=0,
    signer=b"",
    transactions=1,
)


def fixture(name: str) -> Any:
    return msgspec.json.decode((FIXTURES / f"{name}.json").read_bytes())


def exchange(body: object, failure: str = "", status: int = 200) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Exchange(request=Request(), endpoint="a", status=status, body=raw, failure=failure)


def reason(found: object) -> str:
    assert isinstance(found, Gap), found
    return found.reason


def spec(**given: object) -> ChainSpec:
    return ChainSpec(
        id=ChainId("aelf:AELF"),
        name="aelf",
        adapter="aelf",
        address="aelf",
        native=AssetId("aelf:AELF/slip44:1616"),
        params={"genesis_contract": GENESIS, **given},
    )


# The signed call that aelf-web3.js documents, and the key that its test publishes.
# Source: AElfProject/aelf-web3.js@5015015ca67cc0577ffb8a90fb9e514b4b912e5c
# test/unit/contract/contractMethod.test.js
DOCUMENTED_KEY = "943df6d39fd1e1cc6ae9813e54f7b9988cf952814f9c31e37744b52594cb4096"
DOCUMENTED_CALL = (
    "0a220a209af13552202a457f0d77465a41b5bd55821e1f889ac7b530587100d422fa2944"
    "12220a201570fb47b3c791f467e1f9840ef1c237eee16f65c3d0d8007315e362431c72e6"
    "18ddbaea172204ec8ac1d8"
    "2a0a47657442616c616e6365"
    "32290a03454c4612220a207356a44986bbf671cfa3214fe4b65928c0102d6a1f36d0d16173a98b9cb13590"
    "82f104410b80d69ea94d5484fb3c857b57ccd06d95f1b8d503fbfced80dae64f9ac1522a"
    "4c006055ede758555bae4ee359894b49d58338729d184cfcf675e80430c991a601"
)


def test_a_call_is_signed_as_the_chains_own_library_signs_it():
    token = decode("ASh2Wt7nSEmYqnGxPPzp4pnVDU4uhj1XW9Se5VeZcX2UDdyjx", {})
    owner = decode("soAcchsFZGEsFeaEsk9tyMnFauPgJfMyZMRrfcntGjrtC7YvE", {})
    asked = protobuf.text(1, b"ELF") + protobuf.text(2, calls.message(owner))
    block = protobuf.integer(3, 49978717) + protobuf.text(4, bytes.fromhex("ec8ac1d8"))
    key = PrivateKey(bytes.fromhex(DOCUMENTED_KEY))
    assert calls.signed(key, token, "GetBalance", asked, block).hex() == DOCUMENTED_CALL


def test_the_same_question_is_always_the_same_bytes():
    assert calls.balance_request(OWNER, "ELF", OWNER) == calls.balance_request(OWNER, "ELF", OWNER)
    assert calls.balance_request(OWNER, "ELF", OWNER) != calls.balance_request(OWNER, "EL", OWNER)


def test_the_documented_status_is_read():
    assert wire.read_status(exchange(fixture("chain-status"))) == wire.Status(
        chain="AELF",
        genesis_hash="ea9c0b026bd638ceb38323eb71174814c95333e39c62936a38c4e01a8f18062e",
        genesis_contract=decode(GENESIS, {}),
        best=2449,
        best_hash="fb749177c2f43db8c7d73ea050240b9f870c40584f044b13e7ec146c460b0eff",
        final=2446,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"ChainId": None},
        {"GenesisBlockHash": "ea9c"},
        {"GenesisContractAddress": "nobody"},
        {"BestChainHeight": "2449"},
        {"BestChainHeight": 2449.0},
        {"BestChainHeight": True},
        {"BestChainHash": "F" * 64},
        {"LastIrreversibleBlockHeight": 2450},
        {"LastIrreversibleBlockHeight": 0},
    ],
)
def test_a_status_with_something_else_is_no_answer(change):
    assert reason(wire.read_status(exchange(fixture("chain-status") | change))) == (
        "malformed-answer"
    )


def test_the_documented_block_is_read():
    found = wire.read_block(exchange(fixture("block")), 123)
    assert isinstance(found, wire.Block)
    assert found.named == "6034db3e02e283d3b81a4528442988d28997d3828f87cca1a89457b294517372"
    assert (found.number, found.time, found.transactions) == (123, 1561988385, 1)
    assert reason(wire.read_block(exchange(fixture("block")), 124)) == "wrong-block"


def test_the_documented_transfer_names_who_paid_and_who_was_paid():
    results = fixture("transaction-results")
    found = wire.read_results(exchange(results), BLOCK)
    assert isinstance(found, list)
    (one,) = found
    (event,) = one.events
    assert one.sender == decode("2tj7Ea67fuQfVAtQZ3WBmTv7AAJ8S9D2L4g6PpRRJei6JXk7RG", {})
    assert (event.contract, event.name) == (decode(TOKEN, {}), "Transferred")
    for name in (
        "28Y8JA1i2cN6oHvdv7EraXJr9a1gY6D1PpJXw9QtRMRwKcBQMK",
        "2oSMWm1tjRqVdfmrdL8dgrRvhWu1FP8wcZidjS6wPbuoVtxhEz",
    ):
        assert decode(name, {}) in event.fields
    assert protobuf.one_integer(protobuf.parse(event.fields), 4) == 200_000_000_000


@pytest.mark.parametrize(
    "change",
    [
        {"BlockHash": "00" * 32},
        {"BlockHash": None},
        {"Transaction": None},
        {"Transaction": {"From": "nobody"}},
        {"Logs": None},
        {"Logs": [{"Address": TOKEN, "Name": "Transferred", "Indexed": None, "NonIndexed": ""}]},
        {"Logs": [{"Address": TOKEN, "Name": "Transferred", "Indexed": ["?"], "NonIndexed": ""}]},
        {"Logs": [{"Address": "x", "Name": "Transferred", "Indexed": [], "NonIndexed": ""}]},
    ],
)
def test_a_result_that_does_not_tell_all_is_no_answer(change):
    results = [fixture("transaction-results")[0] | change]
    assert reason(wire.read_results(exchange(results), BLOCK)) == "malformed-answer"


def balance(units: int, symbol: bytes = b"ELF", owner: bytes = OWNER, more: bytes = b"") -> bytes:
    named = protobuf.text(1, symbol) + protobuf.text(2, calls.message(owner))
    return (named + protobuf.integer(3, units) + more).hex().encode()


@pytest.mark.parametrize("units", [0, 1, 2**53 + 1, 2**63 - 1])
def test_a_balance_is_read_exactly_bare_or_quoted(units):
    for body in (balance(units), b'"' + balance(units) + b'"', balance(units) + b"\n"):
        assert wire.read_balance(exchange(body), "ELF", OWNER) == units


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "no-record"),
        (b'""', "no-record"),
        (b"null", "no-record"),
        (balance(0, symbol=b"ELFX"), "malformed-answer"),
        (balance(0, owner=bytes(32)), "malformed-answer"),
        (balance(0, more=protobuf.integer(4, 1)), "malformed-answer"),
        (balance(7, more=protobuf.integer(3, 8)), "malformed-answer"),
        (balance(2**64 - 5), "malformed-answer"),
        (protobuf.text(1, b"ELF").hex().encode(), "malformed-answer"),
        (balance(5)[:-1], "malformed-answer"),
        (balance(5) + b"80", "malformed-answer"),
        (b"0x" + balance(5), "malformed-answer"),
        (b'"' + balance(5), "malformed-answer"),
        (b"{}", "malformed-answer"),
        (b"<html>", "malformed-answer"),
        # what aelf-web3.js's own test hands to its decoder is a transaction, not a balance
        (DOCUMENTED_CALL.encode(), "malformed-answer"),
    ],
)
def test_an_odd_answer_is_no_zero(body, code):
    found = wire.read_balance(exchange(body), "ELF", OWNER)
    assert (
        reason(found) in (code, "malformed-answer")
        if code == "truncated-answer"
        else (reason(found) == code)
    )


def test_the_nodes_own_error_is_told_in_its_words():
    said = {"error": {"code": "20013", "message": "Invalid signature", "details": None}}
    found = wire.read_balance(exchange(said, "refused", 403), "ELF", OWNER)
    assert found == Gap("rpc-error", detail="20013: Invalid signature")
    assert reason(wire.read_balance(exchange(b"no", "refused", 403), "ELF", OWNER)) == "refused"


def token(decimals: int, symbol: bytes = b"USDT") -> bytes:
    return (protobuf.text(1, symbol) + protobuf.integer(5, decimals)).hex().encode()


def test_a_token_is_what_it_is_called():
    assert wire.read_token(exchange(token(6)), "USDT") == wire.Token("USDT", 6)
    assert wire.read_token(exchange(token(0)), "USDT") == wire.Token("USDT", 0)
    assert reason(wire.read_token(exchange(token(6, b"USDT-1")), "USDT")) == "no-contract"
    assert reason(wire.read_token(exchange(b'""'), "USDT")) == "no-contract"
    assert reason(wire.read_token(exchange(token(19)), "USDT")) == "malformed-answer"


@pytest.mark.parametrize("raw", ["0a", "0a05", "08", "0880", "0001", "0b", "08" + "ff" * 10])
def test_broken_protobuf_is_an_error(raw):
    with pytest.raises(ValueError, match=r"field|integer|wire"):
        protobuf.parse(bytes.fromhex(raw))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"genesis_contract": "x"}, "no aelf address"),
        ({"genesis_contract": None}, "no aelf address"),
        ({"genesis_hash": "73b6"}, "64 hex digits"),
        ({"symbol": ""}, "symbol"),
        ({"canaries": ["x"]}, "no aelf address"),
    ],
)
def test_parameters_are_checked(given, said):
    with pytest.raises(ConfigError, match=said):
        params.read(spec(**given))


def test_a_status_of_the_test_network_is_another_chain():
    # Same ChainId and genesis contract; the main network's first block is another.
    # Source: Portkey-Wallet/portkey-ae-finder src/PortkeyApp/Configs/MainNetConfigFile.cs
    main = "73b6d1064013c0b34e6b4783d04a7c550863c95bd78e9b372fe8372577e290e8"
    status = exchange(fixture("chain-status"))
    adapter = Adapter(spec(genesis_hash=main), _Nobody())
    with pytest.raises(WrongChain, match="began with ea9c0b02"):
        adapter.read_head([status])
    assert Adapter(spec(), _Nobody()).read_head([status]) == 2446
    assert encode(decode(GENESIS, {}), {}) == GENESIS


class _Nobody:
    """A transport that is not used."""

    endpoints = ()
    exchange = exchange_any = None

"""How Hedera's mirror node answers are read, and keys in protocol buffers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.adapters.hedera import Adapter, keys, wire
from chains.adapters.hedera.keys import BadKey
from chains.adapters.hedera.wire import ABSENT, Account
from chains.control import Authority, ControlFacts, is_met
from chains.errors import ConfigError
from chains.model import AssetId, ChainId, ChainSpec, Exchange, Gap, Request

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "hedera"
SNAPSHOT = 1_234_567_890_000_000_004
MOVED = 1_234_567_880_000_000_006
A, B, C = (bytes((i,)) * 32 for i in (1, 2, 3))
S = b"\x02" * 33


def fixture(name: str) -> Any:
    return msgspec.json.decode((FIXTURES / name).read_bytes())


def exchange(body: Any, **fields: Any) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Exchange(request=Request(), endpoint="a", **{"status": 200, "body": raw} | fields)


def not_found(said: bytes = b"", **fields: Any) -> Exchange:
    missing = {"status": 404, "failure": "refused"} | fields
    return exchange(said or fixture("not-found.json"), **missing)


def reason(found: Any) -> str:
    assert isinstance(found, Gap)
    return found.reason


def test_documented_answers():
    block = wire.read_block(exchange(fixture("block.json")))
    assert isinstance(block, wire.Block)
    assert (block.number, block.last) == (9_900_000_000_000_001, 1_676_540_001_234_600_000)
    account = wire.read_account(exchange(fixture("account.json")), "0.0.8")
    assert account == Account(units=555, snapshot=SNAPSHOT, key=None, deleted=False)
    listed = exchange(fixture("transactions.json"))
    assert wire.read_moves(listed, "0.0.8", MOVED - 1, MOVED) == -3
    assert wire.read_moves(listed, "0.0.98", MOVED - 1, MOVED) == 1
    assert wire.read_moves(listed, "0.0.77", MOVED - 1, MOVED) == 0


def test_only_the_api_itself_says_that_there_is_no_account():
    assert wire.read_account(not_found(), "0.0.8") == ABSENT
    for other in (
        not_found(status=403),
        not_found(status=400),
        not_found(failure="server-error"),
        not_found(b"<html>404</html>"),
        not_found(b'{"_status":{"messages":[]}}'),
        not_found(b'{"_status":[]}'),
        not_found(b"[]"),
    ):
        assert reason(wire.read_account(other, "0.0.8")) in ("refused", "server-error")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"account": "0.0.9"}, "malformed-answer"),
        ({"balance": None}, "no-history"),
        ({"balance": 5}, "malformed-answer"),
        ({"balance": {"balance": "555", "timestamp": "1.000000000"}}, "malformed-answer"),
        ({"balance": {"balance": -1, "timestamp": "1.000000000"}}, "malformed-answer"),
        ({"balance": {"balance": True, "timestamp": "1.000000000"}}, "malformed-answer"),
        ({"balance": {"balance": 2**63, "timestamp": "1.000000000"}}, "malformed-answer"),
        ({"balance": {"balance": 1, "timestamp": None}}, "malformed-answer"),
        ({"balance": {"balance": 1, "timestamp": "1.0"}}, "malformed-answer"),
        ({"balance": {"balance": 1, "timestamp": "\u0661.000000000"}}, "malformed-answer"),
        ({"deleted": "no"}, "malformed-answer"),
    ],
)
def test_an_account_that_is_not_understood(change, expected):
    said = fixture("account.json") | change
    assert reason(wire.read_account(exchange(said), "0.0.8")) == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("transactions", None),
        ("transactions", [7]),
        ("links", None),
        ("links", {}),
        ("time", "1234567880.000000007"),
        ("time", "1234567880.000000004"),
        ("time", None),
        ("transfers", None),
        ("transfers", [7]),
        ("transfers", [{"account": "0.0.8", "amount": 1.5}]),
        ("transfers", [{"account": "0.0.8", "amount": "1"}]),
        ("transfers", [{"account": "0.0.3", "amount": None}]),
        ("transfers", [{"account": "0.0.8", "amount": 2**63}]),
    ],
)
def test_transactions_that_are_not_understood(path, value):
    said = fixture("transactions.json")
    if path in said:
        said[path] = value
    else:
        said["transactions"][0] |= {"consensus_timestamp" if path == "time" else path: value}
    found = wire.read_moves(exchange(said), "0.0.8", MOVED - 2, MOVED)
    assert reason(found) == "malformed-answer"


def test_a_transaction_that_comes_twice_is_no_sum():
    said = fixture("transactions.json")
    said["transactions"] *= 2
    assert reason(wire.read_moves(exchange(said), "0.0.8", 0, MOVED)) == "malformed-answer"


def test_a_list_that_goes_on_is_no_sum():
    said = fixture("transactions.json") | {"links": {"next": "/api/v1/transactions?x"}}
    assert reason(wire.read_moves(exchange(said), "0.0.8", 0, MOVED)) == "no-history"
    nothing = exchange({"transactions": [], "links": {"next": None}})
    assert wire.read_moves(nothing, "0.0.8", 0, MOVED) is None


@pytest.mark.parametrize(
    "change",
    [
        {"number": "5"},
        {"number": -1},
        {"hash": "0x12"},
        {"previous_hash": None},
        {"timestamp": {"from": "2.000000000", "to": "1.000000000"}},
        {"timestamp": {"from": "2.000000000"}},
        {"timestamp": None},
    ],
)
def test_no_wrong_block_is_one(change):
    said = fixture("block.json") | change
    assert reason(wire.read_block(exchange(said))) == "malformed-answer"


@pytest.mark.parametrize("body", [b"", b"[]", b"NaN", b"7", b"[" * 100_000, b'{"blocks":[[]]}'])
def test_no_body_breaks_a_reader(body):
    one = exchange(body)
    readers = (wire.read_block, wire.read_newest)
    assert all(isinstance(read(one), Gap) for read in readers)
    assert isinstance(wire.read_account(one, "0.0.8"), Gap)
    assert isinstance(wire.read_moves(one, "0.0.8", 0, 1), Gap)
    assert isinstance(wire.has_transaction(one, 0, 1), Gap)


def field(number: int, body: bytes) -> bytes:
    size, length = len(body), b""
    while size > 127:
        length += bytes((size & 127 | 128,))
        size >>= 7
    return bytes((number << 3 | 2,)) + length + bytes((size,)) + body


def ed(key: bytes) -> bytes:
    return field(keys.ED25519, key)


def key_list(*members: bytes) -> bytes:
    return b"".join(field(1, member) for member in members)


def threshold(count: int, *members: bytes) -> bytes:
    return field(keys.THRESHOLD, bytes((8, count)) + field(2, key_list(*members)))


def facts(kind: Any, text: Any) -> ControlFacts:
    return wire.read_control(Account(0, 0, {"_type": kind, "key": text}, deleted=False))


def way(encoded: bytes) -> Authority:
    found = facts("ProtobufEncoded", encoded.hex())
    assert found.exists
    return found.ways[0]


def signed(*signers: bytes) -> frozenset[str]:
    return frozenset(f"0x{one.hex()}" for one in signers)


def test_single_keys_of_both_curves():
    for kind, key in (("ED25519", A), ("ECDSA_SECP256K1", S)):
        (found,) = facts(kind, key.hex()).ways
        assert found == Authority(kind="account-key", threshold=1, weights={f"0x{key.hex()}": 1})
    assert way(ed(A)).weights == {f"0x{A.hex()}": 1}
    assert way(field(keys.SECP256K1, S)).weights == {f"0x{S.hex()}": 1}


def test_a_list_needs_all_its_keys_and_a_threshold_some():
    both = way(field(keys.LIST, key_list(ed(A), ed(B))))
    assert not is_met(both, signed(A))
    assert is_met(both, signed(A, B))
    two = way(threshold(2, ed(A), ed(B), field(keys.SECP256K1, S)))
    assert not is_met(two, signed(S))
    assert is_met(two, signed(B, S))


def test_a_key_that_stands_twice_signs_once_for_both():
    twice = way(field(keys.LIST, key_list(ed(A), ed(A), ed(B))))
    assert not is_met(twice, signed(A))
    assert is_met(twice, signed(A, B))


def test_lists_within_a_threshold():
    inner = field(keys.LIST, key_list(ed(A), ed(B)))
    other = threshold(1, ed(B), ed(C))
    outer = way(threshold(2, inner, other, field(keys.CONTRACT, b"\x18\x05")))
    assert not is_met(outer, signed(A))
    assert not is_met(outer, signed(A, C))
    assert is_met(outer, signed(A, B))
    assert not is_met(outer, signed(C))


def test_contracts_and_empty_lists_are_nobody():
    for encoded in (
        field(keys.CONTRACT, b"\x18\x05"),
        field(8, b"\x18\x05"),
        field(keys.LIST, b""),
        threshold(1),
        field(keys.THRESHOLD, field(2, key_list(ed(A)))),
    ):
        assert not is_met(way(encoded), signed(A, B, C))


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\xff" * 20,
        ed(A)[:-1],
        ed(A) + ed(B),
        b"\x32\x7f" + key_list(ed(A)),
        field(keys.ED25519, A[1:]),
        field(keys.SECP256K1, A),
        field(9, A),
        b"\x10\x05",
        b"\x15" + A,
        field(keys.LIST, ed(A)),
        field(keys.LIST, field(1, b"")),
        field(keys.THRESHOLD, b"\x08\x01"),
        field(keys.THRESHOLD, b"\x08\x01\x08\x01" + field(2, key_list(ed(A)))),
        field(keys.THRESHOLD, b"\x08\x01\x10\x01"),
    ],
)
def test_bytes_that_are_no_key_show_nobody(encoded):
    with pytest.raises(BadKey):
        keys.nested(encoded)
    found = facts("ProtobufEncoded", encoded.hex())
    assert (found.exists, found.ways) == (True, ())
    assert found.notes


def test_keys_that_are_nested_too_deeply_or_too_many_show_nobody():
    deep = ed(A)
    for _ in range(keys.DEEPEST + 1):
        deep = field(keys.LIST, key_list(deep))
    assert is_met(keys.nested(deep), signed(A))
    with pytest.raises(BadKey):
        keys.nested(field(keys.LIST, key_list(deep)))
    many = key_list(ed(A)) * 300
    wide = field(keys.LIST, key_list(*([field(keys.LIST, many)] * 2)))
    assert keys.nested(wide).threshold == 2
    reader = keys._Reader()
    reader.members = keys.MOST
    with pytest.raises(BadKey):
        reader.way(wide, "", 0)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("ED25519", "zz"),
        ("ED25519", A.hex()[2:]),
        ("ED25519", None),
        ("RSA", A.hex()),
        (None, A.hex()),
        ([], A.hex()),
    ],
)
def test_key_objects_that_are_not_understood_show_nobody(kind, text):
    assert facts(kind, text).ways == ()


def test_deleted_accounts_and_accounts_without_a_key():
    assert wire.read_control(ABSENT) == ControlFacts(exists=False)
    for key in (None, [], "x"):
        found = wire.read_control(Account(0, 0, key, deleted=False))
        assert (found.exists, found.ways) == (True, ())


def test_a_chain_must_declare_its_block_0():
    spec = ChainSpec(
        id=ChainId("hedera:test"),
        name="Hedera",
        adapter="hedera",
        address="hedera",
        native=AssetId("hedera:test/slip44:3030"),
    )
    for params in ({}, {"genesis_hash": 5}, {"genesis_hash": "0x1", "canary": "me"}):
        with pytest.raises(ConfigError):
            Adapter(msgspec.structs.replace(spec, params=params), None)  # type: ignore[arg-type]

"""How single TRON answers are read: documented ones, and the echo that is no zero."""

from __future__ import annotations

import msgspec
import pytest
from tron_answers import (
    ACCOUNT,
    AT,
    BLOCK,
    CANARY,
    CHAIN,
    HEIGHT,
    NATIVE,
    SPEC,
    TIME_MS,
    NoTransport,
    exchange,
    fixture,
)

from chains.adapters import load, tron
from chains.adapters.tron import pinning, wire
from chains.errors import ConfigError
from chains.model import (
    AssetId,
    Exchange,
    Extract,
    Gap,
    Observation,
    QueryKind,
    Questions,
    Snapshot,
)

pytestmark = pytest.mark.unit

EARLIER = "0000000003fe25c69a3321cd009c484efe62b11abf0f8966fc81c1ff4a917cad"
ECHO: dict[str, object] = {"block_identifier": {"hash": BLOCK, "number": HEIGHT}}


def adapter() -> tron.Adapter:
    return tron.Adapter(SPEC, NoTransport())


def balance(account: bytes, body: object) -> Exchange:
    return exchange(wire.balance_request(account, HEIGHT, BLOCK), body)


def state(account: bytes, body: object) -> Exchange:
    return exchange(wire.account_request(account), body)


GOOD_CANARY = balance(CANARY, {"balance": 5, "block_identifier": {"hash": BLOCK, "number": HEIGHT}})
CANARY_STATE = state(CANARY, {"address": "41" + CANARY.hex(), "create_time": 1})


def answer(*exchanges: Exchange, at: Snapshot = AT) -> Observation | Gap:
    questions = Questions(
        kind=QueryKind.BALANCE, chain=CHAIN, height=HEIGHT, asset=NATIVE, accounts=(ACCOUNT,)
    )
    extract = Extract(positions=(0,), decoder="balance/1", exchanges=exchanges)
    answers = adapter().decode(questions, extract, at)
    assert adapter().decode(questions, extract, at) == answers
    ((position, found),) = answers.each(questions)
    assert position == 0
    return found


def units(found: Observation | Gap) -> int:
    assert isinstance(found, Observation), found
    return found.units


def reason(found: Observation | Gap) -> str:
    assert isinstance(found, Gap), found
    return found.reason


def test_documented_record_below_the_height_is_the_balance():
    found = answer(GOOD_CANARY, balance(ACCOUNT, fixture("getaccountbalance.json")))
    assert units(found) == 1793227200


def test_documented_request_is_ours():
    request = wire.balance_request(ACCOUNT, HEIGHT, BLOCK)
    assert request.path == "/wallet/getaccountbalance"
    assert msgspec.json.decode(request.body) == {
        "account_identifier": {"address": "41dd791d6b49e190062d650e6a23c575510d35f2f9"},
        "block_identifier": {"hash": BLOCK, "number": HEIGHT},
        "visible": False,
    }


def test_documented_block_and_account_are_read():
    block = wire.read_block(msgspec.json.decode(fixture("getblockbynum.json")))
    assert block == wire.Block(number=HEIGHT, id=BLOCK, time=TIME_MS)
    account = wire.read_account(msgspec.json.decode(fixture("getaccount.json")), ACCOUNT)
    assert account == wire.Account(exists=True, created=1776933207000)


@pytest.mark.parametrize("echo", [fixture("getaccountbalance-echo.json"), ECHO])
def test_echo_of_an_account_that_existed_is_never_zero(echo):
    existed = state(ACCOUNT, fixture("getaccount.json"))
    found = answer(GOOD_CANARY, CANARY_STATE, balance(ACCOUNT, echo), existed)
    assert reason(found) == "no-record"


def test_echo_without_head_state_is_a_gap():
    assert reason(answer(GOOD_CANARY, balance(ACCOUNT, ECHO))) == "zero-without-canary"
    found = answer(GOOD_CANARY, CANARY_STATE, balance(ACCOUNT, ECHO))
    assert reason(found) == "not-answered"


def test_echo_is_zero_where_no_account_existed():
    found = answer(GOOD_CANARY, CANARY_STATE, balance(ACCOUNT, ECHO), state(ACCOUNT, {}))
    assert units(found) == 0


@pytest.mark.parametrize(
    ("created", "kind", "expected"),
    [
        (TIME_MS + 1, "Normal", 0),
        (TIME_MS, "Normal", "no-record"),
        (TIME_MS - 3000, "Normal", "no-record"),
        (0, "Normal", "no-record"),
        (TIME_MS + 1, "Contract", "no-record"),
    ],
)
def test_echo_is_zero_only_for_accounts_created_later(created, kind, expected):
    head = {"address": "41" + ACCOUNT.hex(), "create_time": created, "type": kind}
    found = answer(GOOD_CANARY, CANARY_STATE, balance(ACCOUNT, ECHO), state(ACCOUNT, head))
    assert (reason(found) if isinstance(found, Gap) else found.units) == expected


def test_an_empty_head_state_for_the_canary_too_makes_no_zero():
    nothing = state(CANARY, {})
    found = answer(GOOD_CANARY, nothing, balance(ACCOUNT, ECHO), state(ACCOUNT, {}))
    assert reason(found) == "zero-without-canary"


@pytest.mark.parametrize("body", [{"balance": 0}, {}])
def test_zero_recorded_below_the_height_is_zero(body):
    emptied = body | {"block_identifier": {"hash": EARLIER, "number": 66987462}}
    assert units(answer(GOOD_CANARY, balance(ACCOUNT, emptied))) == 0


def test_no_zero_without_canary():
    emptied = {"block_identifier": {"hash": EARLIER, "number": 66987462}}
    assert reason(answer(balance(ACCOUNT, emptied))) == "zero-without-canary"
    failed = exchange(wire.balance_request(CANARY, HEIGHT, BLOCK), b"", failure="timeout")
    assert reason(answer(balance(ACCOUNT, emptied), failed)) == "zero-without-canary"


def test_a_canary_that_reads_otherwise_voids_the_batch():
    record = {"balance": 7, "block_identifier": {"hash": EARLIER, "number": 66987462}}
    for wrong in (ECHO, ECHO | {"balance": 6}):
        found = answer(balance(CANARY, wrong), balance(ACCOUNT, record))
        assert reason(found) == "canary-wrong"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (fixture("getaccountbalance-mismatch.json"), "wrong-block"),
        (fixture("lack-of-computing-resources.json"), "rate-limited"),
        (
            {"Error": "class org.tron.core.exception.ItemNotFoundException : number: 9"},
            "node-behind",
        ),
        ({"Error": "class java.lang.NullPointerException : null"}, "rpc-error"),
        ({"balance": 5}, "malformed-answer"),
        ({"balance": -5} | ECHO, "malformed-answer"),
        ({"balance": "5"} | ECHO, "malformed-answer"),
        ({"balance": True} | ECHO, "malformed-answer"),
        (b'{"balance":5.5,"block_identifier":{}}', "malformed-answer"),
        (
            {"balance": 5, "block_identifier": {"hash": BLOCK, "number": 66987462}},
            "malformed-answer",
        ),
        (
            {
                "balance": 5,
                "block_identifier": {"hash": f"{HEIGHT + 1:016x}" + "0" * 48, "number": HEIGHT + 1},
            },
            "wrong-block",
        ),
        (
            {
                "balance": 5,
                "block_identifier": {"hash": f"{HEIGHT:016x}" + "0" * 48, "number": HEIGHT},
            },
            "wrong-block",
        ),
        (b"[]", "malformed-answer"),
        (b'{"balance":5,', "truncated-answer"),
        (b"<html>", "malformed-answer"),
    ],
)
def test_what_is_not_an_answer_is_a_gap(body, expected):
    assert reason(answer(GOOD_CANARY, balance(ACCOUNT, body))) == expected


def test_head_state_of_another_account_is_not_believed():
    other = state(ACCOUNT, {"address": "41" + CANARY.hex(), "create_time": TIME_MS + 9})
    found = answer(GOOD_CANARY, CANARY_STATE, balance(ACCOUNT, ECHO), other)
    assert reason(found) == "malformed-answer"


@pytest.mark.parametrize(
    ("asset", "kind", "expected"),
    [
        ("/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", QueryKind.BALANCE, "no-history"),
        ("/trc10:1002000", QueryKind.BALANCE, "asset-unsupported"),
        ("/slip44:195", QueryKind.SIGNATURE, "kind-unsupported"),
        ("/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", QueryKind.SIGNATURE, "kind-unsupported"),
        ("/trc20:T0", QueryKind.BALANCE, "asset-unsupported"),
        ("/trc20:T0", QueryKind.ASSET_FACT, "asset-unsupported"),
    ],
)
async def test_questions_that_cannot_be_answered_are_not_sent(asset, kind, expected):
    questions = Questions(
        kind=kind, chain=CHAIN, height=HEIGHT, asset=AssetId(CHAIN + asset), accounts=(ACCOUNT,)
    )
    extracts = [one async for one in adapter().extract(questions, AT)]
    found = [
        gap for one in extracts for _, gap in adapter().decode(questions, one, AT).each(questions)
    ]
    assert [reason(one) for one in found] == [expected]


def test_canaries_come_from_successful_transfers_largest_first():
    def transfer(to: str, amount: int, result: str = "SUCCESS") -> dict[str, object]:
        value = {"amount": amount, "owner_address": "41" + "11" * 20, "to_address": to}
        contract = {"type": "TransferContract", "parameter": {"value": value}}
        return {"ret": [{"contractRet": result}], "raw_data": {"contract": [contract]}}

    block = {
        "transactions": [
            transfer("41" + "22" * 20, 5),
            transfer("41" + "33" * 20, 9),
            transfer("41" + "44" * 20, 99, "OUT_OF_ENERGY"),
            transfer("42" + "55" * 20, 99),
            {"raw_data": {}},
            "nonsense",
        ]
    }
    assert wire.receivers(block, 4) == (b"\x33" * 20, b"\x22" * 20)
    assert wire.receivers(block, 1) == (b"\x33" * 20,)
    assert wire.receivers({}, 4) == ()


def test_genesis_must_be_declared():
    with pytest.raises(ConfigError, match="genesis_hash"):
        pinning.genesis_of(msgspec.structs.replace(SPEC, params={}))


@pytest.mark.parametrize(
    "events", [{"T": [{"amount": "a"}]}, {"T": [{"name": "X", "typo": 1}]}, {"T": "Issue"}, 5]
)
def test_events_of_a_token_must_be_declared_in_full(events):
    spec = msgspec.structs.replace(SPEC, params={**SPEC.params, "supply_events": events})
    with pytest.raises(ConfigError, match="supply_events"):
        tron.Adapter(spec, NoTransport())


def test_adapters_are_found_by_name_only():
    assert load("tron") is tron.Adapter
    for name in ("", "none", "Tron", "tron.rules", "../tron", "os"):
        with pytest.raises(ConfigError):
            load(name)

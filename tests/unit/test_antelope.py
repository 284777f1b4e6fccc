"""How single answers of nodeos are read: recorded ones, older ones, and hostile ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.accounts import Held
from chains.adapters import antelope
from chains.adapters.antelope import holdings, params, wire
from chains.addresses.antelope import decode
from chains.errors import ConfigError, Disagreement, NodeBehind, Unanswerable, WrongChain
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Exchange,
    Gap,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "antelope"
CHAIN = ChainId("antelope:test")
NATIVE = AssetId(f"{CHAIN}/slip44:194")
EOS = wire.Symbol("EOS", 4)
HOLDER, NOBODY = (decode(text, {}) for text in ("holder", "nobody"))


def recorded(name: str) -> Any:
    return msgspec.json.decode((FIXTURES / f"{name}.json").read_bytes())


INFO = recorded("get_info")
SPEC = ChainSpec(
    id=CHAIN,
    name="Antelope",
    adapter="antelope",
    address="antelope",
    native=NATIVE,
    params={"chain_id": INFO["chain_id"], "canaries": ["holder"]},
)
PARAMS = params.read(SPEC)


class NoTransport:
    endpoints = ("a",)


def adapter(spec: ChainSpec = SPEC) -> antelope.Adapter:
    return antelope.Adapter(spec, NoTransport())  # type: ignore[arg-type]


def answered(body: object, status: int = 200, request: Request = wire.INFO) -> Exchange:
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    failure = "" if status == 200 else "refused"
    return Exchange(request=request, endpoint="a", status=status, body=data, failure=failure)


def fixture(name: str, status: int = 200, request: Request = wire.INFO) -> Exchange:
    return answered((FIXTURES / f"{name}.json").read_bytes(), status, request)


def reason(found: object) -> str:
    assert isinstance(found, Gap)
    return found.reason


def fault(text: str, code: int) -> dict[str, Any]:
    return {"code": 500, "error": {"code": code, "details": [{"message": text}]}}


def test_an_unknown_account_is_absent():
    assert wire.read_account(fixture("get_account-unknown", 400), NOBODY) == wire.Absent()


OLD = "unknown key (eosio::chain::name): nobody"


@pytest.mark.parametrize(
    ("text", "code", "expected"),
    [
        (OLD, 0, wire.Absent()),
        ("unknown key (boost::tuples::tuple<bool, eosio::chain::name>): (0 nobody)", 0, "absent"),
        (OLD + "x", 0, "rpc-error"),
        ("unknown key (eosio::chain::name): somebody", 0, "rpc-error"),
        ("unknown key (eosio::chain::nobody): ", 0, "rpc-error"),
        (OLD, 3080001, "rpc-error"),
        ("unable to retrieve account info (bad allocation)", 3060002, "rpc-error"),
    ],
)
def test_only_an_error_that_names_the_account_shows_its_absence(text, code, expected):
    found = wire.read_account(answered(fault(text, code), 500), NOBODY)
    if isinstance(found, wire.Absent):
        assert expected in (wire.Absent(), "absent")
    else:
        assert reason(found) == expected


def test_another_account_of_the_same_end_is_not_meant():
    text = "unknown key (eosio::chain::name): nobody"
    assert reason(wire.read_account(answered(fault(text, 0), 500), decode("body", {})))


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b"<html>busy</html>", 500, "server-error"),
        (b"{}", 500, "server-error"),
        (b"", 403, "refused"),
        (b'{"error":{"code":true}}', 400, "refused"),
        (b'{"error":{"code":7,"details":[]}}', 400, "rpc-error"),
        (b'{"error":{"code":7,"details":[1],"what":2}}', 400, "rpc-error"),
        (b"[]", 200, "malformed-answer"),
        (b"[" * 10_000, 200, "malformed-answer"),
        (b'{"account_name":"nobody"}', 200, "malformed-answer"),
        (b'{"account_name":"nobody","created":"2020-13-01T00:00:00.000"}', 200, "malformed-answer"),
        (b'{"account_name":"nobody","created":7,"head_block_num":1e400}', 200, "malformed-answer"),
    ],
)
def test_what_is_no_answer_is_a_gap(body, status, expected):
    assert reason(wire.read_account(answered(body, status), NOBODY)) in (
        expected,
        "truncated-answer",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12.3456 EOS", 123456),
        ("0.0000 EOS", 0),
        ("461168601842738.7903 EOS", 2**62 - 1),
        ("461168601842738.7904 EOS", None),
        ("12.345 EOS", None),
        ("12.34560 EOS", None),
        ("12 EOS", None),
        ("-1.0000 EOS", None),
        ("12.3456 A", None),
        ("12.3456 EOS\n", None),
        ("١٢.3456 EOS", None),
        (12.3456, None),
        (None, None),
        ({}, None),
    ],
)
def test_amounts_are_read_exactly_or_not_at_all(text, expected):
    assert wire.read_units(text, EOS) == expected


def test_a_balance_has_one_amount_of_the_right_token():
    assert wire.read_balance(fixture("get_currency_balance-empty"), EOS) is None
    assert wire.read_balance(fixture("get_currency_balance"), EOS) == 9_159_991
    for body in (["1.0000 EOS", "2.0000 EOS"], ["1.00 EOS"], {}, [None], [["1.0000 EOS"]]):
        assert reason(wire.read_balance(answered(body), EOS)) == "malformed-answer"
    assert reason(wire.read_balance(fixture("no-table", 500), EOS)) == "rpc-error"


def test_names_go_into_scopes_as_numbers():
    asked = wire.rows_request("eosio", decode("123451234512", {}), "delband").body
    scope = msgspec.json.decode(asked)["scope"]
    assert decode("123451234512", {}) == int(scope).to_bytes(8, "little")
    assert scope != "123451234512"


def own(account: bytes = HOLDER, **changed: object) -> dict[Request, Exchange]:
    """Return the recorded answers about the account, some of them changed."""
    keys = ("get_currency_balance", "delband", "rexfund", "rexqueue")
    asked = dict(zip(keys, holdings.requests(PARAMS, account), strict=True))
    asked |= dict(zip(("global", "rexpool"), holdings.standing_requests(PARAMS), strict=True))
    return {
        request: answered(changed[key]) if key in changed else fixture(key)
        for key, request in asked.items()
    }


def account(**changed: object) -> wire.Account:
    fields = recorded("get_account") | changed
    found = wire.read_account(answered(fields), HOLDER)
    assert isinstance(found, wire.Account)
    return found


def held(shown: wire.Account | None = None, **changed: object) -> Held | Gap:
    answers = own(**changed)
    rate = holdings.standing(PARAMS, answers)
    if isinstance(rate, Gap):
        return rate
    return holdings.read(PARAMS, answers, HOLDER, shown or account(), rate)


def test_every_part_is_read_once():
    assert held() == Held(
        (
            Part(PartKind.LIQUID, 9_159_991),
            Part(PartKind.STAKED, 230_000),
            Part(PartKind.DELEGATED, 30_000),
            Part(PartKind.UNBONDING, 70_000),
            Part(PartKind.RESERVED, 200_000),
            Part(PartKind.STAKED, 300_000),
        )
    )


def rows(*found: object, more: object = False, key: object = "") -> dict[str, object]:
    return {"rows": list(found), "more": more, "next_key": key}


def pool(lendable: str, rex: str) -> dict[str, object]:
    return rows({"total_lendable": lendable, "total_rex": rex})


def test_rex_is_worth_what_the_contract_pays_rounded_down():
    found = held(rexpool=pool("100.0000 EOS", "700000.0000 REX"))
    assert isinstance(found, Held)
    assert found.parts[-1] == Part(PartKind.STAKED, 3_000_000_000 * 1_000_000 // 7_000_000_000)


def test_a_filled_order_counts_and_belongs_to_its_owner():
    order = {"owner": "holder", "proceeds": "1.5000 EOS", "is_open": 0}
    found = held(rexqueue=rows(order))
    assert isinstance(found, Held)
    assert Part(PartKind.RESERVED, 215_000) in found.parts
    assert reason(held(rexqueue=rows(order | {"owner": "other"}))) == "malformed-answer"


DELEGATION = {"from": "holder", "to": "other", "net_weight": "1.0000 EOS"} | {
    "cpu_weight": "1.0000 EOS"
}


@pytest.mark.parametrize(
    "changed",
    [
        {"delband": rows()},
        {"delband": rows(DELEGATION)},
        {"delband": rows(DELEGATION | {"from": "other"})},
        {"delband": rows(DELEGATION, DELEGATION)},
        {"delband": rows(DELEGATION | {"net_weight": -1})},
        {"delband": {"rows": [1], "more": False}},
        {"delband": {"rows": [], "more": "no"}},
        {"delband": rows(DELEGATION, more=True, key="x")},
        {"get_currency_balance": []},
        {"get_currency_balance": ["917.0000 EOS"]},
        {"rexfund": rows({"owner": "other", "balance": "1.0000 EOS"})},
        {"rexfund": rows({"owner": "holder", "balance": "1.0000 REX"})},
        {"rexpool": pool("1.0000 EOS", "0.0001 REX")},
        {"rexpool": pool("1.0000 EOS", "x")},
        {"global": rows()},
        {"rexpool": rows()},
    ],
    ids=str,
)
def test_tables_that_contradict_the_account_are_gaps(changed):
    assert reason(held(**changed)) in ("malformed-answer", "canary-wrong")


def test_more_delegations_than_we_ask_for_are_a_gap():
    assert reason(held(delband=rows(DELEGATION, more=True, key="77"))) == "answer-too-large"


@pytest.mark.parametrize("refund", [[], {"owner": "holder"}, {"owner": "other"}, 7])
def test_a_refund_of_another_shape_is_a_gap(refund):
    assert reason(held(account(refund_request=refund))) == "malformed-answer"


def test_deep_answers_are_gaps():
    body = b'{"permissions":' + b"[" * 5000 + b"]" * 5000 + b"}"
    assert isinstance(wire.read_account(answered(body), HOLDER), Gap)


@pytest.mark.parametrize(
    "given",
    [
        {"chain_id": "ab"},
        {},
        {"chain_id": "ab" * 32, "symbol": "EOS"},
        {"chain_id": "ab" * 32, "canaries": ["Bad"]},
        {"chain_id": "ab" * 32, "token_canaries": {"core.vaulta:A": "Bad"}},
    ],
    ids=str,
)
def test_parameters_are_checked(given):
    with pytest.raises(ConfigError):
        params.read(msgspec.structs.replace(SPEC, params=given))


def test_tokens_are_named_with_an_escaped_colon():
    asset = AssetId(f"{CHAIN}/token:core.vaulta%3AA")
    assert params.token_of(SPEC, asset) == params.Token("core.vaulta", "A")
    for text in ("token:core.vaulta", "token:core.vaulta%3Aa", "nonsense:1", "slip44:194"):
        assert params.token_of(SPEC, AssetId(f"{CHAIN}/{text}")) is None


def test_the_core_token_is_not_read_under_a_second_name():
    questions = Questions(
        kind=QueryKind.BALANCE,
        chain=CHAIN,
        height=1,
        asset=AssetId(f"{CHAIN}/token:eosio.token%3AEOS"),
        accounts=(HOLDER,),
    )
    assert reason(adapter().refusal(questions)) == "asset-unsupported"


HEIGHT = INFO["head_block_num"]


def pin(info: object = None, block: Exchange | None = None, balance: object = None) -> Snapshot:
    asked = adapter().pin_requests(HEIGHT)
    shown = [
        answered(INFO if info is None else info),
        block or fixture("get_block_info"),
        fixture("get_account"),
        fixture("get_currency_balance") if balance is None else answered(balance),
    ]
    exchanges = [
        msgspec.structs.replace(one, request=request)
        for request, one in zip(asked, shown, strict=True)
    ]
    return adapter().snapshot(HEIGHT, exchanges)


def test_the_recorded_block_is_pinned():
    at = pin()
    assert (at.block_hash, at.endpoints) == (INFO["head_block_id"], ("a",))
    assert at.canaries == (HOLDER.hex(),)


def test_what_cannot_be_pinned():
    with pytest.raises(WrongChain):
        pin(INFO | {"chain_id": "cd" * 32})
    with pytest.raises(NodeBehind):
        pin(INFO | {"last_irreversible_block_num": HEIGHT - 1})
    other = recorded("get_block_info") | {"id": f"{HEIGHT + 1:08x}" + "0" * 56}
    for block in (answered(other), fixture("get_block_info-unknown", 400), answered(b"[]")):
        with pytest.raises(Unanswerable):
            pin(block=block)
    for info in ({}, [], INFO | {"head_block_num": 2**70}, INFO | {"head_block_id": None}):
        with pytest.raises(Unanswerable):
            pin(info)
    assert pin(balance=[]).rejected == {"a": "canary-failed"}


def test_a_head_that_is_another_block_of_that_number_is_no_pin():
    with pytest.raises((Unanswerable, Disagreement)):
        pin(INFO | {"head_block_id": f"{HEIGHT:08x}" + "0" * 56})

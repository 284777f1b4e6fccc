"""How Solana answers are read: documented ones, the untouched rule, and what it cannot tell."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from chains.adapters import solana
from chains.adapters.solana import pinning, rules, wire
from chains.errors import ConfigError, NodeBehind, Unanswerable
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Method,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)
from chains.simulated.solana_ledger import stake_account

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "solana"
CHAIN = ChainId("solana:test")
NATIVE = AssetId(f"{CHAIN}/slip44:501")
ACCOUNT = b"\x07" * 32
KEY = wire.key(ACCOUNT)
CANARY = bytes(32)
BUSY = solana.BUSY
SLOT = 1000
TIP = 1040
SYSTEM = "1" * 32
GENESIS = "GH7ome3EiwEr7tu9JuTh2dpYWBJK3z69Xm1ZE3MEE6JC"
AT = Snapshot(
    chain=CHAIN,
    height=SLOT,
    block_hash="3Eq21vXNB5s86c62bVuUfTeaMif1N2kUqRPBmGRJhyTA",
    time=0,
    endpoints=("a",),
    canaries=(CANARY.hex(),),
    detail={"first-available@a": "0"},
)
SPEC = ChainSpec(
    id=CHAIN,
    name="Solana",
    adapter="solana",
    address="solana",
    native=NATIVE,
    params={"genesis_hash": GENESIS},
)
RICH = 5_000_000_000


class NoTransport:
    endpoints = ("a",)

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        raise AssertionError(f"a pure function asked {endpoint}: {request}")

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        raise AssertionError(f"a pure function asked {among}: {request}")


def adapter() -> solana.Adapter:
    return solana.Adapter(SPEC, NoTransport())


def exchange(request: Request, body: object) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Exchange(request=request, endpoint="a", status=200, body=raw)


def held(
    lamports: int, owner: str = SYSTEM, space: int = 0, data: bytes = b""
) -> dict[str, object]:
    shown = [b64encode(data).decode(), "base64"]
    return {"lamports": lamports, "owner": owner, "space": space, "data": shown}


STAKE = stake_account(b"\x01" * 32, RICH - 2_282_880 - 5)


def accounts(value: object, slot: int = TIP, canary: object = None) -> Exchange:
    first = held(1) if canary is None else canary
    body = {"id": 0, "result": {"context": {"slot": slot}, "value": [first, value]}}
    return exchange(wire.accounts_request([SYSTEM, KEY], SLOT), body)


def signatures(result: object, busy: int | None = TIP, **member: object) -> Exchange:
    newest = [] if busy is None else [{"slot": busy}]
    own = {"id": 1, **(member or {"result": result})}
    body = [own, {"id": 0, "result": newest}]
    return exchange(wire.signatures_request([BUSY, KEY], TIP), body)


def answer(*exchanges: Exchange, at: Snapshot = AT) -> Observation | Gap:
    questions = Questions(
        kind=QueryKind.BALANCE, chain=CHAIN, height=SLOT, asset=NATIVE, accounts=(ACCOUNT,)
    )
    extract = Extract(positions=(0,), decoder="balance/1", exchanges=exchanges)
    answers = adapter().decode(questions, extract, at)
    assert adapter().decode(questions, extract, at) == answers
    ((_, found),) = answers.each(questions)
    return found


def reason(found: Observation | Gap) -> str:
    assert isinstance(found, Gap), found
    return found.reason


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def test_documented_accounts_are_read():
    keys = [
        "vines1vzrYbzLMRdu58ou5XTby4qAqVRLmqo36NKPTg",
        "4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA",
    ]
    request = wire.accounts_request(keys, 341197000)
    read = wire.read_accounts(exchange(request, fixture("getmultipleaccounts.json")), 341197000)
    assert isinstance(read, wire.Accounts)
    assert read.slot == 341197247
    assert read.held[keys[0]] == wire.Held(lamports=88849814690250, owner=SYSTEM, space=0)
    absent = exchange(request, fixture("getmultipleaccounts-null.json"))
    behind = wire.read_accounts(absent, 341197000)
    assert isinstance(behind, Gap)
    assert behind.reason == "node-behind"
    read = wire.read_accounts(absent, 335501794)
    assert isinstance(read, wire.Accounts)
    assert read.held[keys[0]] is None


def test_documented_signatures_block_and_genesis_are_read():
    vote = rules.VOTE_PROGRAM
    found = wire.read_last_slots(
        exchange(wire.signatures_request([vote], 0), fixture("getsignaturesforaddress.json"))
    )
    assert found == {vote: 114}
    block = wire.read_block(
        wire.read_result(exchange(wire.block_request(430), fixture("getblock.json")))
    )
    assert block == wire.Block(
        hash="3Eq21vXNB5s86c62bVuUfTeaMif1N2kUqRPBmGRJhyTA",
        parent="mfcyqEXB3DnHXki6KjjmZck6YjmZLvpAByy2fj4nh6B",
        time=0,
    )
    said = wire.read_result(exchange(wire.genesis_request(), fixture("getgenesishash.json")))
    assert said == GENESIS


def test_requests_ask_for_finalized_state_and_little_data():
    (keys, wanted) = msgspec.json.decode(wire.accounts_request([KEY], 7).body)["params"]
    assert keys == [KEY]
    assert wanted == {
        "encoding": "base64",
        "dataSlice": {"offset": 0, "length": 200},
        "minContextSlot": 7,
        "commitment": "finalized",
    }
    (call,) = msgspec.json.decode(wire.signatures_request([KEY], 7).body)
    assert call["params"] == [KEY, {"limit": 1, "minContextSlot": 7, "commitment": "finalized"}]


def test_at_the_slot_itself_it_is_the_state():
    found = answer(accounts(held(RICH), slot=SLOT))
    assert isinstance(found, Observation)
    assert (found.units, found.method) == (RICH, Method.STATE)


@pytest.mark.parametrize("last", [[{"slot": SLOT}], [{"slot": 3}], []])
def test_untouched_since_the_slot(last):
    found = answer(accounts(held(RICH)), signatures(last))
    assert isinstance(found, Observation)
    assert (found.units, found.method) == (RICH, Method.UNTOUCHED)


def test_touched_after_the_slot_is_a_gap_that_says_what_would_help():
    found = answer(accounts(held(RICH)), signatures([{"slot": SLOT + 1}]))
    assert isinstance(found, Gap)
    assert found.reason == "no-history"
    assert "capture" in found.detail


def test_without_the_list_of_transactions_there_is_no_answer():
    assert reason(answer(accounts(held(RICH)))) == "not-answered"


def test_an_empty_list_says_nothing_on_a_pruned_ledger():
    for detail in ({}, {"first-available@a": str(SLOT + 1)}):
        pruned = msgspec.structs.replace(AT, detail=detail)
        assert reason(answer(accounts(held(RICH)), signatures([]), at=pruned)) == "state-pruned"
        assert reason(answer(accounts(None), signatures([]), at=pruned)) == "state-pruned"
    exactly = msgspec.structs.replace(AT, detail={"first-available@a": str(SLOT)})
    assert isinstance(answer(accounts(None), signatures([]), at=exactly), Observation)


@pytest.mark.parametrize("busy", [TIP - 1, SLOT, None])
def test_a_lagging_list_of_transactions_says_nothing(busy):
    expected = "node-behind"
    assert reason(answer(accounts(held(RICH)), signatures([], busy))) == expected
    assert reason(answer(accounts(None), signatures([{"slot": 3}], busy))) == expected


def test_absent_is_zero_only_beside_a_standing_account():
    found = answer(accounts(None), signatures([]))
    assert isinstance(found, Observation)
    assert found.units == 0
    assert reason(answer(accounts(None, canary=held(0)), signatures([]))) == "canary-wrong"
    no_canary = msgspec.structs.replace(AT, canaries=())
    assert reason(answer(accounts(None), signatures([]), at=no_canary)) == "zero-without-canary"


def test_a_wrong_canary_voids_positive_balances_too():
    found = answer(accounts(held(RICH), canary=held(0)), signatures([]))
    assert reason(found) == "canary-wrong"


@pytest.mark.parametrize("owner", [rules.STAKE_PROGRAM, rules.VOTE_PROGRAM, rules.SYSVAR])
def test_accounts_credited_without_transaction_need_the_slot_itself(owner):
    untouched = answer(accounts(held(RICH, owner, data=STAKE)), signatures([{"slot": 3}]))
    assert reason(untouched) == "no-history"
    assert isinstance(answer(accounts(held(RICH, owner, data=STAKE), slot=SLOT)), Observation)


def test_lamports_of_a_stake_account_are_split():
    found = answer(accounts(held(RICH, rules.STAKE_PROGRAM, data=STAKE), slot=SLOT))
    assert isinstance(found, Observation)
    assert found.units == RICH
    assert found.parts == (
        Part(PartKind.STAKED, RICH - 2_282_880 - 5),
        Part(PartKind.RESERVED, 2_282_880),
        Part(PartKind.LIQUID, 5),
    )


@pytest.mark.parametrize(
    ("lamports", "space", "answered"),
    [(890_880, 0, True), (890_879, 0, False), (2_039_280, 165, True), (2_039_279, 165, False)],
)
def test_below_the_rent_exempt_minimum_nothing_is_concluded(lamports, space, answered):
    found = answer(accounts(held(lamports, space=space)), signatures([{"slot": 3}]))
    assert isinstance(found, Observation) is answered
    if not answered:
        assert reason(found) == "no-history"


@pytest.mark.parametrize(
    ("code", "expected"),
    [(-32011, "method-missing"), (-32016, "node-behind"), (-32603, "rpc-error")],
)
def test_a_failing_member_is_a_gap(code, expected):
    member = {"error": {"code": code, "message": "no"}}
    assert reason(answer(accounts(held(RICH)), signatures(None, **member))) == expected


@pytest.mark.parametrize(
    ("value", "slot", "expected"),
    [
        (held(RICH), SLOT - 1, "node-behind"),
        ({"owner": SYSTEM}, TIP, "malformed-answer"),
        ({"owner": None, "lamports": RICH}, TIP, "malformed-answer"),
        ({"lamports": RICH}, TIP, "malformed-answer"),
        (held(-1), TIP, "malformed-answer"),
        (held(True), TIP, "malformed-answer"),
        ("text", TIP, "malformed-answer"),
    ],
)
def test_what_is_not_an_answer_is_a_gap(value, slot, expected):
    assert reason(answer(accounts(value, slot), signatures([]))) == expected


@pytest.mark.parametrize("result", ["text", [5], [{"slot": "5"}], [{}], None])
def test_what_is_not_a_list_of_transactions_is_a_gap(result):
    assert reason(answer(accounts(held(RICH)), signatures(result))) == "malformed-answer"


def test_answers_of_another_length_are_not_paired():
    body = {"id": 0, "result": {"context": {"slot": TIP}, "value": [held(1)]}}
    short = exchange(wire.accounts_request([SYSTEM, KEY], SLOT), body)
    assert reason(answer(short, signatures([]))) == "malformed-answer"


def pinned(block: str, newest: int) -> Snapshot:
    requests = pinning.pin_requests(430, [SYSTEM])
    bodies = [
        fixture("getgenesishash.json"),
        {"id": 0, "result": newest},
        fixture(block),
        {"id": 0, "result": 77},
        {"id": 0, "result": {"context": {"slot": 500}, "value": [held(1)]}},
    ]
    exchanges = [exchange(*pair) for pair in zip(requests, bodies, strict=True)]
    params = {**SPEC.params, "canaries": [SYSTEM]}
    spec = msgspec.structs.replace(SPEC, params=params)
    return solana.Adapter(spec, NoTransport()).snapshot(430, exchanges)


def test_a_documented_block_is_pinned():
    at = pinned("getblock.json", 430)
    assert (at.block_hash, at.endpoints) == (AT.block_hash, ("a",))
    assert at.detail["first-available@a"] == "77"


def test_a_skipped_slot_cannot_be_pinned():
    with pytest.raises(
        Unanswerable, match="was skipped, or the number is a block height"
    ) as caught:
        pinned("getblock-skipped.json", 500)
    assert caught.value.code == "slot-skipped"


def test_another_reason_is_not_called_a_skipped_slot():
    refused = {"id": 0, "error": {"code": -32601, "message": "no such method"}}
    shown = exchange(wire.genesis_request(), refused)
    with pytest.raises(Unanswerable, match="method-missing"):
        adapter().snapshot(SLOT, [shown])


def test_a_block_that_is_not_final_cannot_be_pinned():
    with pytest.raises(NodeBehind):
        pinned("getblock.json", 429)


@pytest.mark.parametrize(
    ("params", "word"),
    [({"canaries": ["0"]}, "base58"), ({"canaries": ["2"]}, "32"), ({"busy": "l"}, "base58")],
)
def test_wrong_canaries_are_named(params, word):
    with pytest.raises(ConfigError, match=word):
        solana.Adapter(msgspec.structs.replace(SPEC, params=params), NoTransport())
    with pytest.raises(ConfigError, match="genesis_hash"):
        pinning.genesis_of(msgspec.structs.replace(SPEC, params={}))

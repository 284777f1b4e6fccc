"""Reading a beacon node's answers: documented ones, and ones that no node should give."""

from __future__ import annotations

import msgspec
import pytest
from beacon_answers import (
    ACCOUNT,
    ADDRESS,
    BEFORE_ELECTRA,
    CANARY,
    EXECUTION,
    HEADER,
    HEIGHT,
    MINE,
    OTHER,
    PARAMS,
    PROPOSER,
    SLOT,
    SPEC,
    NoTransport,
    answer,
    bodies,
    data,
    fixture,
    header_body,
    parts,
    reason,
    record,
    snapshot,
    told,
)

from chains.adapters import beacon
from chains.adapters.beacon import pinning, rules, wire
from chains.control import decode
from chains.errors import ConfigError, WrongChain
from chains.model import Gap, Observation, Part, PartKind, QueryKind
from chains.pinning import View

pytestmark = pytest.mark.unit


def test_documented_header_hashes_to_its_root():
    shown = wire.HEADER.decode(fixture("header.json"))
    assert shown.data.header.message.root == shown.data.root
    assert shown.finalized is False


def test_documented_genesis_is_the_configured_chain():
    search = pinning.steps(SPEC, HEIGHT)
    request = next(search)
    assert request.path == "/eth/v1/beacon/genesis"
    assert search.send(told(request, fixture("genesis.json"))) == wire.header("finalized")


@pytest.mark.parametrize("field", ["genesis_time", "genesis_validators_root"])
def test_another_genesis_is_another_chain(field):
    genesis = msgspec.json.decode(fixture("genesis.json"))["data"]
    genesis[field] = {"genesis_time": "1606824024", "genesis_validators_root": "0x" + "00" * 32}[
        field
    ]
    search = pinning.steps(SPEC, HEIGHT)
    with pytest.raises(WrongChain):
        search.send(told(next(search), {"data": genesis}))


def test_documented_validators_are_read():
    (one,) = wire.VALIDATORS.decode(fixture("validators.json")).data
    assert (one.index, one.balance, one.status) == (42, 32_756_234_517, "active_ongoing")
    (way,) = rules.control(one).ways
    assert way.weights == {"0x7e4aa755550152a5d0e121a40dc83c23ddb48764": 1}
    assert (way.kind, way.threshold) == ("withdrawal-credentials", 1)


def test_documented_validator_that_withdrew_holds_nothing():
    one = wire.VALIDATOR.decode(fixture("validator-withdrawn.json")).data
    held = rules.balance(one.key, one, rules.NO_QUEUES)
    assert held.parts == (Part(PartKind.STAKED, 0),)


def test_documented_queues_are_read():
    own = {
        request: told(request, fixture(request.path.rpartition("/")[2] + ".json"))
        for request in rules.queue_requests("0x02")
    }
    settled = {
        request: msgspec.structs.replace(
            one, body=one.body.replace(b'"finalized":false', b'"finalized":true')
        )
        for request, one in own.items()
    }
    queues = rules.queues("0x02", settled)
    assert isinstance(queues, rules.Queues)
    assert list(queues.deposits.values()) == [2_015_950_000_000]
    assert queues.withdrawals == {1_084_521: 1_000_000_000}
    assert queues.leaving == {1_084_521, 1_083_922}
    unsettled = rules.queues("0x02", own)
    assert isinstance(unsettled, Gap)
    assert unsettled.reason == "node-behind"


def test_a_list_is_never_asked_without_keys():
    with pytest.raises(ValueError, match="all validators"):
        wire.validators("0x02", [])
    assert rules.ids([], snapshot()) == ["0x" + CANARY.hex()]
    assert rules.ids([CANARY, ACCOUNT], snapshot()) == ["0x" + k.hex() for k in (ACCOUNT, CANARY)]


def test_a_balance_with_nothing_queued():
    assert parts(answer(bodies())) == (Part(PartKind.STAKED, 32_756_234_517),)


def test_what_is_queued_stands_beside_the_balance():
    def deposit(key: bytes, units: str) -> dict[str, str]:
        return {"pubkey": "0x" + key.hex(), "amount": units}

    own = bodies(
        deposits=data([deposit(ACCOUNT, "5"), deposit(OTHER, "100"), deposit(ACCOUNT, "6")]),
        withdrawals=data([{"validator_index": "9", "amount": "3"}] * 2),
        consolidations=data([{"source_index": "9", "target_index": "7"}]),
    )
    assert parts(answer(own)) == (
        Part(PartKind.STAKED, 32_756_234_517),
        Part(PartKind.RESERVED, 11),
        Part(PartKind.UNBONDING, 6, counted=False),
        Part(PartKind.FROZEN, 32_000_000_000, counted=False),
    )


def test_a_slashed_validator_is_not_consolidated():
    own = bodies(
        list=data([record(ACCOUNT, 9, "31", slashed=True), PROPOSER]),
        consolidations=data([{"source_index": "9", "target_index": "7"}]),
    )
    assert parts(answer(own)) == (Part(PartKind.STAKED, 31),)


@pytest.mark.parametrize("queue", ["deposits", "withdrawals", "consolidations"])
@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_without_a_queue_there_is_no_balance(queue, status):
    own = bodies()
    request = rules.queue_requests(HEADER.state_root)[
        ["deposits", "withdrawals", "consolidations"].index(queue)
    ]
    own[request] = told(request, {"code": status, "message": "no"}, status)
    assert reason(answer(own)) == "method-missing"


def test_before_electra_no_queue_is_read():
    own = {request: one for request, one in bodies().items() if "pending" not in request.path}
    found = answer(own, snapshot(slot=BEFORE_ELECTRA))
    assert parts(found) == (Part(PartKind.STAKED, 32_756_234_517),)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"list": data([MINE])}, "canary-wrong"),
        ({"list": data([])}, "canary-wrong"),
        ({"list": data([MINE, record(CANARY, 7, "0")])}, "canary-wrong"),
        ({"list": data([MINE, record(CANARY, 7, "32000000002")])}, "canary-wrong"),
        ({"list": data([MINE, record(ACCOUNT, 9, "1"), PROPOSER])}, "malformed-answer"),
        ({"list": data([MINE, PROPOSER], finalized=False)}, "node-behind"),
        ({"list": data([MINE, PROPOSER], execution_optimistic=True)}, "optimistic-answer"),
        ({"list": {"data": None}}, "malformed-answer"),
        ({"list": b"[" * 100_000}, "truncated-answer"),
        ({"list": data([record(ACCOUNT, 9, 32), PROPOSER])}, "malformed-answer"),
        ({"list": data([record(ACCOUNT, 9, str(2**64)), PROPOSER])}, "malformed-answer"),
        ({"list": data([record(ACCOUNT, 9, "-1"), PROPOSER])}, "malformed-answer"),
        ({"list": data([record(ACCOUNT, 9, "NaN"), PROPOSER])}, "malformed-answer"),
        ({"header": header_body(execution_optimistic=True)}, "optimistic-answer"),
        ({"header": header_body(finalized=False)}, "node-behind"),
        ({"header": header_body(canonical=False)}, "wrong-block"),
        ({"header": header_body(root="0x" + "00" * 32)}, "wrong-block"),
        ({"deposits": data([{"pubkey": "0x" + "0a" * 48, "amount": 5}])}, "malformed-answer"),
        ({"deposits": data([], finalized=False)}, "node-behind"),
    ],
)
def test_what_makes_a_group_a_gap(changed, expected):
    assert reason(answer(bodies(**changed))) == expected


def test_a_lost_block_is_another_block():
    request = wire.header(HEADER.root)
    own = {request: told(request, {"code": 404, "message": "Block not found"}, 404)}
    assert reason(answer(own)) == "wrong-block"
    own = {request: told(request, b"<html>", 404)}
    assert reason(answer(own)) == "refused"


def test_a_lost_state_is_pruned():
    own = bodies()
    request = wire.validators(HEADER.state_root, rules.ids([ACCOUNT], snapshot()))
    own[request] = told(request, fixture("state-not-found.json"), 404)
    assert reason(answer(own)) == "state-pruned"


@pytest.mark.parametrize(("root", "expected"), [("02", ""), ("ff", "wrong-block")])
def test_a_state_by_slot_needs_its_root(root, expected):
    own = bodies(str(SLOT), root=data({"root": "0x" + root * 32}))
    found = answer(own, snapshot(state=str(SLOT)))
    assert (found.reason if isinstance(found, Gap) else "") == expected


ALONE = wire.validator(HEADER.state_root, ACCOUNT)
NOT_THERE = told(ALONE, {"code": 404, "message": "Validator not found"}, 404)
LEFT_OUT = {"list": data([PROPOSER]), "canary": data(PROPOSER)}


def test_a_key_that_the_node_says_is_not_there_holds_nothing():
    own = bodies(**LEFT_OUT, alone=NOT_THERE)
    assert parts(answer(own)) == (Part(PartKind.STAKED, 0),)
    facts = answer(own, kind=QueryKind.CONTROL)
    assert isinstance(facts, Observation)
    assert not decode(facts.facts).exists


def test_a_deposit_to_an_unknown_key_is_shown_and_not_counted():
    deposit = {"pubkey": "0x" + ACCOUNT.hex(), "amount": "32000000000"}
    own = bodies(**LEFT_OUT, alone=NOT_THERE, deposits=data([deposit]))
    assert parts(answer(own)) == (
        Part(PartKind.STAKED, 0),
        Part(PartKind.RESERVED, 32_000_000_000, counted=False),
    )


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"alone": data(MINE)}, "no-record"),
        ({"alone": told(ALONE, {"code": 400, "message": "Invalid"}, 400)}, "no-record"),
        ({"alone": told(ALONE, b"<html>404</html>", 404)}, "no-record"),
        ({"alone": told(ALONE, {"message": 5}, 404)}, "no-record"),
        ({"alone": msgspec.structs.replace(NOT_THERE, failure="timeout")}, "timeout"),
        ({"alone": NOT_THERE, "canary": data(MINE)}, "canary-wrong"),
        ({"alone": NOT_THERE, "canary": data(record(CANARY, 7, "0"))}, "canary-wrong"),
        ({"alone": NOT_THERE, "canary": data(record(CANARY, 8, "32000000001"))}, "canary-wrong"),
        ({"alone": NOT_THERE, "canary": data(PROPOSER, finalized=False)}, "node-behind"),
        (
            {
                "alone": NOT_THERE,
                "canary": told(
                    wire.validator(HEADER.state_root, CANARY), {"code": 404, "message": ""}, 404
                ),
            },
            "canary-wrong",
        ),
    ],
)
def test_a_key_that_is_only_left_out_is_a_gap(changed, expected):
    for kind in (QueryKind.BALANCE, QueryKind.CONTROL):
        assert reason(answer(bodies(**{**LEFT_OUT, **changed}), kind=kind)) == expected


def test_a_key_that_was_not_asked_alone_is_a_gap():
    assert reason(answer(bodies(list=data([PROPOSER])))) == "no-record"
    assert reason(answer(bodies(**LEFT_OUT))) == "not-answered"


@pytest.mark.parametrize(
    ("credentials", "named"),
    [
        (EXECUTION, ADDRESS),
        ("0x02" + EXECUTION[4:], ADDRESS),
        ("0x00" + EXECUTION[4:], ""),
        ("0x03" + EXECUTION[4:], ""),
        ("0x01" + "00" * 10 + "01" + ADDRESS[2:], ""),
        ("0x00" + "ab" * 31, ""),
    ],
)
def test_only_credentials_with_an_address_name_anybody(credentials, named):
    shown = record(ACCOUNT, 9, "1", withdrawal_credentials=credentials)
    found = answer(bodies(list=data([shown, PROPOSER])), kind=QueryKind.CONTROL)
    assert isinstance(found, Observation)
    facts = decode(found.facts)
    assert facts.exists
    assert facts.notes["withdrawal_credentials"] == credentials
    assert [dict(way.weights) for way in facts.ways] == ([{named: 1}] if named else [])


def test_control_does_not_wait_for_queues():
    own = {request: one for request, one in bodies().items() if "pending" not in request.path}
    assert isinstance(answer(own, kind=QueryKind.CONTROL), Observation)


@pytest.mark.parametrize(
    "params",
    [{}, {**PARAMS, "anchors": []}, {**PARAMS, "anchors": [[1]]}, {**PARAMS, "genesis_time": "1"}],
)
def test_params_are_checked(params):
    with pytest.raises(ConfigError, match="params"):
        beacon.Adapter(msgspec.structs.replace(SPEC, params=params), NoTransport())


def test_a_recording_that_ends_early_names_no_block():
    adapter = beacon.Adapter(SPEC, NoTransport())
    request = wire.genesis()
    own = {request: told(request, fixture("genesis.json"))}
    assert adapter.view(HEIGHT, "a", own) == View(reason="not-answered")

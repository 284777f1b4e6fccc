"""Permissions and stakes of TRON accounts: what the head state says of an earlier block."""

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

from chains import control
from chains.adapters import tron
from chains.adapters.tron import account, wire
from chains.addresses import tron as address
from chains.control import Authority, ControlFacts
from chains.model import (
    Exchange,
    Extract,
    Gap,
    Method,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Snapshot,
)

pytestmark = pytest.mark.unit

OTHER, THIRD = b"\x11" * 20, b"\x22" * 20
DOCUMENTED = msgspec.json.decode(fixture("getaccount-permissions.json"))
ALL = "7fff1fc0033efb0f" + 24 * "00"
TRANSFER_ONLY = "02" + 31 * "00"
TRIGGER_ONLY = 3 * "00" + "80" + 28 * "00"
VOTE_ONLY = "10" + 31 * "00"


def name(who: bytes) -> str:
    return address.encode(who, {})


def state(who: bytes, body: object) -> Exchange:
    return exchange(wire.account_request(who), body)


def head(number: int = HEIGHT + 40) -> Exchange:
    block = {
        "blockID": f"{number:016x}" + 48 * "0",
        "block_header": {"raw_data": {"number": number, "timestamp": TIME_MS + 120_000}},
    }
    return exchange(wire.head_request(wire.HEAD), block)


CANARY_STATE = state(CANARY, {"address": "41" + CANARY.hex(), "create_time": 1})
CANARY_BALANCE = exchange(
    wire.balance_request(CANARY, HEIGHT, BLOCK),
    {"balance": 5, "block_identifier": {"hash": BLOCK, "number": HEIGHT}},
)


def answer(kind: QueryKind, *exchanges: Exchange, at: Snapshot = AT) -> Observation | Gap:
    questions = Questions(kind=kind, chain=CHAIN, height=HEIGHT, asset=NATIVE, accounts=(ACCOUNT,))
    extract = Extract(positions=(0,), decoder=f"{kind}/1", exchanges=exchanges)
    answers = tron.Adapter(SPEC, NoTransport()).decode(questions, extract, at)
    ((_, found),) = answers.each(questions)
    return found


def shown(body: object, at: Snapshot = AT) -> ControlFacts | str:
    found = answer(QueryKind.CONTROL, head(), CANARY_STATE, state(ACCOUNT, body), at=at)
    if isinstance(found, Gap):
        return found.reason
    assert found.method is Method.UNTOUCHED
    return control.decode(found.facts)


def changed(**fields: object) -> dict[str, object]:
    return {**DOCUMENTED, **fields}


def permission(threshold: object, *weights: tuple[bytes, object], operations: object = ALL) -> dict:
    keys = [{"address": "41" + who.hex(), "weight": weight} for who, weight in weights]
    return {"type": "Active", "threshold": threshold, "operations": operations, "keys": keys}


def way(kind: str, threshold: int, *weights: tuple[bytes, int]) -> Authority:
    return Authority(
        kind=kind, threshold=threshold, weights={name(who): weight for who, weight in weights}
    )


OWN = way("permission-owner", 1, (ACCOUNT, 1))


def test_documented_permissions_are_the_accounts_own_key():
    assert shown(DOCUMENTED) == ControlFacts(
        exists=True, ways=(OWN, way("permission-active", 1, (ACCOUNT, 1)))
    )


def test_weights_and_thresholds_of_moved_permissions():
    moved = changed(
        owner_permission=permission(3, (OTHER, 2), (THIRD, 1)),
        active_permission=[permission(2, (OTHER, 1), (ACCOUNT, 1))],
    )
    assert shown(moved) == ControlFacts(
        exists=True,
        ways=(
            way("permission-owner", 3, (OTHER, 2), (THIRD, 1)),
            way("permission-active", 2, (OTHER, 1), (ACCOUNT, 1)),
        ),
    )


def test_an_account_without_permissions_obeys_its_own_key():
    bare = {"address": "41" + ACCOUNT.hex(), "create_time": 5}
    assert shown(bare) == ControlFacts(exists=True, ways=(OWN,))


@pytest.mark.parametrize(
    ("operations", "counts"),
    [
        (ALL, True),
        (TRANSFER_ONLY, True),
        (TRIGGER_ONLY, True),
        (VOTE_ONLY, False),
        ("40" + 31 * "00", False),
        (2 * "00" + "80" + 29 * "00", False),
        ("02", False),
        (ALL + "00", False),
        ("zz" * 32, False),
        (None, False),
        (7, False),
    ],
)
def test_an_active_permission_counts_if_it_may_move_something(operations, counts):
    one = changed(active_permission=[permission(1, (OTHER, 1), operations=operations)])
    ways = (OWN, way("permission-active", 1, (OTHER, 1))) if counts else (OWN,)
    assert shown(one) == ControlFacts(exists=True, ways=ways)


@pytest.mark.parametrize(
    ("latest", "expected"),
    [
        (TIME_MS - 1, "facts"),
        (TIME_MS - 3000, "facts"),
        (TIME_MS, "no-history"),
        (TIME_MS + 3000, "no-history"),
        (2**63, "no-history"),
        ("1777444809000", "no-history"),
        (None, "no-history"),
    ],
)
def test_an_operation_in_the_next_block_carries_the_pinned_blocks_time(latest, expected):
    found = shown(changed(latest_opration_time=latest))
    assert ("facts" if isinstance(found, ControlFacts) else found) == expected


@pytest.mark.parametrize("created", [TIME_MS, TIME_MS + 9])
def test_an_account_created_after_the_block_did_not_exist(created):
    assert shown(changed(create_time=created)) == ControlFacts(exists=False)


def test_nobody_is_there_only_beside_an_account_that_is():
    assert shown({}) == ControlFacts(exists=False)
    absent = state(ACCOUNT, {})
    for canary in (state(CANARY, {}), exchange(wire.account_request(CANARY), b"", "timeout")):
        found = answer(QueryKind.CONTROL, head(), canary, absent)
        assert isinstance(found, Gap)
        assert found.reason == "zero-without-canary"
    no_canary = msgspec.structs.replace(AT, canaries=())
    assert shown({}, at=no_canary) == "zero-without-canary"


@pytest.mark.parametrize("created", [5, TIME_MS + 9])
def test_a_contracts_control_is_not_concluded(created):
    contract = changed(type="Contract", latest_opration_time=0, create_time=created)
    assert shown(contract) == "no-history"


def test_a_node_whose_head_lies_below_the_height_says_nothing():
    found = answer(QueryKind.CONTROL, head(HEIGHT - 1), CANARY_STATE, state(ACCOUNT, DOCUMENTED))
    assert isinstance(found, Gap)
    assert (found.reason, found.retryable) == ("node-behind", True)


@pytest.mark.parametrize(
    "broken",
    [
        {"owner_permission": 5},
        {"owner_permission": {}},
        {"owner_permission": permission(0, (OTHER, 1))},
        {"owner_permission": permission(-1, (OTHER, 1))},
        {"owner_permission": permission(2**63, (OTHER, 1))},
        {"owner_permission": permission("1", (OTHER, 1))},
        {"owner_permission": permission(1)},
        {"owner_permission": permission(1, (OTHER, 0))},
        {"owner_permission": permission(1, (OTHER, 1.5))},
        {"owner_permission": permission(1, (OTHER, 1), (OTHER, 1))},
        {"owner_permission": permission(1, (b"\x11" * 19, 1))},
        {"owner_permission": {"threshold": 1, "keys": [7]}},
        {"owner_permission": {"threshold": 1, "keys": {"address": "41"}}},
        {"owner_permission": {"threshold": 1, "keys": [{"address": 41, "weight": 1}]}},
        {"active_permission": {}},
        {"active_permission": ["text"]},
        {"active_permission": [permission(0, (OTHER, 1))]},
        {"address": "41" + OTHER.hex()},
    ],
)
def test_permissions_that_cannot_be_read_are_a_gap(broken):
    assert shown(changed(**broken)) == "malformed-answer"


STAKED = {
    "frozen": [{"frozen_balance": 1, "expire_time": 9}],
    "tron_power": {"frozen_balance": 2},
    "account_resource": {
        "frozen_balance_for_energy": {"frozen_balance": 4},
        "delegated_frozen_balance_for_energy": 8,
        "delegated_frozenV2_balance_for_energy": 16,
        "acquired_delegated_frozen_balance_for_energy": 10**6,
        "acquired_delegated_frozenV2_balance_for_energy": 10**6,
    },
    "delegated_frozen_balance_for_bandwidth": 32,
    "delegated_frozenV2_balance_for_bandwidth": 64,
    "acquired_delegated_frozen_balance_for_bandwidth": 10**6,
    "acquired_delegated_frozenV2_balance_for_bandwidth": 10**6,
    "frozenV2": [{"amount": 128}, {"type": "ENERGY", "amount": 256}, {"type": "TRON_POWER"}],
    "unfrozenV2": [{"unfreeze_amount": 512, "unfreeze_expire_time": TIME_MS - 9}],
    "allowance": 1024,
    "old_tron_power": 10**6,
    "votes": [{"vote_count": 10**6}],
}
"""Every amount a power of two, so that a sum shows what is in it; what is not ours is 10^6."""
PARTS = (
    Part(PartKind.STAKED, 1 + 2 + 4 + 128 + 256),
    Part(PartKind.DELEGATED, 8 + 16 + 32 + 64),
    Part(PartKind.UNBONDING, 512),
    Part(PartKind.REWARD, 1024),
)


def held(body: object, liquid: int = 7, failure: str = "") -> Observation | Gap:
    earlier = {"hash": f"{HEIGHT - 9:016x}" + 48 * "0", "number": HEIGHT - 9}
    record = {"balance": liquid, "block_identifier": earlier}
    return answer(
        QueryKind.BALANCE,
        CANARY_BALANCE,
        exchange(wire.balance_request(ACCOUNT, HEIGHT, BLOCK), record),
        CANARY_STATE,
        exchange(wire.account_request(ACCOUNT), body, failure),
    )


@pytest.mark.parametrize("liquid", [7, 0])
def test_stakes_are_added_each_once_where_nothing_was_done_since(liquid):
    found = held(changed(**STAKED), liquid)
    assert isinstance(found, Observation)
    assert found.parts == (Part(PartKind.LIQUID, liquid), *PARTS)
    assert (found.units, found.method) == (liquid + 2047, Method.UNTOUCHED)


@pytest.mark.parametrize("field", [{"latest_opration_time": TIME_MS}, {"type": "Contract"}])
def test_stakes_of_a_touched_account_or_a_contract_are_not_seen(field):
    found = held(changed(**STAKED, **field))
    assert isinstance(found, Observation)
    assert found.parts == (Part(PartKind.LIQUID, 7),)
    assert found.method is Method.STATE


def test_a_witness_is_credited_without_doing_anything():
    found = held(changed(**STAKED, is_witness=True))
    assert isinstance(found, Observation)
    assert PartKind.REWARD not in [part.kind for part in found.parts]
    assert found.units == 7 + 1023


def test_a_head_state_that_fails_is_a_gap_and_not_the_liquid_part():
    found = held(b"", failure="timeout")
    assert isinstance(found, Gap)
    assert found.reason == "timeout"


@pytest.mark.parametrize(
    "broken",
    [
        {"frozenV2": 5},
        {"frozenV2": [5]},
        {"frozenV2": [{"amount": -1}]},
        {"frozenV2": [{"amount": 2**63}]},
        {"frozenV2": [{"amount": 1.5}]},
        {"frozen": {"frozen_balance": 1}},
        {"unfrozenV2": [{"unfreeze_amount": "1"}]},
        {"account_resource": []},
        {"account_resource": {"frozen_balance_for_energy": 4}},
        {"tron_power": None},
        {"allowance": True},
        {"delegated_frozenV2_balance_for_bandwidth": "64"},
    ],
)
def test_stakes_that_cannot_be_read_are_a_gap(broken):
    found = held(changed(**broken))
    assert isinstance(found, Gap)
    assert found.reason == "malformed-answer"


def test_the_adapter_names_its_ways():
    assert tron.Adapter.capabilities.control == (account.OWNER, account.ACTIVE)

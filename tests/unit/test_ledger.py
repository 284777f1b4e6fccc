"""Claims, answers and verdicts joined: a failure never reads as zero."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from chains.adapters.eip155 import Adapter
from chains.control import Authority, ControlFacts, encode
from chains.model import Gap, QueryKind
from crawler.asking.control import CONTROLLED
from crawler.counting.ledger import LEDGER, build
from crawler.errors import EnvironmentFault
from crawler.tables.columns import records
from tests.unit.ledger_rows import (
    ACCOUNT_A,
    ACCOUNT_B,
    ACCOUNT_C,
    ETH,
    HEIGHT,
    USDT,
    WORLD,
    A,
    B,
    C,
    balances,
    claim,
    examined,
    shard,
    with_signatures,
)

UNOBSERVED = ("signer-only", "control-unobserved")
pytestmark = pytest.mark.unit

TOKEN = bytes.fromhex("dac17f958d2ee523a2206206994597c13d831ec7")
SYMBOL = '{"decimals":6,"symbol":"USDT"}'
OWNER, STRANGER = ("0x" + digit * 40 for digit in "12")
PLAIN = encode(ControlFacts(exists=False, plain=True))


def ledger(*claims: dict[str, Any], shards: Any = (), unpinned: Any = None) -> list[dict[str, Any]]:
    found, _ = build(WORLD, *examined(claims), shards, unpinned or {})
    assert found.schema == LEDGER
    return list(records(found))


def told(rows: list[dict[str, Any]]) -> list[tuple[str | None, str]]:
    return [(row["observed"], row["gap"]) for row in rows]


def usdt(row: int, address: str = ACCOUNT_A, **more: Any) -> dict[str, Any]:
    return claim(row, address, asset="USDT", **more)


def facts(said: str | Gap) -> Any:
    return shard(QueryKind.ASSET_FACT, USDT, {TOKEN: said})


def test_each_row_gets_the_balance_of_its_own_account() -> None:
    shards = [balances(ETH, {A: 5, B: 0, C: 2**256 - 1})]
    rows = ledger(claim(1, ACCOUNT_C), claim(2, ACCOUNT_A), claim(3, ACCOUNT_B), shards=shards)
    assert told(rows) == [(str(2**256 - 1), ""), ("5", ""), ("0", "")]


def test_rows_keep_the_order_of_the_list_and_what_was_published() -> None:
    rows = ledger(claim(9, ACCOUNT_B, " 2 "), claim(4, ACCOUNT_A, "oops"))
    assert [(row["row"], row["amount"], row["claimed"]) for row in rows] == [
        (9, " 2 ", str(2 * 10**18)),
        (4, "oops", None),
    ]


@pytest.mark.parametrize("reason", ["timeout", "canary-wrong", "witness-disagrees"])
def test_a_gap_is_no_balance_at_all(reason: str) -> None:
    rows = ledger(claim(1), claim(2, ACCOUNT_B), shards=[balances(ETH, {A: Gap(reason), B: 1})])
    assert told(rows) == [(None, reason), ("1", "")]


def test_a_shard_that_was_never_answered_is_no_balance() -> None:
    missing = shard(QueryKind.BALANCE, ETH, None, accounts=[A])
    assert told(ledger(claim(1), shards=[missing])) == [(None, "not-answered")]


def test_an_unanswered_shard_does_not_shift_its_neighbours() -> None:
    for order in (1, -1):
        pair = [shard(QueryKind.BALANCE, ETH, None, accounts=[A, C]), balances(ETH, {B: 7})]
        rows = ledger(claim(1, ACCOUNT_B), claim(2), claim(3, ACCOUNT_C), shards=pair[::order])
        assert told(rows) == [("7", ""), (None, "not-answered"), (None, "not-answered")]


def test_a_row_that_nobody_asked_about_is_no_balance() -> None:
    rows = ledger(claim(1), shards=[balances(ETH, {B: 5})])
    assert told(rows) == [(None, "not-answered")]


def test_a_moment_that_could_not_be_pinned_gives_its_reason() -> None:
    missing = shard(QueryKind.BALANCE, ETH, None, accounts=[A])
    rows = ledger(claim(1), shards=[missing], unpinned={f"eip155:1@{HEIGHT}": "no-endpoint"})
    assert told(rows) == [(None, "no-endpoint")]


def test_a_balance_at_another_height_is_not_taken() -> None:
    rows = ledger(claim(1, height="101"), shards=[balances(ETH, {A: 5})])
    assert told(rows) == [(None, "not-answered")]


UNREADABLE = ("20000000.0", "-5", "1e3", "9223372036854775808", "block 7", "1,000")


def test_a_file_replaces_a_height_that_cannot_be_read_and_does_not_complete_it() -> None:
    row = claim(1, height=UNREADABLE[0])
    shards = [balances(ETH, {A: 5})]
    for label, replaces, expected in (
        ("ETH", False, (None, "bad-height")),
        ("ETH", True, ("5", "")),
        ("BTC", True, (None, "bad-height")),
    ):
        parts = examined([row], heights={label: HEIGHT}, replaces=replaces)
        found, _ = build(WORLD, *parts, shards, {})
        assert told(found.to_pylist()) == [expected]


@pytest.mark.parametrize(
    ("more", "gap"),
    [
        ({"network": "NOWHERE"}, "unknown-network"),
        ({"asset": "WHAT"}, "unknown-label"),
        ({"network": "COSMOS", "asset": "ATOM"}, "no-adapter"),
        ({"asset": "CAT"}, "asset-unsupported"),
        ({"height": ""}, "no-height"),
        ({"height": " - "}, "no-height"),
        *(({"height": text}, "bad-height") for text in UNREADABLE),
        ({"address": "0xNO"}, "no-account"),
        ({"kind": "signer", "amount": "", "height": ""}, "not-a-claim"),
        ({"kind": "malformed", "problem": "broken"}, "not-a-claim"),
    ],
)
def test_what_cannot_be_asked_says_why(more: dict[str, str], gap: str) -> None:
    assert told(ledger(claim(1, **more), shards=[balances(ETH, {A: 5})])) == [(None, gap)]


def test_a_token_whose_facts_are_as_declared_is_counted() -> None:
    rows = ledger(usdt(1), shards=[balances(USDT, {A: 5}), facts(SYMBOL)])
    assert told(rows) == [("5", "")]


@pytest.mark.parametrize(
    ("said", "gap"),
    [
        ('{"decimals":18,"symbol":"USDT"}', "asset-mismatch"),
        ('{"decimals":6,"symbol":"USDC"}', "asset-mismatch"),
        ('{"decimals":6,"symbol":null}', "asset-mismatch"),
        ('{"symbol":"USDT"}', "asset-mismatch"),
        (Gap("no-contract"), "no-contract"),
        (Gap("call-failed"), "asset-unconfirmed"),
        (Gap("timeout", retryable=True), "asset-unconfirmed"),
    ],
)
def test_a_token_that_is_not_as_declared_spoils_every_row_of_it(said: str | Gap, gap: str) -> None:
    shards = [balances(USDT, {A: 5, B: 6}), facts(said), balances(ETH, {A: 1})]
    rows = ledger(usdt(1), usdt(2, ACCOUNT_B), claim(3), shards=shards)
    assert told(rows) == [(None, gap), (None, gap), ("1", "")]


@pytest.mark.parametrize("unanswered", [False, True])
def test_a_token_that_nobody_confirmed_is_not_counted(*, unanswered: bool) -> None:
    shards = [balances(USDT, {A: 5})]
    if unanswered:
        shards.append(shard(QueryKind.ASSET_FACT, USDT, None, accounts=[TOKEN]))
    assert told(ledger(usdt(1), shards=shards)) == [(None, "asset-unconfirmed")]


def test_an_undeclared_symbol_leaves_the_decimals_to_be_compared() -> None:
    asset = msgspec.structs.replace(WORLD.assets[USDT], symbol="")
    world = msgspec.structs.replace(WORLD, assets={**WORLD.assets, USDT: asset})
    for said, expected in (
        ('{"decimals":6,"symbol":"???"}', ("5", "")),
        ('{"decimals":7,"symbol":"???"}', (None, "asset-mismatch")),
    ):
        shards = [balances(USDT, {A: 5}), facts(said)]
        found, _ = build(world, *examined([usdt(1)]), shards, {})
        assert told(list(records(found))) == [expected]


def test_a_gap_of_the_balance_comes_before_that_of_the_token() -> None:
    shards = [balances(USDT, {A: Gap("timeout"), B: 1}), facts(Gap("no-contract"))]
    rows = ledger(usdt(1), usdt(2, ACCOUNT_B), shards=shards)
    assert told(rows) == [(None, "timeout"), (None, "no-contract")]


SUPPLIED = '{"decimals":6,"symbol":"USDT","total_supply":"5000000"}'


@pytest.mark.parametrize(
    ("claimed", "balance", "valid"),
    [
        ("5", 4, True),
        ("5.000001", 4_999_999, False),
        ("49", 4, False),
        ("10", 0, False),
        ("5.000001", Gap("timeout"), False),
        ("4.999999", Gap("timeout"), True),
        ("5.1", 5_000_000, True),  # it holds all there is: rounded up, or a shortfall
        ("6", 7_000_000, True),  # the supply is not what its name says
    ],
)
def test_more_than_the_supply_of_a_token_is_no_amount(
    claimed: str, balance: int | Gap, *, valid: bool
) -> None:
    shards = [balances(USDT, {A: balance, B: 1}), facts(SUPPLIED)]
    rows = ledger(usdt(1, amount=claimed), usdt(2, ACCOUNT_B, amount="2"), shards=shards)
    assert [row["validity"] for row in rows] == ["valid" if valid else "bad-amount", "valid"]
    assert (rows[0]["claimed"] is not None) is valid
    assert rows[1]["claimed"] == "2000000"


@pytest.mark.parametrize(
    "said",
    [
        '{"decimals":6,"symbol":"USDT","total_supply":null}',
        '{"decimals":6,"symbol":"USDT"}',
        '{"decimals":9,"symbol":"USDT","total_supply":"1"}',  # not this asset: our fault
        Gap("timeout"),
    ],
)
def test_a_supply_that_was_not_told_bounds_nothing(said: str | Gap) -> None:
    shards = [balances(USDT, {A: 4}), facts(said)]
    (row,) = ledger(usdt(1, amount="49"), shards=shards)
    assert (row["validity"], row["claimed"]) == ("valid", "49000000")


def test_a_supply_of_another_height_or_asset_bounds_nothing() -> None:
    shards = [balances(USDT, {A: 4}), facts(SUPPLIED), balances(ETH, {A: 4})]
    rows = ledger(usdt(1, amount="49", height="101"), claim(2, amount="49"), shards=shards)
    assert [row["validity"] for row in rows] == ["valid", "valid"]


def test_a_supply_that_is_told_of_the_head_only_bounds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flagged = msgspec.structs.replace(Adapter.capabilities, history="flagged")
    monkeypatch.setattr(Adapter, "capabilities", flagged)
    shards = [balances(USDT, {A: 4}), facts(SUPPLIED)]
    (row,) = ledger(usdt(1, amount="49"), shards=shards)
    assert row["validity"] == "valid"


def test_answers_of_other_questions_are_refused() -> None:
    entry, asked, merged = balances(ETH, {A: 1, B: 2})
    assert merged is not None
    for table in (merged.table.slice(0, 1), merged.table.take(pa.array([1, 0]))):
        wrong = msgspec.structs.replace(merged, table=table, attempts=[1] * table.num_rows)
        with pytest.raises(EnvironmentFault, match="are not those of its questions"):
            ledger(claim(1), shards=[(entry, asked, wrong)])


def test_two_spellings_that_the_chain_resolves_to_one_account_are_a_repeat() -> None:
    one_account = balances(ETH, {A: 5, B: 5}, subjects={B: A})
    rows = ledger(claim(1), claim(2, ACCOUNT_B), shards=[one_account])
    assert [row["validity"] for row in rows] == ["valid", "repeat-of:1"]
    assert rows[0]["group"] == rows[1]["group"]


@pytest.mark.parametrize("status", ["bound", "controlled", "signer-only", "unsigned", "refuted"])
def test_a_bare_repeat_does_not_hide_the_row_that_is_proven(status: str) -> None:
    claims, signatures = examined([claim(1), claim(2)])
    signatures = with_signatures(signatures, {0: ("unsigned", "no-signature"), 1: (status, "x")})
    found, _ = build(WORLD, claims, signatures, [balances(ETH, {A: 5})], {})
    proven = status in ("bound", "controlled")
    expected = ["repeat-of:2", "valid"] if proven else ["valid", "repeat-of:1"]
    assert found["validity"].to_pylist() == expected


@pytest.mark.parametrize("status", ["bound", "controlled"])
def test_a_repeat_over_an_unexpected_text_does_not_hide_the_row_that_is_proven(status: str) -> None:
    claims, signatures = examined([claim(1), claim(2), claim(3)])
    statuses = {
        0: ("unsigned", "no-signature"),
        1: (status, "message-not-pinned"),
        2: ("bound", "key-derives-address"),
    }
    signatures = with_signatures(signatures, statuses)
    found, _ = build(WORLD, claims, signatures, [balances(ETH, {A: 5})], {})
    assert found["validity"].to_pylist() == ["repeat-of:3", "repeat-of:3", "valid"]


def test_a_row_says_where_its_evidence_lies() -> None:
    entry, asked, merged = balances(ETH, {A: 5})
    (row,) = ledger(claim(1), shards=[(entry, asked, merged)])
    assert (row["shard"], row["attempt"], row["extract"]) == (entry.digest, 1, 0)


def verdicts(
    control: str | Gap | None,
    *,
    behind: str | Gap | None = PLAIN,
    pinned: bool = True,
    asked: bool = True,
) -> tuple[str, str, dict[int, Any]]:
    """Judge a row by what is said about its account and about the stranger who may own it."""
    claims, signatures = examined([claim(3)])
    signatures = with_signatures(signatures, {0: UNOBSERVED}, OWNER, pinned=pinned)
    said = None if control is None else {A: control}
    shards = [shard(QueryKind.CONTROL, ETH, said, accounts=[A])] if asked else []
    if behind is not None:
        shards.append(shard(QueryKind.CONTROL, ETH, {bytes.fromhex(STRANGER[2:]): behind}))
    found, places = build(WORLD, claims, signatures, shards, {})
    (row,) = records(found)
    return row["status"], row["reason"], dict(places)


def contract(owner: str) -> str:
    way = Authority(kind="contract-owner", threshold=1, weights={owner: 1})
    return encode(ControlFacts(exists=True, ways=(way,)))


def test_an_owner_whom_the_chain_shows_in_control_makes_the_row_controlled() -> None:
    assert verdicts(contract(OWNER)) == (*CONTROLLED, {})


def test_an_owner_whom_the_chain_denies_refutes_the_row_by_two_answers() -> None:
    status, reason, places = verdicts(contract(STRANGER))
    assert (status, reason) == ("refuted", "owner-not-in-control")
    assert [place.extract for place in places[3]] == [0, 0]
    assert len({place.shard for place in places[3]}) == 2


@pytest.mark.parametrize(
    ("behind", "reason"),
    [(None, "controller-unasked"), (Gap("timeout"), "controller-unobserved")],
)
def test_nobody_is_denied_whose_controller_was_not_seen(behind: Gap | None, reason: str) -> None:
    assert verdicts(contract(STRANGER), behind=behind) == ("signer-only", reason, {})


@pytest.mark.parametrize("control", [None, Gap("timeout"), Gap("rpc-error")])
def test_without_an_answer_about_control_the_row_stays_open(control: Gap | None) -> None:
    assert verdicts(control) == (*UNOBSERVED, {})
    assert verdicts(control, asked=False) == (*UNOBSERVED, {})


def test_control_shown_for_an_unexpected_text_is_marked() -> None:
    found = verdicts(contract(OWNER), pinned=False)
    assert found[:2] == ("controlled", "message-not-pinned")
    denied = verdicts(contract(STRANGER), pinned=False)
    assert denied[:2] == ("refuted", "owner-not-in-control")


def test_control_of_one_account_says_nothing_about_another() -> None:
    claims, signatures = examined([claim(1, ACCOUNT_A), claim(2, ACCOUNT_B)])
    signatures = with_signatures(signatures, dict.fromkeys((0, 1), UNOBSERVED), OWNER)
    shards = [shard(QueryKind.CONTROL, ETH, {A: contract(OWNER)})]
    found, _ = build(WORLD, claims, signatures, shards, {})
    assert found["status"].to_pylist() == ["controlled", "signer-only"]


def test_control_at_another_height_says_nothing() -> None:
    claims, signatures = examined([claim(1, height="101")])
    signatures = with_signatures(signatures, {0: UNOBSERVED}, OWNER)
    shards = [shard(QueryKind.CONTROL, ETH, {A: contract(OWNER)})]
    found, _ = build(WORLD, claims, signatures, shards, {})
    assert found["status"].to_pylist() == ["signer-only"]


def test_an_empty_list_gives_an_empty_ledger() -> None:
    claims, signatures = examined([claim(1)])
    found, places = build(WORLD, claims.slice(0, 0), signatures.slice(0, 0), [], {})
    assert (found.num_rows, dict(places)) == (0, {})


def test_the_ledger_is_the_same_however_the_list_is_batched() -> None:
    rows = [claim(i, address) for i, address in enumerate((ACCOUNT_A, ACCOUNT_B) * 3, start=1)]
    shards = [balances(ETH, {A: 5, B: 6})]
    whole, _ = build(WORLD, *examined(rows), shards, {})
    for batch in (1, 2, 5):
        pieces, _ = build(WORLD, *examined(rows, batch=batch), shards, {})
        assert pieces.to_pylist() == whole.to_pylist()

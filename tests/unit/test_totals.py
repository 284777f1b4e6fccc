"""What is claimed, held and owned, per coin; and what rounding may excuse."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import pytest

from crawler.counting.reconciled import last_place, reconcile, row_tolerance, validity_kinds
from crawler.counting.totals import CoinTotals, observed_share
from crawler.model import Reconciliation, Rounding
from crawler.settings import Policy
from tests.unit.ledger_rows import (
    BNB,
    EVM,
    EXACT,
    USDT,
    USDT_BNB,
    WORLD,
    judged,
    ledger_of,
    ledger_row,
)

pytestmark = pytest.mark.unit

COIN = 10**18
OWNED = ("bound", "key-derives-address")


def totals_of(*rows: dict[str, Any], policy: Policy | None = None) -> CoinTotals:
    _, _, totals = judged(ledger_of(*rows), policy)
    (total,) = totals.values()
    return total


def line_of(*rows: dict[str, Any], policy: Policy | None = None) -> Any:
    scale, _, totals = judged(ledger_of(*rows), policy)
    (total,) = totals.values()
    return total.line(WORLD, scale)


@pytest.mark.parametrize(
    ("claimed", "observed", "tolerance", "outcome"),
    [
        (5, 5, 0, Reconciliation.MATCH),
        (5, 6, 0, Reconciliation.SURPLUS),
        (5, 4, 0, Reconciliation.SHORTFALL),
        (5, 6, 1, Reconciliation.MATCH),
        (5, 4, 1, Reconciliation.MATCH),
        (5, 3, 1, Reconciliation.SHORTFALL),
        (5, 7, 1, Reconciliation.SURPLUS),
        (5, 0, 0, Reconciliation.SHORTFALL),
        (0, 0, 0, Reconciliation.MATCH),
        (5, None, 9, Reconciliation.UNOBSERVED),
        (None, 5, 9, Reconciliation.UNOBSERVED),
        (2**256 - 1, 2**256 - 2, 0, Reconciliation.SHORTFALL),
    ],
)
def test_one_row_is_reconciled(
    claimed: int | None, observed: int | None, tolerance: int, outcome: Reconciliation
) -> None:
    assert reconcile(claimed, observed, tolerance) is outcome


def test_forms_of_a_coin_with_other_decimals_add_up_exactly() -> None:
    usdt = {"counts_as": "USDT", "asset": "USDT"}
    line = line_of(
        ledger_row(1, **usdt, asset_id=USDT, decimals=6, claimed="1000001"),
        ledger_row(
            2,
            **usdt,
            asset_id=USDT_BNB,
            chain=BNB,
            decimals=18,
            claimed=str(2 * COIN + 1),
            asset_class="bridged",
        ),
    )
    assert (line.claimed, line.observed, line.owned) == ("3.000001000000000001",) * 3
    assert [(n.network, n.claimed) for n in line.networks] == [
        ("Evm", "1.000001"),
        ("Bnb", "2.000000000000000001"),
    ]
    assert {name: group.claimed for name, group in line.classes.items()} == {
        "bridged": "2.000000000000000001",
        "native": "1.000001",
    }


def test_a_gap_is_neither_observed_nor_owned_nor_a_difference() -> None:
    line = line_of(ledger_row(1), ledger_row(2, claimed=str(2 * COIN), observed=None))
    assert (line.claimed, line.observed, line.owned, line.unobserved) == ("3", "1", "1", "2")
    assert (line.coverage, line.verdict) == ("33.3333", "incomplete")
    assert line.reconciliation["match"].difference == "0"
    assert line.reconciliation["unobserved"].claimed == "2"
    assert line.reconciliation["unobserved"].observed is None
    assert line.reconciliation["unobserved"].difference is None


def test_where_nothing_was_observed_no_amount_is_said_not_even_zero() -> None:
    line = line_of(ledger_row(1, observed=None))
    assert (line.claimed, line.observed, line.owned, line.unobserved) == ("1", None, None, "1")
    assert (line.coverage, line.owned_share) == ("0", None)
    assert (line.networks[0].observed, line.networks[0].owned) == (None, None)
    assert line.classes["native"].observed is None


def test_a_shortfall_of_everything_is_not_a_gap() -> None:
    line = line_of(ledger_row(1, observed="0"))
    assert (line.verdict, line.unobserved, line.coverage) == ("shortfall", "0", "100")
    assert line.reconciliation["shortfall"].difference == "-1"


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        ({"observed": None}, "incomplete"),
        ({"observed": "0"}, "shortfall"),
        ({"observed": str(2 * COIN)}, "surplus"),
        ({}, "stands"),
    ],
)
def test_one_word_says_how_a_coin_stands(seconds: dict[str, Any], verdict: str) -> None:
    assert totals_of(ledger_row(1), ledger_row(2, **seconds)).verdict() == verdict


def test_a_shortfall_outweighs_what_was_not_looked_at() -> None:
    rows = (ledger_row(1, observed="0"), ledger_row(2, observed=None))
    assert totals_of(*rows).verdict() == "shortfall"
    assert totals_of(rows[1]).verdict() == "not-looked-at"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("unsigned", "no-signature"),
        ("unsupported", "unknown-scheme"),
        ("signer-only", "control-unobserved"),
        ("signer-only", "owners-below-threshold"),
        ("refuted", "wrong-key"),
        ("refuted", "owner-not-in-control"),
        ("bound", "message-not-pinned"),
        ("controlled", "message-not-pinned"),
    ],
)
def test_what_was_not_verified_is_never_owned(status: str, reason: str) -> None:
    line = line_of(ledger_row(1), ledger_row(2, status=status, reason=reason))
    assert (line.claimed, line.observed, line.owned) == ("2", "2", "1")
    assert line.networks[0].owned == "1"
    assert line.owned_share == "50"


@pytest.mark.parametrize("status", ["bound", "controlled"])
def test_unexpected_texts_count_only_where_the_policy_says_so(status: str) -> None:
    row = ledger_row(1, status=status, reason="message-not-pinned")
    assert line_of(row).owned == "0"
    assert line_of(row, policy=Policy(count_unpinned_messages=True)).owned == "1"


def test_counting_unexpected_texts_lifts_no_other_verdict() -> None:
    policy = Policy(count_unpinned_messages=True)
    row = ledger_row(1, status="signer-only", reason="message-not-pinned")
    assert line_of(row, policy=policy).owned == "0"


def test_the_policy_may_count_fewer_statuses_as_owned() -> None:
    row = ledger_row(1, status="controlled", reason="owner-in-control")
    assert line_of(row).owned == "1"
    assert line_of(row, policy=Policy(owned_counts=("bound",))).owned == "0"


@pytest.mark.parametrize("validity", ["repeat-of:1", "conflict:1", "bad-amount", "signer-row"])
def test_only_valid_rows_are_owned_or_counted_at_all(validity: str) -> None:
    line = line_of(ledger_row(1), ledger_row(2, validity=validity))
    assert (line.claimed, line.observed, line.owned, line.excluded) == ("1", "1", "1", "1")
    assert line.rows == 2
    _, rows, _ = judged(ledger_of(ledger_row(1), ledger_row(2, validity=validity)))
    assert [(row.counted, row.owned, row.outcome) for row in rows] == [
        (True, True, Reconciliation.MATCH),
        (False, False, None),
    ]


@pytest.mark.parametrize("kind", ["signer", "malformed"])
def test_only_claims_are_counted(kind: str) -> None:
    assert line_of(ledger_row(1), ledger_row(2, kind=kind)).observed == "1"


def test_a_valid_row_without_an_amount_counts_nowhere() -> None:
    line = line_of(ledger_row(1), ledger_row(2, amount="", claimed=None, observed=str(COIN)))
    assert (line.claimed, line.observed, line.owned) == ("1", "1", "1")


def conflict(*claimed: str) -> list[dict[str, Any]]:
    return [
        ledger_row(i, claimed=units, observed=str(9 * COIN), validity="conflict:9", group=5)
        for i, units in enumerate(claimed, start=1)
    ]


def test_a_conflict_counts_in_neither_row_until_the_policy_says_how() -> None:
    line = line_of(*conflict(str(COIN), str(3 * COIN)))
    assert (line.claimed, line.observed, line.excluded) == ("0", None, "4")


@pytest.mark.parametrize("order", list(itertools.permutations((1, 3, 2))))
def test_of_a_conflict_the_smaller_row_counts_whatever_the_order(order: tuple[int, ...]) -> None:
    rows = conflict(*(str(n * COIN) for n in order))
    line = line_of(*rows, policy=Policy(conflict="smaller"))
    assert (line.claimed, line.observed, line.excluded) == ("1", "9", "5")


def test_of_equal_smallest_rows_in_conflict_one_counts() -> None:
    rows = conflict(*(str(n * COIN) for n in (2, 1, 1)))
    assert line_of(*rows, policy=Policy(conflict="smaller")).claimed == "1"


def test_the_smaller_row_is_chosen_in_each_conflict_by_itself() -> None:
    rows = conflict(str(COIN), str(3 * COIN))
    others = [{**row, "row": row["row"] + 10, "group": 6} for row in rows]
    assert line_of(*rows, *others, policy=Policy(conflict="smaller")).claimed == "2"


def test_the_order_of_rows_changes_no_total() -> None:
    rows = [
        ledger_row(1),
        ledger_row(2, observed="0"),
        ledger_row(3, observed=None, claimed=str(7 * COIN)),
        ledger_row(4, status="refuted", reason="wrong-key"),
        *({**row, "row": row["row"] + 4} for row in conflict("5", "7")),
    ]
    expected = line_of(*rows)
    for order in itertools.permutations(rows):
        assert line_of(*order) == expected


def test_each_status_and_reason_has_its_own_sum() -> None:
    line = line_of(
        ledger_row(1),
        ledger_row(2, observed=None),
        ledger_row(3, status="unsigned", reason="no-signature"),
        ledger_row(4, validity="repeat-of:1"),
    )
    assert [(g.status, g.reason, g.rows, g.claimed) for g in line.ownership] == [
        (*OWNED, 3, "2"),
        ("unsigned", "no-signature", 1, "1"),
    ]


def test_rows_of_unknown_assets_stand_under_their_own_network_label() -> None:
    more = {"asset_id": "", "chain": "", "asset_class": "unknown", "observed": None}
    line = line_of(ledger_row(1, **more, network="X"), ledger_row(2, **more, network="Y"))
    assert [(n.network, n.claimed) for n in line.networks] == [("X", "1"), ("Y", "1")]


def test_known_assets_stand_under_their_chain_whatever_the_label() -> None:
    line = line_of(ledger_row(1, network="ETH"), ledger_row(2, network="ERC20"))
    assert [(n.network, n.chain, n.rows) for n in line.networks] == [("Evm", EVM, 2)]


def test_the_observed_share_is_exact() -> None:
    rows = (ledger_row(1, claimed="1"), ledger_row(2, claimed="2", observed=None))
    assert observed_share(totals_of(*rows)) == Fraction(1, 3)
    assert observed_share(totals_of(ledger_row(1, claimed="0"))) is None


def test_rows_are_counted_by_validity() -> None:
    ledger = ledger_of(
        ledger_row(1), ledger_row(2, validity="repeat-of:1"), ledger_row(3, validity="repeat-of:2")
    )
    assert validity_kinds(ledger).to_pylist() == ["valid", "repeat-of", "repeat-of"]


AS_WRITTEN = Rounding(places="as-written", direction="unknown")


@pytest.mark.parametrize(
    ("text", "rounding", "decimals", "unit"),
    [
        ("1.25", EXACT, 8, 1),
        ("1.25", AS_WRITTEN, 8, 10**6),
        ("1.250", AS_WRITTEN, 8, 10**5),
        (" 1.2 ", AS_WRITTEN, 8, 10**7),
        ("125", AS_WRITTEN, 8, 10**8),
        ("1.123456789", AS_WRITTEN, 8, 1),
        ("1.25", Rounding(places="4", direction="down"), 8, 10**4),
        ("1", Rounding(places="0", direction="down"), 8, 10**8),
        ("1.5", Rounding(places="4", direction="down"), 2, 1),
        ("123.45", Rounding(significant=5, direction="down"), 8, 10**6),
        ("1234567", Rounding(significant=5, direction="down"), 8, 10**10),
        ("0.00012345", Rounding(significant=5, direction="down"), 8, 1),
        ("0.0012", Rounding(significant=3, direction="down"), 8, 10**3),
        ("1.5", Rounding(significant=6, direction="down"), 8, 10**3),
        ("100", Rounding(significant=6, direction="down"), 8, 10**5),
    ],
)
def test_the_last_published_place(text: str, rounding: Rounding, decimals: int, unit: int) -> None:
    assert last_place(text, decimals, rounding) == unit


LOOSE = Policy(max_rounding_share="1")


@pytest.mark.parametrize(
    ("direction", "bought"),
    [("exact", 0), ("nearest", 500_000), ("down", 999_999), ("unknown", 999_999)],
)
def test_the_direction_says_how_much_rounding_explains(direction: str, bought: int) -> None:
    rounding = Rounding(places="as-written", direction=direction)
    assert row_tolerance("1.25", 125_000_000, 8, rounding, LOOSE) == bought


def test_exact_dialects_buy_no_tolerance() -> None:
    for text in ("1", "1.5", "100000000"):
        assert row_tolerance(text, 10**20, 8, EXACT, LOOSE) == 0


@pytest.mark.parametrize("direction", ["nearest", "down", "unknown"])
def test_a_text_with_all_its_places_buys_no_tolerance(direction: str) -> None:
    rounding = Rounding(places="as-written", direction=direction)
    assert row_tolerance("1.12345678", 112_345_678, 8, rounding, LOOSE) == 0


def test_the_policy_caps_what_rounding_buys_twice() -> None:
    claimed = 300_000_000  # "3": the last place is a whole coin
    assert row_tolerance("3", claimed, 8, AS_WRITTEN, LOOSE) == 99_999_999
    assert row_tolerance("3", claimed, 8, AS_WRITTEN, Policy()) == 3_000_000
    none = Policy(max_rounding_last_places=0, max_rounding_share="1")
    assert row_tolerance("3", claimed, 8, AS_WRITTEN, none) == 0
    assert row_tolerance("3", claimed, 8, AS_WRITTEN, Policy(max_rounding_share="0")) == 0
    assert row_tolerance("0", 0, 8, AS_WRITTEN, LOOSE) == 0


def test_the_cap_in_percent_is_cut_not_rounded_up() -> None:
    policy = Policy(max_rounding_share="0.01")
    assert row_tolerance("0.00", 199, 8, AS_WRITTEN, policy) == 1
    assert row_tolerance("0.00", 99, 8, AS_WRITTEN, policy) == 0


def test_raw_differences_within_the_tolerance_are_kept_and_summed() -> None:
    ledger = ledger_of(
        *(
            ledger_row(i, amount="100.00", claimed=str(100 * COIN), observed=str(100 * COIN + off))
            for i, off in enumerate((3, -1), start=1)
        )
    )
    scale, rows, totals = judged(ledger, rounding=AS_WRITTEN)
    assert [(row.outcome, row.rows) for row in rows] == [(Reconciliation.MATCH, 2)]
    assert [row.difference for row in rows] == [2]
    match = totals["ETH"].line(WORLD, scale).reconciliation["match"]
    assert match.difference == "0.000000000000000002"


def test_an_exact_dialect_sees_one_base_unit() -> None:
    for off, verdict in ((1, "surplus"), (-1, "shortfall")):
        total = totals_of(ledger_row(1, observed=str(COIN + off)))
        assert total.verdict() == verdict

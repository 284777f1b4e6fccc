"""The list's own totals against its rows and against the recount."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.counting.published_totals import LabelSums, check_totals, stated_places
from crawler.model import ListedTotal, Rounding
from crawler.result import TotalCheck
from crawler.settings import Policy
from tests.unit.ledger_rows import (
    BNB,
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


def check(
    label: str,
    amount: str,
    *rows: dict[str, Any],
    exchange: str | None = "acme",
    rounding: Rounding = EXACT,
    policy: Policy | None = None,
) -> TotalCheck:
    scale, judged_rows, _ = judged(ledger_of(*rows), policy, rounding)
    sums = LabelSums()
    for row in judged_rows:
        sums.add(row)
    (found,) = check_totals(
        [ListedTotal(row=2, label=label, height="", amount=amount, aggregate=False)],
        sums,
        scale=scale,
        world=WORLD,
        exchange=WORLD.exchanges[exchange] if exchange else None,
        policy=policy or Policy(),
    )
    return found


def usdt(row: int, coins: int, **more: Any) -> dict[str, Any]:
    fields = {"asset": "USDT", "counts_as": "USDT", "asset_id": USDT, "decimals": 6, **more}
    return ledger_row(row, claimed=str(coins * 10 ** fields["decimals"]), **fields)


ON_BNB: dict[str, Any] = {"asset_id": USDT_BNB, "chain": BNB, "decimals": 18}
UNKNOWN: dict[str, Any] = {"asset_id": "", "decimals": 18, "observed": None}


def test_an_equal_total_is_equal_in_whatever_spelling() -> None:
    for text in ("3", "3.0", " 3.000 "):
        found = check("ETH", text, ledger_row(1), ledger_row(2, claimed=str(2 * COIN)))
        assert (found.verdict, found.rows_sum, found.recounted) == ("equal", "3", "3")
        assert (found.difference, found.stated, found.row) == ("0", text.strip(), 2)


@pytest.mark.parametrize(
    ("stated", "verdict"),
    [
        ("1000.12", "equal"),
        ("1000.1", "rounding"),
        ("1000.13", "rounding"),
        ("1000.2", "rounding"),
        ("1000.14", "differs"),
        ("1000.120001", "rounding"),
        ("1000.120002", "differs"),
        ("1001", "rounding"),
        ("1002", "differs"),
        ("0", "differs"),
        ("oops", "differs"),
        ("", "differs"),
        ("-1000.12", "differs"),
    ],
)
def test_a_total_holds_within_its_own_last_place(stated: str, verdict: str) -> None:
    row = ledger_row(1, claimed=str(100_012 * 10**16))
    assert check("ETH", stated, row).verdict == verdict


def test_the_policy_caps_the_rounding_of_totals() -> None:
    row = ledger_row(1, claimed=str(10 * COIN + COIN // 2))
    assert check("ETH", "10", row).verdict == "differs"
    assert check("ETH", "10", row, policy=Policy(max_rounding_share="0.05")).verdict == "rounding"


def test_what_rounding_of_the_rows_explains_is_added() -> None:
    rounding = Rounding(places="2", direction="unknown")
    rows = [ledger_row(i, amount="100.00", claimed=str(100 * COIN)) for i in range(1, 11)]
    assert check("ETH", "1000.05", *rows, rounding=rounding).verdict == "rounding"
    assert check("ETH", "1000.05", *rows).verdict == "differs"
    assert check("ETH", "1000.12", *rows, rounding=rounding).verdict == "differs"


@pytest.mark.parametrize(
    ("text", "places"), [("1", 0), ("1.50", 1), ("1.00", 0), (" 0.001 ", 3), ("100", 0)]
)
def test_places_of_a_total_that_say_something(text: str, places: int) -> None:
    assert stated_places(text) == places


def test_a_total_without_rows_says_so() -> None:
    found = check("BTC", "5", ledger_row(1))
    assert (found.verdict, found.rows_sum, found.recounted) == ("no-rows", None, None)


def test_repeats_are_in_the_rows_sum_but_not_in_the_recount() -> None:
    found = check("ETH", "2", ledger_row(1), ledger_row(2, validity="repeat-of:1"))
    assert (found.verdict, found.rows_sum, found.recounted) == ("equal", "2", "1")


def test_a_row_that_was_not_observed_leaves_no_recount_of_its_label() -> None:
    found = check("ETH", "2", ledger_row(1), ledger_row(2, observed=None))
    assert (found.verdict, found.rows_sum, found.recounted) == ("equal", "2", None)


def test_rows_that_are_no_claims_are_not_in_the_sum() -> None:
    rows = (ledger_row(1), ledger_row(2, kind="malformed"), ledger_row(3, claimed=None))
    assert check("ETH", "1", *rows).verdict == "equal"


@pytest.mark.parametrize("label", ["usdt-erc20", "USDT_ERC20", "USDT ERC20"])
def test_labels_of_both_sections_are_compared_in_their_plain_form(label: str) -> None:
    assert check(label, "7", usdt(1, 7, asset="USDT-ERC20")).verdict == "equal"


def test_a_total_is_matched_by_the_asset_it_means_where_the_labels_differ() -> None:
    row = usdt(1, 7, asset="Tether")
    assert check("USDT-ERC20", "7", row).verdict == "equal"
    assert check("USDT-ERC20", "7", row, exchange=None).verdict == "no-rows"


def test_a_total_by_label_takes_only_the_rows_of_that_label() -> None:
    rows = (usdt(1, 7, asset="USDT-ERC20"), usdt(2, 5, **ON_BNB, asset="USDT-BEP20"))
    assert check("USDT-BEP20", "5", *rows).verdict == "equal"


@pytest.mark.parametrize("label", ["USDT(ALL)", "USDT (all)", "USDT( All )"])
def test_all_sums_everything_that_counts_as_the_coin(label: str) -> None:
    rows = (usdt(1, 7, asset="USDT-ERC20"), usdt(2, 5, **ON_BNB, asset="USDT-BEP20"))
    found = check(label, "12", *rows, ledger_row(3))
    assert (found.verdict, found.rows_sum, found.recounted) == ("equal", "12", "12")


def test_all_takes_in_unknown_labels_that_name_the_coin_at_their_own_scale() -> None:
    rows = (
        usdt(1, 7),
        usdt(2, 5, **UNKNOWN, asset="USDT-NEW", counts_as="USDT-NEW"),
        usdt(3, 9, **UNKNOWN, asset="OTHER", counts_as="OTHER"),
    )
    found = check("USDT(ALL)", "12", *rows)
    assert (found.verdict, found.rows_sum, found.recounted) == ("equal", "12", None)


def test_all_needs_no_unknown_label_where_the_known_rows_are_enough() -> None:
    rows = (usdt(1, 7), usdt(2, 5, **UNKNOWN, asset="USDT-NEW", counts_as="USDT-NEW"))
    found = check("USDT(ALL)", "7", *rows)
    assert (found.verdict, found.rows_sum, found.recounted) == ("equal", "7", "7")


def test_all_is_unclear_where_unknown_labels_stand_in_the_way() -> None:
    rows = (usdt(1, 7), usdt(2, 5, **UNKNOWN, asset="USDT-NEW", counts_as="USDT-NEW"))
    assert check("USDT(ALL)", "20", *rows).verdict == "unclear"
    assert check("USDT(ALL)", "20", rows[0]).verdict == "differs"
    assert check("USDT", "20", *rows).verdict == "differs"


def test_rows_in_conflict_leave_no_recount_of_their_label() -> None:
    found = check("ETH", "2", ledger_row(1), ledger_row(2, validity="conflict:1"))
    assert (found.verdict, found.rows_sum, found.recounted) == ("equal", "2", None)


def test_one_label_that_is_known_on_one_network_only_adds_up_at_one_scale() -> None:
    rows = (
        usdt(1, 7, asset="USDT-ERC20"),
        usdt(2, 5, **UNKNOWN, asset="USDT-ERC20", counts_as="USDT-ERC20", network="NOWHERE"),
    )
    found = check("USDT-ERC20", "12", *rows)
    assert (found.verdict, found.rows_sum) == ("equal", "12")


def test_all_of_a_label_that_is_no_coin_takes_the_label() -> None:
    row = ledger_row(1, asset="stETH")
    assert check("STETH(ALL)", "1", row).verdict == "equal"

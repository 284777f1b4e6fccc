"""Reserve ratios three ways, and what the exchange stated."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from crawler.counting.ratio import check_statement, ratio_lines, rounds_to_at_least
from crawler.liabilities import Liability, Trust
from crawler.result import RatioLine, StatementCheck
from crawler.settings import Statement
from tests.unit.ledger_rows import judged, ledger_of, ledger_row

pytestmark = pytest.mark.unit

COIN = 10**18
TWO_HELD_ONE_OWNED = (
    ledger_row(1, claimed=str(2 * COIN), observed=str(COIN)),
    ledger_row(2, status="unsigned", reason="no-signature"),
)


def liability(amount: str, asset: str = "ETH") -> dict[str, Liability]:
    return {
        asset: Liability(
            asset=asset, amount=amount, as_of="today", source="them", trust=Trust.ASSERTED
        )
    }


def stated(**more: Any) -> Statement:
    return Statement(exchange="acme", title="t", as_of="a", source="s", **more)


def line(
    *rows: dict[str, Any],
    owed: dict[str, Liability] | None = None,
    statement: Statement | None = None,
) -> RatioLine:
    scale, _, totals = judged(ledger_of(*rows))
    (found,) = ratio_lines(totals, scale, owed or {}, statement)
    return found


def checks(
    statement: Statement,
    *rows: dict[str, Any],
    owed: dict[str, Liability] | None = None,
    accounts: int = 0,
    unknown_labels: bool = False,
) -> tuple[StatementCheck, ...]:
    scale, _, totals = judged(ledger_of(*rows))
    lines = ratio_lines(totals, scale, owed or {}, statement)
    return check_statement(
        statement,
        rows=len(rows),
        accounts=accounts,
        totals=totals,
        scale=scale,
        ratios=lines,
        unknown_labels=unknown_labels,
    )


def test_the_three_ratios_stand_side_by_side_with_their_trust() -> None:
    found = line(*TWO_HELD_ONE_OWNED, owed=liability("3"))
    assert (found.claimed, found.recounted, found.owned) == ("100", "66.6666", "33.3333")
    assert (found.trust, found.source, found.as_of) == ("asserted", "them", "today")
    assert not found.lower_bound


def test_liabilities_of_any_places_divide_exactly() -> None:
    found = line(ledger_row(1), owed=liability("0.000000000000000000000000003"))
    assert found.recounted == "33333333333333333333333333333.3333"


def test_nothing_owed_gives_no_ratio() -> None:
    found = line(ledger_row(1), owed=liability("0"))
    assert (found.claimed, found.recounted, found.owned) == (None, None, None)


def test_a_coin_without_rows_has_no_ratio_and_is_no_full_count() -> None:
    scale, _, totals = judged(ledger_of(ledger_row(1)))
    (found,) = ratio_lines(totals, scale, liability("5", "BTC"), None)
    assert (found.asset, found.liabilities, found.recounted) == ("BTC", "5", None)
    assert found.lower_bound


@pytest.mark.parametrize("claimed", ["0", str(COIN)])
def test_a_ratio_is_a_lower_bound_while_a_row_was_not_observed(claimed: str) -> None:
    found = line(ledger_row(1), ledger_row(2, claimed=claimed, observed=None), owed=liability("2"))
    assert (found.recounted, found.lower_bound) == ("50", True)


def test_a_stated_ratio_implies_liabilities_cut_for_reading() -> None:
    found = line(ledger_row(1), statement=stated(ratios={"ETH": "103"}))
    assert (found.stated, found.implied_liabilities) == ("103", "0.97087378")
    assert (found.liabilities, found.recounted) == (None, None)
    round_one = line(ledger_row(1), statement=stated(ratios={"ETH": "50"}))
    assert round_one.implied_liabilities == "2"


def test_a_stated_ratio_of_zero_implies_nothing() -> None:
    assert line(ledger_row(1), statement=stated(ratios={"ETH": "0"})).implied_liabilities is None


@pytest.mark.parametrize(
    ("rows", "verdict"), [(2, "holds"), (7, "holds"), (3, "fails"), (1, "fails")]
)
def test_the_stated_number_of_addresses_may_mean_rows_or_accounts(rows: int, verdict: str) -> None:
    (found,) = checks(stated(rows=rows), ledger_row(1), ledger_row(2), accounts=7)
    assert (found.verdict, found.stated, found.found) == (verdict, str(rows), "2")


def test_stated_coins_must_stand_in_the_list() -> None:
    rows = (ledger_row(1), ledger_row(2, counts_as="BTC", validity="bad-amount"))
    found = checks(stated(coins=("ETH", "BTC", "SOL")), *rows)
    assert [check.verdict for check in found] == ["holds", "holds", "fails"]


def test_a_coin_may_hide_behind_a_label_that_we_do_not_know() -> None:
    (found,) = checks(stated(coins=("SOL",)), ledger_row(1), unknown_labels=True)
    assert (found.verdict, found.found) == ("cannot-tell", "no")
    (there,) = checks(stated(coins=("ETH",)), ledger_row(1), unknown_labels=True)
    assert there.verdict == "holds"


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [("66", "holds"), ("67", "holds"), ("66.7", "holds"), ("66.8", "fails"), ("68", "fails")],
)
def test_a_stated_ratio_holds_when_the_recount_rounds_to_it(ratio: str, verdict: str) -> None:
    (found,) = checks(stated(ratios={"ETH": ratio}), *TWO_HELD_ONE_OWNED, owed=liability("3"))
    assert (found.verdict, found.stated, found.found) == (verdict, f"{ratio}%", "66.6666%")
    assert "as claimed 100%, owned rows only 33.3333%" in found.note


@pytest.mark.parametrize("ratio", ["66.6667", "66.66666", "66.66667", "66.666666666667"])
def test_a_ratio_stated_finer_than_we_print_is_compared_exactly(ratio: str) -> None:
    (found,) = checks(stated(ratios={"ETH": ratio}), *TWO_HELD_ONE_OWNED, owed=liability("3"))
    assert found.verdict == "holds"


def test_a_stated_ratio_that_is_too_fine_by_one_fails() -> None:
    (found,) = checks(stated(ratios={"ETH": "66.66668"}), *TWO_HELD_ONE_OWNED, owed=liability("3"))
    assert found.verdict == "fails"


def test_what_could_not_be_observed_makes_a_missed_ratio_undecided() -> None:
    rows = (ledger_row(1), ledger_row(2, observed=None))
    (found,) = checks(stated(ratios={"ETH": "100"}), *rows, owed=liability("2"))
    assert (found.verdict, found.found) == ("cannot-tell", "50%")
    assert "lower bound" in found.note
    (reached,) = checks(stated(ratios={"ETH": "50"}), *rows, owed=liability("2"))
    assert reached.verdict == "holds"


def test_without_liabilities_no_ratio_can_be_told() -> None:
    (found,) = checks(stated(ratios={"ETH": "100"}), ledger_row(1))
    assert (found.verdict, found.found) == ("cannot-tell", None)
    (missing,) = checks(stated(ratios={"BTC": "100"}), ledger_row(1), owed=liability("1", "BTC"))
    assert missing.verdict == "cannot-tell"


def test_a_minimum_is_demanded_of_every_stated_coin_without_a_ratio_of_its_own() -> None:
    statement = stated(coins=("BTC", "ETH"), ratios={"BTC": "50"}, minimum_ratio="100")
    rows = (ledger_row(1), ledger_row(2, counts_as="BTC"))
    owed = {**liability("2"), **liability("2", "BTC")}
    found = {check.what: check.verdict for check in checks(statement, *rows, owed=owed)}
    assert found == {
        "BTC is in the list": "holds",
        "ETH is in the list": "holds",
        "BTC reserve ratio": "holds",
        "ETH reserve ratio at least": "fails",
    }


@pytest.mark.parametrize(
    ("found", "text", "reached"),
    [
        ("105", "105", True),
        ("104.5", "105", True),
        ("104.4999", "105", False),
        ("104.999", "105.0", True),
        ("104.949", "105.0", False),
        ("104.95", "105.0", True),
        ("106", "105", True),
        ("0", "0", True),
        ("104.9999", "105.0000", False),
    ],
)
def test_half_a_place_is_rounded_up_to_the_places_that_were_stated(
    found: str, text: str, *, reached: bool
) -> None:
    assert rounds_to_at_least(Fraction(found), text) is reached

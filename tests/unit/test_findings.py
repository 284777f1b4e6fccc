"""Findings: the exchange's faults and ours stand apart, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.counting.findings import (
    EXCHANGE,
    MOST_DISCREPANCIES,
    MOST_ROWS,
    NOTE,
    RECOUNT,
    Findings,
    proven,
)
from crawler.result import Finding, StatementCheck, TotalCheck
from tests.unit.ledger_rows import ACCOUNT_A, judged, ledger_of, ledger_row

pytestmark = pytest.mark.unit

COIN = 10**18


def collected(*rows: dict[str, Any]) -> Findings:
    scale, judged_rows, _ = judged(ledger_of(*rows))
    found = Findings(scale)
    for row in judged_rows:
        found.add_row(row)
    return found


def named(*rows: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding.about, finding.code) for finding in collected(*rows).findings()]


def the_one(*rows: dict[str, Any]) -> Finding:
    (found,) = collected(*rows).findings()
    return found


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, []),
        ({"observed": "0"}, [(EXCHANGE, "shortfall")]),
        ({"observed": str(2 * COIN)}, [(EXCHANGE, "surplus")]),
        ({"observed": None, "gap": "timeout"}, [(RECOUNT, "gap:timeout")]),
        ({"status": "refuted", "reason": "wrong-key"}, [(EXCHANGE, "refuted:wrong-key")]),
        (
            {"status": "unsupported", "reason": "unknown-network"},
            [(RECOUNT, "unsupported:unknown-network")],
        ),
        ({"status": "unsigned", "reason": "no-signature"}, [(NOTE, "unsigned")]),
        (
            {"status": "signer-only", "reason": "control-unobserved"},
            [(NOTE, "signer-only:control-unobserved")],
        ),
        ({"reason": "message-not-pinned"}, [(NOTE, "message-not-pinned")]),
        ({"validity": "repeat-of:7"}, [(EXCHANGE, "repeat-of")]),
        ({"validity": "conflict:7"}, [(EXCHANGE, "conflict")]),
        ({"validity": "bad-amount", "claimed": None}, [(EXCHANGE, "bad-amount")]),
        ({"kind": "malformed", "validity": "bad-amount"}, [(EXCHANGE, "malformed-row")]),
        ({"kind": "signer", "validity": "signer-row"}, []),
        (
            {"status": "refuted", "reason": "wrong-key", "observed": "0"},
            [(EXCHANGE, "refuted:wrong-key"), (EXCHANGE, "shortfall")],
        ),
        (
            {"status": "unsupported", "reason": "unknown-network", "observed": None},
            [(RECOUNT, "gap:timeout"), (RECOUNT, "unsupported:unknown-network")],
        ),
        ({"validity": "repeat-of:7", "observed": "0"}, [(EXCHANGE, "repeat-of")]),
    ],
)
def test_what_is_said_about_a_row(more: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert named(ledger_row(1, **more)) == expected


def test_a_gap_is_never_the_exchanges_fault() -> None:
    rows = [ledger_row(i, observed=None, gap=gap) for i, gap in enumerate(("timeout", "refused"))]
    assert proven(collected(*rows).findings()) == {}


def test_every_finding_has_a_sentence() -> None:
    for more in ({"observed": "0"}, {"observed": None}, {"status": "refuted", "reason": "bad-key"}):
        assert "defect" not in the_one(ledger_row(1, **more)).sentence


def test_amounts_of_a_finding_add_up_by_coin() -> None:
    rows = (
        ledger_row(1, observed=str(COIN - 5)),
        ledger_row(2, observed=str(COIN - 7)),
        ledger_row(3, counts_as="BTC", decimals=8, claimed="10", observed="9"),
    )
    finding = the_one(*rows)
    assert finding.amounts == {"BTC": "0.00000001", "ETH": "0.000000000000000012"}
    assert (finding.count, finding.rows) == (3, (1, 2, 3))


def test_the_first_hundred_rows_are_named_and_all_are_counted() -> None:
    finding = the_one(*(ledger_row(i, observed="0") for i in range(1, MOST_ROWS + 3)))
    assert (finding.count, len(finding.rows)) == (MOST_ROWS + 2, MOST_ROWS)
    assert finding.amounts == {"ETH": str(MOST_ROWS + 2)}


def test_the_exchanges_faults_come_first_then_ours_then_notes() -> None:
    found = named(
        ledger_row(1, status="unsigned", reason="no-signature"),
        ledger_row(2, observed=None),
        ledger_row(3, status="refuted", reason="wrong-key"),
        ledger_row(4, validity="conflict:3"),
    )
    assert [about for about, _ in found] == [EXCHANGE, EXCHANGE, RECOUNT, NOTE]


def test_a_discrepancy_shows_the_row_as_published_and_the_difference() -> None:
    (found,) = collected(ledger_row(7, observed=str(COIN - 1))).discrepancies()
    assert (found.row, found.kind, found.address) == (7, "shortfall", ACCOUNT_A)
    assert (found.claimed, found.observed) == ("1", "0.999999999999999999")
    assert found.difference == "-0.000000000000000001"


def test_a_discrepancy_names_the_other_row() -> None:
    (found,) = collected(ledger_row(7, validity="conflict:3")).discrepancies()
    assert (found.kind, found.reason, found.difference) == ("conflict", "line 3", None)


def test_an_unusable_amount_is_shown_as_published() -> None:
    row = ledger_row(7, amount="ten", claimed=None, validity="bad-amount")
    (found,) = collected(row).discrepancies()
    assert found.claimed == "ten"


def test_discrepancies_beyond_the_most_are_counted() -> None:
    found = collected(*(ledger_row(i, observed="0") for i in range(MOST_DISCREPANCIES + 5)))
    assert len(found.discrepancies()) == MOST_DISCREPANCIES
    assert found.left_out == 5


def total(verdict: str, stated: str = "1") -> TotalCheck:
    return TotalCheck(
        row=3,
        label="ETH",
        stated=stated,
        rows_sum=None,
        recounted=None,
        difference=None,
        verdict=verdict,
    )


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (total("equal"), []),
        (total("rounding"), []),
        (total("differs"), ["total-differs"]),
        (total("no-rows"), ["total-without-rows"]),
        (total("no-rows", "0.00"), []),
        (total("no-rows", "100"), ["total-without-rows"]),
    ],
)
def test_totals_that_do_not_hold_are_findings(check: TotalCheck, expected: list[str]) -> None:
    found = collected(ledger_row(1))
    found.add_totals([check])
    assert [finding.code for finding in found.findings()] == expected


@pytest.mark.parametrize(("verdict", "count"), [("holds", 0), ("cannot-tell", 0), ("fails", 1)])
def test_only_a_statement_that_fails_is_a_finding(verdict: str, count: int) -> None:
    found = collected(ledger_row(1))
    found.add_statement(
        [StatementCheck(what="x", stated="y", found=None, verdict=verdict, note="")]
    )
    assert [finding.code for finding in found.findings()] == ["statement-fails"] * count


def test_an_equal_repeat_proves_nothing_wrong() -> None:
    found = collected(
        ledger_row(1, validity="repeat-of:9"), ledger_row(2, status="refuted", reason="wrong-key")
    )
    assert proven(found.findings()) == {"refuted:wrong-key": 1}

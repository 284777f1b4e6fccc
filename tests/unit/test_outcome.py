"""How a run ends: which exit code, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.counting.findings import Findings
from crawler.counting.outcome import judge
from crawler.result import Outcome
from crawler.settings import Policy
from tests.unit.ledger_rows import judged, ledger_of, ledger_row

pytestmark = pytest.mark.unit

REFUTED = {"status": "refuted", "reason": "wrong-key"}


def ended(*rows: dict[str, Any], policy: Policy | None = None) -> Outcome:
    policy = policy or Policy()
    scale, judged_rows, totals = judged(ledger_of(*rows), policy)
    found = Findings(scale)
    for row in judged_rows:
        found.add_row(row)
    return judge(policy, found.findings(), totals)


def test_a_list_that_stands_ends_with_0() -> None:
    assert ended(ledger_row(1)).exit_code == 0


@pytest.mark.parametrize(
    "more",
    [
        REFUTED,
        {"observed": "0"},
        {"observed": str(2 * 10**18)},
        {"validity": "conflict:2"},
        {"validity": "bad-amount", "claimed": None},
        {"kind": "malformed"},
    ],
)
def test_a_proven_discrepancy_ends_with_1(more: dict[str, Any]) -> None:
    assert ended(ledger_row(1), ledger_row(2, **more)).exit_code == 1


@pytest.mark.parametrize(
    "more",
    [
        {"validity": "repeat-of:1"},
        {"status": "unsigned", "reason": "no-signature"},
        {"status": "unsupported", "reason": "unknown-scheme"},
        {"status": "signer-only", "reason": "control-unobserved"},
        {"reason": "message-not-pinned"},
    ],
)
def test_what_proves_nothing_ends_with_0(more: dict[str, Any]) -> None:
    assert ended(ledger_row(1), ledger_row(2, **more)).exit_code == 0


def test_too_little_observed_ends_with_3() -> None:
    found = ended(ledger_row(1), ledger_row(2, observed=None))
    assert found.exit_code == 3
    assert found.sentences == (
        "ETH: 50% of the claimed amount was observed; the policy demands 95%.",
    )


def test_a_discrepancy_outranks_an_incomplete_run() -> None:
    found = ended(ledger_row(1, **REFUTED), ledger_row(2, observed=None))
    assert found.exit_code == 1
    assert len(found.sentences) == 2


@pytest.mark.parametrize(
    ("seen", "code"), [(95, 0), (94, 3), (100, 0), (95 * 10**30, 0), (95 * 10**30 - 1, 3)]
)
def test_the_threshold_is_exact_at_its_border(seen: int, code: int) -> None:
    whole = 100 if seen <= 100 else 100 * 10**30
    rows = (
        ledger_row(1, claimed=str(seen)),
        ledger_row(2, claimed=str(whole - seen), observed=None),
    )
    assert ended(*rows).exit_code == code


def test_every_asset_must_reach_the_threshold_by_itself() -> None:
    rows = (ledger_row(1, claimed=str(10**30)), ledger_row(2, counts_as="BTC", observed=None))
    found = ended(*rows)
    assert found.exit_code == 3
    assert found.sentences[0].startswith("BTC: 0%")


def test_an_asset_of_which_nothing_is_claimed_must_be_looked_at_all_the_same() -> None:
    empty = {"claimed": "0", "counts_as": "BTC"}
    assert ended(ledger_row(1), ledger_row(2, **empty)).exit_code == 0
    assert ended(ledger_row(1), ledger_row(2, **empty, observed=None)).exit_code == 3


@pytest.mark.parametrize(
    "more", [{"claimed": None, "amount": ""}, {"validity": "repeat-of:9"}, {"kind": "signer"}]
)
def test_a_list_of_which_no_row_counts_is_not_recounted(more: dict[str, Any]) -> None:
    assert ended(ledger_row(1, **more)).exit_code == 3


@pytest.mark.parametrize(("allowed", "code"), [(0, 1), (1, 1), (2, 0), (3, 0)])
def test_the_policy_may_allow_some_refuted_rows(allowed: int, code: int) -> None:
    rows = (ledger_row(1, **REFUTED), ledger_row(2, status="refuted", reason="bad-address"))
    found = ended(*rows, policy=Policy(refuted_allowed=allowed))
    assert found.exit_code == code
    assert found.sentences == (
        f"2 row(s) with a refuted proof of ownership; the policy allows {allowed}.",
    )


def test_allowing_refuted_rows_allows_nothing_else() -> None:
    policy = Policy(refuted_allowed=9)
    assert (
        ended(ledger_row(1, **REFUTED), ledger_row(2, observed="0"), policy=policy).exit_code == 1
    )


def test_the_policy_sets_the_threshold() -> None:
    rows = (ledger_row(1), ledger_row(2, observed=None))
    assert ended(*rows, policy=Policy(min_observed_share="0.5")).exit_code == 0
    assert ended(*rows, policy=Policy(min_observed_share="0.500000001")).exit_code == 3

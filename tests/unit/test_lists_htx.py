"""HTX's lists: dashes, signer rows, totals that stand alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.lists import open_list

pytestmark = pytest.mark.unit

LIST = Path(__file__).parents[2] / "fixtures" / "lists" / "htx.csv"


def test_dashes_mean_nothing_and_amounts_stay_as_written() -> None:
    published = open_list(LIST)
    rows = [row for batch in published.batches() for row in batch.to_pylist()]
    assert [row["row"] for row in rows] == [9, 10, 11, 12]
    assert [row["amount"] for row in rows] == ["30", "10.50 ", "", "2"]
    assert [row["height"] for row in rows] == ["500", "100", "", ""]
    assert [len(row["signatures"]) for row in rows] == [1, 0, 1, 1]
    assert rows[1]["message"] == ""
    assert {row["network"] for row in rows} == {""}


def test_only_a_row_without_height_and_balance_is_a_signer() -> None:
    published = open_list(LIST)
    kinds = [kind for batch in published.batches() for kind in batch.column("kind").to_pylist()]
    assert kinds == ["claim", "claim", "signer", "claim"]
    assert (published.account.claim, published.account.signer) == (3, 1)


def test_dialect_rounding_and_totals() -> None:
    published = open_list(LIST)
    assert (published.dialect, published.exchange) == ("htx", "htx")
    assert (published.rounding.places, published.rounding.direction) == ("as-written", "unknown")
    assert [(total.label, total.aggregate) for total in published.totals] == [
        ("TRX(ALL)", False),
        ("ETH(All)", True),
        ("ETH", False),
        ("stETH", False),
        ("USDT-BUY-BACK", False),
    ]


def test_the_account_is_closed_and_only_known_at_the_end() -> None:
    published = open_list(LIST)
    with pytest.raises(RuntimeError, match="exhausted"):
        _ = published.account
    for _ in published.batches():
        pass
    account = published.account
    parts = (account.header, account.total, account.blank, account.claim, account.signer)
    assert sum(parts) + account.malformed + account.continuation == account.lines == 12

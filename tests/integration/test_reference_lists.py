"""The real lists that exchanges published, read where they lie.

They are not part of this repository; ``tests.reference`` says where they lie.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from crawler.lists import PublishedList, open_list
from crawler.lists.amounts import parse_amount
from tests.reference import reference

pytestmark = pytest.mark.integration


def lists(folder: str) -> list[Path]:
    return sorted(reference(folder).glob("*.csv"))


def read(path: Path) -> tuple[PublishedList, list[dict[str, Any]]]:
    published = open_list(path)
    rows = [row for batch in published.batches() for row in batch.to_pylist()]
    return published, rows


def unexplained(published: PublishedList) -> int:
    """Lines of the file that no kind accounts for."""
    account = published.account
    kinds = (account.header, account.total, account.blank, account.claim, account.signer)
    lines = published.path.read_bytes().splitlines()
    return len(lines) - sum(kinds) - account.malformed - account.continuation


def test_all_htx_lists_are_read_to_the_last_row() -> None:
    paths = lists("htx")
    rows: list[dict[str, Any]] = []
    for path in paths:
        published, found = read(path)
        assert (published.dialect, published.exchange, published.unread) == ("htx", "htx", ())
        assert unexplained(published) == 0
        assert published.account.malformed == 0
        assert (published.account.header, published.account.blank) == (2, 1)
        assert published.totals
        rows += found
    assert len(paths) == 24
    assert len(rows) == 1747
    assert sum(bool(row["signatures"]) for row in rows) == 1089
    assert sum(row["kind"] == "signer" for row in rows) == 307
    assert all(row["signatures"] for row in rows if row["kind"] == "signer")
    without_height = [row for row in rows if row["kind"] == "claim" and not row["height"]]
    assert [(row["asset"], row["amount"]) for row in without_height] == [
        ("stUSDT-TRC20", "403497458.9")
    ]


PUBLISHED_APART = {
    ("huobi_por_20231201.csv", "USDT(ALL)"),
    ("huobi_por_20240101.csv", "BTC(ALL)"),
    ("huobi_por_20240401.csv", "USDT(ALL)"),
    ("huobi_por_20250901.csv", "HTX(ALL)"),
}
"""Aggregates that HTX itself published at more than one unit off the lines below them."""


def test_htx_aggregates_are_the_sums_of_the_totals_below_them() -> None:
    apart = set()
    for path in lists("htx"):
        parts: dict[str, list[Decimal]] = {}
        whole: dict[str, Decimal] = {}
        label = ""
        for total in open_list(path).totals:
            amount = Decimal(total.amount.strip())
            if "(all)" in total.label.lower():
                label = total.label if total.aggregate else ""
                whole |= {label: amount}
            elif label:
                parts.setdefault(label, []).append(amount)
        whole.pop("", None)
        assert whole.keys() == parts.keys(), path.name
        apart |= {(path.name, name) for name in whole if abs(whole[name] - sum(parts[name])) > 1}
    assert apart == PUBLISHED_APART


def test_every_published_htx_amount_is_an_amount() -> None:
    for path in lists("htx"):
        _, rows = read(path)
        for row in rows:
            if row["kind"] == "claim":
                assert parse_amount(row["amount"], 18) >= 0


def test_okx_example_lists() -> None:
    found = {path.name: read(path) for path in lists("okx")}
    dialects = {name: published.dialect for name, (published, _) in found.items()}
    assert dialects == {
        "okx_por_example.csv": "okx-monthly-11",
        "okx_por_staking_example.csv": "okx-monthly-12",
        "test.csv": "okx-auditor",
    }
    for published, rows in found.values():
        assert unexplained(published) == 0
        assert published.account.claim == len(rows)
        assert published.unread == ()
    monthly, rows = found["okx_por_example.csv"]
    assert [row["row"] for row in rows] == [16, 17, 18, 19, 20]
    assert [len(row["owners"]) for row in rows] == [0, 0, 2, 0, 1]
    assert [bool(row["public_key"]) for row in rows] == [False, False, False, True, True]
    assert len(monthly.totals) == 12
    assert sum(total.aggregate for total in monthly.totals) == 2
    staking, rows = found["okx_por_staking_example.csv"]
    assert [row["type"] for row in rows] == [
        "Non Staking",
        "Native ETH Staking",
        "Eigenlayer Staking",
    ]
    assert [len(row["address"]) for row in rows] == [42, 98, 98]
    assert [total.amount for total in staking.totals] == ["64"]
    _, rows = found["test.csv"]
    assert [bool(row["script"]) for row in rows].count(True) == 2
    assert rows[-1]["public_key"].startswith("EOS7")

"""Binance's lists: two tables of one layout, a custodian's name as the type."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from crawler.errors import ListError
from crawler.examining.labels import resolve
from crawler.lists import open_list
from crawler.settings import load_world

pytestmark = pytest.mark.unit

LIST = Path(__file__).parents[2] / "fixtures" / "lists" / "binance.zip"
HEADER = "coin,network,address,balance,Height,Third party custodian name\n"


def test_both_tables_are_one_list() -> None:
    published = open_list(LIST)
    rows = [row for batch in published.batches() for row in batch.to_pylist()]
    assert (published.dialect, published.exchange) == ("binance", "binance")
    assert [member.name for member in published.members] == [
        "PR01SEP26_Deposit.csv",
        "PR01SEP26_HotCold.csv",
    ]
    assert [row["row"] for row in rows] == [2, 3, 5, 6, 8]
    assert [(row["asset"], row["network"]) for row in rows[:4]] == [
        ("ETH", "ETH"),
        ("USDT", "BSC"),
        ("BTC", "BTC"),
        ("USDC", "MATIC"),
    ]
    assert rows[0]["amount"] == "0.031817860000000000"
    assert [row["height"] for row in rows[:3]] == ["24781026", "87000000", "964957"]
    assert [row["type"] for row in rows[:4]] == ["", "", "Ceffu", ""]
    assert (rows[4]["kind"], rows[4]["problem"]) == ("malformed", "no address")
    account = published.account
    assert (account.lines, account.header, account.blank) == (8, 2, 1)


def test_a_custodian_does_not_change_what_a_row_means() -> None:
    world = load_world()
    binance = world.exchanges["binance"]
    assert resolve(world, binance, "BTC", "BTC", "Ceffu") == resolve(world, binance, "BTC", "BTC")
    assert resolve(world, binance, "BTC", "BTC").asset is not None


def test_ambiguous_coins_stay_unknown() -> None:
    world = load_world()
    binance = world.exchanges["binance"]
    for network in ("MATIC", "ARBITRUM", "OPTIMISM"):
        assert resolve(world, binance, "USDC", network).reason == "unknown-label"
    pegged = resolve(world, binance, "USDT", "BSC").asset
    assert pegged is not None
    assert world.assets[pegged].decimals == 18


def test_another_exchanges_table_is_no_half(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    htx = "coin,address,snapshot height,balance,message,signature\nBTC,1a,1,1,-,-\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", HEADER + "BTC,BTC,1a,1,1,\n")
        archive.writestr("b.csv", htx)
    with pytest.raises(ListError, match="expected one main list in the archive, found 2"):
        open_list(path)


def test_two_lists_of_another_exchange_are_no_halves(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    htx = "coin,address,snapshot height,balance,message,signature\nBTC,1a,1,1,-,-\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", htx)
        archive.writestr("b.csv", htx + "BTC,1b,1,1,-,-\n")
    with pytest.raises(ListError, match="expected one main list in the archive, found 2"):
        open_list(path)


def test_a_new_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(HEADER.strip() + ",Wallet\nBTC,BTC,1a,1,1,,hot\n")
    assert open_list(path).unread == ("wallet",)

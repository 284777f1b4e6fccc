"""OKX's lists: every column count, every quirk seen in published files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crawler.errors import ListError
from crawler.lists import PublishedList, open_list
from crawler.lists.claims import key_columns

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lists"
KEYS = ("key1", "key2")


def read(name: str) -> tuple[PublishedList, dict[int, dict[str, Any]]]:
    published = open_list(FIXTURES / name)
    rows = [row for batch in published.batches() for row in batch.to_pylist()]
    return published, {row["row"]: row for row in rows}


@pytest.mark.parametrize("columns", [7, 9, 11, 12])
def test_each_column_count_is_its_own_dialect(columns: int) -> None:
    published, rows = read(f"okx_{columns}.csv")
    assert published.dialect == f"okx-monthly-{columns}"
    assert published.exchange == "okx"
    assert published.rounding.places == "exact"
    assert published.unread == ()
    assert len(rows) == published.account.claim


def test_twelve_columns_field_by_field() -> None:
    published, rows = read("okx_12.csv")
    assert list(rows) == [5, 6, 7]
    text = (FIXTURES / "okx_12.csv").read_text().splitlines()
    for number, row in rows.items():
        fields = text[number - 1].split(",")
        named = [row[name] for name in ("asset", "type", "network", "height", "address", "amount")]
        assert named == fields[:6]
        assert row["message"] == fields[6]
        assert row["signatures"] == [field for field in fields[7:9] if field]
        assert row["owners"] == [field for field in fields[10:12] if field]
        assert (row["kind"], row["problem"], row["exchange"]) == ("claim", "", "")
    (total,) = published.totals
    assert (total.row, total.label, total.height, total.amount) == (2, "ETH(ALL)", "", "64.5")
    assert total.aggregate


def test_totals_keep_their_text_and_aggregates_have_no_height() -> None:
    published, _ = read("okx_9.csv")
    assert [(total.label, total.height, total.aggregate) for total in published.totals] == [
        ("ETH(ALL)", "-", True),
        ("ETH", "100", False),
        ("ETH-ARBITRUM", "200", False),
    ]
    assert read("okx_11.csv")[0].totals[0].amount == " 5.2834"


def test_no_network_column_is_no_network_and_null_tokens_are_nothing() -> None:
    assert {row["network"] for row in read("okx_7.csv")[1].values()} == {""}
    row = read("okx_9.csv")[1][8]
    assert len(row["signatures"]) == 1
    assert row["public_key"] == row["script"] == ""


def test_key_column_goes_by_content() -> None:
    _, rows = read("okx_quirks.csv")
    assert rows[10]["script"].startswith("5221")
    assert rows[10]["script"].endswith("53AE")
    assert rows[10]["public_key"] == ""
    assert rows[12]["public_key"] == "EOS7MadeUpKey"
    key_that_looks_like_a_script = rows[13]["public_key"]
    assert key_that_looks_like_a_script.startswith("0x51")
    assert key_that_looks_like_a_script.endswith("ae")
    assert rows[13]["script"] == ""
    assert rows[11]["signatures"] == rows[11]["owners"] == []


def test_objects_and_lists_in_the_key_column_stay_whole() -> None:
    _, rows = read("okx_quirks.csv")
    texts = {rows[number]["public_key"] for number in (5, 6, 7, 8)}
    (text,) = texts
    assert text.startswith('{"key1":"')
    assert text.count(",") == 1
    assert rows[9]["script"].startswith("[5221")
    assert rows[9]["script"].endswith("53ae]")
    assert len(rows[9]["signatures"]) == 2
    assert len(rows[16]["script"]) > 4096


def test_quirks_of_the_text_form() -> None:
    published, rows = read("okx_quirks.csv")
    assert published.dialect == "okx-monthly-11"
    assert [total.aggregate for total in published.totals] == [True, False]
    assert rows[13]["amount"] == "113.97 "
    assert rows[14]["message"] == "I am a made-up address, and a comma"
    assert rows[15]["message"] == ""
    assert rows[19]["amount"] == "2"
    account = published.account
    assert (account.lines, account.header, account.total) == (19, 2, 2)
    assert (account.blank, account.claim, account.malformed) == (2, 13, 0)


def test_malformed_rows_are_records_with_their_text() -> None:
    published, rows = read("okx_malformed.csv")
    raw = (FIXTURES / "okx_malformed.csv").read_bytes().decode().split("\n")
    bad = {number: row for number, row in rows.items() if row["kind"] == "malformed"}
    assert {number: row["problem"] for number, row in bad.items()} == {
        1: "stands before any known header",
        4: "no total: expected coin[,snapshot height],amount|balance",
        5: "a total without a coin or without an amount",
        9: "11 fields, but the header names 9",
        10: "3 fields; at least 5, up to 'amount', are needed",
        11: "no network",
        12: "no address",
        13: "text follows a closing quote",
        14: "a quoted field is never closed",
        15: "a carriage return stands inside the line",
        17: "a header of another kind stands among the rows",
    }
    assert all(row["message"] == raw[number - 1] for number, row in bad.items())
    assert all(row["address"] == row["amount"] == row["asset"] == "" for row in bad.values())
    assert all(row["signatures"] == row["owners"] == [] for row in bad.values())
    assert sorted(rows) == [1, 4, 5, *range(8, 16), 17, 18]
    account = published.account
    assert (account.lines, account.header, account.claim, account.malformed) == (18, 3, 2, 11)


def test_raw_text_of_a_malformed_row_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text((FIXTURES / "okx_7.csv").read_text() + "x" * 10_000)
    rows = [row for batch in open_list(path).batches() for row in batch.to_pylist()]
    assert rows[-1]["kind"] == "malformed"
    assert rows[-1]["message"] == "x" * 4096


def test_columns_are_found_by_name_and_new_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        "signature3,signature1,risk,amount,address,COIN,message,signature2,\n"
        "s3,s1,high,1,a1,ETH,text,s2,z\n"
    )
    published = open_list(path)
    (row,) = (row for batch in published.batches() for row in batch.to_pylist())
    assert row["signatures"] == ["s1", "s2", "s3"]
    assert (row["asset"], row["address"], row["amount"]) == ("ETH", "a1", "1")
    assert published.dialect == "okx-monthly-8"
    assert published.unread == ("risk", "column 9")


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("coin,address,amount,message,signature1,address\n")
    with pytest.raises(ListError, match=r"list\.csv, line 1: .*'address' more than once"):
        open_list(path)


def test_auditor_layout_has_no_amounts_and_names_its_status_column() -> None:
    published, rows = read("okx_auditor.csv")
    assert (published.dialect, published.exchange) == ("okx-auditor", "okx")
    assert published.unread == ("status",)
    assert {row["amount"] + row["height"] for row in rows.values()} == {""}
    assert [len(row["signatures"]) for row in rows.values()] == [1, 2, 1, 2]
    assert rows[3]["script"].endswith("53ae")
    assert rows[4]["public_key"].startswith("0x")
    assert rows[4]["script"] == ""
    assert len(rows[5]["owners"]) == 2


def test_the_staking_file_may_be_a_companion() -> None:
    main, staking = FIXTURES / "okx_11.csv", FIXTURES / "okx_staking.csv"
    published = open_list(main, companions=[staking])
    rows = [row["row"] for batch in published.batches() for row in batch.to_pylist()]
    assert rows == [6, 7, 8, 10, 11]
    assert [(member.name, member.first_row_offset) for member in published.members] == [
        ("okx_11.csv", 0),
        ("okx_staking.csv", 8),
    ]
    assert published.account.lines == 11


@pytest.mark.parametrize("other", ["htx.csv", "generic.csv", "okx_11.csv"])
def test_a_companion_must_belong(other: str) -> None:
    with pytest.raises(ListError, match=r"cannot accompany|in the list twice"):
        open_list(FIXTURES / "okx_11.csv", companions=[FIXTURES / other])


@pytest.mark.parametrize("digits", [64, 66, 96, 128, 130])
@pytest.mark.parametrize("prefix", ["", "0x", "0X"])
def test_a_text_as_long_as_a_key_is_a_key(digits: int, prefix: str) -> None:
    key = prefix + "51" + "0" * (digits - 4) + "ae"
    assert [part.to_pylist() for part in key_columns(pa.array([key]))] == [[""], [key]]
    script = prefix + "51" + "0" * (digits - 2) + "ae"
    if digits not in {64, 128}:
        assert [part.to_pylist() for part in key_columns(pa.array([script]))] == [[script], [""]]


def test_a_member_of_other_types_is_the_main_list(tmp_path: Path) -> None:
    header = "coin,Type,Network,address,amount,message,signature1\n"
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.csv", header + "ETH,Native ETH Staking,ETH,0x1,32,m,s\n")
        file.writestr("b.csv", header + "ETH,Non Staking,ETH,0x2,1,m,s\n")
    assert [member.name for member in open_list(path).members] == ["b.csv", "a.csv"]

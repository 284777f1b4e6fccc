"""HTX's list as a workbook: cells as typed, nothing evaluated, nothing lost."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from crawler.errors import ListError
from crawler.lists import PublishedList, open_list, workbook, workbook_parts

pytestmark = pytest.mark.unit

LIST = Path(__file__).parents[2] / "fixtures" / "lists" / "htx.xlsx"
HEADER = ["coin", "address", "snapshot height", "balance", "message", "signature"]
SHEET = "xl/worksheets/sheet1.xml"
Change = Callable[[str], str]


def read(published: PublishedList) -> list[dict[str, Any]]:
    return [row for batch in published.batches() for row in batch.to_pylist()]


def changed(path: Path, change: Change, member: str = SHEET) -> Path:
    """The fixture with the text of one member changed."""
    with zipfile.ZipFile(LIST) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == member:
                text = change(data.decode())
                assert text.encode() != data
                data = text.encode()
            new.writestr(name, data)
    return path


def numbered(path: Path, number: str) -> Path:
    """The fixture with another number in place of 9185.95."""
    return changed(path, lambda text: re.sub(r"<v>9185\.95[0-9]*<", f"<v>{number}<", text))


def saved(path: Path, rows: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_rows_are_those_of_the_sheet() -> None:
    published = open_list(LIST)
    rows = read(published)
    assert (published.dialect, published.exchange) == ("htx", "htx")
    assert (published.rounding.places, published.rounding.direction) == ("as-written", "unknown")
    assert [row["row"] for row in rows] == [7, 8, 9, 11, 12, 13, 14]
    assert [row["kind"] for row in rows[:3]] == ["claim", "claim", "signer"]
    assert [row["amount"] for row in rows[:2]] == ["9185.95", " 0.25"]
    assert [row["height"] for row in rows[:2]] == ["934496", "79736938"]
    assert rows[6]["amount"] == "250640810380508"
    assert [(total.row, total.label, total.amount) for total in published.totals] == [
        (2, "BTC(ALL)", "9186.2"),
        (3, "BTC", "9185.95"),
        (4, "BTC-TRC20", "0.25"),
    ]
    account = published.account
    assert (account.lines, account.header, account.blank) == (14, 2, 2)


def test_cells_that_are_not_believed_make_their_row_malformed() -> None:
    problems = {row["row"]: row["problem"] for row in read(open_list(LIST)) if row["problem"]}
    assert set(problems) == {11, 12}
    assert problems[11].startswith("a formula stands in D11; its result is not believed")
    assert problems[12].startswith("a date stands in C12")


def test_a_number_that_nobody_typed_is_malformed(tmp_path: Path) -> None:
    path = numbered(tmp_path / "a.xlsx", "0.30000000000000004")
    problems = {row["row"]: row["problem"] for row in read(open_list(path)) if row["problem"]}
    assert set(problems) == {3, 7, 11, 12}
    assert problems[7].startswith("a number of more than 15 digits stands in D7")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9185.9500000000007, "9185.95"),
        (461459547.61000001, "461459547.61"),
        (1e-7, "0.0000001"),
        (1e20, "100000000000000000000"),
        (-1.5, "-1.5"),
        (0, "0"),
        (7.0, "7"),
    ],
)
def test_a_number_is_the_one_typed(tmp_path: Path, value: float, text: str) -> None:
    path = saved(tmp_path / "a.xlsx", [HEADER, ["BTC", "1a", 1, value, "-", "-"]])
    (row,) = read(open_list(path))
    assert (row["amount"], row["problem"]) == (text, "")


@pytest.mark.parametrize(
    ("value", "said"),
    [(True, "a truth value"), ("=1+1", "a formula"), ("#N/A", "an error value")],
)
def test_other_kinds_of_cells(tmp_path: Path, value: object, said: str) -> None:
    path = saved(tmp_path / "a.xlsx", [HEADER, ["BTC", "1a", 1, value, "-", "-"]])
    (row,) = read(open_list(path))
    assert row["kind"] == "malformed"
    assert row["problem"].startswith(said)


def test_a_formula_before_the_header_is_malformed_too(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.xlsx", [["coin", "balance"], ["BTC", "=1"], HEADER])
    published = open_list(path)
    (row,) = read(published)
    assert (row["row"], published.totals) == (2, ())


def test_a_repeated_header_and_columns_beyond_the_header(tmp_path: Path) -> None:
    rows = [HEADER, HEADER, ["BTC", "1a", 1, 1, "-", "-", "more"]]
    published = open_list(saved(tmp_path / "a.xlsx", rows))
    (row,) = read(published)
    assert row["problem"] == "7 fields, but the header names 6"
    assert published.account.header == 2


def test_a_new_column_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.xlsx", [[*HEADER, "Owner"], ["BTC", "1a", 1, 1, "-", "-", "x"]])
    assert open_list(path).unread == ("owner",)


def test_two_sheets_with_content_are_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    book.create_sheet("more").append(HEADER)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(ListError, match=r"one sheet with content, found 2 \('Sheet', 'more'\)"):
        open_list(tmp_path / "a.xlsx")


def test_other_dialects_are_not_read_from_workbooks(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.xlsx", [["network", "address"], ["eip155:1", "0x"]])
    with pytest.raises(ListError, match="line 1: a workbook of dialect 'generic'"):
        open_list(path)
    path = saved(tmp_path / "b.xlsx", [["nothing", "known"]])
    with pytest.raises(ListError, match="no detail section"):
        open_list(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace('<row r="7"', '<row r="6"'), "row '6' after row 6"),
        (lambda text: text.replace('<row r="7"', '<row r="3"'), "row '3' after row 6"),
        (lambda text: text.replace('r="B7"', 'r="A7"'), "cell 'A7' in row 7"),
        (lambda text: text.replace('r="B7"', 'r="B8"'), "cell 'B8' in row 7"),
        (lambda text: text.replace('<row r="13"', '<row r="900000"'), "at most 100000 rows"),
        (lambda text: text.replace('<row r="13"', '<row r="1e9"'), "row '1e9' after"),
        (lambda text: text.replace("<sheetData>", "<sheetData><x><row/></x>"), "row '1' after"),
        (lambda text: text.replace("<worksheet", "<!DOCTYPE a []><worksheet"), "document type"),
        (lambda text: text[:-40], "is no XML"),
        (
            lambda text: text.replace("<sheetData>", "<a>" * 99 + "</a>" * 99 + "<sheetData>"),
            "nests elements deeper than 64",
        ),
        (lambda text: text.replace('r="F13"', 'r="XFD13"'), "16384 columns; at most 256"),
    ],
)
def test_sheets_that_would_lose_or_multiply_rows(tmp_path: Path, change: Change, said: str) -> None:
    path = changed(tmp_path / "a.xlsx", change)
    with pytest.raises(ListError, match=said) as refusal:
        open_list(path)
    assert str(path) in str(refusal.value)


def test_entities_do_not_expand(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "xxxxxxxxxx"><!ENTITY c "&b;&b;&b;&b;">]>'
    for member in (SHEET, "xl/workbook.xml", "[Content_Types].xml"):
        path = changed(tmp_path / "a.xlsx", lambda text: bomb + text, member)
        with pytest.raises(ListError, match="declares a document type"):
            open_list(path)


def test_a_number_that_is_none(tmp_path: Path) -> None:
    for bad in ("NaN", "inf", "--1", "9" * 5000):
        with pytest.raises(ListError, match="damaged workbook"):
            open_list(numbered(tmp_path / "a.xlsx", bad))
    assert read(open_list(numbered(tmp_path / "a.xlsx", "1e999")))[0]["problem"].startswith(
        "no finite number stands in C3"
    )


def test_unpacked_size_and_elements_are_limited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = lambda text: text.replace("<sheetData>", "<sheetData>" + " " * (1 << 20))  # noqa: E731
    path = changed(tmp_path / "a.xlsx", filled)
    assert path.stat().st_size < 20_000
    read(open_list(path))
    monkeypatch.setattr(workbook_parts, "MAX_UNPACKED", 1 << 20)
    with pytest.raises(ListError, match="unpacks to more than 1048576 bytes"):
        open_list(path)
    monkeypatch.undo()
    monkeypatch.setattr(workbook_parts, "MAX_ELEMENTS", 100)
    with pytest.raises(ListError, match="more than 100 elements"):
        open_list(LIST)
    monkeypatch.undo()
    monkeypatch.setattr(workbook_parts, "MAX_MEMBERS", 3)
    with pytest.raises(ListError, match="members in the workbook; at most 3"):
        open_list(LIST)


def test_a_text_longer_than_a_cell_may_have(tmp_path: Path) -> None:
    long = "x" * (workbook.MAX_CELL + 1)
    path = changed(
        tmp_path / "a.xlsx", lambda text: text.replace("htx", long, 1), "xl/sharedStrings.xml"
    )
    assert read(open_list(path))[0]["problem"] == "too long a text in E7"


def test_a_workbook_inside_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(LIST, "huobi_por.xlsx")
    with pytest.raises(ListError, match=r"no \.csv file"):
        open_list(path)

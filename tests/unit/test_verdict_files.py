"""Texts of a list in a CSV that people open: no formulas, nothing hidden."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pytest

from crawler.counting.ledger import LEDGER
from crawler.reports import display
from crawler.reports.verdict_files import COLUMNS, inert, verdict_file

pytestmark = pytest.mark.unit

STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("before", ["", "x;", "x|", ";", "x;x|"])
def test_no_cell_can_start_a_formula(before: str, start: str) -> None:
    shown = inert(f"{before}{start}1+1")
    assert shown == f"{before}'{start}1+1"


@pytest.mark.parametrize(
    "before", ["\t", "\r", "\n", "\x00", "\ufeff", "\u200b", "\u202e", "\u00a0", "\x1b[2J"]
)
def test_nothing_unseen_comes_before_a_formula(before: str) -> None:
    shown = inert(f"{before}=1+1")
    assert isinstance(shown, str)
    assert shown.startswith("⟨U+")
    assert shown == display.visible(shown)


@pytest.mark.parametrize("text", ["0xab", "bc1q-x", "a=b", "Binance (Peg)", "币", "a;b", ""])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert inert(text) == text


@pytest.mark.parametrize("number", [-1, 0, 7, None])
def test_what_is_no_text_stays_as_it_is(number: int | None) -> None:
    assert inert(number) is number


def test_a_hostile_row_is_one_line_of_seven_cells(tmp_path: Path) -> None:
    texts = ["=1+1", '"\n\n=2', "x,\r\n@3", "\u2028\u202e", "\x00\x1b]0;t\x07", "\u0085"]
    schema = pa.schema([LEDGER.field(name) for name in COLUMNS])
    rows = [dict(zip(COLUMNS, [2, *texts], strict=True))]
    with verdict_file(tmp_path / "v.csv") as take:
        take(pa.Table.from_pylist(rows, schema))
    content = (tmp_path / "v.csv").read_text(encoding="utf-8")
    assert len(content.splitlines()) == 2
    assert display.visible(content.replace("\n", "")) == content.replace("\n", "")
    (_, cells) = csv.reader(content.splitlines())
    assert cells == ["2", *(str(inert(text)) for text in texts)]

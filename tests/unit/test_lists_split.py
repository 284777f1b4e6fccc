"""Cutting lines, and records that reach over lines and over blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.lists import blocks, open_list
from crawler.lists.split import SplitError, UnclosedQuoteError, split_line

pytestmark = pytest.mark.unit

HEADER = "coin,address,amount,message,signature1\n"


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("", [""]),
        ("a,b", ["a", "b"]),
        (",", ["", ""]),
        ('"a,b",c', ["a,b", "c"]),
        ('"a""b"', ['a"b']),
        ('a"b,c', ['a"b', "c"]),
        ('{"k":"v","l":"w"},x', ['{"k":"v","l":"w"}', "x"]),
        (' {"k":"v,}"},x', [' {"k":"v,}"}', "x"]),
        ('{"k":{"l":[1,2]},"m":"\\""},x', ['{"k":{"l":[1,2]},"m":"\\""}', "x"]),
        ('{""k"":""v"",""l"":""w""},x', ['{"k":"v","l":"w"}', "x"]),
        ('{"k":"","l":""},x', ['{"k":"","l":""}', "x"]),
        ('"{""k"":""v"",""l"":1}",x', ['{"k":"v","l":1}', "x"]),
        ('"{"k":"v","l":1}",x', ['{"k":"v","l":1}', "x"]),
        ("[51ae,52ae],x", ["[51ae,52ae]", "x"]),
        ("[hello,x", ["[hello", "x"]),
        ("[a]b,c]", ["[a]b", "c]"]),
        ("{a],b}", ["{a]", "b}"]),
        ("{a,b],c", ["{a", "b]", "c"]),
        ('["",""],x', ['["",""]', "x"]),
        ('"a" ,b', ["a", "b"]),
    ],
)
def test_lines_are_cut(line: str, fields: list[str]) -> None:
    assert split_line(line) == fields


def test_lines_that_cannot_be_cut() -> None:
    with pytest.raises(UnclosedQuoteError):
        split_line('a,"b')
    with pytest.raises(SplitError, match="text follows a closing quote"):
        split_line('"a"b,c')


@pytest.mark.parametrize("size", [7, 40, 100, 1 << 20])
def test_a_quoted_field_may_span_lines_and_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_SIZE", size)
    path = tmp_path / "list.csv"
    path.write_text(HEADER + 'A,a1,1,"one\ntwo, ""2""\n\nthree",s\nB,b1,2,plain,s\n"C\n",c1,3\n')
    published = open_list(path)
    rows = [row for batch in published.batches() for row in batch.to_pylist()]
    assert [(row["row"], row["asset"], row["message"]) for row in rows] == [
        (2, "A", 'one\ntwo, "2"\n\nthree'),
        (6, "B", "plain"),
        (7, "C\n", ""),
    ]
    account = published.account
    assert (account.lines, account.claim, account.continuation) == (8, 3, 4)


@pytest.mark.parametrize("size", [50, 1 << 20])
def test_a_quote_that_never_closes_costs_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_SIZE", size)
    path = tmp_path / "list.csv"
    path.write_text(HEADER + 'A,a1,1,"one,s\n' + "B,b1,2,plain,s\n" * 300)
    published = open_list(path)
    kinds = [kind for batch in published.batches() for kind in batch.column("kind").to_pylist()]
    assert kinds == ["malformed"] + ["claim"] * 300
    assert published.account.continuation == 0


def test_line_ends_of_both_kinds_and_none_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(HEADER.encode() + b"A,a1,1\r\nB,b1,2\n\r\nC,c1,3,m,s")
    published = open_list(path)
    rows = [row for batch in published.batches() for row in batch.to_pylist()]
    assert [(row["row"], row["amount"]) for row in rows] == [(2, "1"), (3, "2"), (5, "3")]
    assert (published.account.lines, published.account.blank) == (5, 1)


def test_a_quoted_field_spans_at_most_a_hundred_lines(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(HEADER + 'A,a1,1,"one\n' + "B,b1,2,plain,s\n" * 150 + 'C,c1,3,two",s\n')
    published = open_list(path)
    kinds = [kind for batch in published.batches() for kind in batch.column("kind").to_pylist()]
    assert kinds == ["malformed"] + ["claim"] * 151


def test_problems_stay_with_their_rows_after_a_spanning_one(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(HEADER + 'A,a1,1,"one\ntwo",s\nB\n\nC,c1,3\n')
    published = open_list(path)
    rows = [row for batch in published.batches() for row in batch.to_pylist()]
    assert [(row["row"], row["kind"]) for row in rows] == [
        (2, "claim"),
        (4, "malformed"),
        (6, "claim"),
    ]
    assert rows[1]["message"] == "B"


def test_a_carriage_return_inside_an_otherwise_plain_line(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(HEADER.encode() + b"A,a\r1,1,m,s\nB,b1,2,m,s\n")
    rows = [row for batch in open_list(path).batches() for row in batch.to_pylist()]
    assert [(row["row"], row["kind"]) for row in rows] == [(2, "malformed"), (3, "claim")]

"""Which texts were signed, how they are dated, and what was seen in an earlier list."""

from __future__ import annotations

from fractions import Fraction

import pyarrow as pa
import pytest

from crawler.counting.reconciled import scales
from crawler.counting.units import fraction_text
from crawler.examining.hygiene import Seen, SignedTexts, dated
from tests.unit.ledger_rows import ledger_of, ledger_row

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I am an OKX address", "undated"),
        ("King will be back!", "undated"),
        ("OKC_DTT_AUP2025", "year"),
        ("exchange 2024-06-10", "date"),
        ("exchange 20240610", "date"),
        ("signed on 10 June 2024", "date"),
        ("June 10, 2024", "date"),
        ("1717977600", "time"),
        ("6DcZbFpug1664269042", "time"),
        ("at 1717977600123 exactly", "time"),
        ("block 850000", "block"),
        ("12345678", "undated"),
        ("20249910", "undated"),
    ],
)
def test_a_text_is_dated_by_what_it_says(text: str, kind: str) -> None:
    assert dated(text) == kind


def test_texts_are_counted_with_schemes_and_amounts_most_rows_first() -> None:
    ledger = ledger_of(
        ledger_row(1, claimed="1000000000000000000"),
        ledger_row(2, claimed="2000000000000000000"),
        ledger_row(3, claimed=None),
        ledger_row(4, claimed="5000000000000000000"),
    )
    texts = SignedTexts()
    messages, schemes = pa.array(["b", "a", "a", ""]), pa.array(["eip191", "eip191", "", ""])
    for part in (slice(0, 2), slice(2, 4)):
        texts.add(messages[part], schemes[part], ledger[part])
    lines, left_out = texts.lines(scales([ledger]), ("a",))
    assert left_out == 0
    assert [(line.text, line.rows, line.expected) for line in lines] == [
        ("a", 2, True),
        ("b", 1, False),
    ]
    assert lines[0].schemes == {"eip191": 1, "not verified": 1}
    assert lines[0].claimed == {"ETH": "2"}


def test_the_raw_text_of_a_malformed_line_is_no_signed_text() -> None:
    ledger = ledger_of(ledger_row(1), ledger_row(2, kind="malformed"))
    texts = SignedTexts()
    texts.add(pa.array(["a", "BTC,=1,a"]), pa.array(["eip191", ""]), ledger)
    assert [line.text for line in texts.lines(scales([ledger]), None)[0]] == ["a"]


def batch(*rows: tuple[str, bytes, bytes, str]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    claims = pa.RecordBatch.from_pylist(
        [
            {
                "signatures": text.split(),
                "chain": "eip155:1",
                "account": account,
                "counts_as": "ETH",
                "units": units,
                "decimals": 2,
            }
            for text, _, account, units in rows
        ],
        schema=pa.schema(
            [
                ("signatures", pa.list_(pa.string())), ("chain", pa.string()),
                ("account", pa.binary()), ("counts_as", pa.string()),
                ("units", pa.string()), ("decimals", pa.int16()),
            ]
        ),
    )  # fmt: skip
    keys = pa.array([[key] if key else [] for _, key, _, _ in rows], pa.list_(pa.binary()))
    return claims, pa.RecordBatch.from_arrays([keys], names=["keys"])


def test_what_stood_in_an_earlier_list_is_counted_once_a_row_with_its_oldest_list() -> None:
    seen = Seen()
    seen.begin("january")
    seen.take(*batch(("s1", b"k1", b"a1", "100"), ("s1", b"k1", b"a1", "100")))
    first = seen.end()
    assert (first.signatures, first.keys, first.addresses, first.oldest) == (0, 0, 0, "")
    seen.begin("february")
    seen.take(*batch(("s2", b"k1", b"a2", "100")))
    second = seen.end()
    assert (second.signatures, second.keys, second.addresses, second.oldest) == (0, 1, 0, "")
    seen.begin("march")
    seen.take(*batch(("s1", b"k1", b"a1", "150"), ("s2", b"k9", b"a2", "25"), ("", b"", b"", "7")))
    third = seen.end()
    assert (third.signatures, third.keys, third.addresses) == (2, 1, 2)
    assert (third.oldest, third.claimed) == ("january", {"ETH": "1.75"})


def test_of_two_signatures_of_a_row_the_older_one_tells_the_oldest_list() -> None:
    for texts in ("s1 s2", "s2 s1"):
        seen = Seen()
        for name, text in (("january", "s1"), ("february", "s2"), ("march", texts)):
            seen.begin(name)
            seen.take(*batch((text, b"", b"", "1")))
        assert (seen.end().signatures, seen.end().oldest) == (1, "january")


def test_only_sums_of_decimals_are_written_exactly() -> None:
    assert fraction_text(Fraction(7, 4)) == "1.75"
    with pytest.raises(ValueError, match="no sum of decimals"):
        fraction_text(Fraction(1, 3))

"""Lists from strangers: whatever the bytes, a list is read to the last line or refused."""

from __future__ import annotations

import csv
import io
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.errors import ListError
from crawler.lists import blocks, open_list
from crawler.lists.amounts import AmountError, amounts_to_units, parse_amount
from crawler.lists.claims import key_columns
from crawler.model import CLAIMS, RowKind

pytestmark = pytest.mark.property

FIXTURES = sorted((Path(__file__).parents[2] / "fixtures" / "lists").iterdir())
HEADER = (
    "coin,Type,Network,Snapshot Height,address,amount,message,signature1,signature2,"
    "redeem script/public key,EOA1,EOA2"
)
relaxed = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

DAMAGE = st.one_of(
    st.sampled_from([b'"', b"{", b"[", b"}", b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b'""']),
    st.sampled_from([b"\xef\xbb\xbf", b"\n\n", b'",', b"null", b"-", b"PK\x03\x04"]),
    st.just(b"coin,address,amount,message,signature1\n"),
)


def read_through(path: Path) -> list[dict[str, Any]]:
    """All rows, after checking what every list promises."""
    published = open_list(path)
    rows: list[dict[str, Any]] = []
    for batch in published.batches(size=7):
        batch.validate(full=True)
        assert batch.schema == CLAIMS
        assert 0 < batch.num_rows <= 7
        assert not any(column.null_count for column in batch.columns)
        rows += batch.to_pylist()
    account = published.account
    kinds = [row["kind"] for row in rows]
    for kind in RowKind:
        assert kinds.count(kind.value) == getattr(account, kind.value)
    assert account.lines == sum(member.lines for member in published.members)
    assert account.total == len(published.totals)
    elsewhere = account.header + account.total + account.blank + account.continuation
    assert account.lines == len(rows) + elsewhere
    numbers = [row["row"] for row in rows] + [total.row for total in published.totals]
    assert len(set(numbers)) == len(numbers)
    assert [row["row"] for row in rows] == sorted(row["row"] for row in rows)
    assert all(1 <= number <= account.lines for number in numbers)
    for row in rows:
        assert bool(row["problem"]) == (row["kind"] == RowKind.MALFORMED)
        assert row["address"] or row["kind"] == RowKind.MALFORMED
    return rows


def refusal(path: Path) -> str | None:
    """Why the list is refused, or nothing when it was read to its end."""
    try:
        read_through(path)
    except ListError as error:
        return str(error)
    return None


@relaxed
@given(data=st.binary(max_size=300), size=st.integers(1, 400))
def test_no_bytes_bring_it_down(data: bytes, size: int, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(data)
    with patch.object(blocks, "BLOCK_SIZE", size):
        said = refusal(path)
    assert said is None or str(path) in said


@settings(relaxed, max_examples=500)
@given(
    which=st.sampled_from(FIXTURES),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), DAMAGE), max_size=5),
    size=st.one_of(st.integers(1, 3000), st.just(1 << 22)),
)
def test_damaged_lists_are_read_or_refused(
    which: Path, cuts: list[tuple[float, int, bytes]], size: int, tmp_path: Path
) -> None:
    data = which.read_bytes()
    for place, length, instead in cuts:
        at = int(place * len(data))
        data = data[:at] + instead + data[at + length :]
    path = tmp_path / "list"
    path.write_bytes(data)
    with patch.object(blocks, "BLOCK_SIZE", size):
        said = refusal(path)
    assert said is None or (str(path) in said and "please report" not in said)


FIELD = st.one_of(
    st.just(""),
    st.sampled_from(["null", "\\N", "-", "ETH", "0x00", " 1.5", "addr\u00e9ss"]),
    st.text(st.sampled_from('ab,"{}[]:\u00e9 \n'), max_size=12),
)
FILLED = st.text(st.sampled_from("abc-\u00e9"), min_size=1, max_size=9)
ROW = st.tuples(FILLED, FIELD, FILLED, FIELD, FILLED, *[FIELD] * 7)


@settings(relaxed, max_examples=300)
@given(
    rows=st.lists(ROW, max_size=40),
    short=st.lists(st.booleans(), min_size=40, max_size=40),
    careful=st.booleans(),
    size=st.integers(1, 2000),
)
def test_rows_are_those_the_standard_reader_finds(
    *, rows: list[tuple[str, ...]], short: list[bool], careful: bool, size: int, tmp_path: Path
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if careful else 0)
    for row, is_short in zip(rows, short, strict=False):
        last = max((at for at, field in enumerate(row) if field), default=0) + 1
        opened = ["" if field.lstrip(" ")[:1] in {"{", "["} else field for field in row]
        writer.writerow(opened[: max(6, last)] if is_short else opened)
    path = tmp_path / "list"
    path.write_text(HEADER + "\n" + text.getvalue(), newline="")
    with patch.object(blocks, "BLOCK_SIZE", size):
        found = read_through(path)
    expected = list(csv.reader(io.StringIO(text.getvalue(), newline="")))
    assert len(found) == len(expected)
    none = {"", "null", "\\N"}
    for row, fields in zip(found, expected, strict=True):
        filled = [*fields, *[""] * (12 - len(fields))]
        cleaned = ["" if field in none else field for field in filled]
        names = ("asset", "type", "network", "height", "address", "amount", "message")
        assert [row[name] for name in names] == cleaned[:7]
        assert row["signatures"] == [field for field in cleaned[7:9] if field]
        assert row["script"] + row["public_key"] == cleaned[9]
        assert row["owners"] == [field for field in cleaned[10:] if field]


KEYS = st.lists(
    st.one_of(
        st.just(""),
        st.sampled_from(["[a]", " [a", "{}", "EOS7key", "51ae", "0X60AE", "61ae", "50ae", "510ae"]),
        st.sampled_from([64, 66, 70, 74, 96, 128, 130, 210]).map(
            lambda n: "51" + "0" * (n - 4) + "ae"
        ),
    ),
    max_size=20,
)


@given(keys=KEYS)
def test_a_key_column_is_parted_without_loss(keys: list[str]) -> None:
    scripts, others = key_columns(pa.array(keys, pa.string()))
    for key, script, other in zip(keys, scripts.to_pylist(), others.to_pylist(), strict=True):
        assert (script, other) in {(key, ""), ("", key)}
        bare = key.lower().removeprefix("0x")
        opens = bare[:2] in {f"{op:x}" for op in range(0x51, 0x61)}
        shaped = opens and bare.endswith("ae") and len(bare) % 2 == 0
        length = len(bare) not in {64, 66, 96, 128, 130}
        assert bool(script) == (key.lstrip().startswith("[") or (shaped and length))


AMOUNTS = st.lists(
    st.one_of(
        st.from_regex(r" {0,2}[0-9]{1,40}(\.[0-9]{1,40})? {0,2}", fullmatch=True),
        st.from_regex(r"[0-9]{98,102}(\.0{98,102})?", fullmatch=True),
        st.text(st.sampled_from("01. -+eE,\n\t\u0661\u00a0"), max_size=8),
        st.decimals(0, 10**9, allow_nan=False, allow_infinity=False).map(str),
    ),
    max_size=20,
)


@given(texts=AMOUNTS, decimals=st.sampled_from([0, 1, 6, 8, 18, 77]))
def test_amounts_by_the_column_are_amounts_one_by_one(texts: list[str], decimals: int) -> None:
    columns = amounts_to_units(pa.array(texts, pa.string()), decimals).to_pylist()
    for text, units in zip(texts, columns, strict=True):
        try:
            expected = parse_amount(text, decimals)
        except AmountError:
            assert units is None
            continue
        assert units == str(expected)
        with localcontext(prec=400):
            assert Decimal(text.strip(" ")) * 10**decimals == expected

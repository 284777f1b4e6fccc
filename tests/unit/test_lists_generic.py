"""The generic table in its three forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crawler.errors import ListError
from crawler.lists import open_list
from crawler.model import CLAIMS

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lists"


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [row for batch in open_list(path).batches() for row in batch.to_pylist()]


def test_csv_holds_any_number_of_signatures() -> None:
    published = open_list(FIXTURES / "generic.csv")
    assert (published.dialect, published.exchange) == ("generic", None)
    assert published.unread == ("x_note",)
    rows = rows_of(FIXTURES / "generic.csv")
    assert [len(row["signatures"]) for row in rows] == [3, 3, 1, 2]
    assert rows[0]["exchange"] == "madeup"
    assert rows[0]["scheme"] == "bip137"
    assert rows[0]["script"].startswith("5221")
    assert rows[2]["public_key"]
    assert rows[3]["message"] == 'I am a made-up address, signed by "us"'
    assert len(rows[3]["owners"]) == 2


def test_json_lines_keep_the_digits_of_numbers() -> None:
    rows = {row["row"]: row for row in rows_of(FIXTURES / "generic.jsonl")}
    assert rows[4]["amount"] == "12345678901234567890.123456789012345678"
    assert rows[1]["height"] == "800000"
    assert len(rows[1]["signatures"]) == 3
    assert rows[2]["owners"]
    assert {number: row["kind"] for number, row in rows.items() if number > 4} == dict.fromkeys(
        range(5, 9), "malformed"
    )
    assert "typo" in rows[6]["problem"]
    assert rows[7]["message"] == "[1]"


def test_parquet_gives_the_same_rows_as_json_lines() -> None:
    rows = rows_of(FIXTURES / "generic.parquet")
    others = rows_of(FIXTURES / "generic.jsonl")
    for name in ("row", "network", "asset", "address", "amount", "height"):
        assert [row[name] for row in rows] == [row[name] for row in others[:2]]
    assert rows[0]["signatures"] == others[0]["signatures"]


@pytest.mark.parametrize("name", ["generic.csv", "generic.jsonl", "generic.parquet"])
def test_batches_have_the_schema_and_no_nulls(name: str) -> None:
    for batch in open_list(FIXTURES / name).batches(size=1):
        batch.validate(full=True)
        assert batch.num_rows == 1
        assert batch.schema == CLAIMS
        assert sum(column.null_count for column in batch.columns) == 0


def test_unknown_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("network,address,adress,x_mine\n")
    with pytest.raises(ListError, match=r"table\.csv, line 1: unknown column 'adress'; .*'x_'"):
        open_list(path)
    path.write_text('{"network": "ETH", "address": "a", "adress": "b"}')
    with pytest.raises(ListError, match="line 1: unknown column 'adress'"):
        open_list(path)
    pq.write_table(pa.table({"network": ["ETH"], "address": ["a"], "adress": ["b"]}), path)
    with pytest.raises(ListError, match="unknown column 'adress'"):
        open_list(path)


def test_floats_and_missing_columns_in_parquet_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table"
    pq.write_table(pa.table({"network": ["ETH"], "address": ["a"], "amount": [0.1]}), path)
    with pytest.raises(ListError, match="column 'amount' is of type double; expected text"):
        open_list(path)
    pq.write_table(pa.table({"network": ["ETH"]}), path)
    with pytest.raises(ListError, match="expected the columns 'network' and 'address'"):
        open_list(path)


def test_decimals_in_parquet_are_written_out(tmp_path: Path) -> None:
    path = tmp_path / "table"
    amount = pa.array(["0.000000000000000001", "100"]).cast(pa.decimal128(30, 18))
    pq.write_table(pa.table({"network": ["a", "b"], "address": ["c", ""], "amount": amount}), path)
    rows = rows_of(path)
    assert rows[0]["amount"] == "0.000000000000000001"
    assert (rows[1]["kind"], rows[1]["problem"]) == ("malformed", "no address")


@pytest.mark.parametrize("half", ['"\\ud800"', '"s", "t\\udc00"', '"\\ud83d", "\\ude00"'])
def test_half_a_surrogate_pair_spoils_its_own_line_alone(tmp_path: Path, half: str) -> None:
    doubled = half.replace('"', '""')
    table, lines = tmp_path / "table.csv", tmp_path / "table.jsonl"
    table.write_text(f'network,address,signatures\nBTC,a,[{half}]\nBTC,b,"[{doubled}]"\nBTC,c,s\n')
    start = '{"network": "BTC", "address": "a", "signatures": '
    texts = (f"[{half}]", json.dumps(f"[{half}]"), '["s"]')
    lines.write_text("".join(f"{start}{text}}}\n" for text in texts))
    for path in (table, lines):
        rows = rows_of(path)
        assert [row["kind"] for row in rows] == ["malformed", "malformed", "claim"]
        assert {row["problem"] for row in rows[:2]} == {"a signature holds half a surrogate pair"}
        assert rows[2]["signatures"] == ["s"]


def test_a_whole_surrogate_pair_is_one_character(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('network,address,signatures\nBTC,a,["\\ud83d\\ude00"]\n')
    assert rows_of(path)[0]["signatures"] == ["\U0001f600"]


def test_a_broken_array_of_signatures_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('network,address,signatures\nBTC,a,[1]\nBTC,b,"[""s"""\nBTC,c,s;;t\n')
    rows = rows_of(path)
    assert [row["kind"] for row in rows] == ["malformed", "malformed", "claim"]
    assert "neither a JSON array" in rows[0]["problem"]
    assert rows[2]["signatures"] == ["s", "t"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"network": "a", "address": "b", "address": "c"}', "is not JSON"),
        ('{"network": "a", "address": "\\ud800"}', "half a surrogate pair"),
        ('{"network": "a", "address": "b", "script": "\\ud800"}', "half a surrogate pair"),
        ('{"network": "a", "address": "b", "owner1": "\\ud800"}', "half a surrogate pair"),
        ('{"network": "a", "address": "b", "public_key": "\\udfff"}', "half a surrogate pair"),
        ('{"network": "a", "address": "b", "signatures": ["\\ud800"]}', "half a surrogate pair"),
        ('{"network": "a", "address": "b", "signatures": "[\\"\\\\ud800\\"]"}', "half a surrogate"),
        ('{"network": "a", "address": ["b"]}', "address is neither a text nor a number"),
        ('{"network": "a", "address": true}', "address is neither a text nor a number"),
        ('{"network": "", "address": "b"}', "no network"),
    ],
)
def test_doubtful_objects_are_malformed(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text('{"network": "a", "address": "b"}\n' + line)
    row = rows_of(path)[1]
    assert row["kind"] == "malformed"
    assert problem in row["problem"]
    assert row["message"] == line


def test_a_damaged_parquet_file_is_refused_in_one_line(tmp_path: Path) -> None:
    raw = bytearray((FIXTURES / "generic.parquet").read_bytes())
    refused = set()
    for at in range(4, 600, 9):
        changed = bytearray(raw)
        changed[at] ^= 0x0D
        path = tmp_path / "list"
        path.write_bytes(changed)
        try:
            rows_of(path)
        except ListError as error:
            refused.add(len(str(error).splitlines()))
    assert refused == {1}


def test_a_parquet_file_that_tells_of_more_rows_than_it_holds_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "list"
    raw = (FIXTURES / "generic.parquet").read_bytes()
    told = pq.read_metadata(FIXTURES / "generic.parquet").num_rows
    footer = int.from_bytes(raw[-8:-4], "little") + 8
    varint = bytes([0x16, told * 2])  # field 3 of the footer: an i64, zigzag
    assert raw[-footer:].count(varint) >= 1
    changed = raw[:-footer] + raw[-footer:].replace(varint, bytes([0x16, told * 2 + 2]), 1)
    path.write_bytes(changed)
    with pytest.raises(ListError, match="tells of another number of rows than it holds"):
        rows_of(path)


@pytest.mark.parametrize(
    ("rows", "cell", "said"), [(1, 40_000_000, "a ratio above 200"), (200_000, 1, "rows in")]
)
def test_a_parquet_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, rows: int, cell: int, said: str
) -> None:
    path = tmp_path / "list"
    values = {"network": "eip155:1", "address": "0x00", "message": "m" * cell}
    table = pa.table({name: pa.array([value] * rows) for name, value in values.items()})
    pq.write_table(table, path, compression="zstd")
    with pytest.raises(ListError, match=said):
        open_list(path)
